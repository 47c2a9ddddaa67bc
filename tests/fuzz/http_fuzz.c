/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_fuzz.c — anything a peer may send to the http service, a byte at a time: no crash, all input is taken,
 * and what is sent is whole replies only.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/worker/service_rig.h"
#include "worker/http_pages.h"
#include "worker/service_internal.h"

#define MAX_INPUT_BYTES 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

/* Drops what was sent; what begins a reply must look like one. */
static void drain(struct service_rig *rig)
{
    static uint8_t bytes[FIFO_MAX_BYTES];
    bool is_first = rig->tx.read == 0;
    uint32_t n_taken = service_rig_take(rig, bytes, sizeof(bytes));

    must(!is_first || n_taken == 0 || (n_taken > 13 && memcmp(bytes, "HTTP/1.1 ", 9) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_pages *pages;
    struct service service;
    struct service_rig rig;

    if (pages == NULL)
        pages = http_pages_new("");
    must(pages != NULL);
    service = service_http(pages);
    service_rig_init(&rig, &service);
    for (size_t i = 0; i < size && i < MAX_INPUT_BYTES; i++) {
        service_rig_send(&rig, data + i, 1);
        do {
            service_rig_run(&rig);
            drain(&rig);
        } while (fifo_used(&rig.rx) > 0 && !rig.is_aborted);
    }
    rig.has_peer_closed = true;
    do {
        service_rig_run(&rig);
        drain(&rig);
    } while (!rig.is_closed && !rig.is_aborted);
    service_rig_fini(&rig);
    return 0;
}
