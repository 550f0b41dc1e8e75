#define _GNU_SOURCE
#include "clinuxnet.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clinuxnet_poll_open(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int clinuxnet_poll_add(int poll, int fd, uint32_t number) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = number}};
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int clinuxnet_poll_wait(int poll, uint32_t *numbers, int capacity, int64_t nanoseconds) {
    struct epoll_event events[16];
    struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    if (capacity > 16) capacity = 16;
    int count = epoll_pwait2(poll, events, capacity, nanoseconds < 0 ? NULL : &time, NULL);
    if (count < 0 && errno == ENOSYS)
        /* Linux before 5.11 knows whole milliseconds only. */
        count = epoll_wait(poll, events, capacity, nanoseconds < 0 ? -1 : (int)((nanoseconds + 999999) / 1000000));
    for (int i = 0; i < count; i++) numbers[i] = events[i].data.u32;
    return count < 0 ? 0 : count;
}

int clinuxnet_wake_open(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void clinuxnet_wake(int fd) {
    uint64_t one = 1;
    /* It fails only if the counter is full; then it wakes anyway. */
    ssize_t written = write(fd, &one, sizeof one);
    (void)written;
}

void clinuxnet_wake_clear(int fd) {
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
}

static int stop_descriptor = -1;

static void stop(int number) {
    int saved = errno;
    (void)number;
    clinuxnet_wake(stop_descriptor);
    errno = saved;
}

int clinuxnet_stop_signals(void) {
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    if (stop_descriptor < 0) stop_descriptor = clinuxnet_wake_open();
    if (stop_descriptor < 0) return stop_descriptor;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return stop_descriptor;
}

static int has_capability(int capability) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data) < 0) return 0;
    return (data[capability / 32].effective >> (capability % 32)) & 1;
}

int clinuxnet_has_net_admin(void) { return has_capability(CAP_NET_ADMIN); }

int clinuxnet_has_net_raw(void) { return has_capability(CAP_NET_RAW); }
