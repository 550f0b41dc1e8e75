// What the command line asks for.

#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    max_connections = 9000,     // leaves room below a descriptor limit of 20,000 for a relay that splices
    max_message = 65536,
};

struct options {
    const char *suite;
    uint64_t port;
    bool raw;
    bool raw_guests;            // guests offer no compression, their hosts do
    uint64_t pairs, size, messages, warmup, bytes, guests, clients, senders, window, max_seconds;
    double seconds;
};

extern struct options option;
extern const char usage[];

void parse_options(int count, char **words);

// Reads a whole number within limits, or fails and names it.
uint64_t number(const char *name, const char *text, uint64_t lowest, uint64_t highest);
