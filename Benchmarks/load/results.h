// The two moments at which nothing moves, and what is said at them.

#pragma once

#include <stdint.h>

// Everything is connected and warmed up.
void ready(const char *note, uint64_t value);

// Waits until the runner says so.
void begin_measuring(void);

// `extra` is the end of the JSON object.
void print_result(const char *extra, ...) __attribute__((format(printf, 1, 2)));

// Keeps all connections until the runner leaves.
void hold(void);
