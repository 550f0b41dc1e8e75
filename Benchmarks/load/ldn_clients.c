#define _GNU_SOURCE
#include "ldn_clients.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basics.h"
#include "options.h"
#include "sockets.h"

struct player *players;
uint64_t player_count;
void (*on_packet)(struct player *, uint8_t, const uint8_t *, uint32_t);

static const uint32_t broadcast_address = 0x0A72FFFF;

// Everything on the wire is little-endian, and so are the machines that this runs on.
static uint32_t make(uint8_t *packet, uint8_t type, uint32_t size) {
    memcpy(packet, "RLDN", 4);
    packet[4] = type;
    packet[5] = 1;
    packet[6] = packet[7] = 0;
    memcpy(packet + 8, &size, 4);
    memset(packet + ldn_header, 0, size);
    return ldn_header + size;
}

static uint32_t receive_packet(struct player *player, uint8_t *type, uint8_t *payload, uint32_t room) {
    uint8_t header[ldn_header];
    uint32_t size;
    receive_all(player->endpoint.fd, header, sizeof header, "a packet's header");
    memcpy(&size, header + 8, 4);
    if (memcmp(header, "RLDN", 4) || size > room) fail("player %u heard no packet", player->endpoint.pair);
    receive_all(player->endpoint.fd, payload, size, "a packet");
    *type = header[4];
    return size;
}

// Waits for a packet; its address may come before.
static void expect(struct player *player, uint8_t wanted, uint8_t *payload, uint32_t room) {
    uint8_t type = 0;
    do {
        uint32_t size = receive_packet(player, &type, payload, room);
        if (type == 255) fail("player %u was refused", player->endpoint.pair);
        if (type == ldn_proxy_config && size >= 4) memcpy(&player->address, payload, 4);
    } while (type != wanted);
}

void hello(struct player *player, uint32_t number) {
    uint8_t packet[64], answer[64];
    player->endpoint.fd = dial();
    player->endpoint.pair = number;
    player->endpoint.kind = kind_ldn;
    send_all(player->endpoint.fd, packet, make(packet, ldn_initialize, 0x16));
    expect(player, ldn_initialize, answer, sizeof answer);
}

void host(struct player *player, uint64_t title, uint8_t *session) {
    uint8_t packet[256], answer[2048];
    uint32_t size = make(packet, ldn_create, 0xBC);
    memcpy(packet + ldn_header + 0x74, &title, 8);
    packet[ldn_header + 0x86] = ldn_room;
    send_all(player->endpoint.fd, packet, size);
    expect(player, ldn_connected, answer, sizeof answer);
    memcpy(session, answer + 0x10, 16);
}

void join(struct player *player, const uint8_t *session) {
    uint8_t packet[ldn_header + 0x500], answer[2048];
    uint32_t size = make(packet, ldn_connect, 0x500);
    memcpy(packet + ldn_header + 0x90, session, 16);
    send_all(player->endpoint.fd, packet, size);
    expect(player, ldn_connected, answer, sizeof answer);
}

void fill_networks(uint64_t first, uint64_t count, uint64_t size, uint64_t title) {
    uint8_t session[16];
    for (uint64_t i = first; i < first + count; i++) {
        hello(&players[i], (uint32_t)i);
        if ((i - first) % size == 0) host(&players[i], title, session);
        else join(&players[i], session);
    }
}

void listen_to(struct player *player) {
    player->endpoint.input = allocate(ldn_input, 1);
    prepare_socket(player->endpoint.fd, false);
    watch(&player->endpoint, EPOLLIN, EPOLL_CTL_ADD);
}

void say_to(struct player *player, uint32_t address) {
    uint8_t packet[ldn_header + 0x14 + max_message];
    uint32_t length = (uint32_t)option.size;
    uint32_t size = make(packet, ldn_proxy_data, 0x14 + length);
    uint8_t *at = packet + ldn_header;
    uint16_t port = 49152;
    uint32_t protocol = 17;
    double time = now();
    memcpy(at, &player->address, 4);
    memcpy(at + 4, &port, 2);
    memcpy(at + 6, &address, 4);
    memcpy(at + 10, &port, 2);
    memcpy(at + 12, &protocol, 4);
    memcpy(at + 16, &length, 4);
    memcpy(at + 20, &player->endpoint.pair, 4);
    memcpy(at + 24, &player->sent, 4);
    memcpy(at + 28, &time, 8);
    player->sent++;
    send_all(player->endpoint.fd, packet, size);
}

void broadcast(struct player *player) { say_to(player, broadcast_address); }

void ask_for_networks(struct player *player, uint64_t title) {
    uint8_t packet[ldn_header + 0x60];
    uint32_t size = make(packet, ldn_scan, 0x60);
    memcpy(packet + ldn_header, &title, 8);
    packet[ldn_header + 0x5C] = 1;          // compare the title
    player->asked_at = now();
    send_all(player->endpoint.fd, packet, size);
}

void ldn_event(struct endpoint *endpoint) {
    struct player *player = (struct player *)endpoint;
    ssize_t n = recv(endpoint->fd, endpoint->input + endpoint->got, ldn_input - endpoint->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("player %u: the master closed the connection", endpoint->pair);
    uint32_t end = endpoint->got + (uint32_t)n, at = 0;
    while (end - at >= ldn_header) {
        uint8_t *packet = endpoint->input + at;
        uint32_t size;
        memcpy(&size, packet + 8, 4);
        if (memcmp(packet, "RLDN", 4) || size > ldn_input - ldn_header) fail("player %u heard no packet", endpoint->pair);
        if (end - at - ldn_header < size) break;
        if (packet[4] == ldn_ping) send_all(endpoint->fd, packet, ldn_header + size);
        else if (packet[4] != ldn_sync) on_packet(player, packet[4], packet + ldn_header, size);
        at += ldn_header + size;
    }
    memmove(endpoint->input, endpoint->input + at, end - at);
    endpoint->got = end - at;
}
