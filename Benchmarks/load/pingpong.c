#include "pingpong.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "basics.h"
#include "options.h"
#include "pairs.h"
#include "results.h"
#include "sockets.h"

enum { input_size = 20, head_size = 8 };

static uint8_t message_buffer[max_message];
static size_t head;             // bytes before a message's numbers

static void send_message(struct endpoint *endpoint);

void run_pingpong(void) {
    double seconds = option.seconds;
    option.seconds = 0;
    open_all_pairs();
    pingpong(0, option.pairs, option.warmup);
    run_until_finished();
    ready("pairs", option.pairs);
    begin_measuring();
    option.seconds = seconds;
    pingpong(0, option.pairs, seconds > 0 ? UINT64_MAX : option.messages);
    run_until_finished();
    phase.bytes = phase.messages * option.size;
    print_result(", \"pairs\": %llu, \"size\": %llu, \"longest_latency_seconds\": %.6f", (unsigned long long)option.pairs,
        (unsigned long long)option.size, phase.longest);
    hold();
}

void prepare_message(void) {
    memset(message_buffer, 'm', sizeof message_buffer);
}

void prepare_input_message(void) {
    option.size = input_size;
    head = head_size;
    put_u32(message_buffer, 3);
    put_u32(message_buffer + 4, input_size - head_size);
}

void pingpong(uint64_t first, uint64_t count, uint64_t messages) {
    phase.unfinished = messages ? count : 0;
    phase.messages = 0;
    phase.longest = 0;
    phase.stopping = false;
    for (uint64_t i = first; i < first + count && messages; i++) {
        pairs[i].crossed = 0;
        pairs[i].quota = messages / count + (i - first < messages % count);
        pairs[i].guest.kind = pairs[i].host.kind = kind_echo;
        if (pairs[i].quota) send_message(&pairs[i].guest);
        else phase.unfinished--;
    }
}

void echo_event(struct endpoint *endpoint) {
    static uint8_t input[max_message];
    struct pair *pair = &pairs[endpoint->pair];
    ssize_t n = recv(endpoint->fd, input, option.size - endpoint->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("pair %u: the relay closed it", endpoint->pair);
    const uint8_t *numbers = input + head;
    if (endpoint->got == 0 && n >= (ssize_t)head + 8 && (get_u32(numbers) != endpoint->pair || get_u32(numbers + 4) != (uint32_t)pair->crossed))
        fail("pair %u: a message of pair %u came, number %u", endpoint->pair, get_u32(numbers), get_u32(numbers + 4));
    endpoint->got += (uint32_t)n;
    if (endpoint->got < option.size) return;
    endpoint->got = 0;
    double took = now() - pair->sent;
    if (took > phase.longest) phase.longest = took;
    pair->crossed++;
    phase.messages++;
    if (pair->crossed >= pair->quota || phase.stopping) phase.unfinished--;
    else send_message(endpoint);
}

static void send_message(struct endpoint *endpoint) {
    struct pair *pair = &pairs[endpoint->pair];
    uint8_t *message = message_buffer;
    put_u32(message + head, endpoint->pair);
    put_u32(message + head + 4, (uint32_t)pair->crossed);
    pair->sent = now();
    send_all(endpoint->fd, message, option.size);
}
