/* SPDX-License-Identifier: BSD-3-Clause */
/* adoption_test.c — what becomes of the flows and frames of workers that die, stall or kill. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "flow/bucket.h"
#include "move_rig.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "frontend/adoption";

#define HELD_FRAMES 1024u
#define RING_SLOTS 1024u
#define ALL_SLOTS 10000u
#define STORM_SEEDS 40u
#define STORM_STEPS 150u
#define STORM_SLOTS 4u

static void start(struct rig *rig, unsigned n_workers)
{
    rig_init(rig, HELD_FRAMES);
    for (unsigned i = 0; i < n_workers; i++)
        rig_attach(rig, (uint8_t)i, RING_SLOTS);
    rig_settle(rig);
    rig_send_all(rig);
    rig_settle(rig);
    rig_check(rig);
}

static void end(struct rig *rig)
{
    rig_send_all(rig);
    rig_settle(rig);
    rig_check(rig);
    rig_fini(rig);
}

/* The next event of a kind, from the board's beginning on; false: none. */
static bool find_event(struct rig *rig, enum board_event_kind kind, struct board_event *event)
{
    uint64_t next = 0, n_lost;

    while (board_event_read(&rig->frontend.board, &next, event, &n_lost)) {
        if (event->kind == (uint32_t)kind)
            return true;
    }
    return false;
}

static void the_others_adopt_and_unread_frames_come_first(void)
{
    static struct rig rig;
    struct board_event event;

    start(&rig, 2);
    rig_send_all(&rig);
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    rig_kill(&rig, rig_at(&rig, 0)); /* with half of them unread */
    rig_send_all(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    CU_ASSERT(find_event(&rig, BOARD_EVENT_DIED, &event) && event.a == 0 && event.b == 0);
    CU_ASSERT(find_event(&rig, BOARD_EVENT_ADOPTED, &event));
    CU_ASSERT(event.a == 0 && event.n_flows > RIG_N_FLOWS / 4 && event.n_frames > RIG_N_FLOWS / 4);
    CU_ASSERT_EQUAL(counter_get(rig.frontend.board.nic, NIC_flows_adopted), event.n_flows);
    CU_ASSERT_EQUAL(counter_get(rig.frontend.board.nic, NIC_workers_died), 1);
    end(&rig);
}

static void the_last_ones_frames_wait_for_its_replacement(void)
{
    static struct rig rig;

    start(&rig, 1);
    rig_send_all(&rig);
    rig_turn(&rig);
    rig_kill(&rig, rig_at(&rig, 0));
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.held.n, RIG_N_FLOWS);
    rig_check_chunks(&rig);
    rig_attach(&rig, 0, RING_SLOTS);
    rig_settle(&rig);
    rig_check(&rig);
    end(&rig);
}

static void more_frames_than_the_ring_has_room_for_come_in_order(void)
{
    static struct rig rig;

    start(&rig, 1);
    rig_kill(&rig, rig_at(&rig, 0));
    rig_send_all(&rig);
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    rig_attach(&rig, 3, LANE_MIN_SLOTS);
    CU_ASSERT(rig.frontend.held.n > 0);
    CU_ASSERT_EQUAL(rig.frontend.buckets.worker[0], BUCKET_ORPHAN);
    rig_settle(&rig);
    rig_check(&rig);
    rig_fini(&rig);
}

static void no_more_frames_are_held_than_allowed(void)
{
    static struct rig rig;

    rig_init(&rig, 64);
    rig_attach(&rig, 0, RING_SLOTS);
    rig_settle(&rig);
    rig_kill(&rig, rig_at(&rig, 0));
    rig_send_all(&rig);
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.held.n, 64);
    CU_ASSERT_EQUAL(counter_get(rig.frontend.board.nic, NIC_rx_held), 64);
    CU_ASSERT_EQUAL(counter_get(rig.frontend.board.nic, NIC_rx_drop_held_full), RIG_N_FLOWS - 64);
    rig_check_chunks(&rig);
    rig_attach(&rig, 0, RING_SLOTS);
    rig_settle(&rig);
    CU_ASSERT_EQUAL(rig_at(&rig, 0)->n_frames, 64);
    rig_check_chunks(&rig);
    rig_fini(&rig);
}

/* Frames taken back from a worker push the newest out, which the peer sends again soonest. */
static void frames_taken_back_push_the_newest_out(void)
{
    static struct rig rig;

    rig_init(&rig, 64);
    rig_attach(&rig, 0, RING_SLOTS);
    rig_settle(&rig);
    rig_send_all(&rig);
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    rig_kill(&rig, rig_at(&rig, 0));
    CU_ASSERT_EQUAL(rig.frontend.held.n, 64);
    rig_check_chunks(&rig);
    rig_attach(&rig, 1, RING_SLOTS);
    rig_settle(&rig);
    for (uint32_t i = 0; i < 64; i++)
        CU_ASSERT(rig_at(&rig, 1)->flows[i].in_use); /* those that were sent first */
    rig_check_chunks(&rig);
    rig_fini(&rig);
}

static void an_adopter_that_dies_before_or_after_its_answer_takes_nothing_along(void)
{
    static struct rig rig;

    for (unsigned n_turns = 0; n_turns < 3; n_turns++) {
        start(&rig, 4);
        rig_send_all(&rig);
        rig_turn(&rig);
        rig_kill(&rig, rig_at(&rig, 0));
        rig_send_all(&rig);
        rig_turn(&rig);
        if (n_turns > 0)
            rig_work(&rig, rig_at(&rig, 1), ALL_SLOTS);
        if (n_turns > 1)
            rig_turn(&rig);
        rig_work(&rig, rig_at(&rig, 2), ALL_SLOTS);
        rig_kill(&rig, rig_at(&rig, 1));
        CU_ASSERT(rig.frontend.estates.n >= 1);
        rig_send_all(&rig);
        rig_turn(&rig);
        rig_kill(&rig, rig_at(&rig, 2));
        rig_settle(&rig);
        rig_check(&rig);
        end(&rig);
    }
}

static void pinned_flows_of_the_dead_go_to_their_buckets_workers(void)
{
    static struct rig rig;

    start(&rig, 3);
    for (uint32_t i = 0; i < 12; i++) {
        const struct board_order order = {
            .kind = BOARD_ORDER_MOVE_FLOW, .to = (rig_worker_of(&rig, i) + 1u) % 3, .key = rig_key(i)};

        board_order_add(&rig.frontend.board, &order);
        rig_settle(&rig);
    }
    CU_ASSERT_EQUAL(rig.frontend.pins.by_key.n_used, 12);
    for (uint8_t slot = 0; slot < 2; slot++) {
        rig_send_all(&rig);
        rig_turn(&rig);
        rig_kill(&rig, rig_at(&rig, slot));
        rig_send_all(&rig);
        rig_turn(&rig);
    }
    rig_settle(&rig);
    rig_check(&rig);
    CU_ASSERT_EQUAL(rig.frontend.pins.by_key.n_used, 0);
    end(&rig);
}

/* A flow of a bucket of 2, served by 1, which dies while 2 is still being asked about 0: 2 must not see its
 * frames before it was asked about 1. */
static void frames_of_who_dies_during_a_round_wait_for_the_next(void)
{
    static struct rig rig;
    uint32_t flow = 0;

    start(&rig, 3);
    while (rig_worker_of(&rig, flow) != 2)
        flow++;
    board_order_add(&rig.frontend.board,
                    &(struct board_order){.kind = BOARD_ORDER_MOVE_FLOW, .to = 1, .key = rig_key(flow)});
    rig_settle(&rig);
    CU_ASSERT_EQUAL(rig_worker_of(&rig, flow), 1);
    rig_fill(&rig, 2);
    rig_kill(&rig, rig_at(&rig, 0));
    CU_ASSERT(rig.frontend.estates.is_round && rig.frontend.estates.unpassed == 1u << 2);
    rig_send(&rig, flow);
    rig_turn(&rig);
    rig_kill(&rig, rig_at(&rig, 1));
    rig_send_all(&rig);
    rig_turn(&rig);
    rig_settle(&rig);
    rig_check(&rig);
    end(&rig);
}

static void who_stands_still_with_work_waiting_is_detached_and_its_death_awaited(void)
{
    static struct rig rig;
    struct rig_worker *worker;
    uint64_t now_ns;

    start(&rig, 2);
    worker = rig_at(&rig, 0);
    broker_watch_stalls(&rig.frontend);
    rig_send_all(&rig);
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    rig_work(&rig, rig_at(&rig, 1), ALL_SLOTS);
    now_ns = rig.frontend.now_ns;
    for (unsigned i = 0; i < 12; i++) {
        rig.frontend.now_ns = now_ns += 100 * CLOCK_NS_PER_MS;
        broker_watch_stalls(&rig.frontend);
    }
    CU_ASSERT_EQUAL(rig.frontend.lanes[0].state, BOARD_LANE_QUARANTINED);
    CU_ASSERT_EQUAL(rig.frontend.lanes[1].state, BOARD_LANE_SERVING);
    rig_turn(&rig);
    CU_ASSERT_FALSE(rig.frontend.estates.is_round); /* not while it may still write */
    rig_kill(&rig, worker);
    rig_settle(&rig);
    rig_check(&rig);
    end(&rig);
}

/* Counted from the moment on at which there was work, however long there was none before. */
static void a_stall_is_found_out_within_one_look_of_the_limit(void)
{
    const uint64_t look_ns = FRONTEND_WATCH_MS * CLOCK_NS_PER_MS;
    static struct rig rig;
    uint64_t begin_ns, limit_ns;

    start(&rig, 2);
    limit_ns = rig.frontend.config.control.heartbeat_ms * CLOCK_NS_PER_MS;
    /* Long asleep, with nothing to do: that is no stall. */
    for (unsigned i = 0; i < 300; i++) {
        rig.frontend.now_ns += look_ns;
        broker_watch_stalls(&rig.frontend);
    }
    rig_send_all(&rig);
    while (counter_get(rig.frontend.board.nic, NIC_rx_frames) < rig.n_sent)
        rig_turn(&rig);
    CU_ASSERT_TRUE(rig.frontend.has_work_out);
    rig_work(&rig, rig_at(&rig, 1), ALL_SLOTS);
    begin_ns = rig.frontend.now_ns;
    while (rig.frontend.lanes[0].state == BOARD_LANE_SERVING &&
           rig.frontend.now_ns < begin_ns + 2 * limit_ns) {
        rig.frontend.now_ns += look_ns;
        broker_watch_stalls(&rig.frontend);
    }
    CU_ASSERT_EQUAL(rig.frontend.lanes[0].state, BOARD_LANE_QUARANTINED);
    CU_ASSERT(rig.frontend.now_ns - begin_ns >= limit_ns);
    CU_ASSERT(rig.frontend.now_ns - begin_ns <= limit_ns + 2 * look_ns);
    rig_kill(&rig, rig_at(&rig, 0));
    rig_settle(&rig);
    rig_check(&rig);
    end(&rig);
}

static void an_order_that_is_not_answered_in_time_costs_the_worker_its_lane(void)
{
    static struct rig rig;
    const struct board_order order = {.kind = BOARD_ORDER_DRAIN, .slot = 0, .to = BOARD_ANY_LANE};
    struct board_order_result result;
    uint64_t id;

    start(&rig, 2);
    id = board_order_add(&rig.frontend.board, &order);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.handover.state, HANDOVER_FENCING);
    rig.frontend.now_ns += 6 * CLOCK_NS_PER_S;
    frontend_move(&rig.frontend);
    CU_ASSERT_EQUAL(rig.frontend.lanes[0].state, BOARD_LANE_QUARANTINED);
    CU_ASSERT_EQUAL(rig.frontend.handover.state, HANDOVER_IDLE);
    rig_turn(&rig);
    CU_ASSERT(board_order_result(&rig.frontend.board, id, &result));
    CU_ASSERT_EQUAL(result.result, BOARD_RESULT_SOURCE_DIED);
    rig_kill(&rig, rig_at(&rig, 0));
    rig_settle(&rig);
    rig_check(&rig);
    end(&rig);
}

/* The worker's fault handler speaks: it had this chunk in hand. */
static void die_of(struct rig *rig, struct rig_worker *worker, uint32_t head_idx)
{
    struct worker_half *half = worker->half.base;

    atomic_store(&half->fault_signal, 11);
    atomic_store(&half->suspect, 1 + (uint64_t)head_idx);
    rig_kill(rig, worker);
}

/* The chunk of the oldest unread slot of the worker's normal ring. */
static uint32_t unread_chunk(struct rig *rig, const struct rig_worker *worker)
{
    const struct ring_producer *ring = &rig->frontend.lanes[worker->slot].rx[LANE_NORMAL];

    return (uint32_t)(ring->slots[ring->head & (ring->n_slots - 1)].words[0] >> 32);
}

static void an_accused_frame_is_kept_and_a_flow_accused_twice_is_reset_alone(void)
{
    static struct rig rig;
    struct board_event event;
    struct rig_worker *worker;
    uint32_t n_resets = 0;
    FILE *file = tmpfile();

    start(&rig, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    rig.frontend.suspects.file_fd = dup(fileno(file));
    for (unsigned times = 0; times < 2; times++) {
        worker = rig_at(&rig, rig_worker_of(&rig, 7));
        rig_send(&rig, 7);
        rig_turn(&rig);
        die_of(&rig, worker, unread_chunk(&rig, worker));
        rig.sent[7]--; /* the peer sends it again */
        rig_check_chunks(&rig);
        rig_settle(&rig);
        CU_ASSERT_EQUAL(counter_get(rig.frontend.board.nic, NIC_rx_drop_suspect), times + 1);
        rig_check(&rig);
        rig_attach(&rig, worker->slot, RING_SLOTS);
        rig_settle(&rig);
        CU_ASSERT_EQUAL(find_event(&rig, BOARD_EVENT_FLOW_RESET, &event), times == 1);
    }
    CU_ASSERT(find_event(&rig, BOARD_EVENT_SUSPECT, &event) && event.n_frames == 1 && event.b == 1);
    CU_ASSERT(find_event(&rig, BOARD_EVENT_DIED, &event) && event.b == 11);
    for (uint32_t i = 0; i < rig.n_workers; i++)
        n_resets += rig.workers[i].n_resets;
    CU_ASSERT_EQUAL(n_resets, 1);
    CU_ASSERT(lseek(rig.frontend.suspects.file_fd, 0, SEEK_END) > 100);
    fclose(file);
    suspects_fini(&rig.frontend.suspects);
    end(&rig);
}

static uint32_t storm_random(uint32_t *state, uint32_t n)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % n;
}

static void storm_order(struct rig *rig, uint32_t *random)
{
    struct board_order order = {.kind = storm_random(random, 4),
                                .slot = storm_random(random, STORM_SLOTS),
                                .to = storm_random(random, STORM_SLOTS),
                                .key = rig_key(storm_random(random, RIG_N_FLOWS))};

    order.n_buckets = 1 + storm_random(random, 20);
    for (uint32_t i = 0; i < order.n_buckets; i++)
        order.buckets[i] = (uint16_t)((storm_random(random, 2) * 32 + i) % RIG_N_BUCKETS);
    board_order_add(&rig->frontend.board, &order);
}

static void storm_step(struct rig *rig, uint32_t *random)
{
    struct rig_worker *worker = rig_at(rig, (uint8_t)storm_random(random, STORM_SLOTS));

    switch (storm_random(random, 8)) {
    case 0:
        if (worker != NULL && rig->n_workers + 8 < RIG_MAX_WORKERS)
            rig_kill(rig, worker);
        return;
    case 1:
        for (uint8_t slot = 0; slot < STORM_SLOTS && rig->n_workers < RIG_MAX_WORKERS; slot++) {
            if (rig_at(rig, slot) == NULL) {
                rig_attach(rig, slot, RING_SLOTS);
                return;
            }
        }
        return;
    case 2:
        storm_order(rig, random);
        return;
    case 3:
    case 4:
        for (unsigned i = 0; i < 20; i++)
            rig_send(rig, storm_random(random, RIG_N_FLOWS));
        return;
    case 5:
        if (worker != NULL)
            rig_work(rig, worker, 1 + storm_random(random, 20));
        return;
    case 6:
        if (worker != NULL)
            rig_work(rig, worker, ALL_SLOTS);
        return;
    default:
        rig_turn(rig);
        rig_check_chunks(rig);
        return;
    }
}

static void a_storm_of_deaths_moves_and_arrivals_loses_nothing(void)
{
    static struct rig rig;

    for (uint32_t seed = 1; seed <= STORM_SEEDS; seed++) {
        unsigned failures = CU_get_number_of_failures();
        uint32_t random = seed * 2654435761u;

        start(&rig, 2 + seed % 3);
        for (unsigned step = 0; step < STORM_STEPS; step++) {
            storm_step(&rig, &random);
            if (rig.frontend.held.n > HELD_FRAMES - 100)
                rig_settle(&rig);
        }
        if (rig.frontend.lane_mask == 0)
            rig_attach(&rig, 6, RING_SLOTS);
        rig_settle(&rig);
        rig_check(&rig);
        if (CU_get_number_of_failures() != failures)
            printf("\nseed %u\n", seed);
        end(&rig);
    }
}

/* Its answer found no room in the tx ring, or the NIC was too busy for us to come to it. */
static void die_unanswered(struct rig *rig, struct rig_worker *worker)
{
    struct worker_half *half = worker->half.base;
    uint32_t tx_tail = atomic_load_explicit(&half->tx_tail[LANE_NORMAL].value, memory_order_relaxed);

    rig_work(rig, worker, ALL_SLOTS);
    atomic_store_explicit(&half->tx_tail[LANE_NORMAL].value, tx_tail, memory_order_relaxed);
    rig_kill(rig, worker);
}

/* The first dead worker's record of a flow is newer than the one that the second had exported to it. */
static void an_exporter_that_dies_after_its_heir_leaves_the_older_records(void)
{
    static struct rig rig;
    struct board_order order = {.kind = BOARD_ORDER_MOVE_BUCKETS, .to = 1};

    start(&rig, 3);
    for (uint16_t i = 0; i < RIG_N_BUCKETS; i++) {
        if (rig.frontend.buckets.worker[i] == 0)
            order.buckets[order.n_buckets++] = i;
    }
    board_order_add(&rig.frontend.board, &order);
    rig_turn(&rig);
    rig_send_all(&rig);
    rig_turn(&rig);
    rig_work(&rig, rig_at(&rig, 0), ALL_SLOTS);
    rig_turn(&rig);
    CU_ASSERT_EQUAL(rig.frontend.handover.state, HANDOVER_ADOPTING);
    die_unanswered(&rig, rig_at(&rig, 1));
    CU_ASSERT_EQUAL(rig.frontend.estates.n, 2);
    rig_kill(&rig, rig_at(&rig, 0));
    rig_settle(&rig);
    rig_check(&rig);
    end(&rig);
}

/* What the broker answers to a hello: the kind of its message. */
static uint32_t say_hello(struct rig *rig, uint8_t slot, uint32_t flags, int32_t *error)
{
    const struct attach_hello hello = {.magic = ATTACH_MAGIC,
                                       .kind = ATTACH_HELLO,
                                       .version_min = LANE_VERSION_MIN,
                                       .version_max = LANE_VERSION,
                                       .slot = slot,
                                       .flags = flags};
    struct attach_refused answer = {0};
    int fds[N_ATTACH_HELLO_FDS] = {rig->workers[0].half.fd, rig->workers[0].half.fd,
                                   rig->workers[0].records.fd};
    int sockets[2], answer_fds[N_ATTACH_WELCOME_FDS];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets), 0);
    CU_ASSERT_EQUAL(fd_send(sockets[1], &hello, sizeof(hello), fds, N_ATTACH_HELLO_FDS), 0);
    rig->frontend.greeting[0] = sockets[0];
    broker_greeting_event(&rig->frontend, 0);
    CU_ASSERT(fd_receive(sockets[1], &answer, sizeof(answer), answer_fds, N_ATTACH_WELCOME_FDS) > 0);
    for (unsigned i = 0; i < N_ATTACH_WELCOME_FDS; i++)
        fd_close(&answer_fds[i]);
    fd_close(&sockets[1]);
    *error = answer.error;
    return answer.kind;
}

/* One that could not be killed was given up, and comes back to the slot with what others have by now. */
static void nobody_comes_back_to_connections_that_were_adopted(void)
{
    static struct rig rig;
    int32_t error;

    start(&rig, 2);
    rig_kill(&rig, rig_at(&rig, 0));
    rig_settle(&rig);
    CU_ASSERT_EQUAL(say_hello(&rig, 0, ATTACH_RETURNS, &error), ATTACH_REFUSED);
    CU_ASSERT_EQUAL(error, -ESTALE);
    CU_ASSERT_EQUAL(say_hello(&rig, 5, ATTACH_RETURNS, &error), ATTACH_WELCOME);
    rig_fini(&rig);
}

static void a_process_gets_one_lane(void)
{
    static struct rig rig;
    int32_t error;

    start(&rig, 2);
    CU_ASSERT_EQUAL(say_hello(&rig, 5, 0, &error), ATTACH_WELCOME);
    CU_ASSERT_EQUAL(say_hello(&rig, 6, 0, &error), ATTACH_REFUSED);
    rig_fini(&rig);
}

/* Packets that stand in the arena side by side are no longer than it, however many slots name them. */
static void last_words_are_no_longer_than_the_arena(void)
{
    enum { LONG_BYTES = 65000 };
    static struct rig rig;
    struct rig_worker *worker;
    uint32_t arena_bytes;

    start(&rig, 2);
    worker = rig_at(&rig, 0);
    arena_bytes = rig.frontend.lanes[0].shape.arena_bytes[LANE_NORMAL];
    for (uint32_t i = 0; i < RING_SLOTS; i++)
        ring_producer_stage(&worker->tx[LANE_NORMAL], lane_word(LANE_SLOT_FRAME, 0, 0), LONG_BYTES);
    ring_producer_publish(&worker->tx[LANE_NORMAL]);
    rig_kill(&rig, worker);
    CU_ASSERT(counter_get(rig.frontend.board.lanes[0].counters, LANE_tx_frames) > 0);
    CU_ASSERT(counter_get(rig.frontend.board.lanes[0].counters, LANE_tx_frames) <= arena_bytes / LONG_BYTES);
    end(&rig);
}

const struct unit_test unit_tests[] = {
    {"the others adopt, and unread frames come first", the_others_adopt_and_unread_frames_come_first},
    {"the last one's frames wait for its replacement", the_last_ones_frames_wait_for_its_replacement},
    {"more frames than the ring has room for come in order",
     more_frames_than_the_ring_has_room_for_come_in_order},
    {"no more frames are held than allowed", no_more_frames_are_held_than_allowed},
    {"frames taken back push the newest out", frames_taken_back_push_the_newest_out},
    {"an adopter that dies before or after its answer takes nothing along",
     an_adopter_that_dies_before_or_after_its_answer_takes_nothing_along},
    {"pinned flows of the dead go to their buckets' workers",
     pinned_flows_of_the_dead_go_to_their_buckets_workers},
    {"frames of who dies during a round wait for the next",
     frames_of_who_dies_during_a_round_wait_for_the_next},
    {"who stands still with work waiting is detached, and its death awaited",
     who_stands_still_with_work_waiting_is_detached_and_its_death_awaited},
    {"a stall is found out within one look of the limit", a_stall_is_found_out_within_one_look_of_the_limit},
    {"an order that is not answered in time costs the worker its lane",
     an_order_that_is_not_answered_in_time_costs_the_worker_its_lane},
    {"an accused frame is kept, and a flow accused twice is reset alone",
     an_accused_frame_is_kept_and_a_flow_accused_twice_is_reset_alone},
    {"a storm of deaths, moves and arrivals loses nothing",
     a_storm_of_deaths_moves_and_arrivals_loses_nothing},
    {"an exporter that dies after its heir leaves the older records",
     an_exporter_that_dies_after_its_heir_leaves_the_older_records},
    {"nobody comes back to connections that were adopted",
     nobody_comes_back_to_connections_that_were_adopted},
    {"last words are no longer than the arena", last_words_are_no_longer_than_the_arena},
    {"a process gets one lane", a_process_gets_one_lane},
    {NULL, NULL},
};
