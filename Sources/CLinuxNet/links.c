#define _GNU_SOURCE
#include "clinuxnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int clinuxnet_open_tap(char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -errno;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return fd;
}

/* Asks the kernel about an interface. Returns 0, or an error number below zero. */
static int ask(const char *name, unsigned long what, struct ifreq *request) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int code;
    if (fd < 0) return -errno;
    memset(request->ifr_name, 0, IFNAMSIZ);
    strncpy(request->ifr_name, name, IFNAMSIZ - 1);
    code = ioctl(fd, what, request) < 0 ? -errno : 0;
    close(fd);
    return code;
}

int clinuxnet_link_value(const char *name, enum clinuxnet_link_value which) {
    struct ifreq request;
    unsigned long what = which == CLINUXNET_MTU ? SIOCGIFMTU : which == CLINUXNET_INDEX ? SIOCGIFINDEX : SIOCGIFFLAGS;
    memset(&request, 0, sizeof request);
    int code = ask(name, what, &request);
    if (code < 0) return code;
    switch (which) {
    case CLINUXNET_MTU: return request.ifr_mtu;
    case CLINUXNET_INDEX: return request.ifr_ifindex;
    case CLINUXNET_IS_UP: return (request.ifr_flags & IFF_UP) != 0;
    case CLINUXNET_IS_RUNNING: return (request.ifr_flags & IFF_RUNNING) != 0;
    }
    return -EINVAL;
}

int clinuxnet_set_link_value(const char *name, enum clinuxnet_link_value which, int value) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (which == CLINUXNET_MTU) {
        request.ifr_mtu = value;
        return ask(name, SIOCSIFMTU, &request);
    }
    if (which != CLINUXNET_IS_UP) return -EINVAL;
    int code = ask(name, SIOCGIFFLAGS, &request);
    if (code < 0) return code;
    if (value)
        request.ifr_flags |= IFF_UP;
    else
        request.ifr_flags &= ~IFF_UP;
    return ask(name, SIOCSIFFLAGS, &request);
}

int clinuxnet_link_address(const char *name, unsigned char *mac) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    int code = ask(name, SIOCGIFHWADDR, &request);
    if (code < 0) return code;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return -EINVAL;
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    return 0;
}

int clinuxnet_set_link_address(const char *name, const unsigned char *mac) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac, 6);
    return ask(name, SIOCSIFHWADDR, &request);
}

static int ethtool_value(const char *name, uint32_t command, uint32_t *value) {
    struct ifreq request;
    struct ethtool_value data = {.cmd = command, .data = *value};
    memset(&request, 0, sizeof request);
    request.ifr_data = (void *)&data;
    int code = ask(name, SIOCETHTOOL, &request);
    *value = data.data;
    return code;
}

static const struct {
    int bit;
    uint32_t get, set;
} offloads[] = {
    {CLINUXNET_GRO, ETHTOOL_GGRO, ETHTOOL_SGRO},
    {CLINUXNET_GSO, ETHTOOL_GGSO, ETHTOOL_SGSO},
    {CLINUXNET_TSO, ETHTOOL_GTSO, ETHTOOL_STSO},
    {CLINUXNET_TX_CHECKSUM, ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM},
};

int clinuxnet_offloads(const char *name) {
    int bits = 0, code;
    uint32_t value = 0;
    for (size_t i = 0; i < sizeof offloads / sizeof *offloads; i++) {
        value = 0;
        code = ethtool_value(name, offloads[i].get, &value);
        if (code == -ENODEV || code == -EPERM) return code;
        if (code == 0 && value) bits |= offloads[i].bit;
    }
    value = 0;
    if (ethtool_value(name, ETHTOOL_GFLAGS, &value) == 0 && value & ETH_FLAG_LRO) bits |= CLINUXNET_LRO;
    return bits;
}

int clinuxnet_set_offloads(const char *name, int which, int is_on) {
    int before = clinuxnet_offloads(name);
    if (before < 0) return before;
    for (size_t i = 0; i < sizeof offloads / sizeof *offloads; i++) {
        uint32_t value = is_on != 0;
        if (which & offloads[i].bit) ethtool_value(name, offloads[i].set, &value);
    }
    if (which & CLINUXNET_LRO) {
        uint32_t flags = 0;
        if (ethtool_value(name, ETHTOOL_GFLAGS, &flags) == 0) {
            flags = is_on ? flags | ETH_FLAG_LRO : flags & ~(uint32_t)ETH_FLAG_LRO;
            ethtool_value(name, ETHTOOL_SFLAGS, &flags);
        }
    }
    int after = clinuxnet_offloads(name);
    return after < 0 ? after : before ^ after;
}
