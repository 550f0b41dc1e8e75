#define _GNU_SOURCE
#include "clinuxnet.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define BATCH 64
#define BURSTS 16
#define VECTORS 512
/* As many parts as every kernel cuts a message into, and as long as a message may be. */
#define MOST_PARTS 64
#define LONGEST 65000
#define MAPPED_PREFIX "\0\0\0\0\0\0\0\0\0\0\xff\xff"

static socklen_t to_socket_address(
    struct sockaddr_storage *out, int is_ipv6, const unsigned char *address, uint16_t port) {
    memset(out, 0, sizeof *out);
    if (is_ipv6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        memcpy(&six->sin6_addr, address, 16);
        return sizeof *six;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    memcpy(&four->sin_addr, address + 12, 4);
    return sizeof *four;
}

static void from_socket_address(const struct sockaddr_storage *in, unsigned char *address, uint16_t *port) {
    if (in->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)in;
        memcpy(address, &six->sin6_addr, 16);
        *port = ntohs(six->sin6_port);
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)in;
        memcpy(address, MAPPED_PREFIX, 12);
        memcpy(address + 12, &four->sin_addr, 4);
        *port = ntohs(four->sin_port);
    }
}

int clinuxnet_datagram_socket(const unsigned char *address, uint16_t port, int shares_port, int buffer_bytes) {
    static const int on = 1;
    int is_ipv6 = memcmp(address, MAPPED_PREFIX, 12) != 0;
    struct sockaddr_storage local;
    socklen_t length = to_socket_address(&local, is_ipv6, address, port);
    int fd = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (shares_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (is_ipv6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* The kernel gives what it may: a small buffer loses bursts, and that is no reason not to start. */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    if (bind(fd, (struct sockaddr *)&local, length) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

int clinuxnet_local_address(int fd, unsigned char *address, uint16_t *port) {
    struct sockaddr_storage local;
    socklen_t length = sizeof local;
    if (getsockname(fd, (struct sockaddr *)&local, &length) < 0) return -errno;
    from_socket_address(&local, address, port);
    return 0;
}

int clinuxnet_share_by_address(int fd, unsigned sockets) {
    /* An IPv4 header has the source address at 12, an IPv6 header the second four bytes of its own there: both name a
     * subscriber. Spread by a multiplication, divided among the sockets. */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 12),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9E3779B1),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, sockets),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) < 0 ? -errno : 0;
}

void clinuxnet_wait_readable(int fd, int64_t nanoseconds) {
    struct pollfd descriptor = {.fd = fd, .events = POLLIN};
    struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    ppoll(&descriptor, 1, &time, NULL);
}

/* Datagrams of one length to one place, the last one perhaps shorter, go as one message that the kernel cuts up. */
static int parts_together(const struct clinuxnet_datagram *datagrams, int count, int room) {
    const struct clinuxnet_datagram *first = datagrams;
    uint32_t total = first->length;
    int parts = 1;
    while (parts < count && parts < room && parts < MOST_PARTS) {
        const struct clinuxnet_datagram *next = &datagrams[parts];
        if (next->length == 0 || next->length > first->length || total + next->length > LONGEST
            || next->port != first->port || memcmp(next->address, first->address, sizeof first->address) != 0)
            break;
        total += next->length;
        parts++;
        if (next->length < first->length) break;
    }
    return parts;
}

/* Sends the parts of a message one by one, for a kernel or device that does not cut it up. Returns how many failed. */
static int send_parts(int fd, const struct msghdr *message) {
    int failed = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        if (sendto(fd, part->iov_base, part->iov_len, MSG_DONTWAIT, message->msg_name, message->msg_namelen) < 0)
            failed++;
    }
    return failed;
}

int clinuxnet_send_datagrams(
    int fd, int is_ipv6, const void *bytes, const struct clinuxnet_datagram *datagrams, int count) {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[VECTORS];
    struct sockaddr_storage addresses[BATCH];
    union {
        char space[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } controls[BATCH];
    int failed = 0, taken = 0;
    while (taken < count) {
        int size = 0;
        for (int used = 0; size < BATCH && used < VECTORS && taken < count; size++) {
            const struct clinuxnet_datagram *first = &datagrams[taken];
            struct msghdr *header = &messages[size].msg_hdr;
            int parts = parts_together(first, count - taken, VECTORS - used);
            memset(header, 0, sizeof *header);
            header->msg_name = &addresses[size];
            header->msg_namelen = to_socket_address(&addresses[size], is_ipv6, first->address, first->port);
            header->msg_iov = &vectors[used];
            header->msg_iovlen = parts;
            for (int i = 0; i < parts; i++) {
                vectors[used + i].iov_base = (char *)bytes + first[i].start;
                vectors[used + i].iov_len = first[i].length;
            }
            used += parts;
            taken += parts;
            if (parts == 1) continue;
            uint16_t length = first->length;
            header->msg_control = controls[size].space;
            header->msg_controllen = sizeof controls[size].space;
            struct cmsghdr *control = CMSG_FIRSTHDR(header);
            control->cmsg_level = IPPROTO_UDP;
            control->cmsg_type = UDP_SEGMENT;
            control->cmsg_len = CMSG_LEN(sizeof length);
            memcpy(CMSG_DATA(control), &length, sizeof length);
        }
        int done = 0;
        while (done < size) {
            int sent = sendmmsg(fd, messages + done, size - done, MSG_DONTWAIT);
            if (sent > 0) {
                done += sent;
                continue;
            }
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
                /* The socket is full: the network would drop what is left as well. */
                for (; done < size; done++) failed += messages[done].msg_hdr.msg_iovlen;
                return failed + count - taken;
            }
            /* This one cannot be sent: its destination, or its being several. The others can. */
            const struct msghdr *header = &messages[done].msg_hdr;
            failed += header->msg_iovlen > 1 ? send_parts(fd, header) : 1;
            done++;
        }
    }
    return failed;
}

int clinuxnet_receive_datagrams(int fd, void *bytes, uint32_t slot, struct clinuxnet_datagram *datagrams, int count) {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_storage addresses[BATCH];
    if (count > BATCH) count = BATCH;
    for (int i = 0; i < count; i++) {
        vectors[i].iov_base = (char *)bytes + (size_t)i * slot;
        vectors[i].iov_len = slot;
        memset(&messages[i].msg_hdr, 0, sizeof messages[i].msg_hdr);
        messages[i].msg_hdr.msg_name = &addresses[i];
        messages[i].msg_hdr.msg_namelen = sizeof addresses[i];
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int received = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
    if (received < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    for (int i = 0; i < received; i++) {
        datagrams[i].start = (uint32_t)i * slot;
        datagrams[i].length = messages[i].msg_len;
        from_socket_address(&addresses[i], datagrams[i].address, &datagrams[i].port);
    }
    return received;
}

void clinuxnet_prefer_bursts(int fd, int is_ipv6) {
    static const int on = 1;
    int probe = is_ipv6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE;
    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    if (is_ipv6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe);
    else
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
}

int clinuxnet_receive_bursts(int fd, void *bytes, uint32_t slot, struct clinuxnet_burst *bursts, int count) {
    struct mmsghdr messages[BURSTS];
    struct iovec vectors[BURSTS];
    struct sockaddr_storage addresses[BURSTS];
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } controls[BURSTS];
    if (count > BURSTS) count = BURSTS;
    for (int i = 0; i < count; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        vectors[i].iov_base = (char *)bytes + (size_t)i * slot;
        vectors[i].iov_len = slot;
        memset(header, 0, sizeof *header);
        header->msg_name = &addresses[i];
        header->msg_namelen = sizeof addresses[i];
        header->msg_iov = &vectors[i];
        header->msg_iovlen = 1;
        header->msg_control = controls[i].space;
        header->msg_controllen = sizeof controls[i].space;
    }
    int received = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
    if (received < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    for (int i = 0; i < received; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        bursts[i].start = (uint32_t)i * slot;
        bursts[i].length = messages[i].msg_len;
        bursts[i].segment = messages[i].msg_len > UINT16_MAX ? UINT16_MAX : messages[i].msg_len;
        for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
            int size;
            if (control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO) continue;
            memcpy(&size, CMSG_DATA(control), sizeof size);
            if (size > 0 && size <= UINT16_MAX) bursts[i].segment = size;
        }
        from_socket_address(&addresses[i], bursts[i].address, &bursts[i].port);
    }
    return received;
}

/* Cuts a burst up here, where the kernel does not. Returns how many packets failed. */
static int send_one_by_one(int fd, const struct msghdr *message, uint32_t segment) {
    const struct iovec *whole = message->msg_iov;
    int failed = 0;
    for (size_t done = 0; done < whole->iov_len; done += segment) {
        size_t part = whole->iov_len - done < segment ? whole->iov_len - done : segment;
        if (sendto(fd, (char *)whole->iov_base + done, part, MSG_DONTWAIT, message->msg_name, message->msg_namelen) < 0)
            failed++;
    }
    return failed;
}

static int packets_of(const struct clinuxnet_burst *burst) {
    return burst->segment ? (burst->length + burst->segment - 1) / burst->segment : 1;
}

int clinuxnet_send_bursts(int fd, int is_ipv6, const void *bytes, const struct clinuxnet_burst *bursts, int count) {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_storage addresses[BATCH];
    union {
        char space[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } controls[BATCH];
    int failed = 0;
    for (int first = 0; first < count; first += BATCH) {
        int size = count - first < BATCH ? count - first : BATCH;
        for (int i = 0; i < size; i++) {
            const struct clinuxnet_burst *burst = &bursts[first + i];
            struct msghdr *header = &messages[i].msg_hdr;
            memset(header, 0, sizeof *header);
            header->msg_name = &addresses[i];
            header->msg_namelen = to_socket_address(&addresses[i], is_ipv6, burst->address, burst->port);
            vectors[i].iov_base = (char *)bytes + burst->start;
            vectors[i].iov_len = burst->length;
            header->msg_iov = &vectors[i];
            header->msg_iovlen = 1;
            if (burst->length <= burst->segment) continue;
            header->msg_control = controls[i].space;
            header->msg_controllen = sizeof controls[i].space;
            struct cmsghdr *control = CMSG_FIRSTHDR(header);
            control->cmsg_level = IPPROTO_UDP;
            control->cmsg_type = UDP_SEGMENT;
            control->cmsg_len = CMSG_LEN(sizeof burst->segment);
            memcpy(CMSG_DATA(control), &burst->segment, sizeof burst->segment);
        }
        int done = 0;
        while (done < size) {
            int sent = sendmmsg(fd, messages + done, size - done, MSG_DONTWAIT);
            if (sent > 0) {
                done += sent;
                continue;
            }
            if (errno == EINTR) continue;
            const struct clinuxnet_burst *burst = &bursts[first + done];
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
                /* The socket is full: the network would drop it as well. */
                failed += packets_of(burst);
            else
                failed += burst->length > burst->segment
                    ? send_one_by_one(fd, &messages[done].msg_hdr, burst->segment) : 1;
            done++;
        }
    }
    return failed;
}
