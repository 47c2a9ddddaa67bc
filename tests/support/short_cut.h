/* SPDX-License-Identifier: BSD-3-Clause */
/* short_cut.h — whether the short cut and the long way have come to the same. Fields, not bytes: padding may
 * be anything. */
#ifndef MPA_TESTS_SHORT_CUT_H
#define MPA_TESTS_SHORT_CUT_H

#include "frontend/classify.h"
#include "frontend/offload.h"

static inline bool short_cut_same_verdict(const struct classify_verdict *a, const struct classify_verdict *b)
{
    return a->to == b->to && a->drop == b->drop && flow_key_equal(&a->key, &b->key) && a->hash == b->hash &&
           a->frame_len == b->frame_len && a->ip_off == b->ip_off && a->transport_off == b->transport_off &&
           a->dscp == b->dscp && a->is_syn == b->is_syn;
}

static inline bool short_cut_same_plan(const struct offload_plan *a, const struct offload_plan *b)
{
    return flow_key_equal(&a->key, &b->key) && a->total_len == b->total_len &&
           a->transport_off == b->transport_off && a->header_len == b->header_len &&
           a->gso_size == b->gso_size && a->dscp == b->dscp && a->needs_csum == b->needs_csum &&
           a->needs_fragments == b->needs_fragments;
}

#endif
