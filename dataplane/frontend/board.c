/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * board.c — the notice board between the data loop and the control thread.
 *
 * Counters and gauges are single words: relaxed, no order promised between them. What is longer than a word
 * (addresses, events) is copied while the other thread may be writing it. Those copies go word by word with a
 * release store and an acquire load each: a reader that saw one new word also sees what the writer stored
 * before it, the sequence number or position that says "being written", and throws its copy away. So neither
 * side waits and no fence is needed.
 *
 * The capture ring is SPSC over bytes. A record is its header and its bytes, rounded up to 8; positions run
 * freely and the ring is a power of two, so a record may wrap anywhere.
 */
#include "frontend/board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "flow/bucket.h"
#include "frontend/board_internal.h"

_Static_assert((BOARD_N_EVENTS & (BOARD_N_EVENTS - 1)) == 0, "positions run freely over the event ring");
_Static_assert((BOARD_CAPTURE_RING_BYTES & (BOARD_CAPTURE_RING_BYTES - 1)) == 0, "same for the capture ring");
_Static_assert(sizeof(struct board_event) % 8 == 0, "events are copied in words");
_Static_assert(sizeof(struct board_capture_record) % 8 == 0, "records stay aligned in the capture ring");

#define GAUGE_TEXT(name, help) {#name, help},
const struct counter_text lane_gauge_texts[N_LANE_GAUGES] = {LANE_GAUGES(GAUGE_TEXT)};

int board_init(struct board *board, uint32_t n_buckets)
{
    *board = (struct board){.n_buckets = n_buckets, .command_fd = -1};
    if (n_buckets == 0 || (n_buckets & (n_buckets - 1)) != 0)
        return -EINVAL;
    board->bucket_frames = calloc(n_buckets, sizeof(*board->bucket_frames));
    board->bucket_worker = calloc(n_buckets, sizeof(*board->bucket_worker));
    board->capture_ring = malloc(BOARD_CAPTURE_RING_BYTES);
    board->orders = board_orders_new();
    board->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (board->bucket_frames == NULL || board->bucket_worker == NULL || board->capture_ring == NULL ||
        board->orders == NULL || board->command_fd < 0) {
        int error = board->command_fd < 0 ? -errno : -ENOMEM;

        board_fini(board);
        return error;
    }
    for (uint32_t i = 0; i < n_buckets; i++)
        atomic_init(&board->bucket_worker[i], BUCKET_NO_WORKER);
    return 0;
}

void board_fini(struct board *board)
{
    fd_close(&board->command_fd);
    free((void *)board->bucket_frames);
    free((void *)board->bucket_worker);
    free(board->capture_ring);
    board_orders_free(board->orders);
    board->orders = NULL;
    board->bucket_frames = NULL;
    board->bucket_worker = NULL;
    board->capture_ring = NULL;
}

/* Pairs with board_words_load(): see the theory at the top. */
void board_words_store(_Atomic uint64_t *to, const void *from, size_t size)
{
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t word = 0;
        size_t left = size - i * 8;

        memcpy(&word, (const uint8_t *)from + i * 8, left < 8 ? left : 8);
        atomic_store_explicit(&to[i], word, memory_order_release);
    }
}

void board_words_load(void *to, _Atomic uint64_t *from, size_t size)
{
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_acquire);
        size_t left = size - i * 8;

        memcpy((uint8_t *)to + i * 8, &word, left < 8 ? left : 8);
    }
}

void board_event_add(struct board *board, uint64_t now_ns, enum board_event_kind kind, uint32_t a, uint64_t b)
{
    board_event_put(board, &(struct board_event){.time_ns = now_ns, .kind = (uint32_t)kind, .a = a, .b = b});
}

void board_event_put(struct board *board, const struct board_event *event)
{
    uint64_t number = atomic_load_explicit(&board->events_written, memory_order_relaxed);

    board_words_store(board->events[number % BOARD_N_EVENTS], event, sizeof(*event));
    /* Publishes the entry; pairs with the first load in board_event_read(). */
    atomic_store_explicit(&board->events_written, number + 1, memory_order_release);
}

bool board_event_read(struct board *board, uint64_t *next, struct board_event *event, uint64_t *n_lost)
{
    struct board_event copy;
    uint64_t first = *next;
    uint64_t written = atomic_load_explicit(&board->events_written, memory_order_acquire);

    *n_lost = 0;
    while (*next != written) {
        /* The entry BOARD_N_EVENTS behind is the one that the loop may be overwriting right now. */
        if (written - *next >= BOARD_N_EVENTS)
            *next = written - BOARD_N_EVENTS + 1;
        board_words_load(&copy, board->events[*next % BOARD_N_EVENTS], sizeof(copy));
        written = atomic_load_explicit(&board->events_written, memory_order_relaxed);
        if (written - *next < BOARD_N_EVENTS) {
            *n_lost = *next - first;
            *next += 1;
            *event = copy;
            return true;
        }
    }
    return false;
}

void board_set_addresses(struct board *board, const struct host_addresses *addresses)
{
    uint32_t seq = atomic_load_explicit(&board->addresses_seq, memory_order_relaxed);

    atomic_store_explicit(&board->addresses_seq, seq + 1, memory_order_relaxed);
    board_words_store(board->addresses, addresses, sizeof(*addresses));
    /* Even again: the copy is whole. Pairs with the first load in board_get_addresses(). */
    atomic_store_explicit(&board->addresses_seq, seq + 2, memory_order_release);
}

void board_get_addresses(struct board *board, struct host_addresses *addresses)
{
    struct host_addresses copy;
    uint32_t before;
    uint32_t after;

    /* Addresses change once in minutes: a second round is rare, a third unheard of. */
    do {
        before = atomic_load_explicit(&board->addresses_seq, memory_order_acquire);
        board_words_load(&copy, board->addresses, sizeof(copy));
        after = atomic_load_explicit(&board->addresses_seq, memory_order_relaxed);
    } while (before != after || (before & 1) != 0);
    *addresses = copy;
}

int board_wake(const struct board *board)
{
    const uint64_t one = 1;

    /* A full eventfd is readable too, so a failed write loses nothing. */
    return write(board->command_fd, &one, sizeof(one)) < 0 && errno != EAGAIN ? -errno : 0;
}

int board_command(struct board *board, enum board_command_kind command)
{
    /* Pairs with board_command_done(): the loop has read `capture` before it may be written again. */
    if (atomic_load_explicit(&board->command, memory_order_acquire) != BOARD_COMMAND_NONE)
        return -EBUSY;
    /* Publishes `capture`; pairs with board_command_peek(). */
    atomic_store_explicit(&board->command, (uint32_t)command, memory_order_release);
    return board_wake(board);
}

int board_capture_start(struct board *board, const struct board_capture *capture)
{
    if (atomic_load_explicit(&board->command, memory_order_acquire) != BOARD_COMMAND_NONE)
        return -EBUSY;
    board->capture = *capture;
    /* What an earlier capture left unread belongs to nobody. The loop is not capturing now. */
    atomic_store_explicit(&board->capture_read,
                          atomic_load_explicit(&board->capture_written, memory_order_acquire),
                          memory_order_release);
    return board_command(board, BOARD_COMMAND_CAPTURE_START);
}

enum board_command_kind board_command_peek(struct board *board)
{
    return (enum board_command_kind)atomic_load_explicit(&board->command, memory_order_acquire);
}

void board_command_done(struct board *board)
{
    atomic_store_explicit(&board->command, BOARD_COMMAND_NONE, memory_order_release);
}

static size_t capture_round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static void capture_copy_in(struct board *board, uint64_t position, const void *from, size_t size)
{
    size_t place = position % BOARD_CAPTURE_RING_BYTES;
    size_t n_first = BOARD_CAPTURE_RING_BYTES - place < size ? BOARD_CAPTURE_RING_BYTES - place : size;

    memcpy(board->capture_ring + place, from, n_first);
    memcpy(board->capture_ring, (const uint8_t *)from + n_first, size - n_first);
}

static void capture_copy_out(const struct board *board, uint64_t position, void *to, size_t size)
{
    size_t place = position % BOARD_CAPTURE_RING_BYTES;
    size_t n_first = BOARD_CAPTURE_RING_BYTES - place < size ? BOARD_CAPTURE_RING_BYTES - place : size;

    memcpy(to, board->capture_ring + place, n_first);
    memcpy((uint8_t *)to + n_first, board->capture_ring, size - n_first);
}

bool board_capture_add(struct board *board, const struct board_capture_record *record,
                       const struct iovec *parts, int n_parts)
{
    uint64_t written = atomic_load_explicit(&board->capture_written, memory_order_relaxed);
    /* Pairs with board_capture_take(): the bytes there have been copied out. */
    uint64_t read = atomic_load_explicit(&board->capture_read, memory_order_acquire);
    size_t size = sizeof(*record) + capture_round_up(record->stored_bytes);
    size_t n_left = record->stored_bytes;
    uint64_t position = written + sizeof(*record);

    if (size > BOARD_CAPTURE_RING_BYTES - (written - read)) {
        counter_add(board->nic, NIC_capture_missed, 1);
        return false;
    }
    capture_copy_in(board, written, record, sizeof(*record));
    for (int i = 0; i < n_parts && n_left > 0; i++) {
        size_t n = parts[i].iov_len < n_left ? parts[i].iov_len : n_left;

        capture_copy_in(board, position, parts[i].iov_base, n);
        position += n;
        n_left -= n;
    }
    mpa_assert(n_left == 0);
    /* Publishes the record; pairs with board_capture_peek(). */
    atomic_store_explicit(&board->capture_written, written + size, memory_order_release);
    return true;
}

bool board_capture_peek(struct board *board, struct board_capture_record *record)
{
    uint64_t read = atomic_load_explicit(&board->capture_read, memory_order_relaxed);

    if (atomic_load_explicit(&board->capture_written, memory_order_acquire) == read)
        return false;
    capture_copy_out(board, read, record, sizeof(*record));
    return true;
}

void board_capture_take(struct board *board, const struct board_capture_record *record, uint8_t *bytes)
{
    uint64_t read = atomic_load_explicit(&board->capture_read, memory_order_relaxed);

    capture_copy_out(board, read + sizeof(*record), bytes, record->stored_bytes);
    /* Gives the place back; pairs with board_capture_add(). */
    atomic_store_explicit(&board->capture_read,
                          read + sizeof(*record) + capture_round_up(record->stored_bytes),
                          memory_order_release);
}
