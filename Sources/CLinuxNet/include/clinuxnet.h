/* What Swift's Glibc module cannot express or expresses unreliably: small wrappers of Linux system calls. */
#ifndef CLINUXNET_H
#define CLINUXNET_H

#include <stdint.h>

/* Raises the soft limit of open files to the hard one. Returns the limit in force, or -1. */
long clinuxnet_raise_open_files(void);

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

/* Whether the kernel's clock follows others (NTP): 1 or 0; -1 if the kernel does not tell. */
int clinuxnet_clock_is_synchronized(void);

#endif
