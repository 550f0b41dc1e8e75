// The runner's lines on standard input; main.c tells which there are.

#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { runner_seconds = 120 };

enum word { word_none, word_go, word_peer, word_end };

extern bool runner_speaks;      // false with /dev/null: start at once, leave at once

// Takes one character; word_none until a line is complete.
enum word read_word(void);

// Waits for the port where the forwarder listens (raw mode).
uint64_t wait_for_peer(void);
