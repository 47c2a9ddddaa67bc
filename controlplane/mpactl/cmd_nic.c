/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_nic.c — mpactl nic. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/query.h"
#include "controlplane/mpactl/text.h"

static void print_list(const char *name, char *const *texts, size_t n)
{
    printf("%-10s", name);
    for (size_t i = 0; i < n; i++)
        printf(" %s", texts[i]);
    puts(n == 0 ? " none" : "");
}

/* What never happened is not shown: most counters are reasons of drops. */
static int print_counters(const struct mpactl *mpactl, const Mpa__V1__GetNicReply *nic,
                          const Mpa__V1__GetNicReply *before, uint64_t over_ns)
{
    static const char *const totals[] = {"COUNTER", ">VALUE", NULL};
    static const char *const rates[] = {"COUNTER", ">VALUE", ">A SECOND", NULL};
    struct table *table = table_new(over_ns == 0 ? totals : rates);
    char word[TEXT_WORD_BYTES];

    for (size_t i = 0; i < nic->n_counters; i++) {
        const Mpa__V1__Value *counter = nic->counters[i];

        if (counter->value == 0)
            continue;
        table_cell(table, "%s", counter->name);
        table_cell(table, "%s", text_count(counter->value, word));
        if (over_ns != 0)
            table_cell(table, "%s",
                       text_count_over(counter->value,
                                       text_value(before->counters, before->n_counters, counter->name),
                                       over_ns, word));
    }
    return table_show(mpactl, table);
}

static int print_nic(const struct mpactl *mpactl, const Mpa__V1__GetNicReply *nic,
                     const Mpa__V1__GetNicReply *before, uint64_t over_ns)
{
    printf("%-10s %s\n", "name", nic->name);
    printf("%-10s %s\n", "backend", nic->backend);
    printf("%-10s %s\n", "mac", nic->mac);
    printf("%-10s %u\n", "mtu", nic->mtu_bytes);
    print_list("offloads", nic->caps, nic->n_caps);
    print_list("addresses", nic->addresses, nic->n_addresses);
    printf("%-10s %" PRIu64 " of %" PRIu64 " chunks free\n\n", "rx pool",
           text_value(nic->gauges, nic->n_gauges, "pool_free_chunks"),
           text_value(nic->gauges, nic->n_gauges, "pool_chunks"));
    return print_counters(mpactl, nic, before, over_ns);
}

static int show_nic(const struct mpactl *mpactl, const struct query_answer *answer, void *context)
{
    (void)context;
    if (mpactl->is_json)
        return query_print_json(mpactl, &answer->reply->get_nic->base);
    return print_nic(mpactl, answer->reply->get_nic, answer->before == NULL ? NULL : answer->before->get_nic,
                     answer->over_ns);
}

int command_nic(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        syntax_options_watch, NULL, NULL,
        "Shows the interface, the addresses that are served, and every counter that is not zero.\v"
        "mpactl nic\twhat is dropped, and why?\n"
        "mpactl nic --watch\thow much a second\n"};
    Mpa__V1__GetNicRequest body = MPA__V1__GET_NIC_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_NIC;
    request.get_nic = &body;
    return query_run(mpactl, &request, show_nic, NULL);
}
