/* SPDX-License-Identifier: BSD-3-Clause */
/* hangup_test.c — which errors are told in another way, and what nng makes of it. */
#include "hangup/hangup.h"

#include <dirent.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "hangup";

/*
 * nng 1.5.2 loses the memory of a reply that it is given in the moment in which its connection closes (rep0
 * frees only what it has received): one for some thousand hang-ups, and nothing that we could free.
 * Everything else still counts.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng.so\n";
}

#define N_HANGUPS 300
#define ANSWER_MS 5000
#define REPLY_BYTES 20000

/* errno of sending to an end that has gone; 0: it was sent whole. */
static int send_to_gone(const struct msghdr *message, int flags)
{
    size_t n_bytes = 0;
    int ends[2];
    ssize_t n;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        n_bytes += message->msg_iov[i].iov_len;
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    n = sendmsg(ends[0], message, flags);
    close(ends[0]);
    CU_ASSERT(n < 0 || (size_t)n == n_bytes);
    return n < 0 ? errno : 0;
}

static const char greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static void a_greeting_of_one_that_has_gone_is_a_reset(void)
{
    struct iovec body = {.iov_base = (char *)greeting, .iov_len = sizeof(greeting)};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};

    CU_ASSERT_EQUAL(send_to_gone(&message, MSG_NOSIGNAL), ECONNRESET);
}

static void a_message_to_one_that_has_gone_is_sent(void)
{
    char bytes[2][9] = {0};
    struct iovec body[] = {{.iov_base = bytes[0], .iov_len = 9}, {.iov_base = bytes[1], .iov_len = 4}};
    struct msghdr message = {.msg_iov = body, .msg_iovlen = 2};

    CU_ASSERT_EQUAL(send_to_gone(&message, MSG_NOSIGNAL), 0);
}

/* Parts would have to be gone on with. */
static void a_message_is_sent_whole_or_not_at_all(void)
{
    static char bytes[100000], sink[100000];
    struct iovec body = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    ssize_t n = 0, n_total = 0, n_read = 0;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    for (unsigned i = 0; i < 100 && n >= 0; i++) {
        n = sendmsg(ends[0], &message, MSG_NOSIGNAL);
        CU_ASSERT(n == (ssize_t)sizeof(bytes) || (n < 0 && errno == EAGAIN));
        n_total += n > 0 ? n : 0;
    }
    CU_ASSERT_TRUE(n < 0 && n_total > 0);
    while ((n = read(ends[1], sink, sizeof(sink))) > 0)
        n_read += n;
    CU_ASSERT_EQUAL(n_read, n_total);
    CU_ASSERT_EQUAL(sendmsg(ends[0], &message, MSG_NOSIGNAL), (ssize_t)sizeof(bytes));
    close(ends[0]);
    close(ends[1]);
}

static void other_callers_keep_their_error(void)
{
    char control[CMSG_SPACE(sizeof(struct ucred))] = {0};
    char byte = 0;
    struct iovec body = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    struct msghdr with_control = {.msg_iov = &body, .msg_iovlen = 1, .msg_control = control};

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

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Connects, greets with `n_bytes` of the eight, and leaves. */
static void hang_up(const char *path, size_t n_bytes)
{
    int fd = connect_to(path);

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

/* A replier at a path of its own. */
struct replier {
    nng_socket socket;
    char folder[32], path[64], url[80];
};

static void replier_open(struct replier *replier)
{
    hangup_guard();
    snprintf(replier->folder, sizeof(replier->folder), "/tmp/mpa-hangup-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(replier->folder));
    snprintf(replier->path, sizeof(replier->path), "%s/socket", replier->folder);
    snprintf(replier->url, sizeof(replier->url), "ipc://%s", replier->path);
    CU_ASSERT_EQUAL_FATAL(nng_rep0_open(&replier->socket), 0);
    nng_socket_set_ms(replier->socket, NNG_OPT_RECVTIMEO, ANSWER_MS);
    CU_ASSERT_EQUAL_FATAL(nng_listen(replier->socket, replier->url, NULL, 0), 0);
}

static void replier_close(struct replier *replier)
{
    nng_close(replier->socket);
    unlink(replier->path);
    rmdir(replier->folder);
}

static void a_listener_of_nng_outlives_hang_ups(void)
{
    struct replier replier;

    replier_open(&replier);
    for (unsigned i = 0; i < N_HANGUPS; i++)
        hang_up(replier.path, i % 8);
    ask(replier.socket, replier.url);
    replier_close(&replier);
}

static unsigned count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned n = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

/* Asks many times, reads nothing, and leaves. */
static void *never_read(void *path)
{
    static const char request[] = {1, 0, 0, 0, 0, 0, 0, 0, 8, (char)0x80, 0, 0, 1, 'a', 's', 'k', '?'};

    for (unsigned i = 0; i < N_HANGUPS; i++) {
        int fd = connect_to(path);

        (void)!send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL);
        for (unsigned k = 0; k < 40; k++)
            (void)!send(fd, request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
    }
    return NULL;
}

/* Replies with much to whatever comes, until nothing has come for a while. */
static void *reply_to_all(void *argument)
{
    const nng_socket *socket = argument;
    nng_msg *message;

    nng_socket_set_ms(*socket, NNG_OPT_RECVTIMEO, 500);
    while (nng_recvmsg(*socket, &message, 0) == 0) {
        if (nng_msg_realloc(message, REPLY_BYTES) != 0 || nng_sendmsg(*socket, message, 0) != 0)
            nng_msg_free(message);
    }
    return NULL;
}

static void clients_that_never_read_give_their_descriptors_back(void)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    struct replier replier;
    pthread_t readers[3], server;
    unsigned n_before, n_looks = 0;

    replier_open(&replier);
    n_before = count_descriptors();
    pthread_create(&server, NULL, reply_to_all, &replier.socket);
    for (unsigned i = 0; i < 3; i++)
        pthread_create(&readers[i], NULL, never_read, replier.path);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(readers[i], NULL);
    pthread_join(server, NULL);
    while (count_descriptors() > n_before && n_looks++ < 300)
        nanosleep(&moment, NULL);
    CU_ASSERT(count_descriptors() <= n_before);
    replier_close(&replier);
}

const struct unit_test unit_tests[] = {
    {"a greeting of one that has gone is a reset", a_greeting_of_one_that_has_gone_is_a_reset},
    {"a message to one that has gone is sent", a_message_to_one_that_has_gone_is_sent},
    {"a message is sent whole or not at all", a_message_is_sent_whole_or_not_at_all},
    {"other callers keep their error", other_callers_keep_their_error},
    {"other errors and good sends stay", other_errors_and_good_sends_stay},
    {"a listener of nng outlives hang-ups", a_listener_of_nng_outlives_hang_ups},
    {"clients that never read give their descriptors back",
     clients_that_never_read_give_their_descriptors_back},
    {NULL, NULL},
};
