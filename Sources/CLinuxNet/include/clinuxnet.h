/* What Swift's Glibc module cannot express or expresses unreliably: small wrappers of Linux system calls. */
#ifndef CLINUXNET_H
#define CLINUXNET_H

/* Raises the soft limit of open files to the hard one. Returns the limit in force, or -1. */
long clinuxnet_raise_open_files(void);

#endif
