#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "basics.h"
#include "options.h"

int dial(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)option.port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket: %s", strerror(errno));
    prepare_socket(fd, true);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect to port %llu: %s", (unsigned long long)option.port, strerror(errno));
    return fd;
}

void prepare_socket(int fd, bool blocking) {
    int on = 1;
    struct timeval limit = { .tv_sec = handshake_seconds };
    int flags = fcntl(fd, F_GETFL);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0
        || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0
        || flags < 0 || fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0)
        fail("socket options: %s", strerror(errno));
}

void send_all(int fd, const void *bytes, size_t size) {
    // Handshake sockets block with a limit; later ones never have more than a small message under way.
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent != (ssize_t)size) fail("send: %s", sent < 0 ? strerror(errno) : "only a part was taken");
}

void receive_all(int fd, void *bytes, size_t size, const char *what) {
    size_t got = 0;
    while (got < size) {
        ssize_t n = recv(fd, (char *)bytes + got, size - got, 0);
        if (n == 0) fail("%s: the relay closed the connection", what);
        if (n < 0) fail("%s: %s", what, errno == EAGAIN ? "nothing came in time" : strerror(errno));
        got += (size_t)n;
    }
}
