/* SPDX-License-Identifier: BSD-3-Clause */
/* fd_test.c — descriptors over sockets: they arrive whole, and a refused message leaves none open. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"

static int pair[2];

static void pair_open(void)
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void pair_close(void)
{
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

/* The lowest free descriptor: the same before and after means that nothing was left open. */
static int lowest_free(void)
{
    int fd = dup(STDOUT_FILENO);
    const int number = fd;

    fd_close(&fd);
    return number;
}

static void make_memfds(int *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++) {
        fds[i] = memfd_create("fd_test", 0);
        CU_ASSERT_EQUAL_FATAL(ftruncate(fds[i], (off_t)i + 1), 0);
    }
}

static void close_all(int *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++)
        fd_close(&fds[i]);
}

static void descriptors_arrive_in_order_and_close_on_exec(void)
{
    int sent[FD_MAX_PASSED], received[FD_MAX_PASSED];
    struct stat info;
    char message[8];

    pair_open();
    make_memfds(sent, FD_MAX_PASSED);
    CU_ASSERT_EQUAL(fd_send(pair[0], "hello", 5, sent, FD_MAX_PASSED), 0);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), received, FD_MAX_PASSED), 5);
    CU_ASSERT_EQUAL(memcmp(message, "hello", 5), 0);
    for (size_t i = 0; i < FD_MAX_PASSED; i++) {
        CU_ASSERT_EQUAL_FATAL(fstat(received[i], &info), 0);
        CU_ASSERT_EQUAL(info.st_size, (off_t)i + 1);
        CU_ASSERT_TRUE((fcntl(received[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    close_all(sent, FD_MAX_PASSED);
    close_all(received, FD_MAX_PASSED);
    pair_close();
}

static void unused_places_are_minus_one(void)
{
    int sent[1], received[3] = {7, 7, 7};
    char message[8];

    pair_open();
    make_memfds(sent, 1);
    CU_ASSERT_EQUAL(fd_send(pair[0], "x", 1, sent, 1), 0);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), received, 3), 1);
    CU_ASSERT_TRUE(received[0] >= 0);
    CU_ASSERT_EQUAL(received[1], -1);
    CU_ASSERT_EQUAL(received[2], -1);
    CU_ASSERT_EQUAL(fd_send(pair[0], "y", 1, NULL, 0), 0);
    close_all(received, 1);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), received, 3), 1);
    CU_ASSERT_EQUAL(received[0], -1);
    close_all(sent, 1);
    pair_close();
}

static void a_refused_message_leaves_no_descriptor(void)
{
    int sent[4], received[4], before;
    char message[4];

    pair_open();
    make_memfds(sent, 4);
    before = lowest_free();
    CU_ASSERT_EQUAL(fd_send(pair[0], "more", 4, sent, 4), 0);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), received, 3), -EMSGSIZE);
    CU_ASSERT_EQUAL(lowest_free(), before);
    CU_ASSERT_EQUAL(fd_send(pair[0], "longer", 6, sent, 1), 0);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), received, 4), -EMSGSIZE);
    CU_ASSERT_EQUAL(lowest_free(), before);
    CU_ASSERT_EQUAL(fd_send(pair[0], "none", 4, sent, 2), 0);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), NULL, 0), -EMSGSIZE);
    CU_ASSERT_EQUAL(lowest_free(), before);
    close_all(sent, 4);
    pair_close();
}

static void more_than_the_most_is_refused(void)
{
    int sent[FD_MAX_PASSED + 1], before;
    char control[CMSG_SPACE(sizeof(sent))] = {0}, message[4];
    struct iovec body = {.iov_base = message, .iov_len = 1};
    struct msghdr header = {
        .msg_iov = &body, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    int received[FD_MAX_PASSED];

    pair_open();
    make_memfds(sent, FD_MAX_PASSED + 1);
    CU_ASSERT_EQUAL(fd_send(pair[0], "x", 1, sent, FD_MAX_PASSED + 1), -EINVAL);
    /* A hostile peer does not send with fd_send(). */
    message[0] = 'x';
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(sent));
    memcpy(CMSG_DATA(rights), sent, sizeof(sent));
    before = lowest_free();
    CU_ASSERT_EQUAL(sendmsg(pair[0], &header, 0), 1);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), received, FD_MAX_PASSED), -EMSGSIZE);
    CU_ASSERT_EQUAL(lowest_free(), before);
    close_all(sent, FD_MAX_PASSED + 1);
    pair_close();
}

static void sending_never_blocks_and_never_kills(void)
{
    static const char message[4096];
    int status = 0;

    pair_open();
    CU_ASSERT_EQUAL(fd_send(pair[0], message, 0, NULL, 0), -EINVAL);
    for (unsigned i = 0; i < 100000 && status == 0; i++)
        status = fd_send(pair[0], message, sizeof(message), NULL, 0);
    CU_ASSERT_EQUAL(status, -EAGAIN);
    pair_close();
    pair_open();
    fd_close(&pair[1]);
    CU_ASSERT_EQUAL(fd_send(pair[0], message, 1, NULL, 0), -EPIPE);
    pair_close();
}

static void end_of_file_is_zero(void)
{
    char message[4];

    pair_open();
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), NULL, 0), -EAGAIN);
    fd_close(&pair[0]);
    CU_ASSERT_EQUAL(fd_receive(pair[1], message, sizeof(message), NULL, 0), 0);
    pair_close();
}

static void closing_keeps_errno_and_forgets_the_number(void)
{
    int fd = dup(STDOUT_FILENO);

    errno = EPERM;
    fd_close(&fd);
    CU_ASSERT_EQUAL(fd, -1);
    fd_close(&fd);
    CU_ASSERT_EQUAL(errno, EPERM);
}

static void a_listener_replaces_a_dead_one_but_no_living(void)
{
    char folder[] = "/tmp/fd_test.XXXXXX", path[64];
    struct stat info;
    int listener, client, status;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    listener = fd_listen_seqpacket(path, 0600);
    CU_ASSERT_TRUE_FATAL(listener >= 0);
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0600);
    client = fd_connect_seqpacket(path);
    CU_ASSERT_TRUE(client >= 0);
    CU_ASSERT_EQUAL(fd_listen_seqpacket(path, 0600), -EADDRINUSE);
    fd_close(&client);
    fd_close(&listener);
    CU_ASSERT_EQUAL(fd_connect_seqpacket(path), -ECONNREFUSED);
    listener = fd_listen_seqpacket(path, 0666);
    CU_ASSERT_TRUE(listener >= 0);
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0666);
    fd_close(&listener);
    status = unlink(path) + rmdir(folder);
    CU_ASSERT_EQUAL(status, 0);
}

static void a_file_that_is_no_socket_is_left_alone(void)
{
    char path[] = "/tmp/fd_test.XXXXXX", long_path[200];
    int fd = mkstemp(path);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fd_listen_seqpacket(path, 0600), -EADDRINUSE);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
    fd_close(&fd);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    CU_ASSERT_EQUAL(fd_listen_seqpacket(long_path, 0600), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(fd_connect_seqpacket(long_path), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(fd_connect_seqpacket(path), -ENOENT);
}

static void a_listener_of_another_is_taken_only_if_it_is_the_right_one(void)
{
    const char *path = "/tmp/mpa-fd-test-listener";
    int listener = fd_listen_seqpacket(path, 0600);

    CU_ASSERT_FATAL(listener >= 0);
    CU_ASSERT_EQUAL(fd_check_listener(listener, path), 0);
    CU_ASSERT_EQUAL(fd_check_listener(listener, "/tmp/mpa-fd-test-other"), -EADDRNOTAVAIL);
    CU_ASSERT_TRUE((fcntl(listener, F_GETFL) & O_NONBLOCK) != 0);
    pair_open();
    CU_ASSERT_EQUAL(fd_check_listener(pair[0], path), -EINVAL);
    CU_ASSERT_EQUAL(fd_check_listener(STDIN_FILENO, path), -EINVAL);
    pair_close();
    fd_close(&listener);
    unlink(path);
}

const char unit_suite_name[] = "fd";
const struct unit_test unit_tests[] = {
    {"descriptors arrive in order and close on exec", descriptors_arrive_in_order_and_close_on_exec},
    {"unused places are -1", unused_places_are_minus_one},
    {"a refused message leaves no descriptor", a_refused_message_leaves_no_descriptor},
    {"more than the most is refused", more_than_the_most_is_refused},
    {"sending never blocks and never kills", sending_never_blocks_and_never_kills},
    {"end of file is zero", end_of_file_is_zero},
    {"closing keeps errno and forgets the number", closing_keeps_errno_and_forgets_the_number},
    {"a listener replaces a dead one but no living", a_listener_replaces_a_dead_one_but_no_living},
    {"a file that is no socket is left alone", a_file_that_is_no_socket_is_left_alone},
    {"a listener of another is taken only if it is the right one",
     a_listener_of_another_is_taken_only_if_it_is_the_right_one},
    {NULL, NULL}};
