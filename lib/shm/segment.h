/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * segment.h — sealed memfd segments. One process writes a segment for life: it creates, maps and then seals
 * it (no shrink, no grow, no further writable mapping), so that whoever gets the descriptor can only read it
 * and can never be hit by SIGBUS. A segment begins with struct segment_header.
 */
#ifndef MPA_SHM_SEGMENT_H
#define MPA_SHM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define SEGMENT_MAGIC 0x3147455341504dull /* "MPASEG1" in memory order */
#define SEGMENT_ANY_VERSION 0u
#define SEGMENT_LINE_BYTES 64u /* cache line; what two processes write is never on one line */

enum segment_kind {
    SEGMENT_POOL = 1,     /* rx frame pool; written by the frontend, read by workers */
    SEGMENT_HOST = 2,     /* addresses and bucket table; written by the frontend, read by workers */
    SEGMENT_FRONTEND = 3, /* the frontend's half of a lane */
    SEGMENT_WORKER = 4,   /* the worker's half of a lane */
    SEGMENT_RECORDS = 5,  /* flow records and FIFOs of a worker */
};

/* 64 bytes at offset 0. */
struct segment_header {
    uint64_t magic;
    uint32_t kind;
    uint32_t version;
    uint64_t size_bytes;
    uint8_t reserved[40];
};

struct segment {
    int fd;     /* owned */
    void *base; /* page aligned */
    size_t size_bytes;
    bool is_huge; /* backed by huge pages */
};

/* What to create. */
struct segment_spec {
    const char *name; /* shown in /proc/PID/maps */
    enum segment_kind kind;
    uint32_t version;
    size_t size_bytes; /* rounded up to the page size used */
    bool wants_huge;   /* huge pages if there are any, else normal ones (is_huge says which) */
};

/* Creates, maps read-write and writes the header. 0 or -errno. */
int segment_new(struct segment *segment, const struct segment_spec *spec) MPA_WARN_UNUSED;

/* Seals: from now on nobody, the writer included, maps it writable or changes its size. 0 or -errno. */
int segment_seal(struct segment *segment) MPA_WARN_UNUSED;

/*
 * Maps a received descriptor read-only after checking that it is a sealed memfd with the right header, of at
 * least `min_bytes`. Takes `fd` in every case. Returns 0, -EINVAL (not what it should be), -EPROTO (another
 * version; SEGMENT_ANY_VERSION takes every one) or -errno. The header fields are checked on the mapping once;
 * the size is the file's own.
 */
int segment_attach(struct segment *segment, int fd, enum segment_kind kind, uint32_t version,
                   size_t min_bytes) MPA_WARN_UNUSED;

void segment_fini(struct segment *segment);

static inline size_t segment_align(size_t value, size_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

#endif
