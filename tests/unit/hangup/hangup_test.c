/* SPDX-License-Identifier: BSD-3-Clause */
/* hangup_test.c — which errors are told in another way, and what nng makes of it. */
#include "hangup/hangup.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "hangup";

#define N_HANGUPS 300
#define ANSWER_MS 5000

/* errno of sending to an end that has gone; 0: it was sent. */
static int send_to_gone(struct msghdr *message, int flags)
{
    char byte = 0;
    struct iovec body = {.iov_base = &byte, .iov_len = 1};
    int ends[2];
    ssize_t n;

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    message->msg_iov = &body;
    message->msg_iovlen = 1;
    n = sendmsg(ends[0], message, flags);
    close(ends[0]);
    return n < 0 ? errno : 0;
}

static void a_stream_that_has_gone_is_a_reset(void)
{
    struct msghdr message = {0};

    CU_ASSERT_EQUAL(send_to_gone(&message, MSG_NOSIGNAL), ECONNRESET);
}

static void other_callers_keep_their_error(void)
{
    char control[CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct msghdr message = {0};
    struct msghdr with_control = {.msg_control = control};

    CU_ASSERT_EQUAL(send_to_gone(&message, MSG_NOSIGNAL | MSG_DONTWAIT), EPIPE);
    CU_ASSERT_EQUAL(send_to_gone(&with_control, MSG_NOSIGNAL), EPIPE);
}

static void other_errors_and_good_sends_stay(void)
{
    char byte = 'x';
    struct iovec body = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    int ends[2];

    CU_ASSERT_EQUAL(sendmsg(-1, &message, MSG_NOSIGNAL), -1);
    CU_ASSERT_EQUAL(errno, EBADF);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    CU_ASSERT_EQUAL(sendmsg(ends[0], &message, MSG_NOSIGNAL), 1);
    byte = 0;
    CU_ASSERT_EQUAL(read(ends[1], &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'x');
    close(ends[0]);
    close(ends[1]);
}

/* Connects, greets with `n_bytes` of the eight, and leaves. */
static void hang_up(const char *path, size_t n_bytes)
{
    static const char greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    /* The other end may have closed it meanwhile. */
    (void)!send(fd, greeting, n_bytes, MSG_NOSIGNAL);
    close(fd);
}

/* One request and its reply, between sockets of nng. */
static void ask(nng_socket server, const char *url)
{
    nng_socket client;
    nng_msg *message = NULL;

    CU_ASSERT_EQUAL_FATAL(nng_req0_open(&client), 0);
    nng_socket_set_ms(client, NNG_OPT_RECVTIMEO, ANSWER_MS);
    nng_socket_set_ms(client, NNG_OPT_SENDTIMEO, ANSWER_MS);
    CU_ASSERT_EQUAL_FATAL(nng_dial(client, url, NULL, NNG_FLAG_NONBLOCK), 0);
    CU_ASSERT_EQUAL_FATAL(nng_msg_alloc(&message, 4), 0);
    CU_ASSERT_EQUAL_FATAL(nng_sendmsg(client, message, 0), 0);
    CU_ASSERT_EQUAL_FATAL(nng_recvmsg(server, &message, 0), 0);
    CU_ASSERT_EQUAL_FATAL(nng_sendmsg(server, message, 0), 0);
    CU_ASSERT_EQUAL_FATAL(nng_recvmsg(client, &message, 0), 0);
    nng_msg_free(message);
    nng_close(client);
}

static void a_listener_of_nng_outlives_hang_ups(void)
{
    char folder[] = "/tmp/mpa-hangup-XXXXXX";
    char path[64], url[80];
    nng_socket server;

    hangup_guard();
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(url, sizeof(url), "ipc://%s", path);
    CU_ASSERT_EQUAL_FATAL(nng_rep0_open(&server), 0);
    nng_socket_set_ms(server, NNG_OPT_RECVTIMEO, ANSWER_MS);
    CU_ASSERT_EQUAL_FATAL(nng_listen(server, url, NULL, 0), 0);
    for (unsigned i = 0; i < N_HANGUPS; i++)
        hang_up(path, i % 8);
    ask(server, url);
    nng_close(server);
    unlink(path);
    rmdir(folder);
}

const struct unit_test unit_tests[] = {
    {"a stream that has gone is a reset", a_stream_that_has_gone_is_a_reset},
    {"other callers keep their error", other_callers_keep_their_error},
    {"other errors and good sends stay", other_errors_and_good_sends_stay},
    {"a listener of nng outlives hang-ups", a_listener_of_nng_outlives_hang_ups},
    {NULL, NULL},
};
