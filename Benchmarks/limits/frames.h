// A relay of frames: connections whose input is gathered until a frame is whole, and whose output waits in a queue.
//
// Who includes it says how long a frame may be (`input_size`) and how much may wait for a connection (`queue_limit`),
// and defines `readable`, `opened` and `closing`.

#include "server.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

struct stream {
    bool open, dirty, ending;
    uint32_t events;
    uint8_t *input;
    size_t got;
    uint8_t *queue;
    size_t queue_start, queued, queue_room;
};

static struct stream streams[greatest_fd];
static int dirty[greatest_fd], dirty_count;
static int closed[greatest_fd], closed_count;

static void readable(int fd);
static void opened(int fd);
static void closing(int fd);

// ---- Output ------------------------------------------------------------------------------------------------------

static void want(int fd, uint32_t events) {
    struct stream *s = &streams[fd];
    if (s->events == events) return;
    watch(fd, events, EPOLL_CTL_MOD);
    s->events = events;
}

static void end(int fd) {
    if (streams[fd].ending) return;
    streams[fd].ending = true;
    closed[closed_count++] = fd;
}

static void flush(int fd) {
    struct stream *s = &streams[fd];
    if (s->ending || s->queued == 0) return;
    ssize_t n = write(fd, s->queue + s->queue_start, s->queued);
    if (n < 0 && errno != EAGAIN) return end(fd);
    if (n < 0) n = 0;
    s->queue_start += (size_t)n;
    s->queued -= (size_t)n;
    if (s->queued == 0) s->queue_start = 0;
    want(fd, s->queued ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void flush_dirty(void) {
    for (int i = 0; i < dirty_count; i++) {
        streams[dirty[i]].dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
}

static void enqueue(int fd, const uint8_t *bytes, size_t size) {
    struct stream *s = &streams[fd];
    if (s->ending) return;
    if (s->queued + size > queue_limit) return end(fd);         // a slow reader delays nobody else
    if (s->queue_start + s->queued + size > s->queue_room) {
        if (s->queue_start) memmove(s->queue, s->queue + s->queue_start, s->queued);
        s->queue_start = 0;
        size_t room = s->queue_room ? s->queue_room : 1024;
        while (room < s->queued + size) room *= 2;
        if (room != s->queue_room) s->queue = realloc(s->queue, room);
        if (!s->queue) die("realloc");
        s->queue_room = room;
    }
    memcpy(s->queue + s->queue_start + s->queued, bytes, size);
    s->queued += size;
    if (!s->dirty) {
        s->dirty = true;
        dirty[dirty_count++] = fd;
    }
}

// ---- Connections -------------------------------------------------------------------------------------------------

// After the batch, so that an event of this batch cannot reach a newer connection.
static void release_closed(void) {
    for (int i = 0; i < closed_count; i++) {
        struct stream *s = &streams[closed[i]];
        closing(closed[i]);
        free(s->input);
        free(s->queue);
        memset(s, 0, sizeof *s);
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
        streams[fd] = (struct stream){ .open = true, .events = EPOLLIN, .input = input };
        opened(fd);
        watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static void serve(void) {
    start();
    while (!stopped) {
        struct epoll_event events[batch];
        int n = wait_for(events);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_some();
                continue;
            }
            if (!streams[fd].open || streams[fd].ending) continue;
            if (events[i].events & EPOLLOUT) flush(fd);
            if (!streams[fd].ending && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable(fd);
        }
        flush_dirty();
        release_closed();
    }
}
