/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fragment_packet.c — fuzz target: any header, payload length and MTU. Whatever is emitted keeps to the MTU,
 * is counted, and carries every payload byte once and in order.
 *
 * Input: MTU (2 bytes), payload length (2), header length (1), then the header.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "frontend/fragment.h"
#include "frontend/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    const struct fragment_job *job;
    int n_fragments;
    uint32_t n_bytes;
};

static void check(void *context, const struct fragment *fragment)
{
    struct seen *seen = context;

    mpa_assert(fragment->header_len + fragment->payload_len <= seen->job->mtu_bytes);
    mpa_assert(fragment->payload == seen->job->payload + seen->n_bytes);
    seen->n_bytes += fragment->payload_len;
    seen->n_fragments++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t payload[65536];
    struct fragment_job job = {.payload = payload, .identification = 1};
    struct seen seen = {.job = &job};
    int result;

    if (size < 5)
        return 0;
    job.mtu_bytes = wire_get16(data);
    job.payload_len = wire_get16(data + 2);
    job.header = data + 5;
    job.header_len = data[4] <= size - 5 ? data[4] : (uint32_t)(size - 5);
    result = fragment_packet(&job, check, &seen);
    mpa_assert(result < 0 ? seen.n_fragments == 0 : result == seen.n_fragments);
    mpa_assert(result < 0 || seen.n_bytes == job.payload_len);
    return 0;
}
