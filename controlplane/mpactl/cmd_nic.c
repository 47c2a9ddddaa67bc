/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_nic.c — mpactl nic. */
#include <inttypes.h>
#include <stdio.h>

#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/text.h"

static void print_list(const char *name, char *const *texts, size_t n)
{
    printf("%-10s", name);
    for (size_t i = 0; i < n; i++)
        printf(" %s", texts[i]);
    puts(n == 0 ? " none" : "");
}

/* What never happened is not shown: most counters are reasons of drops. */
static int print_nic(const Mpa__V1__GetNicReply *nic)
{
    static const char *const headers[] = {"COUNTER", ">VALUE", NULL};
    struct table *table = table_new(headers);

    printf("%-10s %s\n", "name", nic->name);
    printf("%-10s %s\n", "backend", nic->backend);
    printf("%-10s %s\n", "mac", nic->mac);
    printf("%-10s %u\n", "mtu", nic->mtu_bytes);
    print_list("offloads", nic->caps, nic->n_caps);
    print_list("addresses", nic->addresses, nic->n_addresses);
    printf("%-10s %" PRIu64 " of %" PRIu64 " chunks free\n\n", "rx pool",
           text_value(nic->gauges, nic->n_gauges, "pool_free_chunks"),
           text_value(nic->gauges, nic->n_gauges, "pool_chunks"));
    for (size_t i = 0; i < nic->n_counters; i++) {
        if (nic->counters[i]->value == 0)
            continue;
        table_cell(table, "%s", nic->counters[i]->name);
        table_cell(table, "%" PRIu64, nic->counters[i]->value);
    }
    return table_print(table, stdout);
}

int command_nic(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        NULL, NULL, NULL,
        "Shows the interface, the addresses that are served, and every counter that is not zero."};
    Mpa__V1__GetNicRequest body = MPA__V1__GET_NIC_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, NULL);
    request.body_case = MPA__V1__REQUEST__BODY_GET_NIC;
    request.get_nic = &body;
    exit_code = client_ask_once(mpactl, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code =
        mpactl->is_json ? json_print_message(&reply->get_nic->base, stdout) : print_nic(reply->get_nic);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}
