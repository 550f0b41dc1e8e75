#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basics.h"
#include "options.h"
#include "results.h"
#include "sockets.h"

enum { head_room = 2048, read_room = 256 * 1024 };

static const char request[] = "GET /list HTTP/1.1\r\nHost: lobby\r\nUser-Agent: load\r\n\r\n";
static struct endpoint *clients;
static uint8_t scratch[read_room];
static size_t page_size;            // of the first answer; all others must have it too
static uint64_t quota;              // requests not yet sent in this phase

static void ask(struct endpoint *client) {
    if (quota == 0) {
        phase.unfinished--;
        return;
    }
    quota--;
    send_all(client->fd, request, sizeof request - 1);
}

static void ask_all(uint64_t requests) {
    quota = requests;
    phase.messages = phase.bytes = 0;
    phase.unfinished = option.clients;
    for (uint64_t i = 0; i < option.clients; i++) ask(&clients[i]);
    run_until_finished();
}

void run_http(void) {
    if (!option.port) fail("--port is needed");
    clients = allocate(option.clients, sizeof *clients);
    for (uint64_t i = 0; i < option.clients; i++) {
        clients[i].fd = dial();
        clients[i].kind = kind_http;
        clients[i].input = allocate(head_room, 1);
        prepare_socket(clients[i].fd, false);
        watch(&clients[i], EPOLLIN, EPOLL_CTL_ADD);
    }
    ask_all(option.warmup);
    ready("bytes_of_page", page_size);
    begin_measuring();
    ask_all(option.messages);
    print_result(", \"page\": %llu", (unsigned long long)page_size);
    hold();
}

// Takes the head of an answer, once all of it is there, and returns how many of these bytes belong to it.
static size_t take_head(struct endpoint *client, const uint8_t *bytes, size_t size) {
    size_t before = client->got, part = size < head_room - before ? size : head_room - before;
    memcpy(client->input + before, bytes, part);
    client->got += (uint32_t)part;
    uint8_t *end = memmem(client->input, client->got, "\r\n\r\n", 4);
    if (!end) {
        if (client->got == head_room) fail("the head of an answer is too long");
        return size;
    }
    *end = 0;
    char *head = (char *)client->input, *length = strcasestr(head, "\r\nContent-Length: ");
    if (strncmp(head, "HTTP/1.1 200 ", 13) || !length) fail("the answer was: %s", head);
    client->frame_size = strtoull(length + 18, NULL, 10);
    if (page_size == 0) page_size = client->frame_size;
    if (client->frame_size != page_size || page_size == 0) fail("an answer has %zu bytes instead of %zu", client->frame_size, page_size);
    client->got = 0;
    return (size_t)(end + 4 - client->input) - before;
}

void http_event(struct endpoint *client) {
    ssize_t n = recv(client->fd, scratch, sizeof scratch, 0);
    if (n == 0) fail("the server closed a connection");
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        fail("recv: %s", strerror(errno));
    }
    size_t size = (size_t)n, used = client->frame_size ? 0 : take_head(client, scratch, size);
    phase.bytes += size;
    if (used == size && !client->frame_size) return;
    size_t body = size - used;
    if (body > client->frame_size) fail("more came than was asked for");
    client->frame_size -= body;
    if (client->frame_size) return;
    if (scratch[size - 1] != '\n' || scratch[size - 2] != ']') fail("a page does not end as it should");
    phase.messages++;
    ask(client);
}
