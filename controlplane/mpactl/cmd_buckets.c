/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_buckets.c — mpactl buckets: the table summed up by worker, for thousands of lines help nobody; --json
 * has all. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

#define NO_WORKER 255u /* as in GetBucketsReply */

/* The buckets of one worker. */
struct share {
    uint32_t n_buckets;
    uint64_t n_frames;
    uint32_t busiest_idx; /* bucket with the most frames */
    uint64_t busiest_frames;
};

static void add_share(struct table *table, const struct share *share, uint64_t n_frames, uint64_t over_ns)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%u", share->n_buckets);
    table_cell(table, "%s", text_count_over(share->n_frames, 0, over_ns, word));
    table_cell(table, "%.1f%%", n_frames == 0 ? 0.0 : 100.0 * (double)share->n_frames / (double)n_frames);
    table_cell(table, "%u", share->busiest_idx);
    table_cell(table, "%s", text_count_over(share->busiest_frames, 0, over_ns, word));
}

/* Frames of bucket i; since `before` if there is one. A new frontend counts from zero. */
static uint64_t frames_of(const Mpa__V1__GetBucketsReply *reply, const Mpa__V1__GetBucketsReply *before,
                          size_t i)
{
    uint64_t old = before != NULL && i < before->n_frames ? before->frames[i] : 0;

    return reply->frames[i] >= old ? reply->frames[i] - old : reply->frames[i];
}

static void sum_up(const Mpa__V1__GetBucketsReply *reply, const Mpa__V1__GetBucketsReply *before,
                   struct share shares[NO_WORKER + 1])
{
    size_t n = reply->n_workers < reply->n_frames ? reply->n_workers : reply->n_frames;

    for (size_t i = 0; i < n; i++) {
        struct share *share = &shares[reply->workers[i] < NO_WORKER ? reply->workers[i] : NO_WORKER];
        uint64_t n_frames = frames_of(reply, before, i);

        if (share->n_buckets++ == 0 || n_frames > share->busiest_frames) {
            share->busiest_idx = (uint32_t)i;
            share->busiest_frames = n_frames;
        }
        share->n_frames += n_frames;
    }
}

static int print_buckets(const struct mpactl *mpactl, const Mpa__V1__GetBucketsReply *reply,
                         const Mpa__V1__GetBucketsReply *before, uint64_t over_ns)
{
    static const char *const totals[] = {">WORKER",  ">BUCKETS",    ">FRAMES", ">SHARE",
                                         ">BUSIEST", ">ITS FRAMES", NULL};
    static const char *const rates[] = {">WORKER",  ">BUCKETS",      ">FRAMES/S", ">SHARE",
                                        ">BUSIEST", ">ITS FRAMES/S", NULL};
    struct share shares[NO_WORKER + 1] = {0};
    struct table *table = table_new(over_ns == 0 ? totals : rates);
    uint64_t n_frames = 0;

    sum_up(reply, before, shares);
    for (uint32_t worker = 0; worker <= NO_WORKER; worker++)
        n_frames += shares[worker].n_frames;
    for (uint32_t worker = 0; worker <= NO_WORKER; worker++) {
        if (shares[worker].n_buckets == 0)
            continue;
        if (worker == NO_WORKER)
            table_cell(table, "none");
        else
            table_cell(table, "%u", worker);
        add_share(table, &shares[worker], n_frames, over_ns);
    }
    return table_show(mpactl, table);
}

static int show_buckets(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    if (mpactl->is_json)
        return query_print_json(mpactl, &answer->reply->get_buckets->base);
    return print_buckets(mpactl, answer->reply->get_buckets,
                         answer->before == NULL ? NULL : answer->before->get_buckets, answer->over_ns);
}

int command_buckets(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        syntax_options_watch, NULL, NULL,
        "Shows how many buckets each worker serves, their frames and the busiest one. --json has them all.\v"
        "mpactl buckets --watch\tframes a second by worker\n"};
    Mpa__V1__GetBucketsRequest body = MPA__V1__GET_BUCKETS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_BUCKETS;
    request.get_buckets = &body;
    return query_run(mpactl, &request, show_buckets, NULL);
}
