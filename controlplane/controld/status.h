/* SPDX-License-Identifier: BSD-3-Clause */
/* status.h — the merged picture: processes as the supervisor sees them, lanes as the frontend sees them. */
#ifndef MPA_CONTROLD_STATUS_H
#define MPA_CONTROLD_STATUS_H

#include <nng/nng.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "controlplane/controld/controld.h"

/* A reply of the frontend unpacked, NULL unless it is a status; freed with mpa__v1__reply__free_unpacked().
 */
Mpa__V1__Reply *status_unpack(nng_msg *message);

/* The lanes of a frontend's status, at most CONFIG_MAX_WORKERS into `lanes`; strings stay the status's. */
size_t status_lanes(const Mpa__V1__GetStatusReply *status, struct lane_report lanes[CONFIG_MAX_WORKERS]);

/* The reply to GetStatus `id`. `frontend` is what the frontend answered just now, NULL when it did not. */
nng_msg *status_reply(const struct controld *controld, uint64_t id, const Mpa__V1__GetStatusReply *frontend,
                      uint64_t now_ns);

#endif
