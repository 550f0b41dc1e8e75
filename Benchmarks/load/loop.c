#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "basics.h"
#include "bulk.h"
#include "http.h"
#include "json.h"
#include "options.h"
#include "pairs.h"
#include "pingpong.h"

struct pair *pairs;
struct phase phase;

static int poller;
static struct endpoint runner_input = { .fd = 0, .kind = kind_runner };

void open_loop(void) {
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1: %s", strerror(errno));
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &runner_input };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) < 0) {
        if (errno != EPERM) fail("standard input: %s", strerror(errno));
        runner_speaks = false;          // /dev/null and files cannot be waited for
    }
}

void watch(struct endpoint *endpoint, uint32_t events, int operation) {
    struct epoll_event event = { .events = events, .data.ptr = endpoint };
    if (epoll_ctl(poller, operation, endpoint->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

void run_until_finished(void) {
    double begin = now();
    while (phase.unfinished) {
        turn(100);
        double t = now();
        if (option.seconds > 0 && t > begin + option.seconds) phase.stopping = true;
        if (t > begin + (double)option.max_seconds) fail("not finished after %llu s", (unsigned long long)option.max_seconds);
        if (phase.word == word_end && runner_speaks) exit(0);
    }
}

void turn(int wait_milliseconds) {
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, wait_milliseconds);
    if (n < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct endpoint *endpoint = events[i].data.ptr;
        switch (endpoint->kind) {
        case kind_runner: {
            enum word word = read_word();
            if (word != word_none) phase.word = word;
            if (word == word_end) watch(&runner_input, 0, EPOLL_CTL_DEL);
            break;
        }
        case kind_owner: owner_event(endpoint); break;
        case kind_quiet: fail("pair %u: data or an end on an idle connection", endpoint->pair);
        case kind_echo: echo_event(endpoint); break;
        case kind_writer:
        case kind_stuck_writer: write_event(endpoint); break;
        case kind_reader: read_event(endpoint); break;
        case kind_json: json_event(endpoint); break;
        case kind_http: http_event(endpoint); break;
        }
    }
}
