// Small things that everything here needs.

#pragma once

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Ends the program with status 1 and the reason.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

double now(void);
double own_cpu(void);

// Zeroed; never NULL.
void *allocate(size_t count, size_t size);

static inline void put_u32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static inline uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}
