// ENet doing what the SOE benchmarks do: an echo of reliable messages, and a client that keeps some on their way.
//
//   enet echo                            prints `listening PORT`
//   enet load PORT SIZE INFLIGHT COUNT   prints one line of JSON

#include <enet/enet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 1;
}

static ENetHost *open_host(int is_server) {
    ENetAddress address = {.host = htonl(0x7F000001), .port = 0};
    ENetHost *host = enet_host_create(is_server ? &address : NULL, is_server ? 64 : 1, 1, 0, 0);
    if (!host) return NULL;
    // The same buffers as the other side of the comparison has.
    enet_socket_set_option(host->socket, ENET_SOCKOPT_RCVBUF, 4 << 20);
    enet_socket_set_option(host->socket, ENET_SOCKOPT_SNDBUF, 4 << 20);
    host->maximumPacketSize = 64 << 20;
    host->maximumWaitingData = 512 << 20;
    const char *mtu = getenv("UDP_LENGTH");
    if (mtu && atoi(mtu) >= 576) host->mtu = atoi(mtu);
    return host;
}

static int echo(void) {
    ENetHost *host = open_host(1);
    if (!host) return fail("no host");
    printf("listening %d\n", host->address.port);
    fflush(stdout);
    ENetEvent event;
    for (;;) {
        if (enet_host_service(host, &event, 1000) <= 0) continue;
        do {
            if (event.type != ENET_EVENT_TYPE_RECEIVE) continue;
            // The packet that came goes back as it is: no copy.
            event.packet->flags = ENET_PACKET_FLAG_RELIABLE;
            if (enet_peer_send(event.peer, 0, event.packet) < 0) enet_packet_destroy(event.packet);
        } while (enet_host_check_events(host, &event) > 0);
        enet_host_flush(host);
    }
}

static int compare(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static int load(int port, size_t size, int in_flight, int messages) {
    ENetHost *host = open_host(0);
    if (!host) return fail("no host");
    ENetAddress address = {.host = htonl(0x7F000001), .port = port};
    ENetPeer *peer = enet_host_connect(host, &address, 1, 0);
    ENetEvent event;
    if (!peer || enet_host_service(host, &event, 5000) <= 0 || event.type != ENET_EVENT_TYPE_CONNECT)
        return fail("no connection");
    unsigned char *message = malloc(size);
    for (size_t i = 0; i < size; i++) message[i] = i * 7 + 1;
    int warmup = messages / 10 > in_flight ? messages / 10 : in_flight, total = messages + warmup, sent = 0, received = 0;
    int64_t *sent_at = malloc(sizeof *sent_at * (total + in_flight)), *times = malloc(sizeof *times * total);
    int64_t clock = 0, processor = 0;
    for (; sent < in_flight; sent++) {
        sent_at[sent] = now(CLOCK_MONOTONIC);
        enet_peer_send(peer, 0, enet_packet_create(message, size, ENET_PACKET_FLAG_RELIABLE));
    }
    enet_host_flush(host);
    while (received < total) {
        if (enet_host_service(host, &event, 5000) <= 0) return fail("nothing came");
        do {
            if (event.type == ENET_EVENT_TYPE_DISCONNECT) return fail("disconnected");
            if (event.type != ENET_EVENT_TYPE_RECEIVE) continue;
            if (event.packet->dataLength != size) return fail("another size");
            int64_t time = now(CLOCK_MONOTONIC);
            times[received] = time - sent_at[received];
            received++;
            enet_packet_destroy(event.packet);
            if (received == warmup) {
                clock = time;
                processor = now(CLOCK_PROCESS_CPUTIME_ID);
            }
            if (received == total) break;
            if (sent == total) continue;
            sent_at[sent++] = now(CLOCK_MONOTONIC);
            enet_peer_send(peer, 0, enet_packet_create(message, size, ENET_PACKET_FLAG_RELIABLE));
        } while (enet_host_check_events(host, &event) > 0);
        enet_host_flush(host);
    }
    double seconds = (now(CLOCK_MONOTONIC) - clock) / 1e9;
    int64_t used = now(CLOCK_PROCESS_CPUTIME_ID) - processor;
    qsort(times + warmup, messages, sizeof *times, compare);
    printf("{\"messages\": %d, \"size\": %zu, \"seconds\": %f, \"cpu_ns\": %lld, \"median_us\": %f, \"p99_us\": %f, "
           "\"resent\": %u, \"datagrams\": %u}\n",
        messages, size, seconds, (long long)used, times[warmup + messages / 2] / 1e3,
        times[warmup + (int64_t)messages * 99 / 100] / 1e3, peer->packetsLost, host->totalSentPackets);
    return 0;
}

int main(int count, char **words) {
    if (enet_initialize() != 0) return fail("no ENet");
    if (count == 2 && strcmp(words[1], "echo") == 0) return echo();
    if (count == 6 && strcmp(words[1], "load") == 0)
        return load(atoi(words[2]), atoi(words[3]), atoi(words[4]), atoi(words[5]));
    return fail("enet echo | enet load PORT SIZE INFLIGHT COUNT");
}
