#define _GNU_SOURCE
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "basics.h"
#include "json_clients.h"
#include "options.h"
#include "results.h"
#include "sockets.h"

static bool fan_in;
static uint64_t sender_quota;

static void unicast(uint64_t messages);
static void fanin(uint64_t messages);
static void json_frame(struct endpoint *client, const char *body, size_t size);
static void fan_in_send(struct endpoint *sender);
static uint64_t acknowledge_every(void);
static void acknowledge(const struct endpoint *sender);

void run_json(void) {
    double seconds = option.seconds;
    option.seconds = 0;
    fan_in = !strcmp(option.suite, "json-fanin");
    option.clients &= ~(uint64_t)1;
    option.window &= ~(uint64_t)1;
    uint64_t count = fan_in ? option.senders + 1 : option.clients;
    pairs = allocate(count, sizeof *pairs);
    open_clients(count, fan_in);
    if (fan_in) fanin(option.warmup);
    else unicast(option.warmup);
    ready("clients", count);
    begin_measuring();
    if (fan_in) {
        fanin(option.messages);
    } else {
        option.seconds = seconds;
        unicast(seconds > 0 ? UINT64_MAX : option.messages);
    }
    print_result(", \"clients\": %llu, \"size\": %llu", (unsigned long long)count, (unsigned long long)option.size);
    hold();
}

static void unicast(uint64_t messages) {
    uint64_t count = client_count / 2;
    phase.unfinished = messages ? count : 0;
    phase.messages = 0;
    phase.stopping = false;
    for (uint64_t i = 0; i < count && messages; i++) {
        pairs[i].crossed = 0;
        pairs[i].quota = messages / count + (i < messages % count);
        if (pairs[i].quota) send_all(clients[2 * i].fd, clients[2 * i].frame, clients[2 * i].frame_size);
        else phase.unfinished--;
    }
    run_until_finished();
}

// `messages` counts the data; acknowledgements cross the relay too and are counted in the result.
static void fanin(uint64_t messages) {
    uint64_t senders = client_count - 1, step = acknowledge_every();
    sender_quota = (messages / senders + step - 1) / step * step;
    phase.messages = 0;
    phase.unfinished = sender_quota ? 2 * senders : 0;     // every sender's data, and its last acknowledgement
    for (uint64_t i = 1; i < client_count; i++) {
        pairs[i].crossed = 0;
        clients[i].count = clients[i].outstanding = 0;
        fan_in_send(&clients[i]);
    }
    run_until_finished();
}

void json_event(struct endpoint *client) {
    ssize_t n = recv(client->fd, client->input + client->got, max_frame - client->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("client %u: the relay closed the connection", client->pair);
    size_t end = client->got + (size_t)n, at = 0;
    while (end - at >= 4) {
        size_t size = get_u32(client->input + at);
        if (size == 0 || size > max_frame - 4) fail("client %u: a frame of %zu bytes", client->pair, size);
        if (end - at - 4 < size) break;
        json_frame(client, (const char *)client->input + at + 4, size);
        at += 4 + size;
    }
    memmove(client->input, client->input + at, end - at);
    client->got = (uint32_t)(end - at);
}

static void json_frame(struct endpoint *client, const char *body, size_t size) {
    size_t length = 0;
    const char *payload = find_member(body, size, "payload", &length);
    if (!payload || !memmem(body, size, "\"MESSAGE\"", 9)) fail("client %u heard %.*s", client->pair, (int)(size < 200 ? size : 200), body);
    phase.messages++;
    if (!fan_in) {
        client->count++;
        if (length != option.size) fail("client %u: a payload of %zu bytes", client->pair, length);
        struct pair *pair = &pairs[client->pair / 2];
        pair->crossed++;
        if (pair->crossed >= pair->quota || phase.stopping) phase.unfinished--;
        else send_all(client->fd, client->frame, client->frame_size);
    } else if (client == &clients[0]) {
        char text[9] = { 0 };
        if (length != option.size) fail("the receiver got a payload of %zu bytes", length);
        memcpy(text, payload, 8);
        uint64_t sender = number("sender", text, 1, client_count - 1);
        struct pair *received = &pairs[sender];
        received->crossed++;
        if (received->crossed % acknowledge_every() == 0) acknowledge(&clients[sender]);
        if (received->crossed == sender_quota) phase.unfinished--;
    } else {
        if (client->outstanding < acknowledge_every()) fail("client %u: more acknowledged than sent", client->pair);
        client->outstanding -= (uint32_t)acknowledge_every();
        if (client->count == sender_quota && client->outstanding == 0) phase.unfinished--;
        fan_in_send(client);
    }
}

static void fan_in_send(struct endpoint *sender) {
    while (sender->outstanding < option.window && sender->count < sender_quota) {
        send_all(sender->fd, sender->frame, sender->frame_size);
        sender->outstanding++;
        sender->count++;
    }
}

// The receiver acknowledges every half window, so a sender never has more than a window queued in the relay.
static uint64_t acknowledge_every(void) { return option.window / 2; }

static void acknowledge(const struct endpoint *sender) {
    uint8_t frame[256];
    int size = snprintf((char *)frame + 4, sizeof frame - 4,
        "{\"payloadType\":\"MESSAGE\",\"source\":\"%s\",\"destination\":\"%s\",\"payload\":\"acknowledged\"}", clients[0].id, sender->id);
    if (size < 0 || size >= (int)sizeof frame - 4) fail("an acknowledgement does not fit");
    put_u32(frame, (uint32_t)size);
    send_all(clients[0].fd, frame, (size_t)size + 4);
}
