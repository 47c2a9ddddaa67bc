/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_classify.c — any bytes as a received frame. Input: a byte of flags, two bytes that say how much of the
 * frame is in the head, the frame. Checks what the rest of the frontend relies on in a verdict, and that the
 * short cut has come to the same as the long way.
 */
#include <stdlib.h>
#include <string.h>

#include "frontend/classify_internal.h"
#include "tests/support/short_cut.h"

enum { FLAG_GSO = 1, FLAG_GOOD_CSUM = 2, FLAG_FIX_IP4 = 4 };

#define INPUT_HEADER_BYTES 3u
#define LINK_BYTES 14u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fuzzers do not find checksums: sets that of the IPv4 header right, so that what lies behind is reached. */
static void fix_ip4_checksum(uint8_t *frame, size_t n_bytes)
{
    uint8_t *ip = frame + LINK_BYTES;
    size_t header_bytes;
    uint32_t sum = 0;

    if (n_bytes < LINK_BYTES + 20 || ip[0] >> 4 != 4)
        return;
    header_bytes = (ip[0] & 0xfu) * 4;
    if (header_bytes < 20 || header_bytes > n_bytes - LINK_BYTES)
        return;
    ip[10] = ip[11] = 0;
    for (size_t i = 0; i < header_bytes; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    ip[10] = (uint8_t)(~sum >> 8);
    ip[11] = (uint8_t)~sum;
}

static void check_verdict(const struct classify_frame *frame, const struct classify_verdict *verdict,
                          const struct flow_seed *seed)
{
    if (verdict->to == CLASSIFY_DROP) {
        mpa_assert((unsigned)verdict->drop < N_NIC_COUNTERS);
        return;
    }
    mpa_assert(verdict->frame_len >= LINK_BYTES && verdict->frame_len <= frame->len_bytes);
    mpa_assert(verdict->transport_off <= verdict->frame_len && verdict->transport_off >= LINK_BYTES);
    if (verdict->to == CLASSIFY_HOST)
        return;
    mpa_assert(verdict->transport_off + 8u <= frame->head_len);
    mpa_assert(verdict->transport_off <= LINK_BYTES + CLASSIFY_MAX_HEADER_BYTES);
    mpa_assert(verdict->key.protocol == 6 || verdict->key.protocol == 17);
    mpa_assert(verdict->hash == flow_key_hash(&verdict->key, seed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[6] = {0x02, 0x4d, 0x50, 0x41, 0x00, 0x01};
    static const struct host_addresses addresses = {
        .n_addresses = 2,
        .mtu_bytes = 1500,
        .addresses = {{.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}},
                      {.family = 6, .prefix_bits = 64, .bytes = {0xfd, 0x77, [15] = 2}}}};
    static const struct flow_seed seed = {{1, 2, 3, 4}};
    static const struct classify_context context = {.mac = mac, .addresses = &addresses, .seed = &seed};
    struct classify_frame frame;
    struct classify_verdict verdict, long_way;
    uint8_t *head;

    if (size < INPUT_HEADER_BYTES)
        return 0;
    frame = (struct classify_frame){.len_bytes = (uint32_t)(size - INPUT_HEADER_BYTES),
                                    .head_len = (uint32_t)data[1] << 8 | data[2],
                                    .is_gso = (data[0] & FLAG_GSO) != 0,
                                    .has_good_csum = (data[0] & FLAG_GOOD_CSUM) != 0};
    if (frame.head_len > frame.len_bytes)
        frame.head_len = frame.len_bytes;
    head = malloc(frame.head_len + 1u);
    if (head == NULL)
        return 0;
    /* The head ends where the allocation does. */
    memcpy(head + 1, data + INPUT_HEADER_BYTES, frame.head_len);
    if ((data[0] & FLAG_FIX_IP4) != 0)
        fix_ip4_checksum(head + 1, frame.head_len);
    frame.head = head + 1;
    classify_frame(&context, &frame, &verdict);
    check_verdict(&frame, &verdict, &seed);
    classify_step_by_step(&context, &frame, &long_way);
    mpa_assert(short_cut_same_verdict(&verdict, &long_way));
    free(head);
    return 0;
}
