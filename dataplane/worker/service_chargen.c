/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * service_chargen.c — RFC 864: lines of 72 printable characters, each beginning one character further round,
 * until the peer closes. After 95 lines the text repeats, so the byte at a position of the stream is the byte
 * at that position modulo the pattern's length, and a stream goes on exactly wherever it stopped.
 *
 * It is also the benchmark of the way out: a run costs one memcpy of a pattern that stays in the first-level
 * cache.
 */
#include <string.h>

#include "worker/service_internal.h"

struct chargen_state {
    uint64_t position; /* bytes produced so far */
};

_Static_assert(sizeof(struct chargen_state) <= SERVICE_STATE_BYTES, "fits in the record");

void service_chargen_pattern(uint8_t pattern[CHARGEN_PATTERN_BYTES])
{
    for (unsigned line = 0; line < CHARGEN_N_CHARS; line++) {
        for (unsigned column = 0; column < CHARGEN_LINE_CHARS; column++)
            *pattern++ = (uint8_t)(' ' + (line + column) % CHARGEN_N_CHARS);
        *pattern++ = '\r';
        *pattern++ = '\n';
    }
}

/* Fills `out` with the stream's bytes from `position` on. */
static void chargen_fill(struct fifo_span out, const uint8_t *pattern, uint64_t position)
{
    uint32_t off = (uint32_t)(position % CHARGEN_PATTERN_BYTES);

    while (out.len > 0) {
        uint32_t n_bytes = CHARGEN_PATTERN_BYTES - off;

        if (n_bytes > out.len)
            n_bytes = out.len;
        memcpy(out.bytes, pattern + off, n_bytes);
        out.bytes += n_bytes;
        out.len -= n_bytes;
        off = 0;
    }
}

static void chargen_run(const struct service *service, const struct service_io *io)
{
    struct chargen_state *state = io->state;

    service_discard_input(io);
    if (io->ops->is_at_end(io->context)) {
        io->ops->close(io->context);
        return;
    }
    for (;;) {
        /* All there can be, so that the FIFO has its full size at once instead of doubling up to it. */
        struct fifo_span out = io->ops->reserve(io->context, FIFO_MAX_BYTES);

        if (out.len == 0)
            return;
        chargen_fill(out, service->data, state->position);
        io->ops->produce(io->context, out.len);
        state->position += out.len;
    }
}

struct service service_chargen(const uint8_t *pattern)
{
    return (struct service){
        .name = "chargen", .state_bytes = sizeof(struct chargen_state), .data = pattern, .run = chargen_run};
}
