// The limit for the lobby's list: a file's bytes to everybody who asks for anything, in C on one epoll loop.
//
//   http FILE
//
// It keeps connections open and reads a request's head up to its empty line, whatever it says. There are no limits,
// timeouts, logs or metrics: the real server has them on top.
//
// Prints "listening PORT"; SIGINT and SIGTERM end it.

#define _GNU_SOURCE
#include "server.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { request_room = 4096 };

struct connection {
    char request[request_room];
    size_t got;
    size_t sent;
    int answering;
};

static struct connection *connections[greatest_fd];
static char head[256];
static size_t head_size, page_size;
static char *page;

static void load(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (file < 0 || fstat(file, &about) < 0) die(path);
    page_size = (size_t)about.st_size;
    page = malloc(page_size);
    if (!page || read(file, page, page_size) != (ssize_t)page_size) die(path);
    close(file);
    head_size = (size_t)snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", page_size);
}

static void hang_up(int fd) {
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

// Writes as much of the answer as the socket takes.
static void answer(int fd) {
    struct connection *connection = connections[fd];
    while (connection->sent < head_size + page_size) {
        size_t in_head = connection->sent < head_size ? connection->sent : head_size, in_page = connection->sent - in_head;
        struct iovec pieces[2] = {
            { head + in_head, head_size - in_head },
            { page + in_page, page_size - in_page },
        };
        ssize_t n = writev(fd, pieces, 2);
        if (n < 0) {
            if (errno == EAGAIN) {
                watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
                connection->answering = 2;
                return;
            }
            hang_up(fd);
            return;
        }
        connection->sent += (size_t)n;
    }
    if (connection->answering == 2) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
    connection->answering = 0;
}

static void receive(int fd) {
    struct connection *connection = connections[fd];
    ssize_t n = recv(fd, connection->request + connection->got, request_room - connection->got, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) hang_up(fd);
        return;
    }
    connection->got += (size_t)n;
    if (!memmem(connection->request, connection->got, "\r\n\r\n", 4)) {
        if (connection->got == request_room) hang_up(fd);
        return;
    }
    connection->got = 0;
    connection->sent = 0;
    connection->answering = 1;
    answer(fd);
}

static void admit(void) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    if (fd >= greatest_fd || !(connections[fd] = calloc(1, sizeof *connections[fd]))) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
}

int main(int count, char **words) {
    if (count != 2) {
        fputs("usage: http FILE\n", stderr);
        return 2;
    }
    load(words[1]);
    start();

    while (!stopped) {
        struct epoll_event events[batch];
        int n = wait_for(events);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) admit();
            else if (connections[fd] && connections[fd]->answering) answer(fd);
            else if (connections[fd]) receive(fd);
        }
    }
    return 0;
}
