// Clients of the JSON relay, and what they send and hear.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

enum { max_frame = 65536 };

extern struct endpoint *clients;
extern uint64_t client_count;

// Each client gets its frame: to its neighbour, or to client 0.
void open_clients(uint64_t count, bool fan_in);

// Finds the value of a string member in a frame whose values need no escapes (ours do not).
const char *find_member(const char *body, size_t size, const char *member, size_t *length);
