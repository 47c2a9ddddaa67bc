/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * board_order.c — orders from the control thread to the loop, their results, and descriptors the other way.
 *
 * Orders are an SPSC ring of plain structs: a place is written only when it is empty and read only when it is
 * full. Results overwrite each other, a reader may be late: each stands in the place of its order's id and
 * has that id in front, 0 while it is being written. Descriptors have one place that goes
 * NONE -> WANTED (control thread) -> GIVEN (loop) -> NONE (control thread); who moved it to the present state
 * no longer touches it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "frontend/board_internal.h"

#define N_RESULTS 256u
#define RESULT_WORDS (sizeof(struct board_order_result) / 8)

_Static_assert(sizeof(struct board_order_result) % 8 == 0, "results are copied in words");

enum records_state { RECORDS_NONE, RECORDS_WANTED, RECORDS_GIVEN };

struct result_place {
    _Atomic uint64_t id; /* loop writes · control thread reads · publishes the words; 0: being written */
    _Atomic uint64_t words[RESULT_WORDS];
};

struct board_orders {
    struct board_order waiting[BOARD_N_ORDERS];
    _Atomic uint64_t n_added; /* control thread writes · loop reads · publishes the order; the newest id */
    _Atomic uint64_t n_taken; /* loop writes · control thread reads · frees its place */
    struct result_place results[N_RESULTS];
    _Atomic uint32_t records_state; /* enum records_state; publishes records_fds */
    int records_fds[CONFIG_MAX_WORKERS];
    int given_fd; /* eventfd: records are given */
};

struct board_orders *board_orders_new(void)
{
    struct board_orders *orders = calloc(1, sizeof(*orders));

    if (orders == NULL)
        return NULL;
    orders->given_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (orders->given_fd >= 0)
        return orders;
    free(orders);
    return NULL;
}

static void records_drop(struct board_orders *orders)
{
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        fd_close(&orders->records_fds[slot]);
}

void board_orders_free(struct board_orders *orders)
{
    if (orders == NULL)
        return;
    if (atomic_load_explicit(&orders->records_state, memory_order_acquire) == RECORDS_GIVEN)
        records_drop(orders);
    fd_close(&orders->given_fd);
    free(orders);
}

/* ---- orders ---- */

uint64_t board_order_add(struct board *board, const struct board_order *order)
{
    struct board_orders *orders = board->orders;
    uint64_t n_added = atomic_load_explicit(&orders->n_added, memory_order_relaxed);
    struct board_order *place = &orders->waiting[n_added % BOARD_N_ORDERS];

    /* Pairs with board_order_take(): the place has been read. */
    if (n_added - atomic_load_explicit(&orders->n_taken, memory_order_acquire) >= BOARD_N_ORDERS)
        return 0;
    *place = *order;
    place->id = n_added + 1;
    atomic_store_explicit(&orders->n_added, n_added + 1, memory_order_release);
    /* Cannot fail for good, and the loop looks by itself some times a second. */
    (void)board_wake(board);
    return n_added + 1;
}

bool board_order_take(struct board *board, struct board_order *order)
{
    struct board_orders *orders = board->orders;
    uint64_t n_taken = atomic_load_explicit(&orders->n_taken, memory_order_relaxed);

    if (atomic_load_explicit(&orders->n_added, memory_order_acquire) == n_taken)
        return false;
    *order = orders->waiting[n_taken % BOARD_N_ORDERS];
    atomic_store_explicit(&orders->n_taken, n_taken + 1, memory_order_release);
    return true;
}

void board_order_done(struct board *board, const struct board_order_result *result)
{
    struct result_place *place = &board->orders->results[result->id % N_RESULTS];

    mpa_assert(result->id != 0 && result->result != BOARD_RESULT_PENDING);
    atomic_store_explicit(&place->id, 0, memory_order_relaxed);
    board_words_store(place->words, result, sizeof(*result));
    /* Publishes the result; pairs with the first load in board_order_result(). */
    atomic_store_explicit(&place->id, result->id, memory_order_release);
}

bool board_order_result(struct board *board, uint64_t id, struct board_order_result *result)
{
    struct result_place *place = &board->orders->results[id % N_RESULTS];
    struct board_order_result copy;
    uint64_t before = atomic_load_explicit(&place->id, memory_order_acquire);

    if (before < id)
        return false;
    board_words_load(&copy, place->words, sizeof(copy));
    /* Another result came into the place before or while it was copied. */
    if (atomic_load_explicit(&place->id, memory_order_relaxed) != id)
        copy = (struct board_order_result){.id = id, .result = BOARD_RESULT_LOST};
    *result = copy;
    return true;
}

/* ---- descriptors of records segments ---- */

static void records_take(struct board_orders *orders, int fds[CONFIG_MAX_WORKERS])
{
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        fds[slot] = orders->records_fds[slot];
    atomic_store_explicit(&orders->records_state, RECORDS_NONE, memory_order_relaxed);
}

int board_records(struct board *board, int fds[CONFIG_MAX_WORKERS], uint32_t wait_ms)
{
    struct board_orders *orders = board->orders;
    struct pollfd given = {.fd = orders->given_fd, .events = POLLIN};
    uint32_t state = atomic_load_explicit(&orders->records_state, memory_order_acquire);
    uint64_t ignored;

    /* The answer to an earlier question, which came too late: those workers may be gone. */
    if (state == RECORDS_GIVEN)
        records_drop(orders);
    (void)!read(orders->given_fd, &ignored, sizeof(ignored));
    if (state != RECORDS_WANTED)
        atomic_store_explicit(&orders->records_state, RECORDS_WANTED, memory_order_release);
    (void)board_wake(board);
    /* Woken early at worst (a signal is never for this thread): then it is told as too late. */
    if (atomic_load_explicit(&orders->records_state, memory_order_acquire) != RECORDS_GIVEN)
        (void)poll(&given, 1, (int)wait_ms);
    if (atomic_load_explicit(&orders->records_state, memory_order_acquire) != RECORDS_GIVEN)
        return -ETIMEDOUT;
    records_take(orders, fds);
    return 0;
}

bool board_records_wanted(const struct board *board)
{
    return atomic_load_explicit(&board->orders->records_state, memory_order_acquire) == RECORDS_WANTED;
}

void board_records_give(struct board *board, const int fds[CONFIG_MAX_WORKERS])
{
    struct board_orders *orders = board->orders;
    const uint64_t one = 1;

    mpa_assert(board_records_wanted(board));
    for (uint32_t slot = 0; slot < CONFIG_MAX_WORKERS; slot++)
        orders->records_fds[slot] = fds[slot];
    atomic_store_explicit(&orders->records_state, RECORDS_GIVEN, memory_order_release);
    (void)!write(orders->given_fd, &one, sizeof(one));
}
