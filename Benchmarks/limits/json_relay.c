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
#include <stdbool.h>
#include <stddef.h>
#include <sys/random.h>

enum {
    id_size = 13,
    slots = 65536,              // of the table of ids; a power of two
    input_size = 64 * 1024,     // also the longest frame
    queue_limit = 256 * 1024,
};

#include "frames.h"

struct client {
    uint8_t id[id_size];
    bool named;
};

// A piece of the frame: the characters between the quotes.
struct text { const uint8_t *at; size_t size; };

static struct client clients[greatest_fd];
static int table[slots];        // descriptor + 1; 0 empty, -1 left behind
static bool flush_each_read;

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
        if (*slot > 0 && !for_insertion && !memcmp(clients[*slot - 1].id, id, id_size)) return slot;
        if (*slot < 0 && for_insertion) return slot;
    }
    return NULL;
}

static void name(int fd) {
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    struct client *c = &clients[fd];
    if (getrandom(c->id, id_size, 0) != id_size) die("getrandom");
    for (int i = 0; i < id_size; i++) c->id[i] = (uint8_t)alphabet[c->id[i] % 32];
    int *slot = find_slot(c->id, true);
    if (!slot) die("too many ids");
    *slot = fd + 1;
    c->named = true;
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
        if (!clients[fd].named) name(fd);
        int n = snprintf((char *)answer + 4, sizeof answer - 4, "{\"payloadType\":\"INIT\",\"destination\":\"%.*s\"}",
            id_size, (const char *)clients[fd].id);
        uint32_t length = htonl((uint32_t)n);
        memcpy(answer, &length, 4);
        enqueue(fd, answer, (size_t)n + 4);
    } else {
        end(fd);
    }
}

static void readable(int fd) {
    struct stream *s = &streams[fd];
    ssize_t n = read(fd, s->input + s->got, input_size - s->got);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    size_t stop_at = s->got + (size_t)n, at = 0;
    while (stop_at - at >= 4 && !s->ending) {
        uint32_t length;
        memcpy(&length, s->input + at, 4);
        size_t size = (size_t)ntohl(length) + 4;
        if (size > input_size) return end(fd);
        if (stop_at - at < size) break;
        route(fd, s->input + at, size);
        at += size;
    }
    if (at < stop_at && at > 0) memmove(s->input, s->input + at, stop_at - at);
    s->got = stop_at - at;
    if (flush_each_read) flush_dirty();
}

// ---- Connections -------------------------------------------------------------------------------------------------

static void opened(int fd) {
    clients[fd].named = false;
}

static void closing(int fd) {
    int *slot = clients[fd].named ? find_slot(clients[fd].id, false) : NULL;
    if (slot) *slot = -1;
}

int main(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(words[i], "--flush")) flush_each_read = !strcmp(words[i + 1], "read");
        else return fprintf(stderr, "usage: json_relay [--flush batch|read]\n"), 2;
    }
    serve();
    return 0;
}
