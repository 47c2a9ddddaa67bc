/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isn.c — initial sequence numbers (RFC 6528): a clock of 4 us plus a keyed hash of the 4-tuple. One key for
 * all workers, kept over restarts, so that a 4-tuple's numbers go on growing whoever serves it.
 */
#include <lwip/ip_addr.h>
#include <sodium/crypto_shorthash.h>
#include <string.h>

#include "base/clock.h"
#include "worker/stack/stack_internal.h"

#define ISN_TICK_NS 4000u

static uint8_t isn_key[crypto_shorthash_KEYBYTES];

_Static_assert(crypto_shorthash_KEYBYTES == 16, "the ISN key has the size of a SipHash key");

void stack_isn_init(const uint8_t key[16])
{
    memcpy(isn_key, key, sizeof(isn_key));
}

/* 4 or 16 bytes of an address, without lwIP's zone and type. */
static uint32_t isn_put_address(uint8_t *out, const ip_addr_t *address)
{
    if (IP_IS_V6(address)) {
        memcpy(out, ip_2_ip6(address)->addr, 16);
        return 16;
    }
    memcpy(out, &ip_2_ip4(address)->addr, 4);
    return 4;
}

u32_t stack_hook_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port)
{
    uint8_t message[2 * 16 + 4];
    uint8_t hash[crypto_shorthash_BYTES];
    uint32_t len = isn_put_address(message, local), value;

    len += isn_put_address(message + len, remote);
    memcpy(message + len, &local_port, 2);
    memcpy(message + len + 2, &remote_port, 2);
    crypto_shorthash(hash, message, len + 4, isn_key);
    memcpy(&value, hash, sizeof(value));
    return value + (u32_t)(clock_now_ns() / ISN_TICK_NS);
}
