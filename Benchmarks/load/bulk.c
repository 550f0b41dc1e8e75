#include "bulk.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basics.h"
#include "options.h"
#include "pairs.h"
#include "results.h"

enum {
    pattern_period = 251,       // a prime, so that a shifted or doubled block is noticed
    bulk_block = pattern_period * 1024,
};

static uint8_t bulk_buffer[bulk_block * 2];

static void bulk(uint64_t bytes);

void run_bulk(void) {
    uint64_t each = option.bytes / option.pairs, warm = 8u << 20;
    if (!each) fail("too few bytes for %llu pairs", (unsigned long long)option.pairs);
    open_all_pairs();
    bulk(warm < each ? warm : each);        // lets the windows grow
    ready("pairs", option.pairs);
    begin_measuring();
    bulk(each);
    print_result(", \"pairs\": %llu", (unsigned long long)option.pairs);
    hold();
}

void prepare_bulk(void) {
    for (size_t i = 0; i < sizeof bulk_buffer; i++) bulk_buffer[i] = (uint8_t)(i % pattern_period);
}

// One way, guest to host, as on a state being loaded; `bytes` for each pair.
static void bulk(uint64_t bytes) {
    option.bytes = bytes;
    phase.bytes = 0;
    phase.unfinished = option.pairs;
    for (uint64_t i = 0; i < option.pairs; i++) {
        pairs[i].guest.count = pairs[i].host.count = 0;
        pairs[i].host.kind = kind_reader;
        pairs[i].guest.kind = kind_writer;
        watch(&pairs[i].guest, EPOLLOUT, EPOLL_CTL_MOD);
    }
    run_until_finished();
}

void write_event(struct endpoint *endpoint) {
    uint64_t left = option.bytes - endpoint->count;
    size_t size = left < bulk_block ? (size_t)left : bulk_block;
    ssize_t n = send(endpoint->fd, bulk_buffer + endpoint->count % pattern_period, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
        if (endpoint->kind != kind_stuck_writer) fail("pair %u: send: %s", endpoint->pair, strerror(errno));
        // A relay may end a pair that reads nothing; that is a result, not a failure.
        phase.writer_closed = true;
        watch(endpoint, 0, EPOLL_CTL_DEL);
        return;
    }
    endpoint->count += (uint64_t)n;
    phase.bytes += endpoint->kind == kind_stuck_writer ? (uint64_t)n : 0;
    if (endpoint->count == option.bytes) {
        if (endpoint->kind == kind_writer) endpoint->kind = kind_quiet;
        watch(endpoint, endpoint->kind == kind_quiet ? EPOLLIN : 0, EPOLL_CTL_MOD);
    }
}

void read_event(struct endpoint *endpoint) {
    static uint8_t input[bulk_block];
    ssize_t n = recv(endpoint->fd, input, sizeof input, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("pair %u: the relay closed it", endpoint->pair);
    uint64_t last = endpoint->count + (uint64_t)n - 1;
    if (input[0] != endpoint->count % pattern_period || input[n - 1] != last % pattern_period || last >= option.bytes)
        fail("pair %u: wrong bytes at %llu", endpoint->pair, (unsigned long long)endpoint->count);
    endpoint->count += (uint64_t)n;
    phase.bytes += (uint64_t)n;
    if (endpoint->count == option.bytes) phase.unfinished--;
}
