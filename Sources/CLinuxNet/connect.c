#include "clinuxnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int connected(int fd, const struct sockaddr_in *to, int milliseconds)
{
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t size = sizeof error;

    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
        return 1;
    if (errno != EINPROGRESS || poll(&writable, 1, milliseconds) != 1)
        return 0;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

int clinuxnet_reaches(int is_stream, const char *address, uint16_t port, int milliseconds)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd, result;

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
        return 0;
    fd = socket(AF_INET, (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    result = connected(fd, &to, milliseconds);
    close(fd);
    return result;
}
