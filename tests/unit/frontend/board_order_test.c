/* SPDX-License-Identifier: BSD-3-Clause */
/* board_order_test.c — orders, results and descriptors between the control thread and the loop. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "frontend/board.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/board, orders";

#define N_ROUNDS 5000u

static struct board *board_new(void)
{
    struct board *board = malloc(sizeof(*board));

    CU_ASSERT_PTR_NOT_NULL_FATAL(board);
    CU_ASSERT_EQUAL_FATAL(board_init(board, 64), 0);
    return board;
}

static void board_delete(struct board *board)
{
    board_fini(board);
    free(board);
}

static void done(struct board *board, uint64_t id, enum board_result result)
{
    board_order_done(board,
                     &(struct board_order_result){.id = id, .result = result, .n_flows = (uint32_t)id});
}

static void test_orders_in_turn_wake_the_loop(void)
{
    struct board *board = board_new();
    struct board_order order = {.kind = BOARD_ORDER_DRAIN, .slot = 3, .to = BOARD_ANY_LANE};
    struct board_order seen;
    uint64_t n_woken = 0;

    CU_ASSERT_FALSE(board_order_take(board, &seen));
    for (uint64_t i = 1; i <= BOARD_N_ORDERS; i++)
        CU_ASSERT_EQUAL(board_order_add(board, &order), i);
    CU_ASSERT_EQUAL(board_order_add(board, &order), 0);
    CU_ASSERT_EQUAL(read(board->command_fd, &n_woken, sizeof(n_woken)), sizeof(n_woken));
    CU_ASSERT_EQUAL(n_woken, BOARD_N_ORDERS);
    CU_ASSERT_TRUE(board_order_take(board, &seen));
    CU_ASSERT_EQUAL(seen.id, 1);
    CU_ASSERT_EQUAL(seen.slot, 3);
    CU_ASSERT_EQUAL(seen.to, BOARD_ANY_LANE);
    CU_ASSERT_EQUAL(board_order_add(board, &order), BOARD_N_ORDERS + 1);
    board_delete(board);
}

static void test_result_pending_then_there_then_lost(void)
{
    struct board *board = board_new();
    struct board_order_result result;

    CU_ASSERT_FALSE(board_order_result(board, 1, &result));
    done(board, 1, BOARD_RESULT_DONE);
    CU_ASSERT_TRUE(board_order_result(board, 1, &result));
    CU_ASSERT_EQUAL(result.result, BOARD_RESULT_DONE);
    CU_ASSERT_EQUAL(result.n_flows, 1);
    /* Same place, later order. */
    CU_ASSERT_FALSE(board_order_result(board, 257, &result));
    done(board, 257, BOARD_RESULT_SAME);
    CU_ASSERT_TRUE(board_order_result(board, 257, &result));
    CU_ASSERT_EQUAL(result.result, BOARD_RESULT_SAME);
    CU_ASSERT_TRUE(board_order_result(board, 1, &result));
    CU_ASSERT_EQUAL(result.result, BOARD_RESULT_LOST);
    board_delete(board);
}

static void *loop_orders(void *argument)
{
    struct board *board = argument;

    for (uint32_t n = 0; n < N_ROUNDS;) {
        struct board_order order;

        if (!board_order_take(board, &order)) {
            sched_yield();
            continue;
        }
        /* Everything in the result says which order it is of. */
        board_order_done(board, &(struct board_order_result){.id = order.id,
                                                             .result = BOARD_RESULT_DONE,
                                                             .n_flows = order.slot,
                                                             .n_buckets = order.to,
                                                             .duration_ns = order.id});
        n++;
    }
    return NULL;
}

static void test_orders_and_results_are_whole(void)
{
    struct board *board = board_new();
    pthread_t loop;
    bool is_whole = true;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, loop_orders, board), 0);
    for (uint32_t i = 0; i < N_ROUNDS;) {
        struct board_order order = {.kind = BOARD_ORDER_KILL, .slot = i, .to = ~i};
        uint64_t id = board_order_add(board, &order);
        struct board_order_result result;

        if (id == 0)
            continue;
        /* Some are waited for, the others only read in passing. */
        while (!board_order_result(board, id, &result) && i % 5 == 0)
            sched_yield();
        if (board_order_result(board, id, &result))
            is_whole = is_whole && result.n_flows == i && result.n_buckets == ~i && result.duration_ns == id;
        i++;
    }
    pthread_join(loop, NULL);
    CU_ASSERT_TRUE(is_whole);
    board_delete(board);
}

static void *loop_records(void *argument)
{
    struct board *board = argument;
    int fds[CONFIG_MAX_WORKERS];

    while (!board_records_wanted(board))
        sched_yield();
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        fds[slot] = slot == 2 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    board_records_give(board, fds);
    return NULL;
}

static void test_records_come_when_asked_for(void)
{
    struct board *board = board_new();
    int fds[CONFIG_MAX_WORKERS];
    pthread_t loop;

    CU_ASSERT_FALSE(board_records_wanted(board));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, loop_records, board), 0);
    CU_ASSERT_EQUAL(board_records(board, fds, 10000), 0);
    pthread_join(loop, NULL);
    CU_ASSERT_EQUAL(fds[0], -1);
    CU_ASSERT_TRUE(fds[2] >= 0);
    CU_ASSERT_FALSE(board_records_wanted(board));
    fd_close(&fds[2]);
    board_delete(board);
}

static void test_records_that_come_too_late_are_closed(void)
{
    struct board *board = board_new();
    int fds[CONFIG_MAX_WORKERS];
    int beside;

    CU_ASSERT_EQUAL(board_records(board, fds, 0), -ETIMEDOUT);
    loop_records(board);
    beside = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(beside);
    /* Asked again: the late ones are gone, and the loop is asked anew. */
    CU_ASSERT_EQUAL(board_records(board, fds, 0), -ETIMEDOUT);
    CU_ASSERT_TRUE(board_records_wanted(board));
    CU_ASSERT_EQUAL(open("/dev/null", O_RDONLY | O_CLOEXEC), beside - 1);
    close(beside - 1);
    /* And what is left at the end goes with the board. */
    loop_records(board);
    board_delete(board);
}

const struct unit_test unit_tests[] = {
    {"orders are taken in turn, wake the loop, and are refused when too many wait",
     test_orders_in_turn_wake_the_loop},
    {"a result is pending, then there, then lost", test_result_pending_then_there_then_lost},
    {"orders and results are whole between two threads", test_orders_and_results_are_whole},
    {"records come when they are asked for", test_records_come_when_asked_for},
    {"records that come too late are closed", test_records_that_come_too_late_are_closed},
    {NULL, NULL},
};
