/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_list.c — pages of connections, and the same connection found in an older list by its key. */
#include "controlplane/mpactl/flow_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int flow_list_add(struct flow_list *list, Mpa__V1__Reply *page)
{
    const Mpa__V1__GetFlowsReply *flows = page->get_flows;
    Mpa__V1__Reply **pages = realloc(list->pages, (list->n_pages + 1) * sizeof(*list->pages));
    size_t n = list->n_entries + flows->n_flows;
    struct flow_entry *entries;

    if (pages == NULL) {
        mpa__v1__reply__free_unpacked(page, NULL);
        return -ENOMEM;
    }
    list->pages = pages;
    list->pages[list->n_pages++] = page;
    entries = realloc(list->entries, (n + 1) * sizeof(*entries));
    if (entries == NULL)
        return -ENOMEM;
    list->entries = entries;
    for (size_t i = 0; i < flows->n_flows; i++) {
        if (flows->flows[i]->key != NULL)
            list->entries[list->n_entries++] = (struct flow_entry){.flow = flows->flows[i]};
    }
    list->n_unreadable += flows->unreadable;
    return 0;
}

int flow_list_ask(struct flow_list *list, struct client *client, const Mpa__V1__GetFlowsRequest *wanted,
                  uint64_t n_max)
{
    Mpa__V1__GetFlowsRequest body = *wanted;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    *list = (struct flow_list){.time_ns = clock_now_ns()};
    request.body_case = MPA__V1__REQUEST__BODY_GET_FLOWS;
    request.get_flows = &body;
    do {
        Mpa__V1__Reply *reply;
        int exit_code;

        body.limit = n_max == 0 ? UINT32_MAX : (uint32_t)(n_max - list->n_entries);
        exit_code = client_ask(client, &request, &reply);
        if (exit_code != MPACTL_OK)
            return exit_code;
        body.cursor = reply->get_flows->next_cursor;
        if (flow_list_add(list, reply) != 0)
            return mpactl_fail(MPACTL_FAILED, "out of memory");
    } while (body.cursor != 0 && (n_max == 0 || list->n_entries < n_max));
    return MPACTL_OK;
}

static int compare(const void *left, const void *right)
{
    const Mpa__V1__FlowKey *a = ((const struct flow_entry *)left)->flow->key;
    const Mpa__V1__FlowKey *b = ((const struct flow_entry *)right)->flow->key;
    int difference;

    if (a->remote_port != b->remote_port)
        return a->remote_port < b->remote_port ? -1 : 1;
    if (a->local_port != b->local_port)
        return a->local_port < b->local_port ? -1 : 1;
    difference = strcmp(a->remote_address, b->remote_address);
    return difference != 0 ? difference : strcmp(a->local_address, b->local_address);
}

/* A position that moved back is another connection of the same name. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t over_ns)
{
    return now < before || over_ns == 0 ? 0 : (uint64_t)((double)(now - before) * 1e9 / (double)over_ns);
}

void flow_list_rate(struct flow_list *list, struct flow_list *before)
{
    uint64_t over_ns = list->time_ns - before->time_ns;

    if (before->n_entries == 0)
        return;
    qsort(before->entries, before->n_entries, sizeof(before->entries[0]), compare);
    for (size_t i = 0; i < list->n_entries; i++) {
        struct flow_entry *entry = &list->entries[i];
        const struct flow_entry *old =
            bsearch(entry, before->entries, before->n_entries, sizeof(before->entries[0]), compare);

        if (old == NULL)
            continue;
        entry->rx_rate = rate(entry->flow->rx_bytes, old->flow->rx_bytes, over_ns);
        entry->tx_rate = rate(entry->flow->tx_bytes, old->flow->tx_bytes, over_ns);
    }
}

void flow_list_free(struct flow_list *list)
{
    for (size_t i = 0; i < list->n_pages; i++)
        mpa__v1__reply__free_unpacked(list->pages[i], NULL);
    free(list->pages);
    free(list->entries);
    *list = (struct flow_list){0};
}
