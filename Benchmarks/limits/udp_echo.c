// The least an echo over UDP can cost: a server that sends back what it reads, by recvmmsg and sendmmsg, and a client that
// keeps some datagrams on their way. Nothing is repeated: a datagram that is lost ends the run.
//
//   udp_echo echo                            prints `listening PORT`
//   udp_echo load PORT SIZE INFLIGHT COUNT   prints one line of JSON

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define SLOT 2048

static char slots[BATCH][SLOT];
static struct iovec vectors[BATCH];
static struct sockaddr_in addresses[BATCH];
static struct mmsghdr messages[BATCH];

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

static int open_socket(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), bytes = 4 << 20;
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001)};
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0) return -1;
    return fd;
}

static int receive(int fd) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    for (;;) {
        if (poll(&readable, 1, 5000) <= 0) return -1;
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){slots[i], SLOT};
            messages[i].msg_hdr = (struct msghdr){
                .msg_name = &addresses[i], .msg_namelen = sizeof addresses[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int count = recvmmsg(fd, messages, BATCH, 0, NULL);
        if (count > 0) return count;
    }
}

static int echo(void) {
    int fd = open_socket();
    if (fd < 0) return fail("socket");
    struct sockaddr_in local;
    socklen_t length = sizeof local;
    getsockname(fd, (struct sockaddr *)&local, &length);
    printf("listening %d\n", ntohs(local.sin_port));
    fflush(stdout);
    for (;;) {
        int count = receive(fd);
        for (int i = 0; i < count; i++) vectors[i].iov_len = messages[i].msg_len;
        if (count > 0) sendmmsg(fd, messages, count, 0);
    }
}

static int compare(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static int load(int port, size_t size, int in_flight, int count) {
    int fd = open_socket();
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001), .sin_port = htons(port)};
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0) return fail("socket");
    static char bytes[SLOT];
    int warmup = count / 10 > in_flight ? count / 10 : in_flight, total = count + warmup, sent = 0, received = 0;
    int64_t *sent_at = malloc(sizeof *sent_at * total), *times = malloc(sizeof *times * total);
    int64_t clock = 0, processor = 0;
    for (; sent < in_flight; sent++) {
        sent_at[sent] = now(CLOCK_MONOTONIC);
        send(fd, bytes, size, 0);
    }
    while (received < total) {
        int arrived = receive(fd), again = 0;
        if (arrived < 0) return fail("nothing came");
        for (int i = 0; i < arrived && received < total; i++) {
            int64_t time = now(CLOCK_MONOTONIC);
            times[received] = time - sent_at[received];
            if (++received == warmup) {
                clock = time;
                processor = now(CLOCK_PROCESS_CPUTIME_ID);
            }
            if (sent == total) continue;
            sent_at[sent++] = now(CLOCK_MONOTONIC);
            vectors[again] = (struct iovec){bytes, size};
            messages[again].msg_hdr = (struct msghdr){.msg_iov = &vectors[again], .msg_iovlen = 1};
            again++;
        }
        if (again > 0) sendmmsg(fd, messages, again, 0);
    }
    double seconds = (now(CLOCK_MONOTONIC) - clock) / 1e9;
    int64_t used = now(CLOCK_PROCESS_CPUTIME_ID) - processor;
    qsort(times + warmup, count, sizeof *times, compare);
    printf("{\"messages\": %d, \"size\": %zu, \"seconds\": %f, \"cpu_ns\": %lld, \"median_us\": %f, \"p99_us\": %f}\n",
        count, size, seconds, (long long)used, times[warmup + count / 2] / 1e3,
        times[warmup + (int64_t)count * 99 / 100] / 1e3);
    return 0;
}

int main(int count, char **words) {
    if (count == 2 && strcmp(words[1], "echo") == 0) return echo();
    if (count == 6 && strcmp(words[1], "load") == 0)
        return load(atoi(words[2]), atoi(words[3]), atoi(words[4]), atoi(words[5]));
    fprintf(stderr, "udp_echo echo | udp_echo load PORT SIZE INFLIGHT COUNT\n");
    return 2;
}
