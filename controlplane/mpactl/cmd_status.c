/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_status.c — mpactl status. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

/* Only when something is given up, or could not be. */
static void print_degrade(const Mpa__V1__GetStatusReply *status)
{
    char word[TEXT_WORD_BYTES];

    if (status->degrade_step != MPA__V1__DEGRADE_STEP__DEGRADE_STEP_NONE) {
        printf("degraded   %s: ",
               text_enum(&mpa__v1__degrade_step__descriptor, (int)status->degrade_step, word));
        text_print(status->degrade_text, stdout);
        putchar('\n');
    } else if (status->degrade_mode != MPA__V1__DEGRADE_MODE__DEGRADE_MODE_AUTO) {
        printf("degrade    %s\n",
               text_enum(&mpa__v1__degrade_mode__descriptor, (int)status->degrade_mode, word));
    }
}

/* Which configuration is in force, and what stands between it and the file. */
static void print_config(const Mpa__V1__GetStatusReply *status)
{
    static const char *const needs[] = {"mpactl config reload", "mpactl update", "mpactl update --frontend",
                                        "a new start of mpa-controld", "mpactl stop and a new start"};

    /* An older mpa-controld does not tell. */
    if (status->config_hash[0] == '\0')
        return;
    if (status->config_file[0] == '\0') {
        printf("config     %s  no file%s\n", status->config_hash,
               status->n_config_waits == 0 ? "" : ", changed by hand");
        return;
    }
    printf("config     %s  %s", status->config_hash, status->config_file);
    for (size_t i = 0; i < status->n_config_waits; i++) {
        unsigned need = (unsigned)status->config_waits[i];

        printf("%s%s", i == 0 ? ", waits for: " : ", ",
               need < sizeof(needs) / sizeof(needs[0]) ? needs[need]
                                                       : "something newer (mpactl config show)");
    }
    puts(status->n_config_waits == 0 ? ", all in force" : "");
    /* It may come from a file that is being edited. */
    if (status->config_error[0] != '\0') {
        fputs("           the file has a mistake, processes begin with what was loaded last: ", stdout);
        text_print(status->config_error, stdout);
        putchar('\n');
    }
}

/* The frontend runs and does not answer: zeros in the table are none. */
static bool is_silent(const Mpa__V1__GetStatusReply *status)
{
    for (size_t i = 0; i < status->n_processes; i++) {
        if (status->processes[i]->role == MPA__V1__ROLE__ROLE_FRONTEND &&
            status->processes[i]->state == MPA__V1__PROCESS_STATE__PROCESS_STATE_UNKNOWN)
            return true;
    }
    return false;
}

static void print_head(const Mpa__V1__GetStatusReply *status)
{
    char word[TEXT_WORD_BYTES];

    printf("state      %s\n", text_enum(&mpa__v1__system_state__descriptor, (int)status->state, word));
    printf("version    %s\n", status->version);
    printf("uptime     %s\n", text_duration(status->uptime_ms, word));
    printf("runtime    %s\n", status->runtime_dir);
    print_config(status);
    if (status->workers_wanted > 0)
        printf("workers    %u of %u serve%s\n", status->workers_running, status->workers_wanted,
               status->is_scaling_itself ? ", as many as the load asks for" : "");
    printf("addresses ");
    for (size_t i = 0; i < status->n_addresses; i++)
        printf(" %s", status->addresses[i]);
    puts(status->n_addresses > 0 ? "" : is_silent(status) ? " not known" : " none");
    print_degrade(status);
    putchar('\n');
}

/* One word for process and lane: a worker that runs may still be in quarantine. */
static const char *process_word(const Mpa__V1__Process *process, char word[TEXT_WORD_BYTES])
{
    if (process->lane_state == MPA__V1__LANE_STATE__LANE_STATE_QUARANTINED)
        return text_enum(&mpa__v1__lane_state__descriptor, (int)process->lane_state, word);
    if (process->is_draining && process->lane_state == MPA__V1__LANE_STATE__LANE_STATE_SERVING)
        return "draining";
    return text_enum(&mpa__v1__process_state__descriptor, (int)process->state, word);
}

/* A number, or an empty cell where it means nothing for this kind of process. */
static void add_count(struct table *table, bool has_meaning, uint64_t count)
{
    char word[TEXT_WORD_BYTES];

    table_cell(table, "%s", has_meaning ? text_count(count, word) : "");
}

/* The same process in an older answer. */
static const Mpa__V1__Process *process_find(const Mpa__V1__GetStatusReply *status,
                                            const Mpa__V1__Process *wanted)
{
    for (size_t i = 0; status != NULL && i < status->n_processes; i++) {
        if (status->processes[i]->role == wanted->role && status->processes[i]->slot == wanted->slot &&
            status->processes[i]->pid == wanted->pid)
            return status->processes[i];
    }
    return NULL;
}

static void add_frames(struct table *table, const Mpa__V1__Process *process, const Mpa__V1__Process *before,
                       uint64_t over_ns)
{
    bool has_traffic = process->role != MPA__V1__ROLE__ROLE_CONTROLD;
    char word[TEXT_WORD_BYTES];
    uint64_t old_rx = before == NULL ? UINT64_MAX : before->rx_frames;
    uint64_t old_tx = before == NULL ? UINT64_MAX : before->tx_frames;

    table_cell(table, "%s", has_traffic ? text_count_over(process->rx_frames, old_rx, over_ns, word) : "");
    table_cell(table, "%s", has_traffic ? text_count_over(process->tx_frames, old_tx, over_ns, word) : "");
}

static void add_process(struct table *table, const Mpa__V1__Process *process)
{
    char word[TEXT_WORD_BYTES];
    bool is_worker = process->role == MPA__V1__ROLE__ROLE_WORKER;

    text_enum(&mpa__v1__role__descriptor, (int)process->role, word);
    if (is_worker)
        table_cell(table, "%s %u", word, process->slot);
    else
        table_cell(table, "%s", word);
    table_cell(table, "%u", process->pid);
    table_cell(table, "%s", process_word(process, word));
    table_color(table, text_color(process_word(process, word)));
    table_cell(table, "%s", text_duration(process->uptime_ms, word));
    table_cell(table, "%u", process->restarts);
    if (process->restarts > 0)
        table_color(table, COLOR_WARN);
    add_count(table, is_worker, process->buckets);
    add_count(table, is_worker, process->connections);
}

static void print_last_exits(const Mpa__V1__GetStatusReply *status)
{
    char word[TEXT_WORD_BYTES];

    for (size_t i = 0; i < status->n_processes; i++) {
        const Mpa__V1__Process *process = status->processes[i];

        if (process->last_exit[0] == '\0')
            continue;
        printf("%s %u ended last: ", text_enum(&mpa__v1__role__descriptor, (int)process->role, word),
               process->slot);
        text_print(process->last_exit, stdout);
        putchar('\n');
    }
}

static int print_status(const struct mpactl *mpactl, const Mpa__V1__GetStatusReply *status,
                        const Mpa__V1__GetStatusReply *before, uint64_t over_ns)
{
    static const char *const totals[] = {"PROCESS",   "->PID", "STATE", "->UPTIME", "->RESTARTS",
                                         "->BUCKETS", ">CONN", ">RX",   ">TX",      NULL};
    static const char *const rates[] = {"PROCESS",   "->PID", "STATE", ">UPTIME", "->RESTARTS",
                                        "->BUCKETS", ">CONN", ">RX/S", ">TX/S",   NULL};
    struct table *table = table_new(over_ns == 0 ? totals : rates);
    int exit_code;

    print_head(status);
    for (size_t i = 0; i < status->n_processes; i++) {
        add_process(table, status->processes[i]);
        add_frames(table, status->processes[i], process_find(before, status->processes[i]), over_ns);
    }
    exit_code = table_show(mpactl, table);
    if (is_silent(status))
        puts("frontend does not answer: addresses, buckets, connections and frames are not known");
    print_last_exits(status);
    return exit_code;
}

static int show_status(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    if (mpactl->is_json)
        return query_print_json(mpactl, &answer->reply->get_status->base);
    return print_status(mpactl, answer->reply->get_status,
                        answer->before == NULL ? NULL : answer->before->get_status, answer->over_ns);
}

int command_status(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        syntax_options_watch, NULL, NULL,
        "Shows every process: state, restarts, why it ended last, "
        "connections and frames (with --watch: frames "
        "a second); above them which configuration is in force, as a hash that is "
        "the same where all keys have the same values, and what is to be "
        "started again before all of the file is.\v"
        "mpactl status\tis everything well?\n"
        "mpactl status --watch\tthe same every two seconds\n"
        "mpactl --json status | jq .state\tfor a script\n"};
    Mpa__V1__GetStatusRequest body = MPA__V1__GET_STATUS_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_STATUS;
    request.get_status = &body;
    return query_run(mpactl, &request, show_status, NULL);
}
