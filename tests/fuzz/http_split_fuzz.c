/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_split_fuzz.c — the same requests in one piece, and cut anywhere with little room to send and another
 * worker after each piece: the peer must get the same bytes and the same end.
 *
 * Input: 16 bytes that drive the cuts, then the requests.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/worker/service_rig.h"
#include "worker/http_pages.h"
#include "worker/service_internal.h"

#define N_CUT_BYTES 16u
#define MAX_INPUT_BYTES 4096u
#define MAX_ANSWER_BYTES (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

/* What a peer has got. */
struct answer {
    uint8_t *bytes;
    uint32_t n_bytes;
    bool is_aborted;
};

/* Lets the service run until it has nothing more to send, or the answer is full. */
static void settle(struct service_rig *rig, struct answer *answer)
{
    uint32_t n_taken;

    do {
        service_rig_run(rig);
        n_taken = service_rig_take(rig, answer->bytes + answer->n_bytes, MAX_ANSWER_BYTES - answer->n_bytes);
        answer->n_bytes += n_taken;
    } while (n_taken > 0);
}

/* With `cuts` NULL: all at once. */
static void exchange(const struct service *service, const uint8_t *cuts, const uint8_t *data, size_t size,
                     struct answer *answer)
{
    struct service_rig rig;

    service_rig_init(&rig, service);
    for (size_t off = 0, turn = 0; off < size; turn++) {
        size_t n_bytes = cuts == NULL ? size : 1u + cuts[turn % N_CUT_BYTES] % 64u;

        if (n_bytes > size - off)
            n_bytes = size - off;
        if (cuts != NULL)
            rig.tx_limit_bytes = 1u + (uint32_t)cuts[(turn + 1) % N_CUT_BYTES] * 300u;
        service_rig_send(&rig, data + off, (uint32_t)n_bytes);
        settle(&rig, answer);
        off += n_bytes;
        if (cuts != NULL)
            service_rig_move(&rig);
    }
    rig.has_peer_closed = true;
    settle(&rig, answer);
    must(rig.is_closed || rig.is_aborted || answer->n_bytes == MAX_ANSWER_BYTES);
    answer->is_aborted = rig.is_aborted;
    service_rig_fini(&rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_pages *pages;
    static struct answer whole, cut;
    struct service service;

    if (pages == NULL) {
        pages = http_pages_new("");
        whole.bytes = malloc(MAX_ANSWER_BYTES);
        cut.bytes = malloc(MAX_ANSWER_BYTES);
    }
    must(pages != NULL && whole.bytes != NULL && cut.bytes != NULL);
    if (size <= N_CUT_BYTES || size > MAX_INPUT_BYTES)
        return 0;
    service = service_http(pages);
    whole.n_bytes = cut.n_bytes = 0;
    exchange(&service, NULL, data + N_CUT_BYTES, size - N_CUT_BYTES, &whole);
    exchange(&service, data, data + N_CUT_BYTES, size - N_CUT_BYTES, &cut);
    must(whole.n_bytes == cut.n_bytes && whole.is_aborted == cut.is_aborted);
    must(memcmp(whole.bytes, cut.bytes, whole.n_bytes) == 0);
    return 0;
}
