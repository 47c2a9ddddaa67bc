/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.h — messages of the control wire as nng messages. */
#ifndef MPA_CONTROLD_WIRE_H
#define MPA_CONTROLD_WIRE_H

#include <nng/nng.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"

#define WIRE_MAX_REQUEST_BYTES (64u << 10)
#define WIRE_MAX_MESSAGE_BYTES (1u << 20)
#define WIRE_DEFAULT_DEADLINE_MS 5000u
#define WIRE_MAX_DEADLINE_MS 60000u

/* A message packed; the caller owns the result. NULL: out of memory. */
nng_msg *wire_pack(const ProtobufCMessage *message) MPA_WARN_UNUSED;

/* The reply in a message, which is freed; the caller owns the result. NULL: it is none, or out of memory. */
Mpa__V1__Reply *wire_unpack(nng_msg *packed) MPA_WARN_UNUSED;

/* An error reply to request `id`, about a field or command (see Error in control.proto). NULL: out of memory.
 */
nng_msg *wire_refusal(uint64_t id, Mpa__V1__ErrorCode code, const char *field,
                      const char *text) MPA_WARN_UNUSED;

/* How long the sender waits: as the request says, within bounds. */
uint32_t wire_deadline_ms(const Mpa__V1__Request *request);

/* A string of ours in a message: protobuf-c has no const, and packing does not write. */
char *wire_borrow(const char *text);

#endif
