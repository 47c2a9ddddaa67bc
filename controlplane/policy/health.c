/* SPDX-License-Identifier: BSD-3-Clause */
/* health.c — the verdict over an end. */
#include "controlplane/policy/health.h"

#include "controlplane/policy/backoff.h"

uint32_t health_delay_ms(const struct health_end *end, uint32_t n_failures)
{
    uint32_t delay_ms = backoff_delay_ms(end->base_ms, n_failures);

    if (end->is_frontend) {
        uint32_t most_ms = end->base_ms > HEALTH_FRONTEND_MAX_MS ? end->base_ms : HEALTH_FRONTEND_MAX_MS;

        return delay_ms < most_ms ? delay_ms : most_ms;
    }
    /* It did serve and nobody else does: better a worker that dies now and then than none. */
    return end->was_ready && !end->has_stand_in ? end->base_ms : delay_ms;
}

/* Trying again cannot help: only at the first start of all. */
static bool is_hopeless(const struct health_end *end, uint32_t n_failures)
{
    if (end->has_served)
        return false;
    /* A frontend that ends by itself has said why: no permission, no interface. */
    if (end->is_frontend)
        return end->cause == HEALTH_EXIT || end->cause == HEALTH_NOT_STARTED;
    return n_failures >= HEALTH_MAX_TRIES;
}

struct health_verdict health_judge(const struct health_end *end)
{
    /* Time spent on getting ready, or on waiting to be killed for it, is no healthy life. */
    uint32_t n_failures = backoff_count(end->n_failures, end->was_ready ? end->ready_ms : 0);
    struct health_verdict verdict = {.action = HEALTH_STAY_DOWN};

    if (end->cause == HEALTH_ASKED) {
        verdict.action = end->is_wanted ? HEALTH_RESTART_NOW : HEALTH_STAY_DOWN;
        return verdict;
    }
    verdict.n_failures = n_failures;
    if (is_hopeless(end, n_failures)) {
        verdict.action = HEALTH_GIVE_UP;
    } else if (end->is_wanted) {
        verdict.delay_ms = health_delay_ms(end, n_failures);
        verdict.action = verdict.delay_ms > end->base_ms ? HEALTH_RESTART_LATER : HEALTH_RESTART_NOW;
    }
    return verdict;
}

const char *health_cause_name(enum health_cause cause)
{
    static const char *const names[HEALTH_N_CAUSES] = {
        [HEALTH_ASKED] = "asked",
        [HEALTH_EXIT] = "exit",
        [HEALTH_SIGNAL] = "signal",
        [HEALTH_STALLED] = "stalled",
        [HEALTH_QUARANTINED] = "quarantined",
        [HEALTH_NOT_READY] = "not_ready",
        [HEALTH_NOT_STARTED] = "not_started",
        [HEALTH_UNKNOWN] = "unknown",
    };

    return names[cause];
}
