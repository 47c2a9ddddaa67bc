/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_lanes.c — mpactl lanes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

/* Sum of the counters whose name begins with `prefix` or has "_drop_" in it, when prefix is NULL. */
static uint64_t sum_of(const Mpa__V1__Lane *lane, const char *prefix)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < lane->n_counters; i++) {
        const char *name = lane->counters[i]->name;
        bool is_wanted =
            prefix != NULL ? strncmp(name, prefix, strlen(prefix)) == 0 : strstr(name, "_drop_") != NULL;

        if (is_wanted)
            sum += lane->counters[i]->value;
    }
    return sum;
}

static const Mpa__V1__Lane *lane_find(const Mpa__V1__GetLanesReply *reply, uint32_t slot)
{
    for (size_t i = 0; reply != NULL && i < reply->n_lanes; i++) {
        if (reply->lanes[i]->slot == slot)
            return reply->lanes[i];
    }
    return NULL;
}

/* Frames in and out, or how many a second. */
static void add_frames(struct table *table, const Mpa__V1__Lane *lane, const Mpa__V1__Lane *before,
                       uint64_t over_ns)
{
    static const char *const names[] = {"rx_frames", "tx_frames"};
    char word[TEXT_WORD_BYTES];

    for (size_t i = 0; i < 2; i++) {
        uint64_t now = text_value(lane->counters, lane->n_counters, names[i]);
        uint64_t old =
            before == NULL ? UINT64_MAX : text_value(before->counters, before->n_counters, names[i]);

        table_cell(table, "%s", text_count_over(now, old, over_ns, word));
    }
}

static void add_bad(struct table *table, uint64_t n)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%s", text_count(n, word));
    if (n > 0)
        table_color(table, COLOR_WARN);
}

static void add_depths(struct table *table, const Mpa__V1__Lane *lane)
{
    table_cell(table, "%" PRIu64 "/%" PRIu64, text_value(lane->gauges, lane->n_gauges, "rx_depth_slots"),
               text_value(lane->gauges, lane->n_gauges, "rx_ring_slots"));
    table_cell(table, "%" PRIu64, text_value(lane->gauges, lane->n_gauges, "tx_depth_slots"));
    table_cell(table, "%" PRIu64, text_value(lane->gauges, lane->n_gauges, "chunks_held"));
    add_bad(table, sum_of(lane, NULL));
    add_bad(table, sum_of(lane, "fault_"));
    table_cell(table, "%s", lane->fault[0] == '\0' ? "-" : lane->fault);
}

static int print_lanes(const struct mpactl *mpactl, const Mpa__V1__GetLanesReply *reply,
                       const Mpa__V1__GetLanesReply *before, uint64_t over_ns)
{
    static const char *const totals[] = {">SLOT",    "STATE",      ">RX",       ">TX",
                                         ">RX-RING", "->TX-DEPTH", "-->CHUNKS", ">DROPS",
                                         "->FAULTS", "~FAULT",     NULL};
    static const char *const rates[] = {">SLOT",     "STATE",  ">RX/S",    ">TX/S",  ">RX-RING", "->TX-DEPTH",
                                        "-->CHUNKS", ">DROPS", "->FAULTS", "~FAULT", NULL};
    struct table *table = table_new(over_ns == 0 ? totals : rates);
    char word[TEXT_WORD_BYTES];

    for (size_t i = 0; i < reply->n_lanes; i++) {
        const Mpa__V1__Lane *lane = reply->lanes[i];

        table_cell(table, "%u", lane->slot);
        table_cell(table, "%s", text_enum(&mpa__v1__lane_state__descriptor, (int)lane->state, word));
        table_color(table, text_color(word));
        add_frames(table, lane, lane_find(before, lane->slot), over_ns);
        add_depths(table, lane);
    }
    return table_show(mpactl, table);
}

static int show_lanes(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    if (mpactl->is_json)
        return query_print_json(mpactl, &answer->reply->get_lanes->base);
    return print_lanes(mpactl, answer->reply->get_lanes,
                       answer->before == NULL ? NULL : answer->before->get_lanes, answer->over_ns);
}

int command_lanes(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        syntax_options_watch, NULL, NULL,
        "Shows each lane as the frontend sees it: traffic, ring depths, rx pool chunks, drops, faults.\v"
        "mpactl lanes --watch=0.5\tdo rings fill up?\n"};
    Mpa__V1__GetLanesRequest body = MPA__V1__GET_LANES_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_LANES;
    request.get_lanes = &body;
    return query_run(mpactl, &request, show_lanes, NULL);
}
