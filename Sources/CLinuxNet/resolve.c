#define _GNU_SOURCE
#include "clinuxnet.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int put(const struct addrinfo *found, unsigned char *address)
{
    if (found->ai_family == AF_INET6) {
        memcpy(address, &((const struct sockaddr_in6 *)found->ai_addr)->sin6_addr, 16);
        return 1;
    }
    if (found->ai_family == AF_INET) {
        memset(address, 0, 10);
        memset(address + 10, 0xff, 2);
        memcpy(address + 12, &((const struct sockaddr_in *)found->ai_addr)->sin_addr, 4);
        return 1;
    }
    return 0;
}

int clinuxnet_resolve(const char *host, unsigned char *addresses, int capacity)
{
    struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, NULL, &wanted, &list);
    int count = 0;

    if (code != 0)
        return code < 0 ? code : EAI_FAIL;
    for (const struct addrinfo *found = list; found != NULL && count < capacity; found = found->ai_next)
        count += put(found, addresses + 16 * count);
    freeaddrinfo(list);
    return count > 0 ? count : EAI_NONAME;
}

const char *clinuxnet_resolve_failure(int code)
{
    return gai_strerror(code);
}
