/* SPDX-License-Identifier: BSD-3-Clause */
/* stack_receiver.c — see stack_receiver.h. Super-segments are cut as the NIC would before anything is lost.
 */
#include "tests/unit/worker/stack/stack_receiver.h"

#include <stdlib.h>

#include "tests/support/unit.h"

#define RECEIVER_SACK_BLOCKS 3u /* beside a timestamp there is room for no more */

void receiver_init(struct receiver *receiver, struct tcp_script *opened, unsigned options)
{
    *receiver = (struct receiver){.script = *opened, .has_sack = (options & RIG_OPTION_SACK) != 0};
    receiver->has = calloc(1, RECEIVER_MAX_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(receiver->has);
}

void receiver_fini(struct receiver *receiver)
{
    CU_ASSERT_EQUAL(receiver->n_bad, 0);
    free(receiver->has);
}

void receiver_lose(struct receiver *receiver, uint32_t position)
{
    CU_ASSERT_FATAL(receiver->n_losses < RECEIVER_MAX_LOSSES);
    receiver->losses[receiver->n_losses++] = position;
}

/* True if the segment at [position, position + n) is lost; the loss is used up. */
static bool is_lost(struct receiver *receiver, uint32_t position, uint32_t n)
{
    for (uint32_t i = 0; i < receiver->n_losses; i++) {
        if (receiver->losses[i] - position >= n)
            continue;
        receiver->losses[i] = receiver->losses[--receiver->n_losses];
        receiver->n_lost++;
        return true;
    }
    return false;
}

/* The ranges above the first hole: the latest first (RFC 2018), then from below. */
static void put_sack(const struct receiver *receiver, struct tcp_segment *ack)
{
    uint32_t base = receiver->script.irs + 1;

    if (!receiver->has_sack || receiver->n_contiguous == receiver->end)
        return;
    if (receiver->last.right > receiver->n_contiguous)
        ack->sack[ack->n_sack++] =
            (struct tcp_script_sack){base + receiver->last.left, base + receiver->last.right};
    for (uint32_t at = receiver->n_contiguous; at < receiver->end && ack->n_sack < RECEIVER_SACK_BLOCKS;) {
        uint32_t left = at;

        if (receiver->has[at] == 0) {
            at++;
            continue;
        }
        while (at < receiver->end && receiver->has[at] != 0)
            at++;
        if (left != receiver->last.left)
            ack->sack[ack->n_sack++] = (struct tcp_script_sack){base + left, base + at};
    }
}

/* The range around what has just come. */
static void find_last(struct receiver *receiver, uint32_t position)
{
    uint32_t left = position, right = position;

    while (left > receiver->n_contiguous && receiver->has[left - 1] != 0)
        left--;
    while (right < receiver->end && receiver->has[right] != 0)
        right++;
    receiver->last = (struct tcp_script_sack){left, right};
}

static void acknowledge(struct rig *rig, struct receiver *receiver)
{
    struct tcp_segment ack;

    receiver->script.ack = receiver->script.irs + 1 + receiver->n_contiguous;
    if (receiver->is_silent)
        return;
    receiver->script.ts_value++;
    ack = tcp_script_segment(&receiver->script, SEGMENT_ACK, NULL, 0);
    put_sack(receiver, &ack);
    rig_inject(rig, &receiver->script, &ack);
}

/* Bytes [position, position + n) of the stream have come, the FIN's place among them or not. */
static void take_bytes(struct rig *rig, struct receiver *receiver, uint32_t position, uint32_t n)
{
    bool is_new = false;

    receiver->n_segments++;
    if (is_lost(receiver, position, n))
        return;
    CU_ASSERT_FATAL(position + n <= RECEIVER_MAX_BYTES);
    for (uint32_t i = 0; i < n; i++) {
        is_new |= receiver->has[position + i] == 0;
        receiver->has[position + i] = 1;
    }
    if (!is_new)
        receiver->n_duplicates++;
    if (position + n > receiver->end)
        receiver->end = position + n;
    while (receiver->n_contiguous < receiver->end && receiver->has[receiver->n_contiguous] != 0)
        receiver->n_contiguous++;
    receiver->has_fin = receiver->has_fin_seen && receiver->n_contiguous > receiver->fin_position;
    find_last(receiver, position);
    acknowledge(rig, receiver);
}

/* Bytes that are here already are not looked at, as by any TCP: what was acknowledged may be overwritten. */
static bool is_right(const struct receiver *receiver, const uint8_t *bytes, uint32_t position, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (position + i >= receiver->n_contiguous && bytes[i] != rig_byte(position + i))
            return false;
    }
    return true;
}

/* One segment as the stack has sent it, cut as the NIC would; the FIN is in its last part. */
static void take_segment(struct rig *rig, struct receiver *receiver, const struct tcp_segment *segment)
{
    uint32_t position = segment->seq - receiver->script.irs - 1, left = segment->payload_len;
    bool is_super = (rig->packet.slot.flags & LANE_FLAG_GSO) != 0;
    bool has_fin = (segment->flags & SEGMENT_FIN) != 0;

    receiver->n_super += is_super;
    if (!is_right(receiver, segment->payload, position, left))
        receiver->n_bad++;
    if (has_fin) {
        receiver->has_fin_seen = true;
        receiver->fin_position = position + left;
    }
    while (left > 0 || has_fin) {
        uint32_t n = is_super && left > rig->packet.slot.gso_bytes ? rig->packet.slot.gso_bytes : left;

        if (n > receiver->max_payload)
            receiver->max_payload = n;
        left -= n;
        take_bytes(rig, receiver, position, n + (has_fin && left == 0 ? 1 : 0));
        position += n;
        has_fin = has_fin && left > 0;
    }
}

bool receiver_take(struct rig *rig, struct receiver *receiver)
{
    struct tcp_segment segment;
    bool has_any = false;

    while (rig_take(rig, &receiver->script, &segment)) {
        take_segment(rig, receiver, &segment);
        has_any = true;
    }
    return has_any;
}

void receiver_drain(struct rig *rig, struct receiver *receiver)
{
    lane_pair_turn(&rig->pair);
    while (receiver_take(rig, receiver))
        lane_pair_turn(&rig->pair);
}
