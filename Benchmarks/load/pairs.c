#define _GNU_SOURCE
#include "pairs.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "basics.h"
#include "options.h"
#include "runner.h"
#include "sockets.h"

enum {
    id_size = 12,
    notice_size = 16,           // magic and id
    header_size = 24,           // what a netplay guest sends at once behind its join
};

static const uint8_t ping[4] = { 'R', 'A', 'T', 'P' };

static struct endpoint *owners;
static uint64_t owner_count;
static int backend = -1;

static void open_owner(struct endpoint *owner, uint8_t *session);
static void open_tunnel_pair(struct pair *pair, uint32_t index, int owner, const uint8_t *session);
static void receive_notice(int owner, uint8_t *notice);
static int listen_as_backend(void);
static void open_raw_pair(struct pair *pair, uint32_t index);
static void make_header(uint8_t *header, uint32_t pair, bool from_guest, bool compression);
static void expect_header(int fd, uint32_t pair, bool from_guest);

void open_all_pairs(void) {
    prepare_pairs();
    open_pairs(0, option.pairs);
}

void prepare_pairs(void) {
    pairs = allocate(option.pairs, sizeof *pairs);
    if (option.raw) {
        backend = listen_as_backend();
        option.port = wait_for_peer();
    } else {
        owner_count = (option.pairs + option.guests - 1) / option.guests;
        owners = allocate(owner_count, sizeof *owners);
    }
    if (!option.port) fail("--port is needed");
    if (option.pairs * 2 + owner_count > max_connections) fail("more than %d connections", max_connections);
}

void open_pairs(uint64_t first, uint64_t end) {
    static uint8_t session[notice_size];
    for (uint64_t i = first; i < end; i++) {
        uint8_t header[header_size];
        uint32_t index = (uint32_t)i;
        struct pair *pair = &pairs[i];
        struct endpoint *owner = option.raw ? NULL : &owners[i / option.guests];
        if (owner && i % option.guests == 0) open_owner(owner, session);
        if (owner) open_tunnel_pair(pair, index, owner->fd, session);
        else open_raw_pair(pair, index);
        expect_header(pair->host.fd, index, true);
        make_header(header, index, false, true);
        send_all(pair->host.fd, header, sizeof header);
        expect_header(pair->guest.fd, index, false);
        pair->guest.pair = pair->host.pair = index;
        pair->guest.kind = pair->host.kind = kind_quiet;
        prepare_socket(pair->guest.fd, false);
        prepare_socket(pair->host.fd, false);
        watch(&pair->guest, EPOLLIN, EPOLL_CTL_ADD);
        watch(&pair->host, EPOLLIN, EPOLL_CTL_ADD);
        // Complete sessions are watched from now on, so that their pings are answered.
        if (owner && (i + 1 == option.pairs || (i + 1) % option.guests == 0)) watch(owner, EPOLLIN, EPOLL_CTL_ADD);
    }
}

// ---- By rendezvous -----------------------------------------------------------------------------------------------

static void open_owner(struct endpoint *owner, uint8_t *session) {
    uint8_t hello[notice_size] = "RATS", zero[id_size] = { 0 };
    owner->fd = dial();
    owner->kind = kind_owner;
    send_all(owner->fd, hello, sizeof hello);
    receive_all(owner->fd, session, notice_size, "the session's id");
    if (memcmp(session, "RATS", 4) || !memcmp(session + 4, zero, id_size)) fail("the relay gave no session id");
}

static void open_tunnel_pair(struct pair *pair, uint32_t index, int owner, const uint8_t *session) {
    uint8_t join[notice_size + header_size], notice[notice_size];
    memcpy(join, session, notice_size);
    make_header(join + notice_size, index, true, !option.raw_guests);
    pair->guest.fd = dial();
    send_all(pair->guest.fd, join, sizeof join);    // a real guest does not wait either
    receive_notice(owner, notice);
    if (memcmp(notice, "RATL", 4)) fail("the owner heard something else than a guest");
    pair->host.fd = dial();
    send_all(pair->host.fd, notice, sizeof notice);
}

static void receive_notice(int owner, uint8_t *notice) {
    for (int pings = 0; pings < 8; pings++) {
        receive_all(owner, notice, 4, "the owner's notice");
        if (memcmp(notice, ping, 4)) {
            receive_all(owner, notice + 4, notice_size - 4, "the owner's notice");
            return;
        }
        send_all(owner, ping, sizeof ping);
    }
    fail("the relay only pings its owner");
}

void owner_event(struct endpoint *owner) {
    uint8_t bytes[64];
    ssize_t n = recv(owner->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("the relay closed an owner's connection");
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] != ping[owner->got]) fail("an owner heard something else than a ping");
        if (++owner->got == sizeof ping) {
            owner->got = 0;
            send_all(owner->fd, ping, sizeof ping);
        }
    }
}

// ---- As a backend ------------------------------------------------------------------------------------------------

static int listen_as_backend(void) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = { .tv_sec = handshake_seconds };
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0
        || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        fail("listen: %s", strerror(errno));
    printf("backend %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void open_raw_pair(struct pair *pair, uint32_t index) {
    uint8_t header[header_size];
    make_header(header, index, true, true);
    pair->guest.fd = dial();
    send_all(pair->guest.fd, header, sizeof header);
    pair->host.fd = accept4(backend, NULL, NULL, SOCK_CLOEXEC);
    if (pair->host.fd < 0) fail("the forwarder did not connect to the backend: %s", strerror(errno));
    prepare_socket(pair->host.fd, true);
}

// ---- Headers -----------------------------------------------------------------------------------------------------

// The first bytes each side of a pair sends: shaped like a netplay header, marked with the pair's number, so that a
// relay that joins the wrong connections is noticed.
static void make_header(uint8_t *header, uint32_t pair, bool from_guest, bool compression) {
    memset(header, 0, header_size);
    memcpy(header, "RANP", 4);
    put_u32(header + 4, 0x00040008);
    put_u32(header + 8, compression);
    put_u32(header + 12, from_guest ? 6 : 0);
    put_u32(header + 16, from_guest ? 5 : 6);
    put_u32(header + 20, pair);
}

// A host is told of compression whatever its guest has; a guest is told what it has itself.
static void expect_header(int fd, uint32_t pair, bool from_guest) {
    uint8_t wanted[header_size], header[header_size];
    make_header(wanted, pair, from_guest, from_guest || !option.raw_guests);
    receive_all(fd, header, sizeof header, from_guest ? "the guest's header" : "the host's header");
    if (memcmp(wanted, header, sizeof header)) fail("pair %u: the %s's header arrived changed", pair, from_guest ? "guest" : "host");
}
