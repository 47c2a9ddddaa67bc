/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_request.c — fuzz target: any bytes as a request to the frontend's control endpoint. Each gets a
 * reply that packs into a message of the allowed size; the board stays whole, since the next input uses it
 * too.
 */
#include <stdint.h>
#include <stdlib.h>

#include "frontend/control_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config;
static struct board board;
static struct control_core core;

static void setup_once(void)
{
    if (core.arena.bytes != NULL)
        return;
    config_defaults(&config);
    if (board_init(&board, 64) != 0 || control_core_init(&core, &config, &board, 1) != 0)
        abort();
    atomic_store(&board.lanes[0].state, BOARD_LANE_SERVING);
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
    control_core_tick(&core, 3);
    board_command_done(&board);
    return 0;
}
