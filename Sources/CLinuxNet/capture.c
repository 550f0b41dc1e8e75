#define _GNU_SOURCE
#include "clinuxnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 64

int clinuxnet_open_capture(const char *name, uint32_t slots, uint32_t slot_bytes, struct clinuxnet_capture *capture) {
    static const int on = 1, version = TPACKET_V2, kept_bytes = 4 << 20;
    struct sockaddr_ll local = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq membership = {.mr_type = PACKET_MR_PROMISC};
    struct tpacket_req ring = {
        .tp_block_size = slot_bytes * 32, .tp_block_nr = slots / 32, .tp_frame_size = slot_bytes, .tp_frame_nr = slots};
    memset(capture, 0, sizeof *capture);
    capture->fd = -1;
    local.sll_ifindex = membership.mr_ifindex = if_nametoindex(name);
    if (local.sll_ifindex == 0) return -ENODEV;
    /* No protocol yet, so that nothing of other interfaces comes in before the socket is bound to this one. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    /* What this machine itself sends is not for the party's guests: no answer could come back to it. */
    if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0
        || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0
        || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0
        || setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &on, sizeof on) < 0
        || setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) < 0)
        goto failed;
    /* Room for frames that are kept whole; without the right to have so much there is less. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kept_bytes, sizeof kept_bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kept_bytes, sizeof kept_bytes);
    capture->ring = mmap(NULL, (size_t)slots * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (capture->ring == MAP_FAILED) {
        capture->ring = NULL;
        goto failed;
    }
    capture->slots = slots;
    capture->slot_bytes = slot_bytes;
    if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0
        || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) < 0)
        goto failed;
    capture->fd = fd;
    return 0;
failed:;
    int code = errno;
    if (capture->ring) munmap(capture->ring, (size_t)slots * slot_bytes);
    capture->ring = NULL;
    close(fd);
    return -code;
}

void clinuxnet_close_capture(struct clinuxnet_capture *capture) {
    if (capture->ring) munmap(capture->ring, (size_t)capture->slots * capture->slot_bytes);
    if (capture->fd >= 0) close(capture->fd);
    capture->ring = NULL;
    capture->fd = -1;
}

static struct tpacket2_hdr *slot(const struct clinuxnet_capture *capture) {
    return (struct tpacket2_hdr *)(capture->ring + (size_t)capture->next * capture->slot_bytes);
}

int clinuxnet_captured(struct clinuxnet_capture *capture, struct clinuxnet_frame *frame) {
    struct tpacket2_hdr *header = slot(capture);
    uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER)) return 0;
    frame->bytes = (unsigned char *)header + header->tp_mac;
    frame->length = header->tp_snaplen;
    frame->is_cut = header->tp_len > header->tp_snaplen;
    frame->is_kept = (status & TP_STATUS_COPY) != 0;
    frame->is_tagged = (status & TP_STATUS_VLAN_VALID) != 0;
    frame->needs_checksum = 0;
    const struct virtio_net_hdr *network = (const struct virtio_net_hdr *)(frame->bytes - sizeof *network);
    frame->segment = network->gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : network->gso_size;
    if (network->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        frame->needs_checksum = 1;
        frame->checksum_start = network->csum_start;
        frame->checksum_at = network->csum_offset;
    }
    return 1;
}

uint32_t clinuxnet_whole_frame(const struct clinuxnet_capture *capture, void *bytes, uint32_t capacity) {
    struct virtio_net_hdr network;
    struct iovec parts[] = {{&network, sizeof network}, {bytes, capacity}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t length = recvmsg(capture->fd, &message, MSG_DONTWAIT);
    if (length < (ssize_t)sizeof network || message.msg_flags & MSG_TRUNC) return 0;
    return (uint32_t)length - sizeof network;
}

void clinuxnet_give_back(struct clinuxnet_capture *capture) {
    __atomic_store_n(&slot(capture)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    capture->next = capture->next + 1 == capture->slots ? 0 : capture->next + 1;
}

void clinuxnet_complete_checksum(unsigned char *frame, uint32_t length, uint16_t start, uint16_t at) {
    uint32_t sum = 0;
    if ((uint32_t)start + at + 2 > length) return;
    /* The sum of the pseudo header stands where the checksum is to be. */
    for (uint32_t i = start; i + 1 < length; i += 2) sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    if ((length - start) & 1) sum += (uint32_t)frame[length - 1] << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    if (sum == 0) sum = 0xffff;
    frame[start + at] = sum >> 8;
    frame[start + at + 1] = sum & 0xff;
}

int clinuxnet_send_frames(int fd, const void *bytes, const struct clinuxnet_piece *frames, int count) {
    static struct virtio_net_hdr plain;
    struct mmsghdr messages[BATCH];
    struct iovec vectors[2 * BATCH];
    int failed = 0;
    for (int first = 0; first < count; first += BATCH) {
        int size = count - first < BATCH ? count - first : BATCH;
        int done = 0;
        memset(messages, 0, sizeof *messages * size);
        for (int i = 0; i < size; i++) {
            vectors[2 * i].iov_base = &plain;
            vectors[2 * i].iov_len = sizeof plain;
            vectors[2 * i + 1].iov_base = (char *)bytes + frames[first + i].start;
            vectors[2 * i + 1].iov_len = frames[first + i].length;
            messages[i].msg_hdr.msg_iov = &vectors[2 * i];
            messages[i].msg_hdr.msg_iovlen = 2;
        }
        while (done < size) {
            int sent = sendmmsg(fd, messages + done, size - done, MSG_DONTWAIT);
            if (sent > 0) {
                done += sent;
            } else if (errno != EINTR) {
                /* Too long for the interface, or it is down, or its queue is full. */
                failed++;
                done++;
            }
        }
    }
    return failed;
}

unsigned clinuxnet_capture_drops(int fd) {
    struct tpacket_stats statistics = {0};
    socklen_t size = sizeof statistics;
    return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) < 0 ? 0 : statistics.tp_drops;
}
