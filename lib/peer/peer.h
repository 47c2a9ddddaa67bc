/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.h — the mark for memory that a peer may change at any moment, and the only loads from it. Whoever
 * includes this file is attack surface; only lib/ring and lib/border may. A value is loaded once, then
 * checked, then used.
 */
#ifndef MPA_PEER_PEER_H
#define MPA_PEER_PEER_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* Under Clang a dereference of a marked pointer is a warning, so an error here. */
#if defined(__clang__)
#define MPA_PEER __attribute__((noderef))
#else
#define MPA_PEER
#endif

/* The loads take the address of the value, or of a struct that begins with it (struct lane_index).
 * Acquire: pairs with the release store by which the peer publishes what the index covers. */
static inline uint32_t peer_load32_acquire(const void MPA_PEER *peer_value)
{
    return atomic_load_explicit((const _Atomic uint32_t *)(uintptr_t)peer_value, memory_order_acquire);
}

static inline uint32_t peer_load32_relaxed(const void MPA_PEER *peer_value)
{
    return atomic_load_explicit((const _Atomic uint32_t *)(uintptr_t)peer_value, memory_order_relaxed);
}

static inline uint64_t peer_load64_acquire(const void MPA_PEER *peer_value)
{
    return atomic_load_explicit((const _Atomic uint64_t *)(uintptr_t)peer_value, memory_order_acquire);
}

static inline uint64_t peer_load64_relaxed(const void MPA_PEER *peer_value)
{
    return atomic_load_explicit((const _Atomic uint64_t *)(uintptr_t)peer_value, memory_order_relaxed);
}

/* Copies bytes that may change meanwhile; what was copied is then checked, never the original. */
static inline void peer_copy(void *private_copy, const uint8_t MPA_PEER *peer_bytes, size_t size)
{
    memcpy(private_copy, (const void *)(uintptr_t)peer_bytes, size);
}

#endif
