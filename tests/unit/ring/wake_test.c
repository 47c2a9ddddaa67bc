/* SPDX-License-Identifier: BSD-3-Clause */
/* wake_test.c — sleeping and waking: no signal without need, none lost, never blocked. */
#include "ring/wake.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"

static struct rig {
    int sockets[2];
    struct lane_index sleeping[2];
    struct wake producer, consumer;
} rig;

static void start(void)
{
    rig = (struct rig){0};
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, rig.sockets), 0);
    wake_init(&rig.producer, rig.sockets[0], &rig.sleeping[0], &rig.sleeping[1]);
    wake_init(&rig.consumer, rig.sockets[1], &rig.sleeping[1], &rig.sleeping[0]);
}

static void end(void)
{
    close(rig.sockets[0]);
    close(rig.sockets[1]);
}

static bool has_signal(void)
{
    char byte;

    return recv(rig.sockets[1], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

static void test_awake_peer_is_left_alone(void)
{
    start();
    CU_ASSERT_FALSE(wake_peer(&rig.producer));
    CU_ASSERT_FALSE(has_signal());
    wake_announce(&rig.consumer);
    wake_cancel(&rig.consumer, false);
    CU_ASSERT_FALSE(wake_peer(&rig.producer));
    CU_ASSERT_FALSE(has_signal());
    end();
}

static void test_one_signal_for_one_sleep(void)
{
    start();
    wake_announce(&rig.consumer);
    CU_ASSERT(wake_peer(&rig.producer));
    CU_ASSERT(has_signal());
    for (int i = 0; i < 10; i++)
        CU_ASSERT_FALSE(wake_peer(&rig.producer));
    wake_cancel(&rig.consumer, true);
    CU_ASSERT_FALSE(has_signal());
    wake_announce(&rig.consumer);
    CU_ASSERT(wake_peer(&rig.producer));
    CU_ASSERT(has_signal());
    end();
}

static void test_full_socket_never_blocks(void)
{
    int n_sent = 0;

    start();
    /* A peer that announces sleep after sleep and never reads. */
    for (uint32_t count = 1; count < 20000; count += 2) {
        atomic_store(&rig.sleeping[1].value, count);
        n_sent += wake_peer(&rig.producer);
    }
    CU_ASSERT(n_sent > 0 && n_sent < 10000);
    end();
}

static void test_flood_does_not_hold_the_reader(void)
{
    start();
    while (send(rig.sockets[0], "", 1, MSG_DONTWAIT) == 1)
        ;
    wake_announce(&rig.consumer);
    wake_cancel(&rig.consumer, true); /* reads a bounded number and goes on */
    end();
}

static void test_closed_peer_is_no_signal(void)
{
    start();
    close(rig.sockets[1]);
    rig.sockets[1] = -1;
    atomic_store(&rig.sleeping[1].value, 1u);
    CU_ASSERT_FALSE(wake_peer(&rig.producer)); /* and no SIGPIPE */
    end();
}

const char unit_suite_name[] = "ring: wake";
const struct unit_test unit_tests[] = {
    {"a peer that is awake gets no signal", test_awake_peer_is_left_alone},
    {"each sleep is answered by one signal", test_one_signal_for_one_sleep},
    {"a peer that never reads cannot block the waker", test_full_socket_never_blocks},
    {"a peer that floods cannot hold the reader", test_flood_does_not_hold_the_reader},
    {"a peer that is gone costs nothing", test_closed_peer_is_no_signal},
    {NULL, NULL},
};
