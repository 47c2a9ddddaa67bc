/* SPDX-License-Identifier: BSD-3-Clause */
/* tap.c — see tap.h. Two copies a frame each way, as in lwIP's tapif: this is what the baseline measures. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/pbuf.h>

#define TAP_MTU_BYTES 1500
#define TAP_FRAME_BYTES (TAP_MTU_BYTES + 18) /* Ethernet header and a VLAN tag */

int tap_open(struct tap *tap)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", tap->name);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int error = errno;

        close(fd);
        return -error;
    }
    tap->fd = fd;
    return 0;
}

/* A full TAP queue is a lost packet, as in lwIP's tapif: TCP sends again. */
static err_t tap_output(struct netif *netif, struct pbuf *packet)
{
    const struct tap *tap = netif->state;
    char frame[TAP_FRAME_BYTES];

    if (packet->tot_len > sizeof(frame))
        return ERR_IF;
    pbuf_copy_partial(packet, frame, packet->tot_len, 0);
    return write(tap->fd, frame, packet->tot_len) == packet->tot_len ? ERR_OK : ERR_IF;
}

err_t tap_netif_init(struct netif *netif)
{
    static const u8_t mac[ETH_HWADDR_LEN] = {0x02, 0x12, 0x34, 0x56, 0x78, 0xab};

    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = tap_output;
    netif->mtu = TAP_MTU_BYTES;
    netif->hwaddr_len = sizeof(mac);
    memcpy(netif->hwaddr, mac, sizeof(mac));
    /* Without MLD6 lwIP joins no solicited-node group and hears no neighbour solicitation. */
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

unsigned tap_input(struct netif *netif, unsigned n_frames)
{
    const struct tap *tap = netif->state;
    char frame[TAP_FRAME_BYTES];
    unsigned n_taken;

    for (n_taken = 0; n_taken < n_frames; n_taken++) {
        ssize_t n_bytes = read(tap->fd, frame, sizeof(frame));
        struct pbuf *packet;

        if (n_bytes <= 0)
            break;
        packet = pbuf_alloc(PBUF_RAW, (u16_t)n_bytes, PBUF_POOL);
        if (packet == NULL)
            continue; /* a lost frame: TCP's business */
        pbuf_take(packet, frame, (u16_t)n_bytes);
        if (netif->input(packet, netif) != ERR_OK)
            pbuf_free(packet);
    }
    return n_taken;
}
