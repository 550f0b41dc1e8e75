#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "options.h"

bool runner_speaks = true;

static uint64_t word_number;

enum word read_word(void) {
    static char line[64];
    static size_t length;
    char character;
    ssize_t n = read(0, &character, 1);
    if (n < 0) fail("standard input: %s", strerror(errno));
    if (n == 0) return word_end;
    if (character != '\n') {
        if (length + 1 >= sizeof line) fail("the runner's line is too long");
        line[length++] = character;
        return word_none;
    }
    line[length] = 0;
    length = 0;
    if (!strcmp(line, "go")) return word_go;
    if (!strncmp(line, "peer ", 5)) {
        word_number = number("peer", line + 5, 1, 65535);
        return word_peer;
    }
    fail("the runner said \"%s\"", line);
}

uint64_t wait_for_peer(void) {
    enum word word;
    struct pollfd input = { .fd = 0, .events = POLLIN };
    do {    // bounded: the line has a greatest length and every wait a limit
        if (poll(&input, 1, runner_seconds * 1000) <= 0) fail("the runner named no peer");
        word = read_word();
    } while (word == word_none);
    if (word != word_peer) fail("the runner named no peer");
    return word_number;
}
