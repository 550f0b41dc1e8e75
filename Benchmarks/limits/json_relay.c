// The limit for the JSON relay: length-prefixed JSON frames routed by their "destination", in C on one epoll loop.
//
//   json_relay [--flush batch|read]
//
// It scans a frame strictly enough to find its type and destination, and passes the frame on as it came. It checks
// neither UTF-8 nor who sent it, and unescapes nothing: the real server does, on top. What a frame adds to its
// receiver's queue is written at the end of the batch of events (the least there can be), or after each read.
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
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    greatest_fd = 20000,
    id_size = 13,
    slots = 65536,              // of the table of ids; a power of two
    input_size = 64 * 1024,     // also the longest frame
    queue_limit = 256 * 1024,
    batch = 256,
};

struct connection {
    bool open, dirty, ending;
    uint32_t events;
    uint8_t id[id_size];
    bool named;
    uint8_t *input;
    size_t got;
    uint8_t *queue;
    size_t queue_start, queued, queue_room;
};

// A piece of the frame: the characters between the quotes.
struct text { const uint8_t *at; size_t size; };

static struct connection connections[greatest_fd];
static int table[slots];        // descriptor + 1; 0 empty, -1 left behind
static int dirty[greatest_fd], dirty_count;
static int closed[greatest_fd], closed_count;
static int poller, listener;
static bool flush_each_read;
static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

// ---- Ids ---------------------------------------------------------------------------------------------------------

static uint32_t hash(const uint8_t *id) {
    uint32_t h = 2166136261u;
    for (int i = 0; i < id_size; i++) h = (h ^ id[i]) * 16777619u;
    return h;
}

static int *find_slot(const uint8_t *id, bool for_insertion) {
    uint32_t at = hash(id);
    for (int i = 0; i < slots; i++, at++) {
        int *slot = &table[at % slots];
        if (*slot == 0) return for_insertion ? slot : NULL;
        if (*slot > 0 && !for_insertion && !memcmp(connections[*slot - 1].id, id, id_size)) return slot;
        if (*slot < 0 && for_insertion) return slot;
    }
    return NULL;
}

static void name(int fd) {
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    struct connection *c = &connections[fd];
    if (getrandom(c->id, id_size, 0) != id_size) die("getrandom");
    for (int i = 0; i < id_size; i++) c->id[i] = (uint8_t)alphabet[c->id[i] % 32];
    int *slot = find_slot(c->id, true);
    if (!slot) die("too many ids");
    *slot = fd + 1;
    c->named = true;
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

// ---- Frames ------------------------------------------------------------------------------------------------------

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

// `at` is behind the opening quote; returns the place behind the closing one, or NULL.
static const uint8_t *scan_string(const uint8_t *at, const uint8_t *end, struct text *text) {
    text->at = at;
    for (; at < end && *at != '"'; at++) {
        if (*at < 0x20) return NULL;
        if (*at == '\\' && ++at == end) return NULL;
    }
    if (at == end) return NULL;
    text->size = (size_t)(at - text->at);
    return at + 1;
}

static bool is(struct text text, const char *word) {
    return text.size == strlen(word) && !memcmp(text.at, word, text.size);
}

// One flat object whose values are strings; nothing else is a frame here.
static bool scan_frame(const uint8_t *at, const uint8_t *end, struct text *type, struct text *destination) {
    *type = *destination = (struct text){ NULL, 0 };
    at = skip_space(at, end);
    if (at == end || *at++ != '{') return false;
    for (;;) {
        struct text member, value;
        at = skip_space(at, end);
        if (at == end || *at++ != '"' || !(at = scan_string(at, end, &member))) return false;
        at = skip_space(at, end);
        if (at == end || *at++ != ':') return false;
        at = skip_space(at, end);
        if (at == end || *at++ != '"' || !(at = scan_string(at, end, &value))) return false;
        if (is(member, "payloadType")) *type = value;
        else if (is(member, "destination")) *destination = value;
        at = skip_space(at, end);
        if (at == end) return false;
        if (*at == '}') break;
        if (*at++ != ',') return false;
    }
    return skip_space(at + 1, end) == end && type->at;
}

// `frame` has its length in front.
static void route(int fd, const uint8_t *frame, size_t size) {
    struct text type, destination;
    if (!scan_frame(frame + 4, frame + size, &type, &destination)) return end(fd);
    if (is(type, "MESSAGE") || is(type, "ERROR")) {
        int *slot = destination.size == id_size ? find_slot(destination.at, false) : NULL;
        if (slot) enqueue(*slot - 1, frame, size);
    } else if (is(type, "INIT")) {
        uint8_t answer[128];
        if (!connections[fd].named) name(fd);
        int n = snprintf((char *)answer + 4, sizeof answer - 4, "{\"payloadType\":\"INIT\",\"destination\":\"%.*s\"}",
            id_size, (const char *)connections[fd].id);
        uint32_t length = htonl((uint32_t)n);
        memcpy(answer, &length, 4);
        enqueue(fd, answer, (size_t)n + 4);
    } else {
        end(fd);
    }
}

static void readable(int fd) {
    struct connection *c = &connections[fd];
    ssize_t n = read(fd, c->input + c->got, input_size - c->got);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    size_t stop_at = c->got + (size_t)n, at = 0;
    while (stop_at - at >= 4 && !c->ending) {
        uint32_t length;
        memcpy(&length, c->input + at, 4);
        size_t size = (size_t)ntohl(length) + 4;
        if (size > input_size) return end(fd);
        if (stop_at - at < size) break;
        route(fd, c->input + at, size);
        at += size;
    }
    if (at < stop_at && at > 0) memmove(c->input, c->input + at, stop_at - at);
    c->got = stop_at - at;
    if (flush_each_read) flush_dirty();
}

// ---- Connections -------------------------------------------------------------------------------------------------

// After the batch, so that an event of this batch cannot reach a newer connection.
static void release_closed(void) {
    for (int i = 0; i < closed_count; i++) {
        struct connection *c = &connections[closed[i]];
        int *slot = c->named ? find_slot(c->id, false) : NULL;
        if (slot) *slot = -1;
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
        connections[fd] = (struct connection){ .open = true, .events = EPOLLIN, .input = input };
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
    }
}

int main(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(words[i], "--flush")) flush_each_read = !strcmp(words[i + 1], "read");
        else return fprintf(stderr, "usage: json_relay [--flush batch|read]\n"), 2;
    }
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
