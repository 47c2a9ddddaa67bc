/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reassembly.c — fuzz target: a sequence of fragments and of time. What comes out has lengths that agree,
 * what is held stays within its limits, and in the end everything expires.
 *
 * Input: records of a kind byte (top bit: only time passes, so many seconds), a length byte and so many bytes
 * of a packet, whose IPv4 header checksum is mended so that the fuzzer need not guess it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "frontend/reassembly.h"
#include "frontend/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct reassembly_outcome *outcome)
{
    const uint8_t *packet = outcome->packet;

    if (outcome->result != REASSEMBLY_COMPLETE)
        return;
    if (packet[0] >> 4 == 4)
        mpa_assert(wire_get16(packet + WIRE_IP4_LENGTH_OFF) == outcome->len_bytes);
    else
        mpa_assert(wire_get16(packet + WIRE_IP6_LENGTH_OFF) + WIRE_IP6_BYTES == outcome->len_bytes);
}

static void feed(struct reassembly *r, const uint8_t *bytes, uint32_t len, uint64_t now_ns)
{
    struct reassembly_outcome outcome;
    uint8_t packet[256];

    memcpy(packet, bytes, len);
    if (len >= WIRE_IP4_BYTES && packet[0] >> 4 == 4 && (packet[0] & 0x0fu) * 4u <= len)
        wire_ip4_set_checksum(packet, (packet[0] & 0x0fu) * 4u);
    reassembly_add(r, packet, len, now_ns, &outcome);
    check(&outcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct reassembly_limits limits = {16, 6, 128};
    struct reassembly *r = reassembly_new(&limits);
    uint64_t now_ns = 0;

    mpa_assert(r != NULL);
    while (size >= 2) {
        uint32_t len = data[1] <= size - 2 ? data[1] : (uint32_t)(size - 2);

        if ((data[0] & 0x80) != 0) {
            now_ns += (data[0] & 0x7fu) * CLOCK_NS_PER_S;
            reassembly_expire(r, now_ns, NULL, NULL);
            len = 0;
        } else {
            feed(r, data + 2, len, now_ns);
        }
        mpa_assert(reassembly_n_held(r) <= limits.n_fragments);
        data += 2 + len;
        size -= 2 + len;
    }
    reassembly_expire(r, now_ns + REASSEMBLY_IP6_LIFE_NS, NULL, NULL);
    mpa_assert(reassembly_n_held(r) == 0);
    reassembly_free(r);
    return 0;
}
