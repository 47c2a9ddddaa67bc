/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_buckets.c — mpactl buckets: the table summed up by worker, for thousands of lines help nobody; --json
 * has all. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

#define NO_WORKER 255u /* as in GetBucketsReply */

/* The buckets of one worker. */
struct share {
    uint32_t n_buckets;
    uint64_t n_frames;
    uint32_t busiest_idx; /* bucket with the most frames */
    uint64_t busiest_frames;
};

static void add_share(struct table *table, uint32_t worker, const struct share *share, uint64_t n_frames)
{
    if (worker == NO_WORKER)
        table_cell(table, "none");
    else
        table_cell(table, "%u", worker);
    table_cell(table, "%u", share->n_buckets);
    table_cell(table, "%" PRIu64, share->n_frames);
    table_cell(table, "%.1f%%", n_frames == 0 ? 0.0 : 100.0 * (double)share->n_frames / (double)n_frames);
    table_cell(table, "%u", share->busiest_idx);
    table_cell(table, "%" PRIu64, share->busiest_frames);
}

static int print_buckets(const Mpa__V1__GetBucketsReply *reply)
{
    static const char *const headers[] = {">WORKER",  ">BUCKETS", ">FRAMES", ">SHARE",
                                          ">BUSIEST", ">FRAMES",  NULL};
    static struct share shares[NO_WORKER + 1];
    size_t n = reply->n_workers < reply->n_frames ? reply->n_workers : reply->n_frames;
    struct table *table = table_new(headers);
    uint64_t n_frames = 0;

    for (size_t i = 0; i < n; i++) {
        struct share *share = &shares[reply->workers[i] < NO_WORKER ? reply->workers[i] : NO_WORKER];

        if (share->n_buckets++ == 0 || reply->frames[i] > share->busiest_frames) {
            share->busiest_idx = (uint32_t)i;
            share->busiest_frames = reply->frames[i];
        }
        share->n_frames += reply->frames[i];
        n_frames += reply->frames[i];
    }
    for (uint32_t worker = 0; worker <= NO_WORKER; worker++) {
        if (shares[worker].n_buckets > 0)
            add_share(table, worker, &shares[worker], n_frames);
    }
    return table_print(table, stdout);
}

int command_buckets(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, NULL, NULL,
        "Shows how many buckets each worker serves, their frames and the busiest one. --json has them all."};
    Mpa__V1__GetBucketsRequest body = MPA__V1__GET_BUCKETS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_BUCKETS;
    request.get_buckets = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code = mpactl->is_json ? json_print_message(&reply->get_buckets->base, stdout)
                                : print_buckets(reply->get_buckets);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
