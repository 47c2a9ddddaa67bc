/* SPDX-License-Identifier: BSD-3-Clause */
/* snapshot.c — events of the ring and a status in one message. */
#include "controlplane/controld/snapshot.h"

#include "controlplane/controld/status.h"
#include "controlplane/controld/wire.h"

/* Those from `first` to `last` into `list`. The number of them; the last are left out when memory is out. */
static size_t events_take(const struct recent *recent, uint64_t first, uint64_t last, Mpa__V1__Event **list)
{
    size_t n = 0;

    for (uint64_t i = first; i <= last; i++) {
        list[n] = recent_get(recent, i);
        if (list[n] == NULL)
            break;
        n++;
    }
    return n;
}

nng_msg *snapshot_reply(const struct events *events, const struct snapshot_query *query, nng_msg *status)
{
    Mpa__V1__Reply *unpacked = status == NULL ? NULL : status_unpack(status);
    Mpa__V1__Reply reply = MPA__V1__REPLY__INIT;
    Mpa__V1__GetSnapshotReply body = MPA__V1__GET_SNAPSHOT_REPLY__INIT;
    Mpa__V1__Event *list[RECENT_MAX_EVENTS];
    const struct recent *recent = events_recent(events, &body.life);
    uint64_t after = query->life == 0 || query->life == body.life ? query->after : 0;
    uint64_t first = recent_first(recent, after);
    nng_msg *packed;

    body.last_sequence = query->last;
    if (after < query->last)
        body.missed = (first <= query->last ? first - 1 : query->last) - after;
    body.events = list;
    body.n_events = events_take(recent, first, query->last, list);
    body.status = unpacked == NULL ? NULL : unpacked->get_status;
    reply.id = query->request_id;
    reply.body_case = MPA__V1__REPLY__BODY_GET_SNAPSHOT;
    reply.get_snapshot = &body;
    packed = wire_pack(&reply.base);
    for (size_t i = 0; i < body.n_events; i++)
        mpa__v1__event__free_unpacked(list[i], NULL);
    if (unpacked != NULL)
        mpa__v1__reply__free_unpacked(unpacked, NULL);
    if (status != NULL)
        nng_msg_free(status);
    return packed;
}
