/* SPDX-License-Identifier: BSD-3-Clause */
/* park.c — the bounded queue of packets without a next hop. */
#include "frontend/park.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int park_init(struct park *park, uint32_t n_entries)
{
    size_t bytes = (size_t)n_entries * PARK_MAX_BYTES;

    *park = (struct park){.n_entries = n_entries};
    park->entries = calloc(n_entries, sizeof(*park->entries));
    if (park->entries == NULL)
        return -ENOMEM;
    park->memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (park->memory == MAP_FAILED) {
        park->memory = NULL;
        park_fini(park);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < n_entries; i++)
        park->entries[i].payload = park->memory + (size_t)i * PARK_MAX_BYTES;
    return 0;
}

void park_fini(struct park *park)
{
    if (park->memory != NULL)
        munmap(park->memory, (size_t)park->n_entries * PARK_MAX_BYTES);
    free(park->entries);
    *park = (struct park){0};
}

struct park_entry *park_add(struct park *park, uint64_t now_ns)
{
    struct park_entry *entry;

    if (park->n_used == park->n_entries)
        return NULL;
    entry = &park->entries[park->n_used++];
    entry->until_ns = now_ns + PARK_LIFE_NS;
    return entry;
}

void park_remove(struct park *park, uint32_t idx)
{
    uint8_t *payload = park->entries[idx].payload;

    park->n_used--;
    memmove(&park->entries[idx], &park->entries[idx + 1], (park->n_used - idx) * sizeof(park->entries[0]));
    park->entries[park->n_used].payload = payload;
}
