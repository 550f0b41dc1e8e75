// Counts what a program asks of the C library: allocations and input/output system calls.
//
//   LD_PRELOAD=build/count.so COUNTS_FILE=FILE program
//
// The totals live in FILE itself, mapped and shared: whoever reads the file at any moment reads the counters, without
// a signal or a word to the program. The file is an array of records of 32 bytes: a name of 24 bytes padded with
// zeros, and the count as a 64-bit integer of the machine. Without COUNTS_FILE the calls pass through and the
// counts go nowhere.
//
// Seen are calls that reach the C library by name, which is how Swift's runtime and SwiftNIO make them. Calls inside
// the C library itself (stdio, getaddrinfo) and of a statically linked C library are not seen; futex is left out.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ALLOCATIONS(X) X(malloc) X(calloc) X(realloc) X(posix_memalign) X(aligned_alloc)
#define CALLS(X) \
    X(read) X(readv) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) \
    X(write) X(writev) X(send) X(sendto) X(sendmsg) X(sendmmsg) X(splice) \
    X(epoll_wait) X(epoll_pwait) X(epoll_pwait2) X(epoll_ctl) \
    X(timerfd_settime) X(eventfd_read) X(eventfd_write) X(clock_gettime)

#define NUMBER(symbol) count_##symbol,
enum { ALLOCATIONS(NUMBER) CALLS(NUMBER) counters };

struct record {
    char name[24];
    _Atomic uint64_t count;
};

static struct record nowhere[counters];
static struct record *records = nowhere;

static inline void count(int which) {
    atomic_fetch_add_explicit(&records[which].count, 1, memory_order_relaxed);
}

// The originals are looked up at load. A call made even earlier, by another library's start code, looks up itself.
static void *originals[counters];

static inline void *original(int which, const char *symbol) {
    count(which);
    if (__builtin_expect(!originals[which], 0)) originals[which] = dlsym(RTLD_NEXT, symbol);
    return originals[which];
}

#define CALL(symbol, ...) ((__typeof__(symbol) *)original(count_##symbol, #symbol))(__VA_ARGS__)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("COUNTS_FILE");
#define LOOK_UP(symbol) originals[count_##symbol] = dlsym(RTLD_NEXT, #symbol);
    CALLS(LOOK_UP)
    if (!path) return;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct record *mapped = MAP_FAILED;
    if (file >= 0 && ftruncate(file, sizeof nowhere) == 0)
        mapped = mmap(NULL, sizeof nowhere, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        perror("count: COUNTS_FILE");
        _exit(1);
    }
    close(file);
#define NAME(symbol) strncpy(mapped[count_##symbol].name, #symbol, sizeof mapped->name - 1);
    ALLOCATIONS(NAME)
    CALLS(NAME)
    records = mapped;
}

// ---- Allocations -------------------------------------------------------------------------------------------------

// glibc's own names for the allocator: dlsym itself allocates, so it cannot be asked for these.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t members, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    count(count_malloc);
    return __libc_malloc(size);
}

void *calloc(size_t members, size_t size) {
    count(count_calloc);
    return __libc_calloc(members, size);
}

void *realloc(void *memory, size_t size) {
    count(count_realloc);
    return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    count(count_posix_memalign);
    if (alignment < sizeof(void *) || (alignment & (alignment - 1))) return EINVAL;
    void *result = __libc_memalign(alignment, size);
    if (!result) return ENOMEM;
    *memory = result;
    return 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(count_aligned_alloc);
    return __libc_memalign(alignment, size);
}

// ---- System calls ------------------------------------------------------------------------------------------------

ssize_t read(int fd, void *bytes, size_t size) { return CALL(read, fd, bytes, size); }
ssize_t readv(int fd, const struct iovec *parts, int n) { return CALL(readv, fd, parts, n); }
ssize_t recv(int fd, void *bytes, size_t size, int flags) { return CALL(recv, fd, bytes, size, flags); }
ssize_t recvfrom(int fd, void *restrict bytes, size_t size, int flags, struct sockaddr *restrict from, socklen_t *restrict length) {
    return CALL(recvfrom, fd, bytes, size, flags, from, length);
}
ssize_t recvmsg(int fd, struct msghdr *message, int flags) { return CALL(recvmsg, fd, message, flags); }
int recvmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags, struct timespec *timeout) {
    return CALL(recvmmsg, fd, messages, n, flags, timeout);
}
ssize_t write(int fd, const void *bytes, size_t size) { return CALL(write, fd, bytes, size); }
ssize_t writev(int fd, const struct iovec *parts, int n) { return CALL(writev, fd, parts, n); }
ssize_t send(int fd, const void *bytes, size_t size, int flags) { return CALL(send, fd, bytes, size, flags); }
ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    return CALL(sendto, fd, bytes, size, flags, to, length);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { return CALL(sendmsg, fd, message, flags); }
int sendmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags) { return CALL(sendmmsg, fd, messages, n, flags); }
ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned int flags) {
    return CALL(splice, from, from_at, to, to_at, size, flags);
}
int epoll_wait(int fd, struct epoll_event *events, int n, int timeout) { return CALL(epoll_wait, fd, events, n, timeout); }
int epoll_pwait(int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask) {
    return CALL(epoll_pwait, fd, events, n, timeout, mask);
}
int epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout, const sigset_t *mask) {
    return CALL(epoll_pwait2, fd, events, n, timeout, mask);
}
int epoll_ctl(int fd, int operation, int target, struct epoll_event *event) { return CALL(epoll_ctl, fd, operation, target, event); }
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old) {
    return CALL(timerfd_settime, fd, flags, value, old);
}
int eventfd_read(int fd, eventfd_t *value) { return CALL(eventfd_read, fd, value); }
int eventfd_write(int fd, eventfd_t value) { return CALL(eventfd_write, fd, value); }
int clock_gettime(clockid_t clock, struct timespec *time) { return CALL(clock_gettime, clock, time); }
