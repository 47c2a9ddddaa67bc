/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.c — an existing Ethernet interface (veth included) through AF_PACKET with PACKET_VNET_HDR.
 *
 * The kernel's own stack keeps the interface too: give it no address there. Our MAC is the interface's own
 * unless another is configured; then the socket makes the interface promiscuous, for as long as it is open.
 * Frames that the other end of a veth sent come as its stack built them: unsegmented, with partial checksums.
 * What we send with such a header the kernel segments and checksums when the device cannot.
 *
 * A packet socket is never busy for a second one, so an abstract Unix socket named for the interface
 * (abstract names belong to the network namespace, as interfaces do) keeps a second instance out; it ends
 * with us.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <arpa/inet.h>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/nic/link.h"
#include "frontend/nic/nic_internal.h"

#define PACKET_MAX_BURST 64u
#define PACKET_MIN_MTU_BYTES 1280u
/* A super frame takes 64 KiB and more: the default of 208 KiB would hold three. */
#define PACKET_SOCKET_BYTES (8 << 20)

union packet_control {
    struct cmsghdr aligned;
    uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

struct packet_backend {
    int lock_fd;
    bool was_down; /* the interface went down, and no frame has come since */
    struct mmsghdr messages[PACKET_MAX_BURST];
    struct iovec parts[PACKET_MAX_BURST][2];
    union packet_control controls[PACKET_MAX_BURST];
};

static void prepare_message(struct packet_backend *packet, unsigned i, const struct nic_rx *place)
{
    struct iovec *parts = packet->parts[i];

    parts[0] = (struct iovec){place->head, NIC_HEAD_BYTES};
    parts[1] = (struct iovec){place->tail, NIC_TAIL_BYTES};
    packet->messages[i].msg_hdr = (struct msghdr){.msg_iov = parts,
                                                  .msg_iovlen = place->tail != NULL ? 2 : 1,
                                                  .msg_control = packet->controls[i].bytes,
                                                  .msg_controllen = sizeof(packet->controls[i].bytes)};
}

/*
 * The kernel takes the VLAN tag out of a frame and reports it beside. Such a frame is only ever dropped, so
 * instead of putting the tag back its type is written over the ethertype: the classifier then names the drop.
 */
static void mark_vlan(struct msghdr *message, uint8_t *head)
{
    static const uint8_t vlan_type[2] = {ETH_P_8021Q >> 8, ETH_P_8021Q & 0xff};
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    struct tpacket_auxdata aux;

    if (control == NULL || control->cmsg_level != SOL_PACKET || control->cmsg_type != PACKET_AUXDATA)
        return;
    memcpy(&aux, CMSG_DATA(control), sizeof(aux));
    if ((aux.tp_status & TP_STATUS_VLAN_VALID) != 0)
        memcpy(head + NIC_VNET_BYTES + 12, vlan_type, sizeof(vlan_type));
}

/*
 * What a failed recvmmsg() means: 0 for "nothing now", -ENODEV when the interface is gone. ENETDOWN comes
 * once, when the interface goes down; whether it was removed too (the index is then -1) may show only later,
 * so the look is repeated until frames arrive again. EINVAL and the like concern one frame, whose offload has
 * no place in the header: it is lost.
 */
static int rx_error(const struct nic *nic, int err)
{
    struct packet_backend *packet = nic->backend;
    struct sockaddr_ll bound = {0};
    socklen_t len = sizeof(bound);

    if (err == ENETDOWN || err == ENXIO || err == ENODEV || err == EBADF)
        packet->was_down = true;
    if (!packet->was_down)
        return 0;
    if (getsockname(nic->fd, (struct sockaddr *)&bound, &len) == 0 && bound.sll_ifindex > 0)
        return 0;
    return -ENODEV;
}

static int packet_rx(struct nic *nic, struct nic_rx *places, unsigned n)
{
    struct packet_backend *packet = nic->backend;
    int n_got;

    n = n < PACKET_MAX_BURST ? n : PACKET_MAX_BURST;
    for (unsigned i = 0; i < n; i++)
        prepare_message(packet, i, &places[i]);
    /* MSG_TRUNC: the length is that of the whole frame, also where it was cut off. */
    n_got = recvmmsg(nic->fd, packet->messages, n, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (n_got < 0)
        return rx_error(nic, errno);
    packet->was_down = false;
    for (int i = 0; i < n_got; i++) {
        uint32_t n_bytes = packet->messages[i].msg_len;

        places[i].len_bytes = n_bytes > NIC_VNET_BYTES ? n_bytes - NIC_VNET_BYTES : 0;
        mark_vlan(&packet->messages[i].msg_hdr, places[i].head);
    }
    return n_got;
}

static enum nic_tx_result packet_tx(struct nic *nic, const struct iovec *parts, int n_parts)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n_parts};
    ssize_t n_bytes;

    do
        n_bytes = sendmsg(nic->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n_bytes < 0 && errno == EINTR);
    if (n_bytes >= 0)
        return NIC_TX_SENT;
    /* ENOBUFS is a drop by the device's queue: to try again at once would spin. */
    return errno == EAGAIN ? NIC_TX_BUSY : NIC_TX_ERROR;
}

static void packet_close(struct nic *nic)
{
    struct packet_backend *packet = nic->backend;

    fd_close(&nic->fd);
    fd_close(&packet->lock_fd);
    free(packet);
    nic->backend = NULL;
}

static const struct nic_ops packet_ops = {
    .name = "packet", .rx = packet_rx, .tx = packet_tx, .close = packet_close};

/* Takes the name of the interface for this process. The descriptor or -errno with the error line. */
static int lock_interface(const struct nic_opening *opening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int name_len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "lwip-mpa-nic/%s",
                            opening->config->name);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)name_len);
    int err, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0)
        return fd;
    err = errno;
    fd_close(&fd);
    if (err == EADDRINUSE)
        return nic_refuse(opening, EBUSY,
                          "the interface is in use by another process: stop the other instance "
                          "or choose another nic.name");
    return nic_refuse(opening, err, "the interface cannot be locked: %s", strerror(err));
}

static int set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value));
}

/* Large buffers, beyond the system's limit where we may. A smaller one is slower, not wrong. */
static void set_buffers(int fd)
{
    int n_bytes = PACKET_SOCKET_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n_bytes, sizeof(n_bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n_bytes, sizeof(n_bytes));
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n_bytes, sizeof(n_bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof(n_bytes));
}

/* Sets the socket up, and binds it last: it must not gather frames of other interfaces meanwhile. */
static int configure_socket(int fd, int ifindex, bool is_promiscuous)
{
    struct packet_mreq promiscuous = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};

    set_buffers(fd);
    if (set_option(fd, PACKET_VNET_HDR, 1) < 0 || set_option(fd, PACKET_IGNORE_OUTGOING, 1) < 0 ||
        set_option(fd, PACKET_AUXDATA, 1) < 0)
        return -errno;
    if (is_promiscuous &&
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
        return -errno;
    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* The default MAC is for backends without one: here it stands for "the interface's own". */
static bool is_default_mac(const uint8_t mac[6])
{
    struct config defaults;

    config_defaults(&defaults);
    return memcmp(mac, defaults.nic.mac, sizeof(defaults.nic.mac)) == 0;
}

/* The MTU of an existing interface is the operator's: ours is the smaller of the two. */
static void use_mtu(const struct nic_opening *opening, uint32_t link_mtu_bytes)
{
    if (link_mtu_bytes >= opening->nic->mtu_bytes)
        return;
    log_info("nic_mtu_lowered name=%s configured=%u link=%u", opening->config->name, opening->nic->mtu_bytes,
             link_mtu_bytes);
    opening->nic->mtu_bytes = (uint16_t)link_mtu_bytes;
}

/* Checks the interface and fills in nic->mac and nic->mtu_bytes; *is_foreign_mac: not the interface's own. */
static int inspect_link(const struct nic_opening *opening, int *ifindex, bool *is_foreign_mac)
{
    const struct config_nic *config = opening->config;
    uint8_t link_mac[6];
    uint32_t mtu_bytes = 0;
    int err = link_get_index(config->name, ifindex);

    if (err == -ENODEV)
        return nic_refuse(opening, ENODEV,
                          "no such interface: create it before, or set nic.name to one of "
                          "'ip link'");
    if (err == 0)
        err = link_get_mac(config->name, link_mac);
    if (err == 0)
        err = link_get_mtu(config->name, &mtu_bytes);
    if (err == -EPROTONOSUPPORT)
        return nic_refuse(opening, -err, "not an Ethernet interface: choose another nic.name");
    if (err != 0)
        return nic_refuse(opening, -err, "interface cannot be read: %s", strerror(-err));
    if (mtu_bytes < PACKET_MIN_MTU_BYTES)
        return nic_refuse(opening, EINVAL, "MTU %u is below %u: 'ip link set %s mtu %u'", mtu_bytes,
                          PACKET_MIN_MTU_BYTES, config->name, config->mtu_bytes);
    use_mtu(opening, mtu_bytes);
    if (is_default_mac(config->mac))
        memcpy(opening->nic->mac, link_mac, sizeof(link_mac));
    *is_foreign_mac = memcmp(opening->nic->mac, link_mac, sizeof(link_mac)) != 0;
    return 0;
}

/* The bound socket, or -errno with the error line. */
static int open_socket(const struct nic_opening *opening)
{
    bool is_foreign_mac = false;
    int ifindex = 0, fd, err = inspect_link(opening, &ifindex, &is_foreign_mac);

    if (err != 0)
        return err;
    /* Protocol 0 receives nothing until the bind. */
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return nic_refuse(opening, errno,
                          "no permission for a packet socket (%s): run as root or with "
                          "CAP_NET_RAW",
                          strerror(errno));
    err = nic_prepare_link(opening, false);
    if (err == 0) {
        err = configure_socket(fd, ifindex, is_foreign_mac);
        if (err != 0)
            err = nic_refuse(opening, -err, "packet socket cannot be set up: %s", strerror(-err));
    }
    if (err != 0)
        fd_close(&fd);
    return err != 0 ? err : fd;
}

int packet_open(const struct nic_opening *opening)
{
    struct packet_backend *packet = calloc(1, sizeof(*packet));
    struct nic *nic = opening->nic;
    int fd;

    if (packet == NULL)
        return nic_refuse(opening, ENOMEM, "no memory");
    packet->lock_fd = lock_interface(opening);
    fd = packet->lock_fd < 0 ? packet->lock_fd : open_socket(opening);
    if (fd < 0) {
        fd_close(&packet->lock_fd);
        free(packet);
        return fd;
    }
    nic->ops = &packet_ops;
    nic->fd = fd;
    nic->has_vnet = true;
    nic->caps = opening->config->offload ? NIC_CAP_CSUM | NIC_CAP_TSO4 | NIC_CAP_TSO6 : 0;
    nic->backend = packet;
    return 0;
}
