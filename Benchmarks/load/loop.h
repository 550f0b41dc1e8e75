// The event loop: what is connected, and how far the current phase has come.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner.h"

enum kind { kind_runner, kind_owner, kind_quiet, kind_echo, kind_writer, kind_reader, kind_stuck_writer, kind_json, kind_ldn, kind_http };

// One socket and what the events on it mean at the moment.
struct endpoint {
    int fd;
    enum kind kind;
    uint32_t pair;
    uint32_t got;               // bytes of the message being read
    uint64_t count;             // messages received, or bytes moved
    uint8_t *input;             // JSON: bytes not yet parsed
    uint8_t *frame;             // JSON: the frame this client sends, with its length in front
    size_t frame_size;
    uint32_t outstanding;       // JSON fan-in: messages not yet acknowledged
    char id[64];
};

struct pair {
    struct endpoint guest, host;
    uint64_t crossed;           // messages of the current phase
    uint64_t quota;
    double sent;                // when the message under way left
};

struct phase {
    uint64_t unfinished;        // pairs, readers or clients that still have something to do
    uint64_t messages;
    uint64_t bytes;
    double longest;             // what a message of a pair took from one end to the other, in seconds
    bool stopping;              // answer nothing any more
    enum word word;             // what the runner last said
    bool writer_closed;
};

extern struct pair *pairs;
extern struct phase phase;

// Also finds out whether the runner speaks.
void open_loop(void);

void watch(struct endpoint *endpoint, uint32_t events, int operation);

// Waits for events and handles them.
void turn(int wait_milliseconds);

void run_until_finished(void);
