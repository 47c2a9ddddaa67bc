/* SPDX-License-Identifier: BSD-3-Clause */
/* follow_test.c — a subscriber that misses events knows it. */
#include "controlplane/mpactl/follow.h"

#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/follow";

static enum follow_step see(struct follow *follow, uint64_t life, uint64_t sequence)
{
    Mpa__V1__Event event = MPA__V1__EVENT__INIT;

    event.life = life;
    event.sequence = sequence;
    return follow_see(follow, &event);
}

static void catch_up(struct follow *follow, uint64_t life, uint64_t last)
{
    Mpa__V1__GetSnapshotReply snapshot = MPA__V1__GET_SNAPSHOT_REPLY__INIT;

    snapshot.life = life;
    snapshot.last_sequence = last;
    follow_catch_up(follow, &snapshot);
}

static void it_begins_anywhere(void)
{
    struct follow follow = {0};

    CU_ASSERT_EQUAL(see(&follow, 7, 100), FOLLOW_NEXT);
    CU_ASSERT_EQUAL(see(&follow, 7, 101), FOLLOW_NEXT);
}

static void a_gap_is_seen_and_repaired_once(void)
{
    struct follow follow = {0};

    CU_ASSERT_EQUAL(see(&follow, 7, 5), FOLLOW_NEXT);
    CU_ASSERT_EQUAL(see(&follow, 7, 9), FOLLOW_GAP);
    CU_ASSERT_EQUAL(follow.last, 5);
    catch_up(&follow, 7, 12);
    CU_ASSERT_EQUAL(see(&follow, 7, 9), FOLLOW_OLD);
    CU_ASSERT_EQUAL(see(&follow, 7, 12), FOLLOW_OLD);
    CU_ASSERT_EQUAL(see(&follow, 7, 13), FOLLOW_NEXT);
}

static void a_new_controld_counts_anew(void)
{
    struct follow follow = {0};

    CU_ASSERT_EQUAL(see(&follow, 7, 50), FOLLOW_NEXT);
    CU_ASSERT_EQUAL(see(&follow, 8, 1), FOLLOW_NEXT);
    CU_ASSERT_EQUAL(see(&follow, 8, 2), FOLLOW_NEXT);
}

static void events_missed_at_a_restart_are_a_gap_even_if_the_numbers_fit(void)
{
    struct follow follow = {0};

    CU_ASSERT_EQUAL(see(&follow, 7, 3), FOLLOW_NEXT);
    CU_ASSERT_EQUAL(see(&follow, 8, 4), FOLLOW_GAP);
    CU_ASSERT_EQUAL(follow.life, 7);
    catch_up(&follow, 8, 4);
    CU_ASSERT_EQUAL(see(&follow, 8, 4), FOLLOW_OLD);
    CU_ASSERT_EQUAL(see(&follow, 8, 5), FOLLOW_NEXT);
}

static void an_older_sender_without_lives_is_followed(void)
{
    struct follow follow = {0};

    CU_ASSERT_EQUAL(see(&follow, 0, 3), FOLLOW_NEXT);
    CU_ASSERT_EQUAL(see(&follow, 0, 6), FOLLOW_GAP);
    catch_up(&follow, 0, 6);
    CU_ASSERT_EQUAL(see(&follow, 0, 1), FOLLOW_NEXT);
}

const struct unit_test unit_tests[] = {
    {"it begins anywhere", it_begins_anywhere},
    {"a gap is seen and repaired once", a_gap_is_seen_and_repaired_once},
    {"a new controld counts anew", a_new_controld_counts_anew},
    {"events missed at a restart are a gap even if the numbers fit",
     events_missed_at_a_restart_are_a_gap_even_if_the_numbers_fit},
    {"an older sender without lives is followed", an_older_sender_without_lives_is_followed},
    {NULL, NULL},
};
