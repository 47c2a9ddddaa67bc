/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_offload.c — any bytes as a packet of a worker. Input: flags, GSO size, the packet. What passes the
 * check is put into words for a NIC and cut in software; no segment may be longer than the MTU nor lose a
 * byte. The same bytes are then taken for a received virtio_net_hdr with its frame.
 */
#include <stdlib.h>
#include <string.h>

#include "frontend/nic/nic.h"
#include "frontend/offload.h"
#include "tests/support/short_cut.h"

enum { FLAG_NEEDS_CSUM = 1, FLAG_FIX_LENGTH = 2 };

#define INPUT_HEADER_BYTES 3u
#define MTU_BYTES 1500u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cut_state {
    const struct offload_plan *plan;
    const uint8_t *next; /* payload of the next segment */
};

static void check_segment(void *context, const struct offload_segment *segment)
{
    struct cut_state *state = context;

    mpa_assert(segment->payload == state->next);
    mpa_assert(state->plan->gso_size == 0 || segment->header_len + segment->payload_len <= MTU_BYTES);
    state->next += segment->payload_len;
}

/* Sets the IP length to what there is, which a fuzzer finds slowly. */
static void fix_length(uint8_t *packet, size_t n_bytes)
{
    size_t off = packet[0] >> 4 == 4 ? 2 : 4;

    if (packet[0] >> 4 == 6)
        n_bytes -= n_bytes < 40 ? n_bytes : 40;
    packet[off] = (uint8_t)(n_bytes >> 8);
    packet[off + 1] = (uint8_t)n_bytes;
}

static void send_packet(const uint8_t *input, uint8_t *packet, uint32_t n_bytes)
{
    static const struct host_addresses addresses = {
        .n_addresses = 2,
        .addresses = {{.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}},
                      {.family = 6, .prefix_bits = 64, .bytes = {0xfd, 0x77, [15] = 2}}}};
    uint8_t copy[OFFLOAD_MAX_COPY_BYTES];
    struct offload_request request = {.header = copy,
                                      .header_len = n_bytes < sizeof(copy) ? n_bytes : (uint32_t)sizeof(copy),
                                      .total_len = n_bytes,
                                      .gso_size = (uint16_t)(input[1] << 8 | input[2]),
                                      .needs_csum = (input[0] & FLAG_NEEDS_CSUM) != 0};
    struct offload_plan plan, long_way;
    enum offload_outcome outcome;
    struct offload_packet whole = {.plan = &plan, .header = copy};
    struct cut_state state = {.plan = &plan};
    struct nic_vnet vnet;

    if ((input[0] & FLAG_FIX_LENGTH) != 0 && n_bytes >= 6)
        fix_length(packet, n_bytes);
    memcpy(copy, packet, request.header_len);
    outcome = offload_check_tx(&addresses, MTU_BYTES, &request, &plan);
    mpa_assert(offload_check_tx_step_by_step(&addresses, MTU_BYTES, &request, &long_way) == outcome);
    if (outcome != OFFLOAD_OK)
        return;
    mpa_assert(short_cut_same_plan(&plan, &long_way));
    mpa_assert(plan.header_len <= request.header_len && plan.transport_off < plan.header_len);
    offload_write_vnet(&plan, copy, &vnet);
    whole.payload = state.next = packet + plan.header_len;
    mpa_assert(offload_segment(&whole, check_segment, &state) >= 1);
    mpa_assert(state.next == packet + n_bytes);
}

static void receive_frame(uint8_t *frame, uint32_t n_bytes)
{
    struct offload_rx rx;
    struct nic_vnet vnet;

    if (n_bytes < sizeof(vnet))
        return;
    memcpy(&vnet, frame, sizeof(vnet));
    n_bytes -= (uint32_t)sizeof(vnet);
    if (offload_check_rx(&vnet, n_bytes, &rx) && rx.is_partial)
        offload_finish_csum(frame + sizeof(vnet), n_bytes, &vnet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *packet;

    if (size <= INPUT_HEADER_BYTES)
        return 0;
    packet = malloc(size - INPUT_HEADER_BYTES);
    if (packet == NULL)
        return 0;
    memcpy(packet, data + INPUT_HEADER_BYTES, size - INPUT_HEADER_BYTES);
    send_packet(data, packet, (uint32_t)(size - INPUT_HEADER_BYTES));
    receive_frame(packet, (uint32_t)(size - INPUT_HEADER_BYTES));
    free(packet);
    return 0;
}
