// Connections to the relay, while they are being opened and for small messages.

#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { handshake_seconds = 10 };

// A blocking connection to the relay, with a limit on every wait.
int dial(void);

void prepare_socket(int fd, bool blocking);
void send_all(int fd, const void *bytes, size_t size);
void receive_all(int fd, void *bytes, size_t size, const char *what);
