/* SPDX-License-Identifier: BSD-3-Clause */
/* top_model.c — rates from two samples. */
#include "controlplane/mpactl/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reply_free(Mpa__V1__Reply *reply)
{
    if (reply != NULL)
        mpa__v1__reply__free_unpacked(reply, NULL);
}

void top_sample_free(struct top_sample *sample)
{
    reply_free(sample->status);
    reply_free(sample->workers);
    reply_free(sample->lanes);
    reply_free(sample->buckets);
    flow_list_free(&sample->flows);
    *sample = (struct top_sample){0};
}

/* A second's growth; what fell was counted by somebody else. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t over_ns)
{
    if (over_ns == 0 || now < before)
        return 0;
    return (uint64_t)((double)(now - before) * 1e9 / (double)over_ns + 0.5);
}

/* ---- workers ---- */

static const Mpa__V1__Worker *worker_find(const struct top_sample *sample, const Mpa__V1__Worker *wanted)
{
    const Mpa__V1__GetWorkersReply *reply;

    if (sample->workers == NULL)
        return NULL;
    reply = sample->workers->get_workers;
    for (size_t i = 0; i < reply->n_workers; i++) {
        if (reply->workers[i]->slot == wanted->slot && reply->workers[i]->pid == wanted->pid)
            return reply->workers[i];
    }
    return NULL;
}

static const Mpa__V1__Lane *lane_find(const struct top_sample *sample, uint32_t slot)
{
    const Mpa__V1__GetLanesReply *reply;

    if (sample->lanes == NULL)
        return NULL;
    reply = sample->lanes->get_lanes;
    for (size_t i = 0; i < reply->n_lanes; i++) {
        if (reply->lanes[i]->slot == slot)
            return reply->lanes[i];
    }
    return NULL;
}

/* Counters with this in their name, in sum. */
static uint64_t sum_of(const Mpa__V1__Lane *lane, const char *part)
{
    uint64_t sum = 0;

    for (size_t i = 0; lane != NULL && i < lane->n_counters; i++) {
        if (strstr(lane->counters[i]->name, part) != NULL)
            sum += lane->counters[i]->value;
    }
    return sum;
}

static uint64_t counter_rate(const Mpa__V1__Worker *now, const Mpa__V1__Worker *before, uint64_t over_ns,
                             const char *name)
{
    if (before == NULL)
        return 0;
    return rate(text_value(now->counters, now->n_counters, name),
                text_value(before->counters, before->n_counters, name), over_ns);
}

static void worker_take_lane(struct top_worker *worker, const struct top_model *model, uint64_t over_ns)
{
    const Mpa__V1__Lane *lane = lane_find(&model->now, worker->slot);
    const Mpa__V1__Lane *old = lane_find(&model->before, worker->slot);

    if (lane == NULL)
        return;
    worker->rx_depth = text_value(lane->gauges, lane->n_gauges, "rx_depth_slots");
    worker->rx_slots = text_value(lane->gauges, lane->n_gauges, "rx_ring_slots");
    worker->faults = sum_of(lane, "fault_");
    if (old != NULL)
        worker->drop_rate = rate(sum_of(lane, "_drop_"), sum_of(old, "_drop_"), over_ns);
}

static void worker_take(struct top_worker *worker, const struct top_model *model, const Mpa__V1__Worker *now,
                        uint64_t over_ns)
{
    const Mpa__V1__Worker *before = worker_find(&model->before, now);

    *worker =
        (struct top_worker){.slot = now->slot,
                            .pid = now->pid,
                            .buckets = now->buckets,
                            .busy_permille = now->busy_permille,
                            .connections = now->connections,
                            .memory_bytes = now->fifo_memory_used_bytes + now->stack_memory_used_bytes,
                            .rx_rate = counter_rate(now, before, over_ns, "rx_frames"),
                            .tx_rate = counter_rate(now, before, over_ns, "tx_packets"),
                            .accepted_rate = counter_rate(now, before, over_ns, "connections_accepted")};
    if (now->is_draining && now->state == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        snprintf(worker->state, sizeof(worker->state), "draining");
    else
        text_enum(&mpa__v1__lane_state__descriptor, (int)now->state, worker->state);
    worker_take_lane(worker, model, over_ns);
}

/* ---- buckets ---- */

static int buckets_take(struct top_model *model, uint64_t over_ns)
{
    const Mpa__V1__GetBucketsReply *now = model->now.buckets == NULL ? NULL : model->now.buckets->get_buckets;
    const Mpa__V1__GetBucketsReply *before =
        model->before.buckets == NULL ? NULL : model->before.buckets->get_buckets;
    size_t n = now == NULL ? 0 : now->n_workers < now->n_frames ? now->n_workers : now->n_frames;
    struct top_bucket *buckets = realloc(model->buckets, (n + 1) * sizeof(*buckets));

    if (buckets == NULL)
        return -ENOMEM;
    model->buckets = buckets;
    model->n_buckets = n;
    model->hottest_rate = 0;
    for (size_t i = 0; i < n; i++) {
        buckets[i] = (struct top_bucket){.worker = now->workers[i]};
        if (before != NULL && i < before->n_frames)
            buckets[i].rate = rate(now->frames[i], before->frames[i], over_ns);
        if (buckets[i].rate > model->hottest_rate)
            model->hottest_rate = buckets[i].rate;
    }
    return 0;
}

/* ---- flows ---- */

/* The larger, the further in front. */
static uint64_t weight(const struct flow_entry *entry, enum top_sort sort)
{
    switch (sort) {
    case TOP_SORT_RX:
        return entry->rx_rate;
    case TOP_SORT_TX:
        return entry->tx_rate;
    case TOP_SORT_QUEUE:
        return entry->flow->rx_queue_bytes + entry->flow->tx_queue_bytes;
    case TOP_SORT_RTT:
        return entry->flow->srtt_us;
    case TOP_SORT_AGE:
        return UINT64_MAX - entry->flow->age_ms;
    case TOP_SORT_RATE:
    case TOP_N_SORTS:
        break;
    }
    return entry->rx_rate + entry->tx_rate;
}

static int compare(const void *left, const void *right, void *sort)
{
    uint64_t a = weight(left, *(enum top_sort *)sort);
    uint64_t b = weight(right, *(enum top_sort *)sort);

    return a == b ? 0 : a > b ? -1 : 1;
}

void top_model_sort(struct top_model *model, enum top_sort sort)
{
    struct flow_list *flows = &model->now.flows;

    model->sort = sort;
    if (flows->n_entries > 0)
        qsort_r(flows->entries, flows->n_entries, sizeof(flows->entries[0]), compare, &sort);
}

/* ---- the whole ---- */

int top_model_update(struct top_model *model, struct top_sample *sample)
{
    uint64_t over_ns;

    top_sample_free(&model->before);
    model->before = model->now;
    model->now = *sample;
    *sample = (struct top_sample){0};
    model->is_up = true;
    model->has_rates = model->before.time_ns != 0;
    over_ns = model->has_rates ? model->now.time_ns - model->before.time_ns : 0;
    model->n_workers = 0;
    if (model->now.workers != NULL) {
        const Mpa__V1__GetWorkersReply *reply = model->now.workers->get_workers;

        for (size_t i = 0; i < reply->n_workers && model->n_workers < TOP_MAX_WORKERS; i++)
            worker_take(&model->workers[model->n_workers++], model, reply->workers[i], over_ns);
    }
    if (model->has_rates)
        flow_list_rate(&model->now.flows, &model->before.flows);
    top_model_sort(model, model->sort);
    return buckets_take(model, over_ns);
}

void top_model_lost(struct top_model *model, const char *error)
{
    model->is_up = false;
    snprintf(model->error, sizeof(model->error), "%s", error);
}

void top_model_add_event(struct top_model *model, const char *line)
{
    snprintf(model->events[model->n_events++ % TOP_MAX_EVENTS], TOP_EVENT_BYTES, "%s", line);
}

void top_model_note_events(struct top_model *model, const char *note)
{
    snprintf(model->events_note, sizeof(model->events_note), "%s%s",
             note[0] == '\0' ? "" : "not to be had: ", note);
}

const char *top_model_event(const struct top_model *model, size_t age)
{
    if (age >= TOP_MAX_EVENTS || age >= model->n_events)
        return NULL;
    return model->events[(model->n_events - 1 - age) % TOP_MAX_EVENTS];
}

void top_model_free(struct top_model *model)
{
    top_sample_free(&model->now);
    top_sample_free(&model->before);
    free(model->buckets);
    model->buckets = NULL;
}
