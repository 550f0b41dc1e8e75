#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basics.h"

struct options option = {
    .pairs = 64, .size = 64, .messages = 100000, .warmup = 2000, .bytes = 256u << 20, .guests = 64,
    .clients = 64, .senders = 32, .window = 8, .max_seconds = 60,
};

const char usage[] =
    "usage: load tunnel-pingpong|tunnel-input|tunnel-bulk|json-unicast|json-fanin|http-list|idle|stalled [option value]...\n"
    "  --port P          where the relay listens on 127.0.0.1 (not in raw mode)\n"
    "  --mode M          tunnel: open pairs by rendezvous; raw: be the backend of a plain forwarder  [tunnel]\n"
    "  --compression C   whose netplay headers offer it: both, host            [both]\n"
    "  --pairs N         pairs to open                                        [64]\n"
    "  --guests N        guests per tunnel session                            [64]\n"
    "  --size N          bytes of a message, of the payload in JSON           [64]\n"
    "  --messages N      messages of the measured phase, all pairs together   [100000]\n"
    "  --seconds T       run for a time instead of a number (tunnel-pingpong, json-unicast)\n"
    "  --warmup N        messages (idle: pairs) before \"ready\"               [2000]\n"
    "  --bytes N         bytes to push (tunnel-bulk, stalled)                 [256 MiB]\n"
    "  --clients N       clients of json-unicast, http-list                   [64]\n"
    "  --senders N       senders of json-fanin                                [32]\n"
    "  --window N        unacknowledged messages of a sender (json-fanin)     [8]\n"
    "  --max-seconds T   give up when the measured phase takes longer         [60]\n";

void parse_options(int count, char **words) {
    if (count < 2) {
        fputs(usage, stderr);
        exit(2);
    }
    option.suite = words[1];
    for (int i = 2; i < count; i += 2) {
        const char *name = words[i];
        if (i + 1 >= count) fail("%s needs a value", name);
        const char *value = words[i + 1];
        if (!strcmp(name, "--port")) option.port = number(name, value, 1, 65535);
        else if (!strcmp(name, "--mode") && !strcmp(value, "tunnel")) option.raw = false;
        else if (!strcmp(name, "--mode") && !strcmp(value, "raw")) option.raw = true;
        else if (!strcmp(name, "--compression") && !strcmp(value, "both")) option.raw_guests = false;
        else if (!strcmp(name, "--compression") && !strcmp(value, "host")) option.raw_guests = true;
        else if (!strcmp(name, "--pairs")) option.pairs = number(name, value, 1, max_connections / 2);
        else if (!strcmp(name, "--guests")) option.guests = number(name, value, 1, 4096);
        else if (!strcmp(name, "--size")) option.size = number(name, value, 8, max_message);
        else if (!strcmp(name, "--messages")) option.messages = number(name, value, 1, 1000000000);
        else if (!strcmp(name, "--seconds")) option.seconds = (double)number(name, value, 1, 600);
        else if (!strcmp(name, "--warmup")) option.warmup = number(name, value, 0, 1000000000);
        else if (!strcmp(name, "--bytes")) option.bytes = number(name, value, 1, (uint64_t)1 << 40);
        else if (!strcmp(name, "--clients")) option.clients = number(name, value, 2, max_connections);
        else if (!strcmp(name, "--senders")) option.senders = number(name, value, 1, 4096);
        else if (!strcmp(name, "--window")) option.window = number(name, value, 2, 4096);
        else if (!strcmp(name, "--max-seconds")) option.max_seconds = number(name, value, 1, 600);
        else fail("unknown option %s %s\n%s", name, value, usage);
    }
}

uint64_t number(const char *name, const char *text, uint64_t lowest, uint64_t highest) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value < lowest || value > highest) fail("bad value for %s: %s", name, text);
    return value;
}
