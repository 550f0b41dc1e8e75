#define _GNU_SOURCE
#include "clinuxnet.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAPPED_PREFIX "\0\0\0\0\0\0\0\0\0\0\xff\xff"

struct request {
    struct nlmsghdr header;
    struct rtmsg route;
    char attributes[256];
};

static void add_attribute(struct request *request, int type, const void *bytes, size_t length) {
    struct rtattr *attribute = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(length);
    memcpy(RTA_DATA(attribute), bytes, length);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

static void add_address(struct request *request, int type, const unsigned char *address, int is_ipv6) {
    add_attribute(request, type, is_ipv6 ? address : address + 12, is_ipv6 ? 16 : 4);
}

static void from_attribute(unsigned char *address, const struct rtattr *attribute) {
    size_t length = RTA_PAYLOAD(attribute);
    if (length == 16) {
        memcpy(address, RTA_DATA(attribute), 16);
    } else if (length == 4) {
        memcpy(address, MAPPED_PREFIX, 12);
        memcpy(address + 12, RTA_DATA(attribute), 4);
    }
}

static int parse_route(const struct nlmsghdr *header, struct clinuxnet_route *route) {
    const struct rtmsg *message = NLMSG_DATA(header);
    int length = header->nlmsg_len - NLMSG_LENGTH(sizeof *message);
    memset(route, 0, sizeof *route);
    if (length < 0 || (message->rtm_family != AF_INET && message->rtm_family != AF_INET6)) return 0;
    route->is_ipv6 = message->rtm_family == AF_INET6;
    route->prefix = message->rtm_dst_len;
    route->is_default = message->rtm_dst_len == 0;
    for (const struct rtattr *attribute = RTM_RTA(message); RTA_OK(attribute, length);
         attribute = RTA_NEXT(attribute, length)) {
        switch (attribute->rta_type) {
        case RTA_DST: from_attribute(route->destination, attribute); break;
        case RTA_PREFSRC: from_attribute(route->source, attribute); break;
        case RTA_GATEWAY:
            from_attribute(route->gateway, attribute);
            route->has_gateway = 1;
            break;
        case RTA_OIF:
            if (RTA_PAYLOAD(attribute) >= sizeof(int)) memcpy(&route->interface, RTA_DATA(attribute), sizeof(int));
            break;
        case RTA_PRIORITY:
            if (RTA_PAYLOAD(attribute) >= sizeof(uint32_t))
                memcpy(&route->metric, RTA_DATA(attribute), sizeof(uint32_t));
            break;
        }
    }
    return 1;
}

/* Sends a request and reads its answer. Returns 0, or an error number below zero. */
static int converse(struct request *request, struct clinuxnet_route *answer) {
    char buffer[8192];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int code = 0;
    if (fd < 0) return -errno;
    if (send(fd, request, request->header.nlmsg_len, 0) < 0) {
        code = -errno;
    } else {
        ssize_t length = recv(fd, buffer, sizeof buffer, 0);
        const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
        if (length < 0)
            code = -errno;
        else if (!NLMSG_OK(header, (size_t)length))
            code = -EPROTO;
        else if (header->nlmsg_type == NLMSG_ERROR)
            code = ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
        else if (answer != NULL && !parse_route(header, answer))
            code = -EPROTO;
    }
    close(fd);
    return code;
}

int clinuxnet_find_route(const unsigned char *address, struct clinuxnet_route *route) {
    struct request request;
    int is_ipv6 = memcmp(address, MAPPED_PREFIX, 12) != 0;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.route);
    request.header.nlmsg_type = RTM_GETROUTE;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.route.rtm_family = is_ipv6 ? AF_INET6 : AF_INET;
    request.route.rtm_dst_len = is_ipv6 ? 128 : 32;
    add_address(&request, RTA_DST, address, is_ipv6);
    return converse(&request, route);
}

int clinuxnet_change_route(const struct clinuxnet_route *route, int is_added) {
    struct request request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.route);
    request.header.nlmsg_type = is_added ? RTM_NEWROUTE : RTM_DELROUTE;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (is_added ? NLM_F_CREATE | NLM_F_EXCL : 0);
    request.route.rtm_family = route->is_ipv6 ? AF_INET6 : AF_INET;
    request.route.rtm_dst_len = route->prefix;
    request.route.rtm_table = RT_TABLE_MAIN;
    request.route.rtm_protocol = is_added ? RTPROT_STATIC : RTPROT_UNSPEC;
    request.route.rtm_type = RTN_UNICAST;
    if (!is_added)
        request.route.rtm_scope = RT_SCOPE_NOWHERE;
    else
        request.route.rtm_scope = route->has_gateway || route->is_ipv6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (route->prefix > 0) add_address(&request, RTA_DST, route->destination, route->is_ipv6);
    if (route->has_gateway) add_address(&request, RTA_GATEWAY, route->gateway, route->is_ipv6);
    add_attribute(&request, RTA_OIF, &route->interface, sizeof route->interface);
    if (route->metric != 0) add_attribute(&request, RTA_PRIORITY, &route->metric, sizeof route->metric);
    return converse(&request, NULL);
}

int clinuxnet_watch_network(void) {
    struct sockaddr_nl local = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

static int parse_change(const struct nlmsghdr *header, struct clinuxnet_change *change) {
    memset(change, 0, sizeof *change);
    switch (header->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
        const struct rtmsg *message = NLMSG_DATA(header);
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof *message) || message->rtm_table == RT_TABLE_LOCAL
            || message->rtm_flags & RTM_F_CLONED || !parse_route(header, &change->route))
            return 0;
        change->kind = header->nlmsg_type == RTM_NEWROUTE ? CLINUXNET_ROUTE_ADDED : CLINUXNET_ROUTE_REMOVED;
        change->interface = change->route.interface;
        return 1;
    }
    case RTM_NEWLINK:
    case RTM_DELLINK:
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg))) return 0;
        change->kind = CLINUXNET_LINK_CHANGED;
        change->interface = ((const struct ifinfomsg *)NLMSG_DATA(header))->ifi_index;
        return 1;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg))) return 0;
        change->kind = CLINUXNET_ADDRESS_CHANGED;
        change->interface = ((const struct ifaddrmsg *)NLMSG_DATA(header))->ifa_index;
        return 1;
    }
    return 0;
}

int clinuxnet_read_changes(int fd, struct clinuxnet_change *changes, int count) {
    char buffer[16384] __attribute__((aligned(8)));
    int found = 0;
    ssize_t received = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (received < 0) {
        if (errno == ENOBUFS && count > 0) {
            memset(changes, 0, sizeof *changes);
            changes->kind = CLINUXNET_CHANGES_LOST;
            return 1;
        }
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    }
    size_t length = (size_t)received;
    for (const struct nlmsghdr *header = (const struct nlmsghdr *)buffer; NLMSG_OK(header, length);
         header = NLMSG_NEXT(header, length))
        if (found < count && parse_change(header, &changes[found])) found++;
    return found;
}
