/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_request.c — fuzz target: any bytes as a request to the frontend's control endpoint. Each gets a
 * reply that packs into a message of the allowed size; the board stays whole, since the next input uses it
 * too. A thread plays the loop for what is waited for, descriptors of records: there are none.
 */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "frontend/control_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config;
static struct board board;
static struct control_core core;

static void *lend_records(void *argument)
{
    struct pollfd woken = {.fd = board.command_fd, .events = POLLIN};
    uint64_t ignored;
    int fds[CONFIG_MAX_WORKERS];

    (void)argument;
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        fds[slot] = -1;
    for (;;) {
        poll(&woken, 1, -1);
        (void)!read(board.command_fd, &ignored, sizeof(ignored));
        if (board_records_wanted(&board))
            board_records_give(&board, fds);
    }
    return NULL;
}

static void setup_once(void)
{
    pthread_t loop;

    if (core.arena.bytes != NULL)
        return;
    config_defaults(&config);
    if (board_init(&board, 64) != 0 || control_core_init(&core, &config, &board, 1) != 0)
        abort();
    atomic_store(&board.lanes[0].state, BOARD_LANE_SERVING);
    atomic_store(&board.lanes[1].state, BOARD_LANE_SERVING);
    if (pthread_create(&loop, NULL, lend_records, NULL) != 0)
        abort();
    pthread_detach(loop);
}

/* Every result there is, in turn. */
static void carry_out_orders(void)
{
    static uint32_t n;
    struct board_order order;

    while (board_order_take(&board, &order))
        board_order_done(&board,
                         &(struct board_order_result){.id = order.id,
                                                      .result = BOARD_RESULT_DONE + n++ % BOARD_RESULT_LOST,
                                                      .n_buckets = order.n_buckets});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Mpa__V1__Reply *reply;

    setup_once();
    reply = control_core_answer(&core, data, size, 2);
    if (reply == NULL || mpa__v1__reply__get_packed_size(reply) > CONTROL_MAX_MESSAGE_BYTES)
        abort();
    if (reply->error == NULL && reply->body_case == MPA__V1__REPLY__BODY__NOT_SET)
        abort();
    carry_out_orders();
    control_core_tick(&core, 3);
    board_command_done(&board);
    return 0;
}
