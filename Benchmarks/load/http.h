// Clients that ask for the same page again and again.

#pragma once

#include "loop.h"

void run_http(void);
void http_event(struct endpoint *endpoint);
