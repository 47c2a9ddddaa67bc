/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_migrate.c — mpactl migrate: buckets or one flow to another worker, while data flows. */
#include <string.h>

#include "controlplane/mpactl/flow_text.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/operation.h"

#define MAX_RANGES 1024

struct migrate {
    const char *what; /* "bucket" or "flow" */
    Mpa__V1__MigrateRequest body;
    bool has_subject, has_to, is_no_wait;
    struct flow_text flow_places;
    Mpa__V1__FlowKey flow;
    Mpa__V1__BucketRange ranges[MAX_RANGES];
    Mpa__V1__BucketRange *list[MAX_RANGES];
};

static const struct argp_option option_list[] = {
    {"to", 'T', "WORKER", 0, "worker that gets them (needed)", 0},
    {"flow", 'F', "FLOW", 0, "the same as 'flow FLOW'", 0},
    {"no-wait", 'n', NULL, 0, "do not wait for the end", 0},
    {0},
};

static void take_flow(struct migrate *migrate, const char *text, struct argp_state *state)
{
    if (!flow_text_parse(text, &migrate->flow_places, &migrate->flow))
        argp_error(state, "'%s': not a flow (allowed: 'tcp ADDRESS:PORT -> ADDRESS:PORT')", text);
    migrate->body.flow = &migrate->flow;
    migrate->has_subject = true;
}

static void take_buckets(struct migrate *migrate, const char *text, struct argp_state *state)
{
    size_t n = bucket_text_parse(text, migrate->ranges, MAX_RANGES);

    if (n == 0)
        argp_error(state, "'%s': not buckets (allowed: N, N-M, and more of them with commas)", text);
    for (size_t i = 0; i < n; i++)
        migrate->list[i] = &migrate->ranges[i];
    migrate->body.buckets = migrate->list;
    migrate->body.n_buckets = n;
    migrate->has_subject = true;
}

static error_t take_argument(struct migrate *migrate, const char *value, struct argp_state *state)
{
    if (migrate->has_subject)
        return ARGP_ERR_UNKNOWN;
    if (migrate->what == NULL) {
        if (strcmp(value, "bucket") != 0 && strcmp(value, "flow") != 0)
            argp_error(state, "'%s' cannot be migrated (allowed: bucket, flow)", value);
        migrate->what = value;
    } else if (strcmp(migrate->what, "flow") == 0) {
        take_flow(migrate, value, state);
    } else {
        take_buckets(migrate, value, state);
    }
    return 0;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct migrate *migrate = state->input;

    switch (key) {
    case 'T':
        migrate->body.to = operation_slot(state, "--to", value);
        migrate->has_to = true;
        return 0;
    case 'F':
        if (migrate->has_subject)
            argp_error(state, "one flow or some buckets at a time");
        take_flow(migrate, value, state);
        return 0;
    case 'n':
        migrate->is_no_wait = true;
        return 0;
    case ARGP_KEY_ARG:
        return take_argument(migrate, value, state);
    case ARGP_KEY_END:
        if (!migrate->has_subject)
            argp_error(state, "what is to be migrated? (bucket N, or flow FLOW)");
        if (!migrate->has_to)
            argp_error(state, "--to WORKER is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_migrate(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, "bucket N[-M][,...]\nflow 'tcp ADDRESS:PORT -> ADDRESS:PORT'",
        "Moves buckets, with their connections, or one flow to another worker. The flow is written as "
        "'mpactl "
        "flows' shows it: the other end first. It stays with the new worker until it closes.\v"
        "mpactl migrate bucket 0-255,1024 --to 1\tbuckets with their connections\n"
        "mpactl migrate flow 'tcp 10.77.0.1:40112 -> 10.77.0.2:7' --to 1\tone connection\n"};
    static struct migrate migrate;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    mpa__v1__migrate_request__init(&migrate.body);
    command_parse(mpactl, &syntax, argc, argv, &migrate);
    request.body_case = MPA__V1__REQUEST__BODY_MIGRATE;
    request.migrate = &migrate.body;
    return operation_run(mpactl, &request, !migrate.is_no_wait);
}
