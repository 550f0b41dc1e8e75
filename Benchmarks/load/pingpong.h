// Messages to and fro in pairs.

#pragma once

#include <stdint.h>

#include "loop.h"

void run_pingpong(void);

// Fills the message; once, at the start.
void prepare_message(void);

// The same for netplay's INPUT, 20 bytes.
void prepare_input_message(void);

// Begins; every pair has one message under way. A message is one crossing of the relay, so a round trip counts two.
void pingpong(uint64_t first, uint64_t count, uint64_t messages);

void echo_event(struct endpoint *endpoint);
