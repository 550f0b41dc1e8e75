// The load generator of the benchmarks: one thread, one epoll loop, one subcommand per kind of load.
//
// How it talks with the runner (standard input and output, one line each):
//
//   raw mode only   out: backend PORT      the generator listens there; the forwarder under test connects to it
//                   in:  peer PORT         where the forwarder listens
//   always          out: ready {...}       everything is connected and warmed up
//                   in:  go                begin the measured phase
//                   out: result {...}      the measured phase is over; all connections are still open
//                   in:  (end of file)     leave
//
// So the runner can read the relay's counters at two moments at which nothing moves. With standard input from
// /dev/null the generator starts at once and leaves when it is done, which is handy by hand.
//
// Any surprise (a wrong byte, a closed connection, a deadline) ends the program with status 1 and a reason.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    id_size = 12,
    notice_size = 16,           // magic and id
    header_size = 24,           // what a netplay guest sends at once behind its join
    max_connections = 9000,     // leaves room below a descriptor limit of 20,000 for a relay that splices
    max_message = 65536,
    max_frame = 65536,
    pattern_period = 251,       // a prime, so that a shifted or doubled block is noticed
    bulk_block = pattern_period * 1024,
    handshake_seconds = 10,
    runner_seconds = 120,
};

// ---- Small things ------------------------------------------------------------------------------------------------

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double own_cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) fail("out of memory");
    return memory;
}

static void put_u32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

// ---- Options -----------------------------------------------------------------------------------------------------

static struct {
    const char *suite;
    uint64_t port;
    bool raw;
    uint64_t pairs, size, messages, warmup, bytes, guests, clients, senders, window, max_seconds;
    double seconds;
} option = {
    .pairs = 64, .size = 64, .messages = 100000, .warmup = 2000, .bytes = 256u << 20, .guests = 64,
    .clients = 64, .senders = 32, .window = 8, .max_seconds = 60,
};

static const char usage[] =
    "usage: load tunnel-pingpong|tunnel-bulk|json-unicast|json-fanin|idle|stalled [option value]...\n"
    "  --port P          where the relay listens on 127.0.0.1 (not in raw mode)\n"
    "  --mode M          tunnel: open pairs by rendezvous; raw: be the backend of a plain forwarder  [tunnel]\n"
    "  --pairs N         pairs to open                                        [64]\n"
    "  --guests N        guests per tunnel session                            [64]\n"
    "  --size N          bytes of a message, of the payload in JSON           [64]\n"
    "  --messages N      messages of the measured phase, all pairs together   [100000]\n"
    "  --seconds T       run for a time instead of a number (tunnel-pingpong, json-unicast)\n"
    "  --warmup N        messages (idle: pairs) before \"ready\"               [2000]\n"
    "  --bytes N         bytes to push (tunnel-bulk, stalled)                 [256 MiB]\n"
    "  --clients N       clients of json-unicast                              [64]\n"
    "  --senders N       senders of json-fanin                                [32]\n"
    "  --window N        unacknowledged messages of a sender (json-fanin)     [8]\n"
    "  --max-seconds T   give up when the measured phase takes longer         [60]\n";

static uint64_t number(const char *name, const char *text, uint64_t lowest, uint64_t highest) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value < lowest || value > highest) fail("bad value for %s: %s", name, text);
    return value;
}

static void parse_options(int count, char **words) {
    if (count < 2) {
        fputs(usage, stderr);
        exit(2);
    }
    option.suite = words[1];
    for (int i = 2; i < count; i += 2) {
        const char *name = words[i];
        if (i + 1 >= count) fail("%s needs a value", name);
        const char *value = words[i + 1];
        if (!strcmp(name, "--port")) option.port = number(name, value, 1, 65535);
        else if (!strcmp(name, "--mode") && !strcmp(value, "tunnel")) option.raw = false;
        else if (!strcmp(name, "--mode") && !strcmp(value, "raw")) option.raw = true;
        else if (!strcmp(name, "--pairs")) option.pairs = number(name, value, 1, max_connections / 2);
        else if (!strcmp(name, "--guests")) option.guests = number(name, value, 1, 4096);
        else if (!strcmp(name, "--size")) option.size = number(name, value, 8, max_message);
        else if (!strcmp(name, "--messages")) option.messages = number(name, value, 1, 1000000000);
        else if (!strcmp(name, "--seconds")) option.seconds = (double)number(name, value, 1, 600);
        else if (!strcmp(name, "--warmup")) option.warmup = number(name, value, 0, 1000000000);
        else if (!strcmp(name, "--bytes")) option.bytes = number(name, value, 1, (uint64_t)1 << 40);
        else if (!strcmp(name, "--clients")) option.clients = number(name, value, 2, max_connections);
        else if (!strcmp(name, "--senders")) option.senders = number(name, value, 1, 4096);
        else if (!strcmp(name, "--window")) option.window = number(name, value, 2, 4096);
        else if (!strcmp(name, "--max-seconds")) option.max_seconds = number(name, value, 1, 600);
        else fail("unknown option %s %s\n%s", name, value, usage);
    }
}

// ---- Connections -------------------------------------------------------------------------------------------------

enum kind { kind_runner, kind_owner, kind_quiet, kind_echo, kind_writer, kind_reader, kind_stuck_writer, kind_json };

// One socket and what the events on it mean at the moment.
struct endpoint {
    int fd;
    enum kind kind;
    uint32_t pair;
    uint32_t got;               // bytes of the message being read
    uint64_t count;             // messages received, or bytes moved
    uint8_t *input;             // JSON: bytes not yet parsed
    uint8_t *frame;             // JSON: the frame this client sends, with its length in front
    size_t frame_size;
    uint32_t outstanding;       // JSON fan-in: messages not yet acknowledged
    char id[64];
};

struct pair {
    struct endpoint guest, host;
    uint64_t crossed;           // messages of the current phase
    uint64_t quota;
    double last;                // when the last message came (stalled)
};

static int poller;
static struct endpoint runner_input = { .fd = 0, .kind = kind_runner };
static struct pair *pairs;
static struct endpoint *owners;
static uint64_t owner_count;
static uint8_t message_buffer[max_message];
static uint8_t bulk_buffer[bulk_block * 2];

static void watch(struct endpoint *endpoint, uint32_t events, int operation) {
    struct epoll_event event = { .events = events, .data.ptr = endpoint };
    if (epoll_ctl(poller, operation, endpoint->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

static void prepare_socket(int fd, bool blocking) {
    int on = 1;
    struct timeval limit = { .tv_sec = handshake_seconds };
    int flags = fcntl(fd, F_GETFL);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0
        || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0
        || flags < 0 || fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0)
        fail("socket options: %s", strerror(errno));
}

static int dial(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)option.port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket: %s", strerror(errno));
    prepare_socket(fd, true);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect to port %llu: %s", (unsigned long long)option.port, strerror(errno));
    return fd;
}

static void send_all(int fd, const void *bytes, size_t size) {
    // Handshake sockets block with a limit; later ones never have more than a small message under way.
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent != (ssize_t)size) fail("send: %s", sent < 0 ? strerror(errno) : "only a part was taken");
}

static void receive_all(int fd, void *bytes, size_t size, const char *what) {
    size_t got = 0;
    while (got < size) {
        ssize_t n = recv(fd, (char *)bytes + got, size - got, 0);
        if (n == 0) fail("%s: the relay closed the connection", what);
        if (n < 0) fail("%s: %s", what, errno == EAGAIN ? "nothing came in time" : strerror(errno));
        got += (size_t)n;
    }
}

// ---- The runner's lines ------------------------------------------------------------------------------------------

enum word { word_none, word_go, word_peer, word_end };

static uint64_t word_number;
static bool runner_speaks = true;       // false with /dev/null: start at once, leave at once

static enum word read_word(void) {
    static char line[64];
    static size_t length;
    char character;
    ssize_t n = read(0, &character, 1);
    if (n < 0) fail("standard input: %s", strerror(errno));
    if (n == 0) return word_end;
    if (character != '\n') {
        if (length + 1 >= sizeof line) fail("the runner's line is too long");
        line[length++] = character;
        return word_none;
    }
    line[length] = 0;
    length = 0;
    if (!strcmp(line, "go")) return word_go;
    if (!strncmp(line, "peer ", 5)) {
        word_number = number("peer", line + 5, 1, 65535);
        return word_peer;
    }
    fail("the runner said \"%s\"", line);
}

// ---- Opening pairs -----------------------------------------------------------------------------------------------

static const uint8_t ping[4] = { 'R', 'A', 'T', 'P' };

// The first bytes each side of a pair sends: shaped like a netplay header, marked with the pair's number, so that a
// relay that joins the wrong connections is noticed.
static void make_header(uint8_t *header, uint32_t pair, bool from_guest) {
    memset(header, 0, header_size);
    memcpy(header, "RANP", 4);
    put_u32(header + 4, 0x00040008);
    put_u32(header + 8, 1);
    put_u32(header + 12, from_guest ? 6 : 0);
    put_u32(header + 16, from_guest ? 5 : 6);
    put_u32(header + 20, pair);
}

static void expect_header(int fd, uint32_t pair, bool from_guest) {
    uint8_t wanted[header_size], header[header_size];
    make_header(wanted, pair, from_guest);
    receive_all(fd, header, sizeof header, from_guest ? "the guest's header" : "the host's header");
    if (memcmp(wanted, header, sizeof header)) fail("pair %u: the %s's header arrived changed", pair, from_guest ? "guest" : "host");
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
    make_header(join + notice_size, index, true);
    pair->guest.fd = dial();
    send_all(pair->guest.fd, join, sizeof join);    // a real guest does not wait either
    receive_notice(owner, notice);
    if (memcmp(notice, "RATL", 4)) fail("the owner heard something else than a guest");
    pair->host.fd = dial();
    send_all(pair->host.fd, notice, sizeof notice);
}

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

static void open_raw_pair(struct pair *pair, uint32_t index, int backend) {
    uint8_t header[header_size];
    make_header(header, index, true);
    pair->guest.fd = dial();
    send_all(pair->guest.fd, header, sizeof header);
    pair->host.fd = accept4(backend, NULL, NULL, SOCK_CLOEXEC);
    if (pair->host.fd < 0) fail("the forwarder did not connect to the backend: %s", strerror(errno));
    prepare_socket(pair->host.fd, true);
}

static int backend = -1;

// Everything the pairs need before the first of them: the array, and in raw mode the backend and the peer's port.
static void prepare_pairs(void) {
    pairs = allocate(option.pairs, sizeof *pairs);
    if (option.raw) {
        backend = listen_as_backend();
        enum word word;
        struct pollfd input = { .fd = 0, .events = POLLIN };
        do {    // bounded: the line has a greatest length and every wait a limit
            if (poll(&input, 1, runner_seconds * 1000) <= 0) fail("the runner named no peer");
            word = read_word();
        } while (word == word_none);
        if (word != word_peer) fail("the runner named no peer");
        option.port = word_number;
    } else {
        owner_count = (option.pairs + option.guests - 1) / option.guests;
        owners = allocate(owner_count, sizeof *owners);
    }
    if (!option.port) fail("--port is needed");
    if (option.pairs * 2 + owner_count > max_connections) fail("more than %d connections", max_connections);
}

static void open_pairs(uint64_t first, uint64_t end) {
    static uint8_t session[notice_size];
    for (uint64_t i = first; i < end; i++) {
        uint8_t header[header_size];
        uint32_t index = (uint32_t)i;
        struct pair *pair = &pairs[i];
        struct endpoint *owner = option.raw ? NULL : &owners[i / option.guests];
        if (owner && i % option.guests == 0) open_owner(owner, session);
        if (owner) open_tunnel_pair(pair, index, owner->fd, session);
        else open_raw_pair(pair, index, backend);
        expect_header(pair->host.fd, index, true);
        make_header(header, index, false);
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

static void open_all_pairs(void) {
    prepare_pairs();
    open_pairs(0, option.pairs);
}

// ---- The loop ----------------------------------------------------------------------------------------------------

static struct {
    uint64_t unfinished;        // pairs, readers or clients that still have something to do
    uint64_t messages;
    uint64_t bytes;
    bool stopping;              // answer nothing any more
    enum word word;             // what the runner last said
    bool writer_closed;
} phase;

static void echo_event(struct endpoint *endpoint);
static void write_event(struct endpoint *endpoint);
static void read_event(struct endpoint *endpoint);
static void json_event(struct endpoint *endpoint);

// The server pings its owner after a minute of silence.
static void owner_event(struct endpoint *owner) {
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

static void turn(int wait_milliseconds) {
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, wait_milliseconds);
    if (n < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct endpoint *endpoint = events[i].data.ptr;
        switch (endpoint->kind) {
        case kind_runner: {
            enum word word = read_word();
            if (word != word_none) phase.word = word;
            if (word == word_end) watch(&runner_input, 0, EPOLL_CTL_DEL);
            break;
        }
        case kind_owner: owner_event(endpoint); break;
        case kind_quiet: fail("pair %u: data or an end on an idle connection", endpoint->pair);
        case kind_echo: echo_event(endpoint); break;
        case kind_writer:
        case kind_stuck_writer: write_event(endpoint); break;
        case kind_reader: read_event(endpoint); break;
        case kind_json: json_event(endpoint); break;
        }
    }
}

static void wait_for_runner(enum word wanted) {
    if (!runner_speaks) return;
    double end = now() + runner_seconds;
    while (phase.word != wanted) {
        if (phase.word == word_end) exit(0);
        if (now() > end) fail("the runner says nothing");
        turn(1000);
    }
    phase.word = word_none;
}

static void run_until_finished(void) {
    double begin = now();
    while (phase.unfinished) {
        turn(100);
        double t = now();
        if (option.seconds > 0 && t > begin + option.seconds) phase.stopping = true;
        if (t > begin + (double)option.max_seconds) fail("not finished after %llu s", (unsigned long long)option.max_seconds);
        if (phase.word == word_end && runner_speaks) exit(0);
    }
}

// ---- Ping-pong ---------------------------------------------------------------------------------------------------

static void send_message(struct endpoint *endpoint) {
    struct pair *pair = &pairs[endpoint->pair];
    uint8_t *message = message_buffer;
    put_u32(message, endpoint->pair);
    put_u32(message + 4, (uint32_t)pair->crossed);
    send_all(endpoint->fd, message, option.size);
}

static void echo_event(struct endpoint *endpoint) {
    static uint8_t input[max_message];
    struct pair *pair = &pairs[endpoint->pair];
    ssize_t n = recv(endpoint->fd, input, option.size - endpoint->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("pair %u: the relay closed it", endpoint->pair);
    if (endpoint->got == 0 && n >= 8 && (get_u32(input) != endpoint->pair || get_u32(input + 4) != (uint32_t)pair->crossed))
        fail("pair %u: a message of pair %u came, number %u", endpoint->pair, get_u32(input), get_u32(input + 4));
    endpoint->got += (uint32_t)n;
    if (endpoint->got < option.size) return;
    endpoint->got = 0;
    pair->crossed++;
    phase.messages++;
    if (pair->crossed >= pair->quota || phase.stopping) phase.unfinished--;
    else send_message(endpoint);
}

// Every pair has one message under way. A message is one crossing of the relay, so a round trip counts two.
static void pingpong(uint64_t first, uint64_t count, uint64_t messages) {
    phase.unfinished = messages ? count : 0;
    phase.messages = 0;
    phase.stopping = false;
    for (uint64_t i = first; i < first + count && messages; i++) {
        pairs[i].crossed = 0;
        pairs[i].quota = messages / count + (i - first < messages % count);
        pairs[i].guest.kind = pairs[i].host.kind = kind_echo;
        if (pairs[i].quota) send_message(&pairs[i].guest);
        else phase.unfinished--;
    }
}

// ---- Bulk --------------------------------------------------------------------------------------------------------

static void write_event(struct endpoint *endpoint) {
    uint64_t left = option.bytes - endpoint->count;
    size_t size = left < bulk_block ? (size_t)left : bulk_block;
    ssize_t n = send(endpoint->fd, bulk_buffer + endpoint->count % pattern_period, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
        if (endpoint->kind != kind_stuck_writer) fail("pair %u: send: %s", endpoint->pair, strerror(errno));
        // A relay may end a pair that reads nothing; that is a result, not a failure.
        phase.writer_closed = true;
        watch(endpoint, 0, EPOLL_CTL_DEL);
        return;
    }
    endpoint->count += (uint64_t)n;
    phase.bytes += endpoint->kind == kind_stuck_writer ? (uint64_t)n : 0;
    if (endpoint->count == option.bytes) {
        if (endpoint->kind == kind_writer) endpoint->kind = kind_quiet;
        watch(endpoint, endpoint->kind == kind_quiet ? EPOLLIN : 0, EPOLL_CTL_MOD);
    }
}

static void read_event(struct endpoint *endpoint) {
    static uint8_t input[bulk_block];
    ssize_t n = recv(endpoint->fd, input, sizeof input, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("pair %u: the relay closed it", endpoint->pair);
    uint64_t last = endpoint->count + (uint64_t)n - 1;
    if (input[0] != endpoint->count % pattern_period || input[n - 1] != last % pattern_period || last >= option.bytes)
        fail("pair %u: wrong bytes at %llu", endpoint->pair, (unsigned long long)endpoint->count);
    endpoint->count += (uint64_t)n;
    phase.bytes += (uint64_t)n;
    if (endpoint->count == option.bytes) phase.unfinished--;
}

// One way, guest to host, as on a state being loaded; `bytes` for each pair.
static void bulk(uint64_t bytes) {
    option.bytes = bytes;
    phase.bytes = 0;
    phase.unfinished = option.pairs;
    for (uint64_t i = 0; i < option.pairs; i++) {
        pairs[i].guest.count = pairs[i].host.count = 0;
        pairs[i].host.kind = kind_reader;
        pairs[i].guest.kind = kind_writer;
        watch(&pairs[i].guest, EPOLLOUT, EPOLL_CTL_MOD);
    }
    run_until_finished();
}

// ---- JSON relay --------------------------------------------------------------------------------------------------

static struct endpoint *clients;
static uint64_t client_count;
static bool fan_in;
static uint64_t sender_quota;

// Finds the value of a string member in a frame whose values need no escapes (ours do not).
static const char *find_member(const char *body, size_t size, const char *member, size_t *length) {
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

static void open_clients(uint64_t count) {
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

static void fan_in_send(struct endpoint *sender) {
    while (sender->outstanding < option.window && sender->count < sender_quota) {
        send_all(sender->fd, sender->frame, sender->frame_size);
        sender->outstanding++;
        sender->count++;
    }
}

static void acknowledge(const struct endpoint *sender) {
    uint8_t frame[256];
    int size = snprintf((char *)frame + 4, sizeof frame - 4,
        "{\"payloadType\":\"MESSAGE\",\"source\":\"%s\",\"destination\":\"%s\",\"payload\":\"acknowledged\"}", clients[0].id, sender->id);
    if (size < 0 || size >= (int)sizeof frame - 4) fail("an acknowledgement does not fit");
    put_u32(frame, (uint32_t)size);
    send_all(clients[0].fd, frame, (size_t)size + 4);
}

// The receiver acknowledges every half window, so a sender never has more than a window queued in the relay.
static uint64_t acknowledge_every(void) { return option.window / 2; }

static void json_frame(struct endpoint *client, const char *body, size_t size) {
    size_t length = 0;
    const char *payload = find_member(body, size, "payload", &length);
    if (!payload || !memmem(body, size, "\"MESSAGE\"", 9)) fail("client %u heard %.*s", client->pair, (int)(size < 200 ? size : 200), body);
    phase.messages++;
    if (!fan_in) {
        client->count++;
        if (length != option.size) fail("client %u: a payload of %zu bytes", client->pair, length);
        struct pair *pair = &pairs[client->pair / 2];
        pair->crossed++;
        if (pair->crossed >= pair->quota || phase.stopping) phase.unfinished--;
        else send_all(client->fd, client->frame, client->frame_size);
    } else if (client == &clients[0]) {
        char text[9] = { 0 };
        if (length != option.size) fail("the receiver got a payload of %zu bytes", length);
        memcpy(text, payload, 8);
        uint64_t sender = number("sender", text, 1, client_count - 1);
        struct pair *received = &pairs[sender];
        received->crossed++;
        if (received->crossed % acknowledge_every() == 0) acknowledge(&clients[sender]);
        if (received->crossed == sender_quota) phase.unfinished--;
    } else {
        if (client->outstanding < acknowledge_every()) fail("client %u: more acknowledged than sent", client->pair);
        client->outstanding -= (uint32_t)acknowledge_every();
        if (client->count == sender_quota && client->outstanding == 0) phase.unfinished--;
        fan_in_send(client);
    }
}

static void json_event(struct endpoint *client) {
    ssize_t n = recv(client->fd, client->input + client->got, max_frame - client->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("client %u: the relay closed the connection", client->pair);
    size_t end = client->got + (size_t)n, at = 0;
    while (end - at >= 4) {
        size_t size = get_u32(client->input + at);
        if (size == 0 || size > max_frame - 4) fail("client %u: a frame of %zu bytes", client->pair, size);
        if (end - at - 4 < size) break;
        json_frame(client, (const char *)client->input + at + 4, size);
        at += 4 + size;
    }
    memmove(client->input, client->input + at, end - at);
    client->got = (uint32_t)(end - at);
}

static void unicast(uint64_t messages) {
    uint64_t count = client_count / 2;
    phase.unfinished = messages ? count : 0;
    phase.messages = 0;
    phase.stopping = false;
    for (uint64_t i = 0; i < count && messages; i++) {
        pairs[i].crossed = 0;
        pairs[i].quota = messages / count + (i < messages % count);
        if (pairs[i].quota) send_all(clients[2 * i].fd, clients[2 * i].frame, clients[2 * i].frame_size);
        else phase.unfinished--;
    }
    run_until_finished();
}

// `messages` counts the data; acknowledgements cross the relay too and are counted in the result.
static void fanin(uint64_t messages) {
    uint64_t senders = client_count - 1, step = acknowledge_every();
    sender_quota = (messages / senders + step - 1) / step * step;
    phase.messages = 0;
    phase.unfinished = sender_quota ? 2 * senders : 0;     // every sender's data, and its last acknowledgement
    for (uint64_t i = 1; i < client_count; i++) {
        pairs[i].crossed = 0;
        clients[i].count = clients[i].outstanding = 0;
        fan_in_send(&clients[i]);
    }
    run_until_finished();
}

// ---- Subcommands -------------------------------------------------------------------------------------------------

static double measured_since, measured_cpu;

static void ready(const char *note, uint64_t value) {
    printf("ready {\"suite\": \"%s\", \"%s\": %llu}\n", option.suite, note, (unsigned long long)value);
    fflush(stdout);
}

static void begin_measuring(void) {
    wait_for_runner(word_go);
    measured_since = now();
    measured_cpu = own_cpu();
}

static void print_result(const char *extra, ...) __attribute__((format(printf, 1, 2)));

static void print_result(const char *extra, ...) {
    double seconds = now() - measured_since, cpu = own_cpu() - measured_cpu;
    va_list arguments;
    va_start(arguments, extra);
    printf("result {\"suite\": \"%s\", \"messages\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"own_cpu_seconds\": %.6f",
        option.suite, (unsigned long long)phase.messages, (unsigned long long)phase.bytes, seconds, cpu);
    vprintf(extra, arguments);
    puts("}");
    fflush(stdout);
    va_end(arguments);
}

static void hold(void) {
    if (!runner_speaks) return;
    while (phase.word != word_end) turn(1000);      // ends with the runner, or with the alarm set in main
}

static void run_pingpong(void) {
    double seconds = option.seconds;
    option.seconds = 0;
    open_all_pairs();
    pingpong(0, option.pairs, option.warmup);
    run_until_finished();
    ready("pairs", option.pairs);
    begin_measuring();
    option.seconds = seconds;
    pingpong(0, option.pairs, seconds > 0 ? UINT64_MAX : option.messages);
    run_until_finished();
    phase.bytes = phase.messages * option.size;
    print_result(", \"pairs\": %llu, \"size\": %llu", (unsigned long long)option.pairs, (unsigned long long)option.size);
    hold();
}

static void run_bulk(void) {
    uint64_t each = option.bytes / option.pairs, warm = 8u << 20;
    if (!each) fail("too few bytes for %llu pairs", (unsigned long long)option.pairs);
    open_all_pairs();
    bulk(warm < each ? warm : each);        // lets the windows grow
    ready("pairs", option.pairs);
    begin_measuring();
    bulk(each);
    print_result(", \"pairs\": %llu", (unsigned long long)option.pairs);
    hold();
}

static void run_json(void) {
    double seconds = option.seconds;
    option.seconds = 0;
    fan_in = !strcmp(option.suite, "json-fanin");
    option.clients &= ~(uint64_t)1;
    option.window &= ~(uint64_t)1;
    uint64_t count = fan_in ? option.senders + 1 : option.clients;
    pairs = allocate(count, sizeof *pairs);
    open_clients(count);
    if (fan_in) fanin(option.warmup);
    else unicast(option.warmup);
    ready("clients", count);
    begin_measuring();
    if (fan_in) {
        fanin(option.messages);
    } else {
        option.seconds = seconds;
        unicast(seconds > 0 ? UINT64_MAX : option.messages);
    }
    print_result(", \"clients\": %llu, \"size\": %llu", (unsigned long long)count, (unsigned long long)option.size);
    hold();
}

// The first pairs make the relay allocate what it needs only once; the others show what a pair costs.
static void run_idle(void) {
    uint64_t warm = option.warmup < option.pairs ? option.warmup : option.pairs;
    prepare_pairs();
    open_pairs(0, warm);
    ready("pairs", warm);
    begin_measuring();
    open_pairs(warm, option.pairs);
    print_result(", \"pairs\": %llu", (unsigned long long)(option.pairs - warm));
    hold();
}

// Pair 0 writes to somebody who never reads; pair 1 plays on. The writer has stalled when nothing was taken for a
// second; the other pair then goes on for another second, to be seen unharmed.
static void run_stalled(void) {
    if (option.bytes > 64u << 20) option.bytes = 64u << 20;
    option.pairs = 2;
    open_all_pairs();
    pingpong(1, 1, option.warmup);
    run_until_finished();
    ready("pairs", 2);
    begin_measuring();

    struct endpoint *writer = &pairs[0].guest, *reader = &pairs[0].host;
    watch(reader, 0, EPOLL_CTL_DEL);
    phase.bytes = 0;
    writer->count = 0;
    writer->kind = kind_stuck_writer;
    watch(writer, EPOLLOUT, EPOLL_CTL_MOD);
    pingpong(1, 1, UINT64_MAX);

    double progress = now(), stalled_at = 0, end = progress + (double)option.max_seconds, last = progress, longest = 0;
    uint64_t accepted = 0, messages = 0, before_stall = 0;
    while (phase.unfinished) {
        turn(100);
        double t = now();
        if (phase.messages != messages) {
            if (t - last > longest) longest = t - last;
            messages = phase.messages;
            last = t;
        }
        if (writer->count != accepted) {
            accepted = writer->count;
            progress = t;
        }
        if (!stalled_at && (t - progress > 1 || accepted == option.bytes || phase.writer_closed)) {
            stalled_at = t;
            before_stall = phase.messages;
        }
        if (stalled_at && t > stalled_at + 1) phase.stopping = true;
        if (t > end) fail("the other pair stopped, or the writer never stalled");
        if (phase.word == word_end && runner_speaks) exit(0);
    }
    print_result(", \"accepted\": %llu, \"messages_after_stall\": %llu, \"longest_gap_seconds\": %.6f, \"writer_closed\": %s",
        (unsigned long long)accepted, (unsigned long long)(phase.messages - before_stall), longest, phase.writer_closed ? "true" : "false");
    // The writer stays unwatched from here on: it would only wake the loop.
    if (!phase.writer_closed) watch(writer, 0, EPOLL_CTL_DEL);
    hold();
}

int main(int count, char **words) {
    parse_options(count, words);
    alarm(900);                         // whatever happens, nothing stays behind
    signal(SIGPIPE, SIG_IGN);

    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; i < sizeof bulk_buffer; i++) bulk_buffer[i] = (uint8_t)(i % pattern_period);
    memset(message_buffer, 'm', sizeof message_buffer);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1: %s", strerror(errno));
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &runner_input };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) < 0) {
        if (errno != EPERM) fail("standard input: %s", strerror(errno));
        runner_speaks = false;          // /dev/null and files cannot be waited for
    }

    if (!strcmp(option.suite, "tunnel-pingpong")) run_pingpong();
    else if (!strcmp(option.suite, "tunnel-bulk")) run_bulk();
    else if (!strcmp(option.suite, "json-unicast") || !strcmp(option.suite, "json-fanin")) run_json();
    else if (!strcmp(option.suite, "idle")) run_idle();
    else if (!strcmp(option.suite, "stalled")) run_stalled();
    else fail("unknown subcommand %s\n%s", option.suite, usage);
    return 0;
}
