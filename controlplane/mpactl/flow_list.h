/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_list.h — the connections of one moment, and how fast each carried data since the moment before. */
#ifndef MPA_MPACTL_FLOW_LIST_H
#define MPA_MPACTL_FLOW_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "controlplane/mpactl/client.h"

struct flow_entry {
    const Mpa__V1__Flow *flow; /* has a key; stands in a page of the list */
    uint64_t rx_rate, tx_rate; /* bytes a second, tx: those acknowledged; 0 until there is a moment before */
};

struct flow_list {
    struct flow_entry *entries; /* as the stack lists them: by worker; owned */
    size_t n_entries;
    uint64_t n_unreadable;  /* records that were changing all the time, or cannot be trusted */
    uint64_t time_ns;       /* CLOCK_MONOTONIC, when the first page came */
    Mpa__V1__Reply **pages; /* owned */
    size_t n_pages;
};

/* Asks for pages until there are no more or `n_max` (0: no limit). The list is to be freed in any case;
 * returns an exit code after a line to stderr when it is not MPACTL_OK. */
int flow_list_ask(struct flow_list *list, struct client *client, const Mpa__V1__GetFlowsRequest *wanted,
                  uint64_t n_max) MPA_WARN_UNUSED;

/* Takes the page, which is freed with the list. Returns 0 or -ENOMEM. */
int flow_list_add(struct flow_list *list, Mpa__V1__Reply *page) MPA_WARN_UNUSED;

/* Fills in the rates against an older list, whose entries are sorted by their key. */
void flow_list_rate(struct flow_list *list, struct flow_list *before);

void flow_list_free(struct flow_list *list);

#endif
