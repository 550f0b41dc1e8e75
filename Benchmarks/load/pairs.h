// Opening pairs through the relay under test: by rendezvous, or in raw mode as the backend of a plain forwarder.

#pragma once

#include <stdint.h>

#include "loop.h"

void open_all_pairs(void);

// Everything the pairs need before the first of them: the array, and in raw mode the backend and the peer's port.
void prepare_pairs(void);

void open_pairs(uint64_t first, uint64_t end);

// The server pings its owner after a minute of silence.
void owner_event(struct endpoint *owner);
