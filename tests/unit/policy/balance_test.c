/* SPDX-License-Identifier: BSD-3-Clause */
/* balance_test.c — promises of single decisions: a table of situations, each with the reason it must get. */
#include "controlplane/policy/balance.h"

#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "policy/balance";

#define N_BUCKETS 16u
#define N_SLOTS 3u

/* A stack of three workers, of which worker i has buckets i, i + 3, ... */
struct bench {
    struct balance *balance;
    struct balance_input input;
    uint8_t owners[N_BUCKETS];
    uint64_t frames[N_BUCKETS];
};

static void bench_init(struct bench *bench, const struct balance_config *config)
{
    struct balance_config defaults;

    balance_defaults(&defaults);
    *bench = (struct bench){.input = {.interval_ms = 1000}};
    bench->balance = balance_new(N_BUCKETS, config == NULL ? &defaults : config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->balance);
    bench->input.owners = bench->owners;
    bench->input.frames = bench->frames;
    for (uint32_t i = 0; i < N_BUCKETS; i++)
        bench->owners[i] = (uint8_t)(i % N_SLOTS);
    for (uint32_t slot = 0; slot < N_SLOTS; slot++)
        bench->input.workers[slot].is_there = true;
}

/* One round in which each bucket gets so many frames. */
static void bench_round(struct bench *bench, const uint32_t rates[N_BUCKETS])
{
    for (uint32_t i = 0; i < N_BUCKETS; i++)
        bench->frames[i] += rates[i];
    balance_observe(bench->balance, &bench->input);
}

static void bench_busy(struct bench *bench, uint32_t a, uint32_t b, uint32_t c)
{
    bench->input.workers[0].busy_permille = a;
    bench->input.workers[1].busy_permille = b;
    bench->input.workers[2].busy_permille = c;
}

/* ---- the table ---- */

struct situation {
    const char *name;
    uint32_t busy_permille[N_SLOTS];
    uint32_t rates[N_BUCKETS];
    uint32_t n_rounds;
    enum balance_reason reason;
    uint32_t n_moves;
};

/* clang-format off */
#define ALIKE {100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100}
static const struct situation situations[] = {
    {"the first counts are no rates", {900, 100, 100}, ALIKE, 1, BALANCE_NO_MEASURES, 0},
    {"alike", {500, 500, 500}, ALIKE, 4, BALANCE_EVEN, 0},
    {"below the factor", {590, 400, 400}, ALIKE, 4, BALANCE_EVEN, 0},
    {"uneven once", {900, 100, 100}, ALIKE, 2, BALANCE_UNSURE, 0},
    {"uneven for long enough", {900, 300, 300}, ALIKE, 3, BALANCE_MOVE, 2},
    {"below the floor", {90, 10, 10}, ALIKE, 4, BALANCE_IDLE, 0},
    {"nothing at all", {0, 0, 0}, {0}, 4, BALANCE_IDLE, 0},
    {"one bucket is the load", {900, 100, 100}, {1000, 100, 100}, 4, BALANCE_ELEPHANT_LEFT, 0},
    {"two elephants on one worker", {900, 10, 10}, {1000, 10, 10, 1000}, 4, BALANCE_MOVE_ELEPHANT, 1},
    {"load that no bucket explains", {900, 100, 100}, {0, 100, 100}, 4, BALANCE_NO_GAIN, 0},
};
/* clang-format on */

/* Rounds in which worker 0 gets `n_pinned` frames besides those of its buckets. */
static void run_pinned(struct bench *bench, uint32_t rate, uint32_t n_pinned,
                       struct balance_decision *decision)
{
    uint32_t rates[N_BUCKETS];

    for (uint32_t i = 0; i < N_BUCKETS; i++)
        rates[i] = rate;
    for (int round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < N_BUCKETS; i++)
            bench->input.workers[bench->owners[i]].frames += rate;
        bench->input.workers[0].frames += n_pinned;
        bench_round(bench, rates);
    }
    balance_decide(bench->balance, false, decision);
}

static void test_pinned_load_is_no_buckets(void)
{
    struct bench bench;
    struct balance_decision decision;

    /* Half of the load of worker 0 is pinned: its six buckets weigh half of what they seem to. */
    bench_init(&bench, NULL);
    bench_busy(&bench, 800, 200, 200);
    run_pinned(&bench, 100, 600, &decision);
    CU_ASSERT_EQUAL(decision.reason, BALANCE_MOVE);
    CU_ASSERT_TRUE_FATAL(decision.n_moves > 0);
    CU_ASSERT_TRUE(decision.moves[0].load_permille >= 32 && decision.moves[0].load_permille <= 34);
    balance_free(bench.balance);
    /* Nearly all of it is pinned: no bucket would help. */
    bench_init(&bench, NULL);
    bench_busy(&bench, 900, 200, 200);
    run_pinned(&bench, 10, 10000, &decision);
    CU_ASSERT_EQUAL(decision.n_moves, 0);
    balance_free(bench.balance);
}

static void test_situations(void)
{
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        const struct situation *situation = &situations[i];
        struct balance_decision decision;
        struct bench bench;

        bench_init(&bench, NULL);
        bench_busy(&bench, situation->busy_permille[0], situation->busy_permille[1],
                   situation->busy_permille[2]);
        for (uint32_t round = 0; round < situation->n_rounds; round++)
            bench_round(&bench, situation->rates);
        balance_decide(bench.balance, false, &decision);
        CU_ASSERT_EQUAL(decision.reason, situation->reason);
        CU_ASSERT_EQUAL(decision.n_moves, situation->n_moves);
        if (decision.reason != situation->reason || decision.n_moves != situation->n_moves)
            CU_FAIL(situation->name); /* says which */
        balance_free(bench.balance);
    }
}

/* ---- what a decision says ---- */

static const uint32_t alike[N_BUCKETS] = ALIKE;

static void test_moves_go_from_heavy_to_light(void)
{
    struct balance_decision decision;
    struct bench bench;

    bench_init(&bench, NULL);
    bench_busy(&bench, 900, 300, 300);
    for (int i = 0; i < 3; i++)
        bench_round(&bench, alike);
    balance_decide(bench.balance, false, &decision);
    CU_ASSERT_EQUAL(decision.heaviest, 0);
    for (uint32_t i = 0; i < decision.n_moves; i++) {
        CU_ASSERT_EQUAL(decision.moves[i].from, 0);
        CU_ASSERT_NOT_EQUAL(decision.moves[i].to, 0);
        CU_ASSERT_EQUAL(bench.owners[decision.moves[i].bucket], 0);
        CU_ASSERT_EQUAL(decision.moves[i].load_permille, 75); /* a sixth of 450 */
    }
    CU_ASSERT_EQUAL(decision.max_permille, 450);
    CU_ASSERT_EQUAL(decision.new_max_permille, 300);
    CU_ASSERT_EQUAL(decision.new_min_permille, 225);
    balance_free(bench.balance);
}

static void test_decide_changes_nothing(void)
{
    struct balance_decision first, second;
    struct bench bench;

    bench_init(&bench, NULL);
    bench_busy(&bench, 900, 300, 300);
    for (int i = 0; i < 3; i++)
        bench_round(&bench, alike);
    balance_decide(bench.balance, true, &first);
    balance_decide(bench.balance, false, &second);
    CU_ASSERT_EQUAL(first.reason, second.reason);
    CU_ASSERT_EQUAL(memcmp(first.moves, second.moves, sizeof(first.moves)), 0);
    balance_free(bench.balance);
}

static void test_moved_buckets_rest_and_rounds_cool(void)
{
    struct balance_decision decision;
    struct bench bench;

    bench_init(&bench, NULL);
    bench_busy(&bench, 900, 300, 300);
    for (int i = 0; i < 3; i++)
        bench_round(&bench, alike);
    balance_decide(bench.balance, false, &decision);
    CU_ASSERT_EQUAL_FATAL(decision.reason, BALANCE_MOVE);
    balance_commit(bench.balance, &decision);
    for (uint32_t i = 0; i < decision.n_moves; i++)
        bench.owners[decision.moves[i].bucket] = decision.moves[i].to;
    /* Everything weighs on worker 1 now, as if the moves had been wrong. */
    bench_busy(&bench, 0, 1000, 0);
    for (int i = 0; i < 2; i++) {
        bench_round(&bench, alike);
        balance_decide(bench.balance, false, &decision);
        CU_ASSERT_EQUAL(decision.n_moves, 0);
    }
    for (int i = 0; i < 8; i++)
        bench_round(&bench, alike);
    balance_decide(bench.balance, false, &decision);
    CU_ASSERT_EQUAL(decision.reason, BALANCE_MOVE);
    for (uint32_t i = 0; i < decision.n_moves; i++)
        CU_ASSERT_EQUAL(decision.moves[i].bucket % N_SLOTS,
                        decision.moves[i].from); /* none that has just come */
    balance_free(bench.balance);
}

static void test_force_passes_over_patience(void)
{
    struct balance_decision decision;
    struct bench bench;

    bench_init(&bench, NULL);
    bench_busy(&bench, 80, 20, 20); /* below the floor, and only once */
    for (int i = 0; i < 2; i++)
        bench_round(&bench, alike);
    balance_decide(bench.balance, false, &decision);
    CU_ASSERT_EQUAL(decision.n_moves, 0);
    balance_decide(bench.balance, true, &decision);
    CU_ASSERT_EQUAL(decision.reason, BALANCE_MOVE);
    CU_ASSERT_TRUE(decision.n_moves > 0);
    balance_free(bench.balance);
}

static void test_absent_workers_take_no_part(void)
{
    struct balance_decision decision;
    struct bench bench;

    bench_init(&bench, NULL);
    bench_busy(&bench, 900, 300, 0);
    bench.input.workers[2].is_there = false;
    for (int i = 0; i < 4; i++)
        bench_round(&bench, alike);
    balance_decide(bench.balance, false, &decision);
    CU_ASSERT_EQUAL(decision.reason, BALANCE_MOVE);
    CU_ASSERT_EQUAL(decision.lightest, 1);
    for (uint32_t i = 0; i < decision.n_moves; i++)
        CU_ASSERT_EQUAL(decision.moves[i].to, 1);
    bench.input.workers[1].is_there = false;
    bench_round(&bench, alike);
    balance_decide(bench.balance, true, &decision);
    CU_ASSERT_EQUAL(decision.reason, BALANCE_TOO_FEW);
    balance_free(bench.balance);
}

static void test_new_frontend_starts_over(void)
{
    struct balance_decision decision;
    struct bench bench;

    bench_init(&bench, NULL);
    bench_busy(&bench, 900, 300, 300);
    for (int i = 0; i < 3; i++)
        bench_round(&bench, alike);
    memset(bench.frames, 0, sizeof(bench.frames));
    bench_round(&bench, alike);
    balance_decide(bench.balance, true, &decision);
    CU_ASSERT_EQUAL(decision.reason, BALANCE_NO_MEASURES);
    balance_free(bench.balance);
}

static void test_score_weighs(void)
{
    struct balance_config config;
    struct bench bench;

    balance_defaults(&config);
    config.weight_cpu = 50;
    config.weight_ring = 30;
    config.weight_connections = 20;
    bench_init(&bench, &config);
    bench.input.workers[0] = (struct balance_worker){
        .is_there = true, .busy_permille = 800, .ring_permille = 100, .connections_permille = 500};
    bench.input.workers[1] = (struct balance_worker){
        .is_there = true, .busy_permille = 5000, .ring_permille = 5000, .connections_permille = 5000};
    bench_round(&bench, alike);
    CU_ASSERT_EQUAL(balance_score_permille(bench.balance, 0), 530);
    CU_ASSERT_EQUAL(balance_score_permille(bench.balance, 1), 1000);
    CU_ASSERT_EQUAL(balance_score_permille(bench.balance, 15), 0);
    CU_ASSERT_EQUAL(balance_score_permille(bench.balance, 4000), 0);
    /* Another process in the slot: what the one before did is forgotten. */
    bench.input.workers[0].busy_permille = 0;
    bench.input.workers[0].life = 1;
    bench_round(&bench, alike);
    CU_ASSERT_EQUAL(balance_score_permille(bench.balance, 0), 130);
    balance_free(bench.balance);
}

static void test_config_faults(void)
{
    struct balance_config config;

    balance_defaults(&config);
    CU_ASSERT_PTR_NULL(balance_config_fault(&config));
    config.factor_permille = config.settle_permille - 1;
    CU_ASSERT_STRING_EQUAL(balance_config_fault(&config), "factor_permille");
    balance_defaults(&config);
    config.weight_cpu = config.weight_connections = 0; /* what is left tells of no bucket */
    CU_ASSERT_STRING_EQUAL(balance_config_fault(&config), "weights");
    balance_defaults(&config);
    config.max_moves = BALANCE_MAX_MOVES + 1;
    CU_ASSERT_STRING_EQUAL(balance_config_fault(&config), "max_moves");
}

static void test_every_reason_has_words(void)
{
    for (uint32_t reason = 0; reason < BALANCE_N_REASONS; reason++) {
        struct balance_decision decision = {
            .reason = (enum balance_reason)reason, .n_moves = 1, .lightest = 1};
        char text[200] = "";

        CU_ASSERT_PTR_NOT_NULL(balance_reason_name(decision.reason));
        balance_text(&decision, text, sizeof(text));
        CU_ASSERT_TRUE(strlen(text) > 0);
        balance_text(&decision, text, 8);
        CU_ASSERT_TRUE(strlen(text) < 8);
    }
}

static void test_a_worker_is_not_compared_with_itself(void)
{
    const struct balance_decision decision = {.reason = BALANCE_EVEN, .max_permille = 70, .min_permille = 70};
    char text[200];

    balance_text(&decision, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "no worker that could give has more than score 70: even enough");
}

const struct unit_test unit_tests[] = {
    {"the load of flows that are pinned is not that of buckets", test_pinned_load_is_no_buckets},
    {"each situation gets its reason and its number of moves", test_situations},
    {"moves go from the heaviest to lighter ones, with their weight", test_moves_go_from_heavy_to_light},
    {"deciding changes nothing: it is the dry run", test_decide_changes_nothing},
    {"after a move the measures get time and the buckets rest", test_moved_buckets_rest_and_rounds_cool},
    {"what an operator orders is not held back by floor and patience", test_force_passes_over_patience},
    {"workers that drain or are gone take no part", test_absent_workers_take_no_part},
    {"counts of a new frontend are no rates", test_new_frontend_starts_over},
    {"the score is the weighted mean, and a new life starts a new one", test_score_weighs},
    {"a configuration without sense is named", test_config_faults},
    {"every reason can be told", test_every_reason_has_words},
    {"a worker is not compared with itself", test_a_worker_is_not_compared_with_itself},
    {NULL, NULL},
};
