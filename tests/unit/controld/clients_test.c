/* SPDX-License-Identifier: BSD-3-Clause */
/* clients_test.c — what one connection may take of what all share. */
#include "controlplane/controld/clients.h"

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/clients";

#define SECOND_NS 1000000000ull

static struct clients clients;

static const struct client_identity admin = {.role = ACCESS_ADMIN, .pid = 4242};
static const struct client_identity reader = {.role = ACCESS_READ, .pid = 4343};

static void begin(void)
{
    static const struct access nobody;

    clients_init(&clients, &nobody);
}

static enum client_verdict ask(int pipe_id, uint64_t now_ns)
{
    struct client_identity identity;

    return clients_begin(&clients, pipe_id, now_ns, &identity);
}

static void whoever_asks_is_known(void)
{
    struct client_identity identity;

    begin();
    CU_ASSERT_EQUAL(clients_add(&clients, 7, &reader, 0), 0);
    CU_ASSERT_EQUAL(clients_begin(&clients, 7, 0, &identity), CLIENT_GOOD);
    CU_ASSERT_EQUAL(identity.role, ACCESS_READ);
    CU_ASSERT_EQUAL(identity.pid, 4343);
    clients_end(&clients, 7);
    clients_remove(&clients, 7);
    CU_ASSERT_EQUAL(clients_begin(&clients, 7, 0, &identity), CLIENT_GOOD);
    CU_ASSERT_EQUAL(identity.role, ACCESS_NONE);
    clients_end(&clients, 7);
    CU_ASSERT_EQUAL(clients.n, 0);
    clients_fini(&clients);
}

static void requests_that_wait_are_bounded_for_each(void)
{
    begin();
    CU_ASSERT_EQUAL(clients_add(&clients, 7, &admin, 0), 0);
    CU_ASSERT_EQUAL(clients_add(&clients, 8, &admin, 0), 0);
    for (unsigned i = 0; i < CLIENT_MAX_WAITING; i++)
        CU_ASSERT_EQUAL(ask(7, 0), CLIENT_GOOD);
    CU_ASSERT_EQUAL(ask(7, 0), CLIENT_TOO_MANY);
    CU_ASSERT_EQUAL(ask(8, 0), CLIENT_GOOD);
    clients_end(&clients, 7);
    clients_end(&clients, 7);
    CU_ASSERT_EQUAL(ask(7, 0), CLIENT_GOOD);
    clients_fini(&clients);
}

static void readers_together_leave_room_for_admins(void)
{
    begin();
    for (int pipe = 1; pipe <= 20; pipe++)
        CU_ASSERT_EQUAL(clients_add(&clients, pipe, &reader, 0), 0);
    for (int pipe = 1; pipe <= (int)CLIENTS_MAX_GUESTS; pipe++)
        CU_ASSERT_EQUAL(ask(pipe, 0), CLIENT_GOOD);
    CU_ASSERT_EQUAL(ask(20, 0), CLIENT_TOO_MANY);
    CU_ASSERT_EQUAL(clients_add(&clients, 99, &admin, 0), 0);
    CU_ASSERT_EQUAL(ask(99, 0), CLIENT_GOOD);
    /* One that leaves takes what it had waiting with it. */
    clients_remove(&clients, 1);
    clients_remove(&clients, 20);
    CU_ASSERT_EQUAL(ask(19, 0), CLIENT_GOOD);
    clients_fini(&clients);
}

static void a_flood_is_slowed_to_the_rate(void)
{
    unsigned n_good = 0;

    begin();
    CU_ASSERT_EQUAL(clients_add(&clients, 7, &admin, 0), 0);
    for (unsigned i = 0; i < 20000; i++) {
        n_good += ask(7, i * (SECOND_NS / 10000)) == CLIENT_GOOD;
        clients_end(&clients, 7);
    }
    CU_ASSERT_TRUE(n_good >= CLIENT_BURST + 2 * CLIENT_RATE_PER_S - 2);
    CU_ASSERT_TRUE(n_good <= CLIENT_BURST + 2 * CLIENT_RATE_PER_S);
    CU_ASSERT_EQUAL(ask(7, 3600 * SECOND_NS), CLIENT_GOOD);
    CU_ASSERT_EQUAL(clients.places[0].tokens, CLIENT_BURST - 1);
    clients_fini(&clients);
}

static void one_too_many_cuts_off_who_is_idle_longest(void)
{
    begin();
    for (int pipe = 1; pipe <= (int)CLIENTS_MAX; pipe++)
        CU_ASSERT_EQUAL(clients_add(&clients, pipe, &admin, (uint64_t)pipe), 0);
    CU_ASSERT_EQUAL(ask(1, 5000), CLIENT_GOOD);
    CU_ASSERT_EQUAL(ask(2, 5000), CLIENT_GOOD);
    clients_end(&clients, 2);
    CU_ASSERT_EQUAL(clients_add(&clients, 1000, &admin, 6000), 3);
    CU_ASSERT_EQUAL(clients_add(&clients, 1001, &admin, 6001), 4);
    CU_ASSERT_EQUAL(clients.n, CLIENTS_MAX);
    clients_remove(&clients, 3);
    CU_ASSERT_EQUAL(clients.n, CLIENTS_MAX);
    clients_fini(&clients);
}

static void guests_give_way_before_admins(void)
{
    begin();
    for (int pipe = 1; pipe <= (int)CLIENTS_MAX; pipe++)
        CU_ASSERT_EQUAL(clients_add(&clients, pipe, pipe == 200 ? &reader : &admin, (uint64_t)pipe), 0);
    CU_ASSERT_EQUAL(clients_add(&clients, 1000, &admin, 6000), 200);
    CU_ASSERT_EQUAL(clients_add(&clients, 1001, &reader, 6001), 1001);
    clients_fini(&clients);
}

static void without_room_the_newcomer_goes(void)
{
    begin();
    for (int pipe = 1; pipe <= (int)CLIENTS_ROOM; pipe++) {
        CU_ASSERT_EQUAL(clients_add(&clients, pipe, &admin, 0), pipe <= (int)CLIENTS_MAX ? 0 : pipe);
        /* All of them wait for an answer, so that nobody is idle. */
        if (pipe <= (int)CLIENTS_MAX)
            CU_ASSERT_EQUAL(ask(pipe, 1), CLIENT_GOOD);
    }
    CU_ASSERT_EQUAL(clients.n, CLIENTS_MAX);
    clients_fini(&clients);
}

const struct unit_test unit_tests[] = {
    {"whoever asks is known", whoever_asks_is_known},
    {"requests that wait are bounded for each", requests_that_wait_are_bounded_for_each},
    {"readers together leave room for admins", readers_together_leave_room_for_admins},
    {"a flood is slowed to the rate", a_flood_is_slowed_to_the_rate},
    {"one too many cuts off who is idle longest", one_too_many_cuts_off_who_is_idle_longest},
    {"guests give way before admins", guests_give_way_before_admins},
    {"without room the newcomer goes", without_room_the_newcomer_goes},
    {NULL, NULL},
};
