/* SPDX-License-Identifier: BSD-3-Clause */
/* settings_test.c — a worker takes what an operator has changed from the frontend's half, within its rules.
 */
#include "base/log.h"
#include "shm/frontend_writes.h"
#include "tests/support/unit.h"
#include "tests/unit/worker/worker_rig.h"

static struct worker_rig rig;

/* The frontend writes both words, the worker looks. */
static void tell(uint32_t level, uint32_t orphan_s_plus_1)
{
    struct frontend_half *half = rig.frontend.half.base;

    atomic_store(&half->log_level, level);
    atomic_store(&half->orphan_s_plus_1, orphan_s_plus_1);
    worker_take_settings(&rig.worker);
}

static void it_takes_the_idle_limit(void)
{
    struct frontend_half *half;

    log_set_level(LOG_LEVEL_WARN);
    worker_rig_start(&rig);
    half = rig.frontend.half.base;
    atomic_store(&half->idle_s_plus_1, 1 + 604800);
    worker_take_settings(&rig.worker);
    CU_ASSERT_EQUAL(rig.worker.config.worker.idle_s, 604800);
    atomic_store(&half->idle_s_plus_1, 1 + 604801);
    worker_take_settings(&rig.worker);
    CU_ASSERT_EQUAL(rig.worker.config.worker.idle_s, 604800);
    worker_rig_end(&rig);
}

static void it_takes_level_and_patience(void)
{
    log_set_level(LOG_LEVEL_WARN);
    worker_rig_start(&rig);
    tell(LOG_LEVEL_ERROR, 1 + 7);
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_ERROR);
    CU_ASSERT_EQUAL(rig.worker.config.worker.orphan_s, 7);
    tell(LOG_LEVEL_WARN, 1);
    CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_WARN);
    CU_ASSERT_EQUAL(rig.worker.config.worker.orphan_s, 0);
    tell(LOG_LEVEL_WARN, 1 + 3600);
    CU_ASSERT_EQUAL(rig.worker.config.worker.orphan_s, 3600);
    worker_rig_end(&rig);
}

/* 0 is what a frontend says that has nothing to say, or knows of no such words. */
static void it_keeps_its_own_without_a_valid_word(void)
{
    static const uint32_t bad_levels[] = {0, 1, 2, 5, 8, 0xffffffffu};
    uint32_t before;

    log_set_level(LOG_LEVEL_WARN);
    worker_rig_start(&rig);
    before = rig.worker.config.worker.orphan_s;
    for (size_t i = 0; i < sizeof(bad_levels) / sizeof(bad_levels[0]); i++) {
        tell(bad_levels[i], 0);
        tell(bad_levels[i], 1 + 3601);
        tell(bad_levels[i], 0xffffffffu);
        CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_WARN);
        CU_ASSERT_EQUAL(rig.worker.config.worker.orphan_s, before);
    }
    worker_rig_end(&rig);
}

const char unit_suite_name[] = "worker/settings";
const struct unit_test unit_tests[] = {
    {"it takes level and patience", it_takes_level_and_patience},
    {"it takes the idle limit", it_takes_the_idle_limit},
    {"it keeps its own without a valid word", it_keeps_its_own_without_a_valid_word},
    {NULL, NULL}};
