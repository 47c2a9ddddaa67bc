/* SPDX-License-Identifier: BSD-3-Clause */
/* service.c — the table of services, and what services share. */
#include "worker/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "worker/http_pages.h"
#include "worker/service_internal.h"

struct service_table {
    struct service services[CONFIG_N_SERVICES];
    uint16_t ports[CONFIG_N_SERVICES];
    uint16_t n_services;
    struct http_pages *pages; /* owned; NULL without http */
    uint8_t chargen_pattern[CHARGEN_PATTERN_BYTES];
};

/* Order of calls is order in the table; what is not enabled leaves no gap. */
static void table_add(struct service_table *table, const struct config_service *config,
                      struct service service)
{
    if (!config->enabled)
        return;
    table->services[table->n_services] = service;
    table->ports[table->n_services] = config->port;
    table->n_services++;
}

struct service_table *service_table_new(const struct config_services *config)
{
    struct service_table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    if (config->http.enabled) {
        table->pages = http_pages_new(config->http_root);
        if (table->pages == NULL) {
            int error = errno;

            free(table);
            errno = error;
            return NULL;
        }
        table_add(table, &config->http, service_http(table->pages));
    }
    service_chargen_pattern(table->chargen_pattern);
    table_add(table, &config->chargen, service_chargen(table->chargen_pattern));
    table_add(table, &config->echo, service_echo);
    table_add(table, &config->discard, service_discard);
    return table;
}

void service_table_free(struct service_table *table)
{
    if (table == NULL)
        return;
    http_pages_free(table->pages);
    free(table);
}

/* Four entries at most, once a connection: nothing beats a loop. */
const struct service *service_table_find(const struct service_table *table, uint16_t port, uint16_t *idx)
{
    for (uint16_t i = 0; i < table->n_services; i++) {
        if (table->ports[i] == port) {
            *idx = i;
            return &table->services[i];
        }
    }
    return NULL;
}

const struct service *service_table_get(const struct service_table *table, uint16_t idx)
{
    mpa_assert(idx < table->n_services);
    return &table->services[idx];
}

uint16_t service_table_port(const struct service_table *table, uint16_t idx)
{
    mpa_assert(idx < table->n_services);
    return table->ports[idx];
}

uint16_t service_table_count(const struct service_table *table)
{
    return table->n_services;
}

void service_open(const struct service *service, void *state)
{
    /* Services lay their structs over it. */
    mpa_assert((uintptr_t)state % sizeof(uint64_t) == 0);
    memset(state, 0, service->state_bytes);
}

bool service_can_resume(const struct service *service, const void *state)
{
    return service->can_resume == NULL || service->can_resume(service, state);
}

uint64_t service_discard_input(const struct service_io *io)
{
    uint64_t n_bytes = 0;

    for (;;) {
        struct fifo_span in = io->ops->peek(io->context);

        if (in.len == 0)
            return n_bytes;
        io->ops->consume(io->context, in.len);
        n_bytes += in.len;
    }
}
