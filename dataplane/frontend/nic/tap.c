/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tap.c — a TAP interface: the kernel stack behind it is our neighbour. The interface's own MAC belongs to
 * the kernel's side, ours is the configured one; addresses and routes of the kernel's side are the
 * operator's.
 *
 * The descriptor always speaks virtio_net_hdr. With offload the kernel hands over unsegmented TCP (super
 * frames) with partial checksums; without, TUNSETOFFLOAD 0 makes it segment and checksum before. Either way
 * it accepts both from us, since it looks at the header of each frame alone; nic->caps still says what is
 * configured, so that `offload: false` gives plain frames on the way out too.
 *
 * A descriptor that the service manager has kept over our death is used as it is: the interface never lost
 * its carrier, and with it neither addresses nor routes, and what its queue holds arrives.
 *
 * One read or write a frame: measured, io_uring and several queues make a TAP no faster.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/nic/link.h"
#include "frontend/nic/nic_internal.h"
#include "frontend/nic/vnet.h"

_Static_assert(sizeof(struct virtio_net_hdr) == NIC_VNET_BYTES, "vnet.h copies this struct");

/* IP packets of at most this size: with a link header in front they still fit lwIP's 16-bit lengths. */
#define TAP_GSO_MAX_BYTES 65000u

struct tap_backend {
    uint8_t scratch[NIC_TAIL_BYTES]; /* takes what does not fit when the caller has no tail */
};

/* Reads one frame; its length in place->len_bytes. 1, 0 (nothing there) or -errno. */
static int rx_one(const struct nic *nic, struct nic_rx *place)
{
    struct tap_backend *tap = nic->backend;
    struct iovec parts[2] = {{place->head, NIC_HEAD_BYTES},
                             {place->tail != NULL ? place->tail : tap->scratch, NIC_TAIL_BYTES}};
    ssize_t n_bytes;

    do
        n_bytes = readv(nic->fd, parts, 2);
    while (n_bytes < 0 && errno == EINTR);
    if (n_bytes < 0)
        return errno == EAGAIN ? 0 : -errno;
    place->len_bytes = n_bytes > (ssize_t)NIC_VNET_BYTES ? (uint32_t)n_bytes - NIC_VNET_BYTES : 0;
    return 1;
}

static int tap_rx(struct nic *nic, struct nic_rx *places, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int got = rx_one(nic, &places[i]);

        if (got <= 0)
            return i > 0 ? (int)i : got; /* an error comes again with the next call */
    }
    return (int)n;
}

static enum nic_tx_result tap_tx(struct nic *nic, const struct iovec *parts, int n_parts)
{
    ssize_t n_bytes;

    do
        n_bytes = writev(nic->fd, parts, n_parts);
    while (n_bytes < 0 && errno == EINTR);
    if (n_bytes >= 0)
        return NIC_TX_SENT;
    return errno == EAGAIN || errno == ENOBUFS ? NIC_TX_BUSY : NIC_TX_ERROR;
}

static void tap_close(struct nic *nic)
{
    fd_close(&nic->fd);
    free(nic->backend);
    nic->backend = NULL;
}

static int tap_keep(struct nic *nic, bool is_kept)
{
    return ioctl(nic->fd, TUNSETPERSIST, is_kept ? 1ul : 0ul) < 0 ? -errno : 0;
}

static const struct nic_ops tap_ops = {
    .name = "tap", .rx = tap_rx, .tx = tap_tx, .close = tap_close, .keep = tap_keep};

static int refuse_device(const struct nic_opening *opening, int err)
{
    if (err == ENOENT || err == ENXIO || err == ENODEV)
        return nic_refuse(opening, err,
                          "/dev/net/tun is missing: load the kernel module (modprobe tun), in a "
                          "container pass the device (--device /dev/net/tun)");
    if (err == EACCES || err == EPERM)
        return nic_refuse(opening, err,
                          "no permission to open /dev/net/tun: run as root, or give this user "
                          "access to the device");
    return nic_refuse(opening, err, "/dev/net/tun cannot be opened: %s", strerror(err));
}

static int refuse_attach(const struct nic_opening *opening, int err)
{
    const char *name = opening->config->name;

    if (err == EBUSY)
        return nic_refuse(opening, err,
                          "the interface is in use by another process: stop the other instance "
                          "or choose another nic.name");
    if (err == EPERM || err == EACCES)
        return nic_refuse(opening, err,
                          "no permission for a TAP: run as root or with CAP_NET_ADMIN, or make it "
                          "for this user before (ip tuntap add dev %s mode tap user NAME)",
                          name);
    if (err == EINVAL)
        return nic_refuse(opening, err,
                          "the interface exists and is no single-queue TAP, or the name is not "
                          "valid: choose another nic.name, or backend packet");
    return nic_refuse(opening, err, "TAP cannot be attached: %s", strerror(err));
}

/* The kept descriptor if it is what attach_new() would make; -1 if not. *is_made: its interface is no
 * persistent one, so it lives by this descriptor. */
static int attach_kept(struct nic_opening *opening, bool *is_made)
{
    const int wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    struct ifreq ifr = {0};
    int fd = opening->kept_fd;

    /* EBADFD: the interface has been taken away meanwhile. */
    if (fd < 0 || ioctl(fd, TUNGETIFF, &ifr) < 0 ||
        strncmp(ifr.ifr_name, opening->config->name, sizeof(ifr.ifr_name)) != 0 ||
        (ifr.ifr_flags & wanted) != wanted || fd_set_nonblock(fd) < 0)
        return -1;
    opening->kept_fd = -1;
    *is_made = (ifr.ifr_flags & IFF_PERSIST) == 0;
    return fd;
}

/* Opens a descriptor and attaches it to the interface, which is made if it is not there. Or -errno. */
static int attach_new(struct nic_opening *opening, bool *is_made)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int err, fd;

    /* It would hold the interface, which has one queue. */
    fd_close(&opening->kept_fd);
    *is_made = if_nametoindex(opening->config->name) == 0;
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return refuse_device(opening, errno);
    memcpy(ifr.ifr_name, opening->config->name, sizeof(ifr.ifr_name));
    if (ioctl(fd, TUNSETIFF, &ifr) == 0)
        return fd;
    err = refuse_attach(opening, errno);
    fd_close(&fd);
    return err;
}

/* A descriptor with offloads as configured. */
static int attach(struct nic_opening *opening, int *tap_fd, bool *is_made)
{
    unsigned long offload = opening->config->offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
    int vnet_bytes = NIC_VNET_BYTES;
    int err, fd = attach_kept(opening, is_made);

    if (fd < 0)
        fd = attach_new(opening, is_made);
    if (fd < 0)
        return fd;
    /* A persistent TAP may come with the settings of its last owner. */
    if (ioctl(fd, TUNSETVNETHDRSZ, &vnet_bytes) < 0 || ioctl(fd, TUNSETOFFLOAD, offload) < 0) {
        err =
            nic_refuse(opening, errno, "offload cannot be set (%s): try nic.offload: false", strerror(errno));
        fd_close(&fd);
        return err;
    }
    *tap_fd = fd;
    return 0;
}

/* What is good to have and no reason to refuse: an interface that was made for us by somebody with more
 * privileges than we have may keep its own settings. */
static void tune(const struct config_nic *config)
{
    int err = link_set_gso_max(config->name, TAP_GSO_MAX_BYTES);

    /* Without it the kernel's own limit of 65536 holds, which our buffers take too. */
    if (err != 0)
        log_debug("nic_gso_max_not_set name=%s error=\"%s\"", config->name, strerror(-err));
    /* The kernel drops without a word to the sender what its queue of 1,000 cannot take: thousands of busy
     * connections then live from one retransmission time-out to the next. */
    if (config->tap_queue_frames == 0)
        return;
    err = link_set_queue(config->name, config->tap_queue_frames);
    if (err != 0)
        log_warn("nic_queue_not_set name=%s frames=%u error=\"%s\"", config->name, config->tap_queue_frames,
                 strerror(-err));
}

int tap_open(struct nic_opening *opening)
{
    struct nic *nic = opening->nic;
    struct tap_backend *tap;
    bool is_made;
    int err, fd;

    err = attach(opening, &fd, &is_made);
    if (err != 0)
        return err;
    err = nic_prepare_link(opening, true);
    if (err == 0) {
        tap = malloc(sizeof(*tap));
        err = tap != NULL ? 0 : nic_refuse(opening, ENOMEM, "no memory");
    }
    if (err != 0) {
        fd_close(&fd);
        return err;
    }
    tune(opening->config);
    nic->ops = &tap_ops;
    nic->fd = fd;
    nic->has_vnet = true;
    nic->is_made = is_made;
    nic->caps = opening->config->offload ? NIC_CAP_CSUM | NIC_CAP_TSO4 | NIC_CAP_TSO6 : 0;
    nic->backend = tap;
    return 0;
}
