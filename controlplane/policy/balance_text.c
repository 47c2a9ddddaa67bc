/* SPDX-License-Identifier: BSD-3-Clause */
/* balance_text.c — a decision in words: one for scripts, a sentence for people. */
#include "controlplane/policy/balance.h"

#include <stdio.h>

const char *balance_reason_name(enum balance_reason reason)
{
    static const char *const names[BALANCE_N_REASONS] = {
        [BALANCE_NO_MEASURES] = "no_measures",
        [BALANCE_TOO_FEW] = "too_few_workers",
        [BALANCE_IDLE] = "idle",
        [BALANCE_EVEN] = "even",
        [BALANCE_UNSURE] = "unsure",
        [BALANCE_COOLING] = "cooling",
        [BALANCE_MOVE] = "move",
        [BALANCE_MOVE_ELEPHANT] = "move_elephant",
        [BALANCE_ELEPHANT_LEFT] = "elephant_left",
        [BALANCE_RESTING] = "resting",
        [BALANCE_NO_GAIN] = "no_gain",
    };

    return names[reason];
}

/* "worker 1 has score 800, worker 0 has 100, 8.0 times less" */
static void scores_text(const struct balance_decision *decision, char *text, size_t size)
{
    int n;

    if (decision->heaviest == BALANCE_NO_WORKER || decision->lightest == BALANCE_NO_WORKER) {
        snprintf(text, size, "no two workers to compare");
        return;
    }
    /* Who else there is would be heavier, and has an elephant to thank for it. */
    if (decision->heaviest == decision->lightest) {
        snprintf(text, size, "no worker that could give has more than score %u", decision->max_permille);
        return;
    }
    n = snprintf(text, size, "worker %u has score %u, worker %u has %u", decision->heaviest,
                 decision->max_permille, decision->lightest, decision->min_permille);
    if (decision->min_permille > 0 && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, " (%.2f times, limit %.2f)",
                 (double)decision->max_permille / (double)decision->min_permille,
                 (double)decision->factor_permille / 1000.0);
}

static void moves_text(const struct balance_decision *decision, const char *scores, char *text, size_t size)
{
    if (decision->reason == BALANCE_MOVE_ELEPHANT)
        snprintf(text, size, "%s: bucket %u, %.1f %% of the load of worker %u, goes to worker %u alone",
                 scores, decision->elephant, (double)decision->elephant_permille / 10.0,
                 decision->elephant_worker, decision->moves[0].to);
    else
        snprintf(text, size, "%s: %u bucket%s move%s, then %u and %u are expected", scores, decision->n_moves,
                 decision->n_moves == 1 ? "" : "s", decision->n_moves == 1 ? "s" : "",
                 decision->new_max_permille, decision->new_min_permille);
}

void balance_text(const struct balance_decision *decision, char *text, size_t size)
{
    char scores[96];

    scores_text(decision, scores, sizeof(scores));
    switch (decision->reason) {
    case BALANCE_NO_MEASURES:
        snprintf(text, size, "no rates yet: they take two rounds");
        return;
    case BALANCE_TOO_FEW:
        snprintf(text, size, "fewer than two workers that may give and get");
        return;
    case BALANCE_IDLE:
        snprintf(text, size, "%s: too little load to matter", scores);
        return;
    case BALANCE_EVEN:
        snprintf(text, size, "%s: even enough", scores);
        return;
    case BALANCE_UNSURE:
        snprintf(text, size, "%s: waits at least %u more round(s) to be sure", scores, decision->rounds_left);
        return;
    case BALANCE_COOLING:
        snprintf(text, size, "%s: waits %u more round(s) for the last change to show", scores,
                 decision->rounds_left);
        return;
    case BALANCE_MOVE:
    case BALANCE_MOVE_ELEPHANT:
        moves_text(decision, scores, text, size);
        return;
    case BALANCE_ELEPHANT_LEFT:
        snprintf(text, size,
                 "bucket %u is %.1f %% of the load of worker %u: left, elsewhere it would weigh as much",
                 decision->elephant, (double)decision->elephant_permille / 10.0, decision->elephant_worker);
        return;
    case BALANCE_RESTING:
        snprintf(text, size, "%s: what could move has moved a moment ago", scores);
        return;
    case BALANCE_NO_GAIN:
        snprintf(text, size, "%s: no move would help enough", scores);
        return;
    }
}
