/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.h — what every request passes before anybody acts on it: size, decoding, role, id. Bytes in, a request
 * or a refusal with code, text and field out; no socket, no clock, so that tests and the fuzzer drive it.
 *
 * The id of a change counts once: the same id from the same connection within GATE_REPLAY_MS is a replay and
 * is refused, whatever became of the first. Looks may be repeated as one likes.
 */
#ifndef MPA_CONTROLD_GATE_H
#define MPA_CONTROLD_GATE_H

#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/controld/access.h"

#define GATE_MAX_CHANGES 256u /* changes that are remembered, of all connections together */
#define GATE_REPLAY_MS 60000u
#define GATE_TEXT_BYTES 160

/* The ids of the last changes, a ring; zeroed is empty. */
struct gate {
    struct {
        uint64_t id; /* 0: none */
        uint64_t time_ns;
        uint32_t connection;
    } changes[GATE_MAX_CHANGES];
    uint32_t next_idx;
};

/* A request as it came. */
struct gate_input {
    const uint8_t *bytes;
    size_t size;
    enum access_role role;
    uint32_t connection; /* tells connections apart, and is not used again soon */
    uint64_t came_ns;
    uint64_t now_ns;
};

/* Why not. */
struct gate_refusal {
    uint64_t id; /* of the request; 0: none was decoded */
    Mpa__V1__ErrorCode code;
    const char *field; /* static */
    char text[GATE_TEXT_BYTES];
};

/*
 * The request, to be freed with mpa__v1__request__free_unpacked(); NULL with *refusal filled in. A change
 * that passes is remembered. For a caller who is not an admin, top-level fields that this version does not
 * know are gone: whoever gets the request packed anew can see no command in it but the one that was judged.
 */
Mpa__V1__Request *gate_pass(struct gate *gate, const struct gate_input *input,
                            struct gate_refusal *refusal) MPA_WARN_UNUSED;

#endif
