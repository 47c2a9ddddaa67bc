/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hangup.c — sendmsg() and epoll_wait() as libc has them, but for what nng is told of peers that have gone:
 * see hangup.h.
 *
 * The dynamic linker looks for a function in the program first, and the linker exports what a library wants:
 * libnng and every other library call these. A call of nng's streams is told by its shape (no address, no
 * control data, MSG_NOSIGNAL and nothing else), its poller by the name of its thread; other callers get what
 * the kernel says.
 *
 * Why an end must come by the receiver alone: nng closes both directions at once, from whichever of its
 * threads sees the end first. When the call back of the other direction is on its way at that moment and
 * wants to go on (the second part of a message), its call is refused without a call back, and the thread that
 * gives connections back waits for that one for ever. An end that only the receiver sees finds it idle, and a
 * sender that has nothing on its way but whole messages has nothing to go on with.
 *
 * ASan's and TSan's checks of both functions are not made in programs with these.
 */
#include "hangup/hangup.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"

#define GREETING_BYTES 8
#define POLLER_NAME "nng:poll:epoll"
#define THREAD_NAME_BYTES 16 /* of prctl(2) */

/* As a stream of nng sends. */
static bool is_plain(const struct msghdr *message, int flags)
{
    return flags == MSG_NOSIGNAL && message->msg_name == NULL && message->msg_control == NULL;
}

/* The first eight bytes of a connection, of the SP mapping for streams: nobody receives yet. */
static bool is_greeting(const struct msghdr *message)
{
    return message->msg_iovlen == 1 && message->msg_iov[0].iov_len == GREETING_BYTES &&
           memcmp(message->msg_iov[0].iov_base, "\0SP", 4) == 0;
}

static size_t message_bytes(const struct msghdr *message)
{
    size_t n_bytes = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        n_bytes += message->msg_iov[i].iov_len;
    return n_bytes;
}

/*
 * True for a unix socket that poll() would not call writable: more than a quarter of its buffer is full
 * (unix_writable() in Linux). What is sent to a writable one goes whole, up to about the size of the buffer.
 */
static bool is_filled(int fd)
{
    int queued_bytes, buffer_bytes, domain;
    socklen_t size = sizeof(int);

    if (ioctl(fd, SIOCOUTQ, &queued_bytes) < 0 || queued_bytes <= 0)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &size) == 0 &&
           queued_bytes > buffer_bytes / 4;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n;

    if (!is_plain(message, flags))
        return syscall(SYS_sendmsg, fd, message, flags);
    if (is_filled(fd)) {
        errno = EAGAIN;
        return -1;
    }
    n = syscall(SYS_sendmsg, fd, message, flags);
    if (n >= 0 || (errno != EPIPE && errno != ECONNRESET))
        return n;
    errno = ECONNRESET;
    return is_greeting(message) ? -1 : (ssize_t)message_bytes(message);
}

static bool is_poller(void)
{
    static _Thread_local enum { UNKNOWN, POLLER, OTHER } kind;
    char name[THREAD_NAME_BYTES] = "";

    if (kind == UNKNOWN)
        kind = prctl(PR_GET_NAME, name) == 0 && strcmp(name, POLLER_NAME) == 0 ? POLLER : OTHER;
    return kind == POLLER;
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int n_max, int timeout_ms)
{
    int n = epoll_pwait(epoll_fd, events, n_max, timeout_ms, NULL);

    for (int i = 0; i < n && is_poller(); i++) {
        if ((events[i].events & EPOLLERR) != 0)
            events[i].events = (events[i].events & ~(uint32_t)EPOLLERR) | EPOLLIN | EPOLLOUT;
    }
    return n;
}

void hangup_guard(void)
{
    mpa_assert(dlsym(RTLD_DEFAULT, "sendmsg") == (void *)sendmsg);
    mpa_assert(dlsym(RTLD_DEFAULT, "epoll_wait") == (void *)epoll_wait);
}
