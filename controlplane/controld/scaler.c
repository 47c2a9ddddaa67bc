/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scaler.c — rounds and what was decided in them. As with the balancer, a round in which nothing is done only
 * counts the newest entry up while the reason stays the same, so that the ring reaches back far.
 */
#include "controlplane/controld/scaler.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static struct scale_config policy_config(const struct config *config)
{
    return (struct scale_config){.min_workers = config->worker.min,
                                 .max_workers = config->worker.max,
                                 .up_permille = config->control.scale_up_permille,
                                 .up_rounds = config->control.scale_up_looks,
                                 .down_permille = config->control.scale_down_permille,
                                 .down_rounds = config->control.scale_down_looks,
                                 .cool_rounds = config->control.scale_pause_looks};
}

void scaler_configure(struct scaler *scaler, const struct config *config)
{
    const struct scale_config policy = policy_config(config);

    scaler->is_on = config->control.scale;
    scale_init(&scaler->policy, &policy);
}

void scaler_init(struct scaler *scaler, const struct config *config, const struct scaler_ops *ops, void *self)
{
    *scaler = (struct scaler){.ops = ops, .self = self};
    scaler_configure(scaler, config);
}

static uint64_t wall_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static struct scaler_entry *entry_of(struct scaler *scaler, uint64_t number)
{
    return &scaler->entries[(number - 1) % SCALER_MAX_ENTRIES];
}

/* A new entry, all but its time zero. */
static struct scaler_entry *entry_add(struct scaler *scaler)
{
    struct scaler_entry *entry = entry_of(scaler, ++scaler->n_made);

    *entry = (struct scaler_entry){.time_ns = wall_ns(), .times = 1};
    return entry;
}

/* Nothing is done: the same as before, or a new reason for it. */
static void note_stay(struct scaler *scaler, const struct scale_decision *decision)
{
    struct scaler_entry *entry = scaler->n_made == 0 ? NULL : entry_of(scaler, scaler->n_made);
    uint32_t times = 1;

    if (entry != NULL && entry->reason == decision->reason && entry->n_before == entry->n_wanted)
        times = entry->times + 1;
    else
        entry = entry_add(scaler);
    entry->time_ns = wall_ns();
    entry->times = times;
    entry->reason = decision->reason;
    entry->n_before = entry->n_wanted = decision->n_workers;
    entry->mean_permille = decision->mean_permille;
    scale_text(&scaler->policy, decision, entry->text, sizeof(entry->text));
}

static void carry_out(struct scaler *scaler, const struct scale_decision *decision, uint64_t now_ns)
{
    struct scaler_entry *entry = entry_add(scaler);
    int error;

    entry->reason = decision->reason;
    entry->n_before = decision->n_workers;
    entry->n_wanted = decision->action == SCALE_UP ? decision->n_workers + 1 : decision->n_workers - 1;
    entry->mean_permille = decision->mean_permille;
    scale_text(&scaler->policy, decision, entry->text, sizeof(entry->text));
    snprintf(entry->outcome, sizeof(entry->outcome), "pending");
    scaler->ops->tell(scaler->self, entry);
    scaler->pending = scaler->n_made;
    error = scaler->ops->scale(scaler->self, entry->n_wanted, now_ns);
    if (error != 0)
        scaler_ended(scaler, strerror(-error));
}

void scaler_round(struct scaler *scaler, const struct scale_worker workers[SCALE_MAX_WORKERS],
                  uint64_t now_ns)
{
    struct scale_decision decision;

    if (!scaler->is_on)
        return;
    scale_round(&scaler->policy, workers, &decision);
    if (decision.action == SCALE_STAY)
        note_stay(scaler, &decision);
    else
        carry_out(scaler, &decision, now_ns);
}

void scaler_asked(struct scaler *scaler, uint32_t n_before, uint32_t n_wanted)
{
    struct scaler_entry *entry = entry_add(scaler);

    entry->reason = SCALER_ASKED;
    entry->n_before = n_before;
    entry->n_wanted = n_wanted;
    snprintf(entry->text, sizeof(entry->text), "an operator has asked for %u worker%s, there are %u",
             n_wanted, n_wanted == 1 ? "" : "s", n_before);
    snprintf(entry->outcome, sizeof(entry->outcome), "pending");
    scaler->pending = scaler->n_made;
    scaler->ops->tell(scaler->self, entry);
}

void scaler_ended(struct scaler *scaler, const char *error)
{
    struct scaler_entry *entry;

    if (scaler->pending == 0)
        return;
    entry = entry_of(scaler, scaler->pending);
    snprintf(entry->outcome, sizeof(entry->outcome), "%s", error == NULL ? "done" : error);
    scaler->pending = 0;
}

uint32_t scaler_count(const struct scaler *scaler)
{
    return scaler->n_made < SCALER_MAX_ENTRIES ? (uint32_t)scaler->n_made : SCALER_MAX_ENTRIES;
}

const struct scaler_entry *scaler_get(const struct scaler *scaler, uint32_t idx)
{
    return &scaler->entries[(scaler->n_made - 1 - idx) % SCALER_MAX_ENTRIES];
}
