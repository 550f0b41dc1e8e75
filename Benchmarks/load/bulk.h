// Bytes one way through pairs, as fast as they go.

#pragma once

#include "loop.h"

void run_bulk(void);

// Fills the pattern; once, at the start.
void prepare_bulk(void);

void write_event(struct endpoint *endpoint);
void read_event(struct endpoint *endpoint);
