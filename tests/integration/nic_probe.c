/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nic_probe.c — drives NIC backends on real interfaces for test_nic.py.
 *
 *     nic_probe open SIDE [hold]        opens a NIC, says what it is; with hold keeps it until stdin ends
 *     nic_probe send SIDE_A SIDE_B      opens both, sends frames of every kind from A, checks what B receives
 *     nic_probe cut SIDE_A SIDE_B       B has no offload: what the kernel cuts must equal what we would cut
 *     nic_probe vlan SIDE_A SIDE_B      a tagged frame arrives with a VLAN ethertype
 *     nic_probe watch SIDE              receives until the interface is gone
 *
 * SIDE is BACKEND:NAME[:MTU[:plain]]. Exit status 0, or 1 with one line on stderr.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "frontend/nic/nic.h"
#include "frontend/nic/vnet.h"
#include "frontend/offload.h"
#include "tests/support/frame.h"

#define LINK 14u
#define WAIT_MS 5000u
#define HELLO_MS 20u
#define HELLO_ETHERTYPE 0x88b5u /* for local experiments */

static uint8_t payload_bytes[65536];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

static void parse_side(const char *text, struct config_nic *config)
{
    char backend[16] = "", name[32] = "", how[16] = "";
    unsigned mtu_bytes = 1500;

    if (sscanf(text, "%15[^:]:%31[^:]:%u:%15s", backend, name, &mtu_bytes, how) < 2)
        fail("usage: nic_probe open|send|cut|vlan BACKEND:NAME[:MTU[:plain]]...");
    *config = (struct config_nic){.backend = strcmp(backend, "tap") == 0 ? CONFIG_BACKEND_TAP
                                                                         : CONFIG_BACKEND_PACKET,
                                  .mac = {0x02, 0x4d, 0x50, 0x41, 0x00, 0x01},
                                  .mtu_bytes = (uint16_t)mtu_bytes,
                                  .offload = strcmp(how, "plain") != 0};
    /* As long as it is: too long a name is one of the tests. */
    memcpy(config->name, name, sizeof(config->name));
}

static void open_side(const char *text, struct nic *nic)
{
    struct config_nic config;
    char error[512] = "";

    parse_side(text, &config);
    if (nic_open(nic, &config, error, sizeof(error)) != 0)
        fail(error);
}

/* One packet to send: headers in `frame`, then payload_len bytes. */
struct probe {
    struct frame frame;
    struct offload_plan plan;
    struct nic_vnet vnet;
    uint32_t payload_len;
};

static void make_probe(struct probe *probe, uint8_t family, uint32_t payload_len, uint16_t gso_size)
{
    static const struct host_addresses senders = {
        .n_addresses = 2,
        .addresses = {{.family = 4, .bytes = {10, 77, 0, 1}},
                      {.family = 6, .bytes = {0xfd, 0x77, [15] = 1}}}};
    uint8_t *ip = probe->frame.bytes + LINK;
    struct offload_request request = {.header = ip, .gso_size = gso_size, .needs_csum = true};
    uint32_t len_bytes;

    frame_begin(&probe->frame, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4)
        frame_put_ip4(&probe->frame, 6);
    else
        frame_put_ip6(&probe->frame, 6);
    frame_put_tcp(&probe->frame, FRAME_ACK | FRAME_PSH | FRAME_FIN, NULL, 0);
    request.header_len = probe->frame.len_bytes - LINK;
    request.total_len = request.header_len + payload_len;
    len_bytes = family == 4 ? request.total_len : request.total_len - 40;
    ip[family == 4 ? 2 : 4] = (uint8_t)(len_bytes >> 8);
    ip[family == 4 ? 3 : 5] = (uint8_t)len_bytes;
    if (family == 4)
        frame_fix_ip4_checksum(&probe->frame);
    if (offload_check_tx(&senders, 1500, &request, &probe->plan) != OFFLOAD_OK)
        fail("the probe's packet is not valid");
    offload_write_vnet(&probe->plan, ip, &probe->vnet);
    probe->payload_len = payload_len;
}

static void send_probe(struct nic *nic, struct probe *probe)
{
    struct iovec parts[3] = {{&probe->vnet, NIC_VNET_BYTES},
                             {probe->frame.bytes, probe->frame.len_bytes},
                             {payload_bytes, probe->payload_len}};

    if (nic->ops->tx(nic, parts, 3) != NIC_TX_SENT)
        fail("the NIC did not take the frame");
    if (nic->ops->flush != NULL)
        nic->ops->flush(nic);
}

/* One frame as received, in one piece. */
struct received {
    struct nic_vnet vnet;
    uint8_t *frame;
    uint32_t len_bytes;
};

/* Waits at most wait_ms for one frame of the probe's sender with that ethertype, 0: any but the hello. */
static bool try_receive(struct nic *nic, uint16_t ethertype, unsigned wait_ms, struct received *received)
{
    static uint8_t head[NIC_HEAD_BYTES], tail[NIC_TAIL_BYTES], whole[NIC_HEAD_BYTES + NIC_TAIL_BYTES];
    struct nic_rx place = {.head = head, .tail = tail};
    uint64_t deadline_ns = clock_now_ns() + wait_ms * CLOCK_NS_PER_MS;

    while (clock_now_ns() < deadline_ns) {
        struct pollfd waiting = {.fd = nic->fd, .events = POLLIN};
        int n = nic->ops->rx(nic, &place, 1);
        uint16_t type = (uint16_t)(head[NIC_VNET_BYTES + 12] << 8 | head[NIC_VNET_BYTES + 13]);

        if (n < 0)
            fail("the NIC is gone");
        if (n == 0)
            poll(&waiting, 1, (int)wait_ms);
        /* The kernel's own frames are passed over. */
        if (n != 1 || memcmp(head + NIC_VNET_BYTES + 6, frame_peer_mac, 6) != 0)
            continue;
        if (ethertype != 0 ? type != ethertype : type == HELLO_ETHERTYPE)
            continue;
        memcpy(&received->vnet, head, sizeof(received->vnet));
        memcpy(whole, head + NIC_VNET_BYTES, NIC_HEAD_BYTES - NIC_VNET_BYTES);
        memcpy(whole + NIC_HEAD_BYTES - NIC_VNET_BYTES, tail, NIC_TAIL_BYTES);
        received->frame = whole;
        received->len_bytes = place.len_bytes;
        return true;
    }
    return false;
}

static void receive(struct nic *nic, struct received *received)
{
    if (!try_receive(nic, 0, WAIT_MS, received))
        fail("nothing arrived");
}

/*
 * A TAP has a carrier from the moment it is attached, but the kernel begins to send some time after: says
 * hello until it is heard.
 */
static void wait_for_carrier(struct nic *a, struct nic *b)
{
    struct received received;
    struct probe hello = {.payload_len = 50};

    frame_begin(&hello.frame, HELLO_ETHERTYPE);
    for (unsigned i = 0; i < WAIT_MS / HELLO_MS; i++) {
        send_probe(a, &hello);
        if (try_receive(b, HELLO_ETHERTYPE, HELLO_MS, &received))
            return;
    }
    fail("no hello arrived");
}

static void check_received(const struct received *received, const struct probe *probe)
{
    if (received->len_bytes != probe->frame.len_bytes + probe->payload_len)
        fail("the frame arrived with another length");
    if (memcmp(received->frame, probe->frame.bytes, probe->frame.len_bytes) != 0)
        fail("the headers arrived changed");
    if (memcmp(received->frame + probe->frame.len_bytes, payload_bytes, probe->payload_len) != 0)
        fail("the payload arrived changed");
    /* hdr_len is a hint that the kernel computes anew. */
    if (received->vnet.flags != probe->vnet.flags || received->vnet.gso_type != probe->vnet.gso_type ||
        received->vnet.gso_size != probe->vnet.gso_size ||
        received->vnet.csum_start != probe->vnet.csum_start ||
        received->vnet.csum_offset != probe->vnet.csum_offset)
        fail("the offload header arrived changed");
}

static void run_send(struct nic *a, struct nic *b)
{
    static const uint32_t payload_lens[] = {1, 1000, 1460, 1440, 20000, 64900};

    for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
        for (unsigned i = 0; i < sizeof(payload_lens) / sizeof(payload_lens[0]); i++) {
            uint16_t gso_size = family == 4 ? 1460 : 1440;
            struct received received;
            struct probe probe;

            if (payload_lens[i] > gso_size && payload_lens[i] < 20000)
                continue;
            make_probe(&probe, family, payload_lens[i], gso_size);
            send_probe(a, &probe);
            receive(b, &received);
            check_received(&received, &probe);
        }
    }
}

/* Compares one segment that we cut with the next frame that the kernel cut. */
static void compare_cut(void *context, const struct offload_segment *segment)
{
    struct received received;

    receive(context, &received);
    if (received.vnet.flags != 0 || received.vnet.gso_type != VNET_GSO_NONE)
        fail("the kernel left work to us");
    if (received.len_bytes != LINK + segment->header_len + segment->payload_len)
        fail("the kernel cut elsewhere");
    if (memcmp(received.frame + LINK, segment->header, segment->header_len) != 0)
        fail("the kernel's headers are not ours");
    if (memcmp(received.frame + LINK + segment->header_len, segment->payload, segment->payload_len) != 0)
        fail("the kernel's payload is not ours");
}

static void run_cut(struct nic *a, struct nic *b)
{
    for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
        struct probe probe;
        struct offload_packet whole = {
            .plan = &probe.plan, .header = probe.frame.bytes + LINK, .payload = payload_bytes};

        make_probe(&probe, family, 30000, 1400);
        send_probe(a, &probe);
        if (offload_segment(&whole, compare_cut, b) != 22)
            fail("the number of segments is wrong");
    }
}

static void run_vlan(struct nic *a, struct nic *b)
{
    static const uint8_t tag[4] = {0x00, 0x05, 0x08, 0x00};
    struct received received;
    struct probe probe = {.payload_len = 50};

    frame_begin(&probe.frame, 0x8100);
    frame_put(&probe.frame, tag, sizeof(tag));
    send_probe(a, &probe);
    receive(b, &received);
    if (received.frame[12] != 0x81 || received.frame[13] != 0x00)
        fail("the tag was lost");
}

static int run_open(const char *side, bool is_held)
{
    struct nic nic;

    open_side(side, &nic);
    printf("ok %s mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u caps=%u\n", nic.ops->name, nic.mac[0], nic.mac[1],
           nic.mac[2], nic.mac[3], nic.mac[4], nic.mac[5], nic.mtu_bytes, nic.caps);
    fflush(stdout);
    while (is_held && getchar() != EOF)
        continue;
    nic_close(&nic);
    return EXIT_SUCCESS;
}

static int run_watch(const char *side)
{
    static uint8_t head[NIC_HEAD_BYTES];
    struct nic_rx place = {.head = head};
    struct nic nic;
    int n = 0;

    open_side(side, &nic);
    printf("ok\n");
    fflush(stdout);
    for (uint64_t deadline_ns = clock_now_ns() + WAIT_MS * CLOCK_NS_PER_MS;
         n >= 0 && clock_now_ns() < deadline_ns;) {
        struct pollfd waiting = {.fd = nic.fd, .events = POLLIN};

        poll(&waiting, 1, 100);
        n = nic.ops->rx(&nic, &place, 1);
    }
    printf("%s\n", n < 0 ? "gone" : "still there");
    nic_close(&nic);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct nic a, b;

    if (argc >= 3 && strcmp(argv[1], "open") == 0)
        return run_open(argv[2], argc == 4);
    if (argc == 3 && strcmp(argv[1], "watch") == 0)
        return run_watch(argv[2]);
    if (argc != 4)
        fail("usage: nic_probe open|send|cut|vlan|watch SIDE [SIDE|hold]");
    for (unsigned i = 0; i < sizeof(payload_bytes); i++)
        payload_bytes[i] = (uint8_t)(i * 13 + i / 251);
    open_side(argv[2], &a);
    open_side(argv[3], &b);
    wait_for_carrier(&a, &b);
    if (strcmp(argv[1], "send") == 0)
        run_send(&a, &b);
    else if (strcmp(argv[1], "cut") == 0)
        run_cut(&a, &b);
    else
        run_vlan(&a, &b);
    nic_close(&b);
    nic_close(&a);
    printf("ok\n");
    return EXIT_SUCCESS;
}
