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

/* Whether the kernel's clock follows others (NTP): 1 or 0; -1 if the kernel does not tell. */
int clinuxnet_clock_is_synchronized(void);

#endif
