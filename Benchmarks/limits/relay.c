// The limit for tunnels: what the same rendezvous and the same copying cost in C, on one epoll loop.
//
//   relay [--mode copy|splice] [--backend PORT]
//
// It speaks as much of the tunnel protocol as joining a pair takes (RATS, RATL, RATP) and then copies, with
// backpressure: a side is not read while its partner does not take bytes. No timeouts, limits or logs: those are what
// the real server has on top. With --backend it forwards every connection to that port instead (no rendezvous).
//
// Prints "listening PORT"; SIGINT and SIGTERM end it.

#define _GNU_SOURCE
#include "server.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { hello_size = 16, id_size = 12, buffer_size = 64 * 1024, pipe_size = 1024 * 1024 };

enum phase { phase_free, phase_hello, phase_owner, phase_pending, phase_paired, phase_closed };

// Connections are found by descriptor. `queued` bytes wait for this connection to become writable.
struct connection {
    enum phase phase;
    uint8_t got;                // of the hello, or of an owner's word
    bool ending;                // close as soon as what is queued is written
    uint8_t hello[hello_size];
    uint8_t id[id_size];
    int partner;                // of a pair; the owner of a pending guest
    uint32_t events;
    uint8_t *queue;
    size_t queued, queue_start;
    int pipe[2];                // splice: bytes on their way to this connection
};

static struct connection connections[greatest_fd];
static uint8_t buffer[buffer_size];
static int backend;
static bool splicing;
static int closed[greatest_fd], closed_count;

static void want(int fd, uint32_t events) {
    struct connection *c = &connections[fd];
    if (c->events == events || c->phase == phase_closed) return;
    watch(fd, events, EPOLL_CTL_MOD);
    c->events = events;
}

// Descriptors are given back after the batch, so that an event of this batch cannot reach a newer connection.
static void end(int fd) {
    struct connection *c = &connections[fd];
    if (c->phase == phase_closed || c->phase == phase_free) return;
    if (c->phase == phase_owner)
        for (int i = 0; i < greatest_fd; i++)
            if (connections[i].phase == phase_pending && connections[i].partner == fd) end(i);
    c->phase = phase_closed;
    closed[closed_count++] = fd;
}

static void end_pair(int fd) {
    int partner = connections[fd].partner;
    if (connections[fd].phase == phase_paired) end(partner);
    end(fd);
}

static void release_closed(void) {
    for (int i = 0; i < closed_count; i++) {
        struct connection *c = &connections[closed[i]];
        free(c->queue);
        if (c->pipe[1] > 0) {
            close(c->pipe[0]);
            close(c->pipe[1]);
        }
        memset(c, 0, sizeof *c);
        close(closed[i]);
    }
    closed_count = 0;
}

static int find(enum phase phase, const uint8_t *id) {
    for (int fd = 0; fd < greatest_fd; fd++)
        if (connections[fd].phase == phase && !memcmp(connections[fd].id, id, id_size)) return fd;
    return -1;
}

static bool tell(int fd, const char *magic, const uint8_t *id) {
    uint8_t message[hello_size];
    memcpy(message, magic, 4);
    memcpy(message + 4, id, id_size);
    return send(fd, message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

// ---- Copying -----------------------------------------------------------------------------------------------------

static void make_pair(int a, int b) {
    int side[2] = { a, b };
    for (int i = 0; i < 2; i++) {
        struct connection *c = &connections[side[i]];
        c->phase = phase_paired;
        c->partner = side[1 - i];
        if (splicing) {
            if (pipe2(c->pipe, O_NONBLOCK | O_CLOEXEC) < 0) die("pipe2");
            fcntl(c->pipe[1], F_SETPIPE_SZ, pipe_size);     // a smaller pipe works too
        }
        want(side[i], EPOLLIN);
    }
}

// Bytes (in the queue or the pipe) wait for `to`: stop reading the other side until they are gone.
static void hold_back(int from, int to) {
    want(from, connections[from].events & ~(uint32_t)EPOLLIN);
    want(to, connections[to].events | EPOLLOUT);
}

static void finish(int from, int to) {
    connections[to].ending = true;
    if (connections[to].queued == 0) end_pair(from);
    else hold_back(from, to);
}

static void copy(int from) {
    int to = connections[from].partner;
    struct connection *t = &connections[to];
    ssize_t n = read(from, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return finish(from, to);
    ssize_t written = write(to, buffer, (size_t)n);
    if (written == n) return;
    if (written < 0 && errno != EAGAIN) return end_pair(from);
    if (written < 0) written = 0;
    t->queue = malloc((size_t)(n - written));
    if (!t->queue) die("malloc");
    memcpy(t->queue, buffer + written, (size_t)(n - written));
    t->queued = (size_t)(n - written);
    t->queue_start = 0;
    hold_back(from, to);
}

static bool drain_pipe(int to) {
    struct connection *t = &connections[to];
    while (t->queued > 0) {
        ssize_t n = splice(t->pipe[0], NULL, to, NULL, t->queued, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EAGAIN) return true;
        if (n <= 0) return false;
        t->queued -= (size_t)n;
    }
    return true;
}

static void splice_through(int from) {
    int to = connections[from].partner;
    struct connection *t = &connections[to];
    ssize_t n = splice(from, NULL, t->pipe[1], NULL, pipe_size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return finish(from, to);
    t->queued += (size_t)n;
    if (!drain_pipe(to)) return end_pair(from);
    if (t->queued > 0) hold_back(from, to);
}

static void writable(int to) {
    struct connection *t = &connections[to];
    int from = t->partner;
    if (splicing) {
        if (!drain_pipe(to)) return end_pair(to);
    } else if (t->queued > 0) {
        ssize_t n = write(to, t->queue + t->queue_start, t->queued);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) return end_pair(to);
        t->queue_start += (size_t)n;
        t->queued -= (size_t)n;
    }
    if (t->queued > 0) return;
    free(t->queue);
    t->queue = NULL;
    if (t->ending) return end_pair(to);
    want(to, t->events & ~(uint32_t)EPOLLOUT);
    want(from, connections[from].events | EPOLLIN);
}

// ---- Rendezvous --------------------------------------------------------------------------------------------------

static void hello(int fd) {
    static const uint8_t zero[id_size];
    struct connection *c = &connections[fd];
    ssize_t n = read(fd, c->hello + c->got, (size_t)(hello_size - c->got));
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    c->got += (uint8_t)n;
    if (c->got < hello_size) return;
    const uint8_t *id = c->hello + 4;
    bool join = !memcmp(c->hello, "RATS", 4), link = !memcmp(c->hello, "RATL", 4);
    c->got = 0;
    if (join && !memcmp(id, zero, id_size)) {
        if (getrandom(c->id, id_size, 0) != id_size) die("getrandom");
        c->phase = phase_owner;
        if (!tell(fd, "RATS", c->id)) end(fd);
    } else if (join) {
        // What the guest sends behind its join stays in the kernel until there is somebody to give it to.
        int owner = find(phase_owner, id);
        if (owner < 0) return end(fd);
        if (getrandom(c->id, id_size, 0) != id_size) die("getrandom");
        c->phase = phase_pending;
        c->partner = owner;
        want(fd, 0);
        if (!tell(owner, "RATL", c->id)) end(owner);
    } else if (link) {
        int guest = find(phase_pending, id);
        if (guest < 0) return end(fd);
        make_pair(guest, fd);
    } else {
        end(fd);
    }
}

// An owner only says RATP here.
static void owner_word(int fd) {
    struct connection *c = &connections[fd];
    ssize_t n = read(fd, c->hello + c->got, (size_t)(4 - c->got));
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    c->got += (uint8_t)n;
    if (c->got < 4) return;
    c->got = 0;
    if (memcmp(c->hello, "RATP", 4)) end(fd);
}

static int dial_backend(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)backend) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("backend");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
    return fd;
}

static void adopt(int fd) {
    int on = 1;
    if (fd >= greatest_fd) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[fd].phase = phase_hello;
    connections[fd].events = EPOLLIN;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
}

static void accept_some(void) {
    for (int i = 0; i < batch; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        adopt(fd);
        if (backend && fd < greatest_fd) {
            int other = dial_backend();
            adopt(other);
            if (other < greatest_fd) make_pair(fd, other);
            else end(fd);
        }
    }
}

static void handle(int fd, uint32_t events) {
    struct connection *c = &connections[fd];
    // Readable first: what came before an end or an error still counts.
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        switch (c->phase) {
        case phase_hello: hello(fd); break;
        case phase_owner: owner_word(fd); break;
        case phase_pending: end(fd); break;
        case phase_paired:
            if (!(c->events & EPOLLIN) && !(events & EPOLLOUT)) end_pair(fd);
            else if (!(c->events & EPOLLIN)) break;
            else if (splicing) splice_through(fd);
            else copy(fd);
            break;
        case phase_free:
        case phase_closed: break;
        }
    }
    if ((events & EPOLLOUT) && c->phase == phase_paired) writable(fd);
}

int main(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(words[i], "--mode")) splicing = !strcmp(words[i + 1], "splice");
        else if (!strcmp(words[i], "--backend")) backend = atoi(words[i + 1]);
        else return fprintf(stderr, "usage: relay [--mode copy|splice] [--backend PORT]\n"), 2;
    }
    start();
    while (!stopped) {
        struct epoll_event events[batch];
        int n = wait_for(events);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) accept_some();
            else handle(events[i].data.fd, events[i].events);
        }
        release_closed();
    }
    return 0;
}
