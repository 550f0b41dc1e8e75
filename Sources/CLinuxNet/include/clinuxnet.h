/* What Swift's Glibc module cannot express or expresses unreliably: small wrappers of Linux system calls. */
#ifndef CLINUXNET_H
#define CLINUXNET_H

#include <stdint.h>

/* Raises the soft limit of open files to the hard one. Returns the limit in force, or -1. */
long clinuxnet_raise_open_files(void);

/* Whether an IPv4 address can be had: a stream is connected to it, within so many milliseconds, and closed; without one,
   whether there is a route. Blocks. */
int clinuxnet_reaches(int is_stream, const char *address, uint16_t port, int milliseconds);

#endif
