// Messages between clients of the JSON relay: to and fro in pairs, or from many senders to one receiver.

#pragma once

#include "loop.h"

void run_json(void);
void json_event(struct endpoint *client);
