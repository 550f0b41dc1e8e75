// Clients of the LDN master: their handshakes, and the packets they say and hear.

#pragma once

#include <stdint.h>

#include "loop.h"

enum {
    ldn_header = 12,
    ldn_input = 65536,
    ldn_room = 8,               // players of a network
    ldn_initialize = 0, ldn_create = 2, ldn_sync = 7, ldn_scan_reply = 11, ldn_scan = 10, ldn_scan_end = 12,
    ldn_connect = 13, ldn_connected = 15, ldn_proxy_config = 17, ldn_proxy_data = 20, ldn_ping = 254,
};

struct player {
    struct endpoint endpoint;
    uint32_t address;           // in its network
    uint32_t sent;
    uint32_t heard[ldn_room];   // of each player of its network
    uint64_t received;
    double asked_at;            // scans
};

extern struct player *players;
extern uint64_t player_count;

// Connects, and waits for the answer to Initialize.
void hello(struct player *player, uint32_t number);

// Opens a network for a title; its id goes to `session`.
void host(struct player *player, uint64_t title, uint8_t *session);

void join(struct player *player, const uint8_t *session);

// Networks of `size` players each.
void fill_networks(uint64_t first, uint64_t count, uint64_t size, uint64_t title);

// From now on the loop hears it.
void listen_to(struct player *player);

// A broadcast with who sent it, which it is and when, `option.size` bytes in all.
void broadcast(struct player *player);

// For networks of two: the same to the other player.
void say_to(struct player *player, uint32_t address);

void ask_for_networks(struct player *player, uint64_t title);

void ldn_event(struct endpoint *endpoint);

// What the suite does with a packet.
extern void (*on_packet)(struct player *player, uint8_t type, const uint8_t *payload, uint32_t size);
