// The limit for the LDN master's relay: networks of eight whose datagrams are copied to all, in C on one epoll loop.
//
// It answers Initialize, CreateAccessPoint and Connect with what a load generator needs of that, and passes ProxyData
// on by the protocol's rules: own source or none, to one player or to all, the sender too. No limits, timers, scans,
// passphrases, nor news about who comes and goes.
//
// Prints "listening PORT"; SIGINT and SIGTERM end it.

#define _GNU_SOURCE
#include <stddef.h>

enum {
    header = 12,
    places = 8,
    input_size = 128 * 1024,    // also the longest packet
    queue_limit = 512 * 1024,
    most_networks = 10000,
};

#include "frames.h"

struct player {
    int network;                // -1: none
    uint32_t address;
};

struct network { int members[places]; int count; };

static const uint32_t broadcast = 0x0A72FFFF, legacy_broadcast = 0xC0A800FF, first_address = 0x0A720001;

static struct player players[greatest_fd];
static struct network networks[most_networks];
static int network_count;

static uint32_t get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

static void answer(int fd, uint8_t type, const void *payload, uint32_t size) {
    uint8_t packet[header + 0x480] = { 'R', 'L', 'D', 'N', type, 1 };
    memcpy(packet + 8, &size, 4);
    memcpy(packet + header, payload, size);
    enqueue(fd, packet, header + size);
}

// ---- Packets -----------------------------------------------------------------------------------------------------

static void enter(int fd, int number) {
    struct network *network = &networks[number];
    if (network->count == places) return end(fd);
    uint32_t config[2] = { first_address + (uint32_t)network->count, 0xFFFF0000 };
    uint8_t info[0x480] = { 0 };
    memcpy(info + 0x10, &number, sizeof number);
    players[fd] = (struct player){ .network = number, .address = config[0] };
    network->members[network->count++] = fd;
    answer(fd, 17, config, sizeof config);
    answer(fd, 15, info, sizeof info);
}

static void relay(int fd, uint8_t *packet, size_t size) {
    struct player *player = &players[fd];
    uint8_t *payload = packet + header;
    uint32_t source = get32(payload), destination = get32(payload + 6);
    if (player->network < 0 || get32(payload + 16) > size - header - 0x14) return;
    if (source == 0) memcpy(payload, &player->address, 4);
    else if (source != player->address) return;
    struct network *network = &networks[player->network];
    bool is_for_all = destination == broadcast || destination == legacy_broadcast;
    for (int i = 0; i < network->count; i++) {
        int member = network->members[i];
        if (is_for_all || players[member].address == destination) enqueue(member, packet, size);
    }
}

static void handle(int fd, uint8_t *packet, size_t size) {
    uint8_t zeros[0x16] = { 0 };
    int number = 0;
    switch (packet[4]) {
    case 0: return answer(fd, 0, zeros, sizeof zeros);
    case 2: return network_count < most_networks ? enter(fd, network_count++) : end(fd);
    case 13:
        if (size != header + 0x500) return end(fd);
        memcpy(&number, packet + header + 0x90, sizeof number);
        return number >= 0 && number < network_count ? enter(fd, number) : end(fd);
    case 20: return size >= header + 0x14 ? relay(fd, packet, size) : (void)0;
    }
}

static void readable(int fd) {
    struct stream *s = &streams[fd];
    ssize_t n = read(fd, s->input + s->got, input_size - s->got);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    size_t stop_at = s->got + (size_t)n, at = 0;
    while (stop_at - at >= header && !s->ending) {
        uint32_t size = get32(s->input + at + 8);
        if (memcmp(s->input + at, "RLDN", 4) || size > input_size - header) return end(fd);
        if (stop_at - at - header < size) break;
        handle(fd, s->input + at, header + size);
        at += header + size;
    }
    if (at < stop_at && at > 0) memmove(s->input, s->input + at, stop_at - at);
    s->got = stop_at - at;
}

// ---- Connections -------------------------------------------------------------------------------------------------

static void opened(int fd) {
    players[fd] = (struct player){ .network = -1 };
}

static void closing(int fd) {
    if (players[fd].network < 0) return;
    struct network *network = &networks[players[fd].network];
    for (int i = 0; i < network->count; i++)
        if (network->members[i] == fd) network->members[i--] = network->members[--network->count];
}

int main(void) {
    serve();
    return 0;
}
