/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.c — interface ioctls on a throw-away socket, and the one property that only rtnetlink can set. Each
 * call opens and closes its own socket: nothing stays behind when the process is confined.
 */
#include "frontend/nic/link.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One interface request; the name is checked to fit by nic_open(). */
static int request(unsigned long which, const char *name, struct ifreq *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0)
        return -errno;
    mpa_assert(strlen(name) < sizeof(ifr->ifr_name));
    memcpy(ifr->ifr_name, name, strlen(name) + 1);
    if (ioctl(fd, which, ifr) < 0)
        err = -errno;
    close(fd);
    return err;
}

int link_get_index(const char *name, int *ifindex)
{
    struct ifreq ifr = {0};
    int err = request(SIOCGIFINDEX, name, &ifr);

    if (err == 0)
        *ifindex = ifr.ifr_ifindex;
    return err;
}

int link_get_mtu(const char *name, uint32_t *mtu_bytes)
{
    struct ifreq ifr = {0};
    int err = request(SIOCGIFMTU, name, &ifr);

    if (err == 0)
        *mtu_bytes = (uint32_t)ifr.ifr_mtu;
    return err;
}

int link_set_mtu(const char *name, uint32_t mtu_bytes)
{
    struct ifreq ifr = {.ifr_mtu = (int)mtu_bytes};

    return request(SIOCSIFMTU, name, &ifr);
}

int link_set_queue(const char *name, uint32_t n_frames)
{
    struct ifreq ifr = {.ifr_qlen = (int)n_frames};

    return request(SIOCSIFTXQLEN, name, &ifr);
}

int link_get_mac(const char *name, uint8_t mac[6])
{
    struct ifreq ifr = {0};
    int err = request(SIOCGIFHWADDR, name, &ifr);

    if (err != 0)
        return err;
    if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return -EPROTONOSUPPORT;
    memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
    return 0;
}

int link_set_up(const char *name)
{
    struct ifreq ifr = {0};
    int err = request(SIOCGIFFLAGS, name, &ifr);

    if (err != 0 || (ifr.ifr_flags & IFF_UP) != 0)
        return err;
    /* The flags are written as a whole: keep the others. */
    ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
    return request(SIOCSIFFLAGS, name, &ifr);
}

/* The whole request, laid out as the kernel reads it: header, interface, one attribute. */
struct gso_message {
    struct nlmsghdr header;
    struct ifinfomsg info;
    struct rtattr attribute;
    uint32_t max_bytes;
};

/* Sends a request that asks for an acknowledgement and returns what that says. */
static int netlink_exchange(const void *message, size_t len_bytes)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr verdict;
        char rest[256]; /* the kernel quotes our request */
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int err = -EIO;
    ssize_t n_bytes;

    if (fd < 0)
        return -errno;
    n_bytes = send(fd, message, len_bytes, 0);
    if (n_bytes >= 0)
        n_bytes = recv(fd, &answer, sizeof(answer), 0);
    if (n_bytes < 0)
        err = -errno;
    else if ((size_t)n_bytes >= sizeof(answer.header) + sizeof(answer.verdict.error) &&
             answer.header.nlmsg_type == NLMSG_ERROR)
        err = answer.verdict.error;
    close(fd);
    return err;
}

int link_set_gso_max(const char *name, uint32_t max_bytes)
{
    struct gso_message message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = RTM_NEWLINK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .info = {.ifi_family = AF_UNSPEC},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_GSO_MAX_SIZE},
        .max_bytes = max_bytes};
    int err = link_get_index(name, &message.info.ifi_index);

    return err != 0 ? err : netlink_exchange(&message, sizeof(message));
}
