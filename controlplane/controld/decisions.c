/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decisions.c — what was decided. A round in which nothing is done is not worth an entry of its own: the
 * newest is counted up while the reason stays the same, so that the ring reaches back hours, not seconds.
 */
#include "controlplane/controld/decisions.h"

#include <assert.h>
#include <time.h>

#include "base/clock.h"
#include "controlplane/controld/wire.h"

/* Both enums are in the same order, the wire's has UNKNOWN in front. */
static_assert(MPA__V1__BALANCE_REASON__BALANCE_REASON_NO_MEASURES == BALANCE_NO_MEASURES + 1, "reason");
static_assert(MPA__V1__BALANCE_REASON__BALANCE_REASON_EVEN == BALANCE_EVEN + 1, "reason");
static_assert(MPA__V1__BALANCE_REASON__BALANCE_REASON_MOVE == BALANCE_MOVE + 1, "reason");
static_assert(MPA__V1__BALANCE_REASON__BALANCE_REASON_NO_GAIN == BALANCE_NO_GAIN + 1, "reason");
static_assert(MPA__V1__BALANCE_REASON__BALANCE_REASON_NO_GAIN == BALANCE_N_REASONS, "reason");

static uint64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static struct decision *newest(struct decisions *decisions)
{
    return &decisions->entries[(decisions->n_made - 1) % DECISIONS_MAX];
}

struct decision *decisions_add(struct decisions *decisions, const struct balance_decision *balance,
                               bool is_forced, bool *is_news)
{
    struct decision *entry = decisions->n_made == 0 ? NULL : newest(decisions);
    uint32_t times = 1;

    *is_news = entry == NULL || balance->n_moves > 0 || is_forced || entry->is_forced ||
               entry->balance.reason != balance->reason;
    if (*is_news)
        decisions->n_made++;
    else
        times = entry->times + 1;
    entry = newest(decisions);
    *entry =
        (struct decision){.balance = *balance, .time_ns = wall_ns(), .times = times, .is_forced = is_forced};
    return entry;
}

uint32_t decisions_count(const struct decisions *decisions)
{
    return decisions->n_made < DECISIONS_MAX ? (uint32_t)decisions->n_made : DECISIONS_MAX;
}

const struct decision *decisions_get(const struct decisions *decisions, uint32_t idx)
{
    return &decisions->entries[(decisions->n_made - 1 - idx) % DECISIONS_MAX];
}

void decision_to_wire(const struct decision *decision, struct decision_wire *wire)
{
    const struct balance_decision *balance = &decision->balance;
    Mpa__V1__Decision *message = &wire->message;

    mpa__v1__decision__init(message);
    balance_text(balance, wire->text, sizeof(wire->text));
    message->time_ns = decision->time_ns;
    message->times = decision->times;
    message->reason = (Mpa__V1__BalanceReason)(balance->reason + 1);
    message->text = wire->text;
    message->is_forced = decision->is_forced;
    message->heaviest = balance->heaviest;
    message->max_permille = balance->max_permille;
    message->lightest = balance->lightest;
    message->min_permille = balance->min_permille;
    message->new_max_permille = balance->new_max_permille;
    message->new_min_permille = balance->new_min_permille;
    message->limit_permille = balance->factor_permille;
    message->elephant = balance->elephant;
    message->elephant_permille = balance->elephant_permille;
    message->outcome = wire_borrow(decision->outcome);
    for (uint32_t i = 0; i < balance->n_moves; i++) {
        mpa__v1__balance_move__init(&wire->moves[i]);
        wire->moves[i].bucket = balance->moves[i].bucket;
        wire->moves[i].from = balance->moves[i].from;
        wire->moves[i].to = balance->moves[i].to;
        wire->moves[i].load_permille = balance->moves[i].load_permille;
        wire->move_list[i] = &wire->moves[i];
    }
    message->n_moves = balance->n_moves;
    message->moves = wire->move_list;
}
