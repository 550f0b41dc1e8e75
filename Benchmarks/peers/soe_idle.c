// Opens SOE sessions from as many sockets, and then says a heartbeat in each every 25 seconds, as the
// clients of PlanetSide 2's ports do.
//
//   soe_idle PORT SESSIONS         prints `open SESSIONS`
//   soe_idle PORT SESSIONS plain   the same datagrams to an echo that knows no sessions

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct session {
    int fd;
    unsigned char heartbeat[4];
};

static uint32_t crc(uint32_t state, const unsigned char *bytes, int count) {
    for (int i = 0; i < count; i++) {
        state ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) state = state & 1 ? state >> 1 ^ 0xEDB88320 : state >> 1;
    }
    return state;
}

static int open_session(struct session *session, int port, uint32_t number, int is_plain) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001), .sin_port = htons(port)};
    session->fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (session->fd < 0 || connect(session->fd, (struct sockaddr *)&server, sizeof server) < 0) return -1;
    memcpy(session->heartbeat, (unsigned char[]){0, 6, 0, 0}, 4);
    if (is_plain) return 0;
    unsigned char request[] = "\0\1\0\0\0\3....\0\0\5\x78SoePingPong", answer[64];
    memcpy(request + 6, &number, 4);
    for (int try = 0; try < 20; try++) {
        send(session->fd, request, sizeof request, 0);
        struct pollfd readable = {.fd = session->fd, .events = POLLIN};
        if (poll(&readable, 1, 500) <= 0) continue;
        if (recv(session->fd, answer, sizeof answer, 0) < 21 || answer[1] != 2) continue;
        // The CRC of two bytes: over the seed, little-endian, and the packet.
        unsigned char covered[6] = {answer[9], answer[8], answer[7], answer[6], 0, 6};
        uint32_t value = ~crc(0xFFFFFFFF, covered, sizeof covered);
        memcpy(session->heartbeat, (unsigned char[]){0, 6, value >> 8, value}, 4);
        send(session->fd, session->heartbeat, 4, 0);
        if (poll(&readable, 1, 500) > 0 && recv(session->fd, answer, sizeof answer, 0) >= 2) return 0;
    }
    return -1;
}

int main(int count, char **words) {
    if (count != 3 && count != 4) return fprintf(stderr, "soe_idle PORT SESSIONS [plain]\n"), 2;
    int sessions = atoi(words[2]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct session *all = calloc(sessions, sizeof *all);
    for (int i = 0; i < sessions; i++)
        if (open_session(&all[i], atoi(words[1]), i + 1, count == 4) < 0) return fprintf(stderr, "session %d did not open\n", i), 1;
    printf("open %d\n", sessions);
    fflush(stdout);
    unsigned char answer[2048];
    for (int i = 0;; i = (i + 1) % sessions) {
        while (recv(all[i].fd, answer, sizeof answer, MSG_DONTWAIT) > 0) {}
        send(all[i].fd, all[i].heartbeat, 4, 0);
        // One after the other: in 25 seconds everybody has had his turn.
        usleep(25000000 / sessions);
    }
}
