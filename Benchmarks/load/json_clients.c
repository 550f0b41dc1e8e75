#define _GNU_SOURCE
#include "json_clients.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "basics.h"
#include "options.h"
#include "sockets.h"

struct endpoint *clients;
uint64_t client_count;

static void open_client(struct endpoint *client);
static void make_frame(struct endpoint *from, const struct endpoint *to, size_t payload);

void open_clients(uint64_t count, bool fan_in) {
    client_count = count;
    clients = allocate(count, sizeof *clients);
    if (!option.port) fail("--port is needed");
    for (uint32_t i = 0; i < count; i++) {
        open_client(&clients[i]);
        clients[i].pair = i;
        prepare_socket(clients[i].fd, false);
        watch(&clients[i], EPOLLIN, EPOLL_CTL_ADD);
    }
    for (uint32_t i = 0; i < count; i++) {
        // Fan-in: client 0 receives; its own frame is not used, it builds acknowledgements per sender.
        if (!fan_in) make_frame(&clients[i], &clients[i ^ 1], option.size);
        else if (i > 0) make_frame(&clients[i], &clients[0], option.size);
    }
}

static void open_client(struct endpoint *client) {
    static const char init[] = "{\"payloadType\":\"INIT\"}";
    uint8_t request[4 + sizeof init - 1], length[4];
    char body[1024];
    client->fd = dial();
    put_u32(request, sizeof init - 1);
    memcpy(request + 4, init, sizeof init - 1);
    send_all(client->fd, request, sizeof request);
    receive_all(client->fd, length, sizeof length, "the answer to INIT");
    size_t size = get_u32(length), id_length = 0;
    if (size > sizeof body) fail("the answer to INIT is too long");
    receive_all(client->fd, body, size, "the answer to INIT");
    const char *id = find_member(body, size, "destination", &id_length);
    if (!id || id_length == 0 || id_length >= sizeof client->id || !memmem(body, size, "\"INIT\"", 6))
        fail("INIT was answered with %.*s", (int)size, body);
    memcpy(client->id, id, id_length);
    client->kind = kind_json;
    client->input = allocate(max_frame, 1);
}

static void make_frame(struct endpoint *from, const struct endpoint *to, size_t payload) {
    size_t room = payload + 256;
    from->frame = allocate(room, 1);
    int head = snprintf((char *)from->frame + 4, room - 4,
        "{\"payloadType\":\"MESSAGE\",\"source\":\"%s\",\"destination\":\"%s\",\"payload\":\"", from->id, to->id);
    if (head < 0 || (size_t)head + payload + 2 > room - 4) fail("a frame does not fit");
    uint8_t *body = from->frame + 4 + head;
    // A number in front tells the receiver whose message it is.
    char text[9];
    snprintf(text, sizeof text, "%08u", from->pair);
    memset(body, 'x', payload);
    memcpy(body, text, 8);
    memcpy(body + payload, "\"}", 2);
    from->frame_size = 4 + (size_t)head + payload + 2;
    put_u32(from->frame, (uint32_t)(from->frame_size - 4));
}

const char *find_member(const char *body, size_t size, const char *member, size_t *length) {
    char key[32];
    int key_size = snprintf(key, sizeof key, "\"%s\":\"", member);
    const char *found = memmem(body, size, key, (size_t)key_size);
    if (!found) return NULL;
    found += key_size;
    const char *end = memchr(found, '"', size - (size_t)(found - body));
    if (!end) return NULL;
    *length = (size_t)(end - found);
    return found;
}
