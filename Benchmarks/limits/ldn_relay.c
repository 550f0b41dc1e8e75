// The limit for the LDN master's relay: networks of eight whose datagrams are copied to all, in C on one epoll loop.
//
// It answers Initialize, CreateAccessPoint and Connect with what a load generator needs of that, and passes ProxyData
// on by the protocol's rules: own source or none, to one player or to all, the sender too. No limits, timers, scans,
// passphrases, nor news about who comes and goes.
//
// Prints "listening PORT"; SIGINT and SIGTERM end it.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    greatest_fd = 20000,
    header = 12,
    places = 8,
    input_size = 128 * 1024,    // also the longest packet
    queue_limit = 512 * 1024,
    batch = 256,
    most_networks = 10000,
};

struct connection {
    bool open, dirty, ending;
    uint32_t events;
    int network;                // -1: none
    uint32_t address;
    uint8_t *input;
    size_t got;
    uint8_t *queue;
    size_t queue_start, queued, queue_room;
};

struct network { int members[places]; int count; };

static const uint32_t broadcast = 0x0A72FFFF, legacy_broadcast = 0xC0A800FF, first_address = 0x0A720001;

static struct connection connections[greatest_fd];
static struct network networks[most_networks];
static int network_count;
static int dirty[greatest_fd], dirty_count;
static int closed[greatest_fd], closed_count;
static int poller, listener;
static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint32_t get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

// ---- Output ------------------------------------------------------------------------------------------------------

static void want(int fd, uint32_t events) {
    struct connection *c = &connections[fd];
    if (c->events == events) return;
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) < 0) die("epoll_ctl");
    c->events = events;
}

static void end(int fd) {
    if (connections[fd].ending) return;
    connections[fd].ending = true;
    closed[closed_count++] = fd;
}

static void flush(int fd) {
    struct connection *c = &connections[fd];
    if (c->ending || c->queued == 0) return;
    ssize_t n = write(fd, c->queue + c->queue_start, c->queued);
    if (n < 0 && errno != EAGAIN) return end(fd);
    if (n < 0) n = 0;
    c->queue_start += (size_t)n;
    c->queued -= (size_t)n;
    if (c->queued == 0) c->queue_start = 0;
    want(fd, c->queued ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void flush_dirty(void) {
    for (int i = 0; i < dirty_count; i++) {
        connections[dirty[i]].dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
}

static void enqueue(int fd, const uint8_t *bytes, size_t size) {
    struct connection *c = &connections[fd];
    if (c->ending) return;
    if (c->queued + size > queue_limit) return end(fd);         // a slow reader delays nobody else
    if (c->queue_start + c->queued + size > c->queue_room) {
        if (c->queue_start) memmove(c->queue, c->queue + c->queue_start, c->queued);
        c->queue_start = 0;
        size_t room = c->queue_room ? c->queue_room : 1024;
        while (room < c->queued + size) room *= 2;
        if (room != c->queue_room) c->queue = realloc(c->queue, room);
        if (!c->queue) die("realloc");
        c->queue_room = room;
    }
    memcpy(c->queue + c->queue_start + c->queued, bytes, size);
    c->queued += size;
    if (!c->dirty) {
        c->dirty = true;
        dirty[dirty_count++] = fd;
    }
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
    struct connection *c = &connections[fd];
    if (network->count == places) return end(fd);
    uint32_t config[2] = { first_address + (uint32_t)network->count, 0xFFFF0000 };
    uint8_t info[0x480] = { 0 };
    memcpy(info + 0x10, &number, sizeof number);
    c->network = number;
    c->address = config[0];
    network->members[network->count++] = fd;
    answer(fd, 17, config, sizeof config);
    answer(fd, 15, info, sizeof info);
}

static void relay(int fd, uint8_t *packet, size_t size) {
    struct connection *c = &connections[fd];
    uint8_t *payload = packet + header;
    uint32_t source = get32(payload), destination = get32(payload + 6);
    if (c->network < 0 || get32(payload + 16) > size - header - 0x14) return;
    if (source == 0) memcpy(payload, &c->address, 4);
    else if (source != c->address) return;
    struct network *network = &networks[c->network];
    bool is_for_all = destination == broadcast || destination == legacy_broadcast;
    for (int i = 0; i < network->count; i++) {
        int member = network->members[i];
        if (is_for_all || connections[member].address == destination) enqueue(member, packet, size);
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
    struct connection *c = &connections[fd];
    ssize_t n = read(fd, c->input + c->got, input_size - c->got);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    size_t stop_at = c->got + (size_t)n, at = 0;
    while (stop_at - at >= header && !c->ending) {
        uint32_t size = get32(c->input + at + 8);
        if (memcmp(c->input + at, "RLDN", 4) || size > input_size - header) return end(fd);
        if (stop_at - at - header < size) break;
        handle(fd, c->input + at, header + size);
        at += header + size;
    }
    if (at < stop_at && at > 0) memmove(c->input, c->input + at, stop_at - at);
    c->got = stop_at - at;
}

// ---- Connections -------------------------------------------------------------------------------------------------

// After the batch, so that an event of this batch cannot reach a newer connection.
static void release_closed(void) {
    for (int i = 0; i < closed_count; i++) {
        struct connection *c = &connections[closed[i]];
        if (c->network >= 0) {
            struct network *network = &networks[c->network];
            for (int k = 0; k < network->count; k++)
                if (network->members[k] == closed[i]) network->members[k--] = network->members[--network->count];
        }
        free(c->input);
        free(c->queue);
        memset(c, 0, sizeof *c);
        close(closed[i]);
    }
    closed_count = 0;
}

static void accept_some(void) {
    for (int i = 0; i < batch; i++) {
        int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        uint8_t *input = fd < greatest_fd ? malloc(input_size) : NULL;
        if (!input) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd] = (struct connection){ .open = true, .events = EPOLLIN, .network = -1, .input = input };
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
    }
}

int main(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct sigaction action = { .sa_handler = stop };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || poller < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0
        || listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) die("epoll_ctl");
    printf("listening %u\n", ntohs(address.sin_port));
    fflush(stdout);

    while (!stopped) {
        struct epoll_event events[batch];
        int n = epoll_wait(poller, events, batch, 500);     // a signal just before the call is seen in time
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_some();
                continue;
            }
            if (!connections[fd].open || connections[fd].ending) continue;
            if (events[i].events & EPOLLOUT) flush(fd);
            if (!connections[fd].ending && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable(fd);
        }
        flush_dirty();
        release_closed();
    }
    return 0;
}
