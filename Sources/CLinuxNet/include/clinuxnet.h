/* What Swift's Glibc module cannot express or expresses unreliably: small wrappers of Linux system calls. */
#ifndef CLINUXNET_H
#define CLINUXNET_H

#include <stdint.h>

/* Raises the soft limit of open files to the hard one. Returns the limit in force, or -1. */
long clinuxnet_raise_open_files(void);

/* Has what is mapped of the files of the program and its libraries read again when it is used: starting touches far more
   of them than running does. Nothing is lost, since they are not written to. */
void clinuxnet_forget_program(void);

/* Which file it is, its size, and when it was changed last. (Which module has `struct stat` depends on how Swift is compiled.) */
struct clinuxnet_file_state {
    uint64_t node;
    int64_t size;
    int64_t seconds;
    int64_t nanoseconds;
};

/* Returns 0 if there is no such file. */
int clinuxnet_file_state(const char *path, struct clinuxnet_file_state *state);

/* Looks up the IP addresses of a host by its name or their text, as the system does, and waits for the answer. Puts at
 * most `capacity` of them into `addresses`, 16 bytes each, IPv4 ones in the form ::ffff:a.b.c.d. Returns how many there
 * are, or, below zero, a code for clinuxnet_resolve_failure. */
int clinuxnet_resolve(const char *host, unsigned char *addresses, int capacity);

/* Why clinuxnet_resolve found nothing, in words. */
const char *clinuxnet_resolve_failure(int code);

/* Whether an IPv4 address can be had: a stream is connected to it, within so many milliseconds, and closed; without one,
   whether there is a route. Blocks. */
int clinuxnet_reaches(int is_stream, const char *address, uint16_t port, int milliseconds);

/* A datagram among others in one piece of memory. Addresses have 16 bytes, IPv4 ones the form ::ffff:a.b.c.d. */
struct clinuxnet_datagram {
    uint32_t start;
    uint32_t length;
    uint16_t port;
    unsigned char address[16];
};

/* Opens a UDP socket that does not block, with buffers of about so many bytes. Returns it, or an error number below
   zero. */
int clinuxnet_datagram_socket(const unsigned char *address, uint16_t port, int shares_port, int buffer_bytes);

/* Where a socket is bound. Returns 0, or an error number below zero. */
int clinuxnet_local_address(int fd, unsigned char *address, uint16_t *port);

/* Divides what comes in among so many sockets that share a port, by the sender's address alone. Asked of one of them
   when all are bound. Returns 0, or an error number below zero. */
int clinuxnet_share_by_address(int fd, unsigned sockets);

/* Waits until a socket has something to read, at most so long. */
void clinuxnet_wait_readable(int fd, int64_t nanoseconds);

/* Sends datagrams. Returns how many of them could not be sent and are dropped. */
int clinuxnet_send_datagrams(
    int fd, int is_ipv6, const void *bytes, const struct clinuxnet_datagram *datagrams, int count);

/* Receives as many datagrams as there are, at most `count` and at most 64, each into a slot of so many bytes. Returns how
   many, or an error number below zero. */
int clinuxnet_receive_datagrams(int fd, void *bytes, uint32_t slot, struct clinuxnet_datagram *datagrams, int count);

/* Packets in a row for, or from, one address: each has `segment` bytes, the last one perhaps fewer. */
struct clinuxnet_burst {
    uint32_t start;
    uint32_t length;
    uint16_t segment;
    uint16_t port;
    unsigned char address[16];
};

/* Has a UDP socket receive bursts in one piece (UDP_GRO) and send packets that no router may cut up. */
void clinuxnet_prefer_bursts(int fd, int is_ipv6);

/* Receives at most `count` and at most 16 bursts, each into a slot of so many bytes, which should be 65,536. Returns how
   many, or an error number below zero. */
int clinuxnet_receive_bursts(int fd, void *bytes, uint32_t slot, struct clinuxnet_burst *bursts, int count);

/* Sends bursts. Returns how many packets could not be sent and are dropped. */
int clinuxnet_send_bursts(int fd, int is_ipv6, const void *bytes, const struct clinuxnet_burst *bursts, int count);

/* Makes a TAP that is there as long as its descriptor is. `name` has room for 16 bytes and is what it shall be called, or
   empty; then it is what it is called. Returns a descriptor that does not block, or an error number below zero. */
int clinuxnet_open_tap(char *name);

/* What can be read and set of a network interface. */
enum clinuxnet_link_value { CLINUXNET_MTU, CLINUXNET_IS_UP, CLINUXNET_IS_RUNNING, CLINUXNET_INDEX };

/* Returns the value, or an error number below zero. */
int clinuxnet_link_value(const char *name, enum clinuxnet_link_value which);

/* Sets MTU or IS_UP. Returns 0, or an error number below zero. */
int clinuxnet_set_link_value(const char *name, enum clinuxnet_link_value which, int value);

/* The interface's MAC address, 6 bytes. Return 0, or an error number below zero; -EINVAL if it is no Ethernet. */
int clinuxnet_link_address(const char *name, unsigned char *mac);
int clinuxnet_set_link_address(const char *name, const unsigned char *mac);

/* What an interface does to frames so that they are no longer those of the wire: bits for GRO, LRO, GSO, TSO, and the
   computing of checksums on the way out. */
enum {
    CLINUXNET_GRO = 1,
    CLINUXNET_LRO = 2,
    CLINUXNET_GSO = 4,
    CLINUXNET_TSO = 8,
    CLINUXNET_TX_CHECKSUM = 16,
};

/* Which of these are switched on. Returns the bits, or an error number below zero. */
int clinuxnet_offloads(const char *name);

/* Switches those of `which` on or off. Returns the bits that changed, or an error number below zero. */
int clinuxnet_set_offloads(const char *name, int which, int is_on);

/* A ring of frames that an interface receives, shared with the kernel. */
struct clinuxnet_capture {
    int fd;
    unsigned char *ring;
    uint32_t slots;
    uint32_t slot_bytes;
    uint32_t next;
};

/* Captures what an interface receives, other machines' frames included, and sends frames on it. The ring's frames are
   each at most `slot_bytes` with about 100 bytes of the kernel's own. Returns 0, or an error number below zero. */
int clinuxnet_open_capture(const char *name, uint32_t slots, uint32_t slot_bytes, struct clinuxnet_capture *capture);
void clinuxnet_close_capture(struct clinuxnet_capture *capture);

/* A captured frame. */
struct clinuxnet_frame {
    const unsigned char *bytes;
    uint32_t length;
    /* Longer than the ring has room for: clinuxnet_whole_frame has it, if `is_kept`. */
    int is_cut;
    int is_kept;
    /* Other than 0: its sender left it to the card to cut it up into pieces with so many bytes of payload each. */
    uint16_t segment;
    /* Its VLAN tag was taken off by the interface. */
    int is_tagged;
    /* Its checksum was left to hardware that never saw it: it is computed from this offset on, and stands at that. */
    int needs_checksum;
    uint16_t checksum_start;
    uint16_t checksum_at;
};

/* Looks at the next frame, which is to be given back before the next look. Returns whether there is one. */
int clinuxnet_captured(struct clinuxnet_capture *capture, struct clinuxnet_frame *frame);

/* Reads the next of the frames that were cut and kept: to be called once for each of these, in their order. Returns its
   length, or 0 if it is longer than `capacity` or lost. */
uint32_t clinuxnet_whole_frame(const struct clinuxnet_capture *capture, void *bytes, uint32_t capacity);
void clinuxnet_give_back(struct clinuxnet_capture *capture);

/* Puts in the checksum that a frame needs. */
void clinuxnet_complete_checksum(unsigned char *frame, uint32_t length, uint16_t start, uint16_t at);

/* A frame among others in one piece of memory. */
struct clinuxnet_piece {
    uint32_t start;
    uint32_t length;
};

/* Sends frames. Returns how many could not be sent and are dropped. */
int clinuxnet_send_frames(int fd, const void *bytes, const struct clinuxnet_piece *frames, int count);

/* How many frames the ring had no room for since this was last asked. */
unsigned clinuxnet_capture_drops(int fd);

/* A route. Addresses have 16 bytes, IPv4 ones the form ::ffff:a.b.c.d; `prefix` counts in the address's own form. */
struct clinuxnet_route {
    unsigned char destination[16];
    unsigned char gateway[16];
    unsigned char source[16];
    int is_ipv6;
    int prefix;
    int has_gateway;
    int interface;
    uint32_t metric;
    int is_default;
};

/* Where packets for an address go now. Returns 0, or an error number below zero. */
int clinuxnet_find_route(const unsigned char *address, struct clinuxnet_route *route);

/* Adds or removes a route. Returns 0, or an error number below zero. */
int clinuxnet_change_route(const struct clinuxnet_route *route, int is_added);

/* Opens a descriptor that tells of changes to routes, addresses and interfaces. Returns it, or an error number below
   zero. */
int clinuxnet_watch_network(void);

/* What has changed. */
enum clinuxnet_change_kind {
    CLINUXNET_ROUTE_ADDED, CLINUXNET_ROUTE_REMOVED, CLINUXNET_LINK_CHANGED, CLINUXNET_ADDRESS_CHANGED,
    /* More than could be told. */
    CLINUXNET_CHANGES_LOST,
};
struct clinuxnet_change {
    enum clinuxnet_change_kind kind;
    int interface;
    /* Of routes only. */
    struct clinuxnet_route route;
};

/* Reads changes, at most `count`. Returns how many, 0 if there are none, or an error number below zero. One message of
   the kernel's has few; what does not fit is left out. */
int clinuxnet_read_changes(int fd, struct clinuxnet_change *changes, int count);

/* Opens a descriptor that becomes readable when the process is told to stop (INT, TERM, HUP). Returns it, or an error
   number below zero. */
int clinuxnet_stop_signals(void);

/* Whether the process may do what changes networks (CAP_NET_ADMIN), or sees frames (CAP_NET_RAW). */
int clinuxnet_has_net_admin(void);
int clinuxnet_has_net_raw(void);

/* epoll. A descriptor is known by a number of the caller's. Return 0 or a descriptor, or an error number below zero. */
int clinuxnet_poll_open(void);
int clinuxnet_poll_add(int poll, int fd, uint32_t number);
/* Waits for descriptors to be readable, at most so long, for ever if below zero. Returns how many numbers there are. */
int clinuxnet_poll_wait(int poll, uint32_t *numbers, int capacity, int64_t nanoseconds);

/* A counter to wake a loop with, from any thread. */
int clinuxnet_wake_open(void);
void clinuxnet_wake(int fd);
void clinuxnet_wake_clear(int fd);

/* Whether the kernel's clock follows others (NTP): 1 or 0; -1 if the kernel does not tell. */
int clinuxnet_clock_is_synchronized(void);

#endif
