/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hangup.c — sendmsg() as libc has it, but for one error of one kind of call: see hangup.h.
 *
 * The dynamic linker looks for a function in the program first, and the linker exports what a library wants:
 * libnng and every other library call this one. The calls of nng's streams are told by their shape (no
 * address, no control data, MSG_NOSIGNAL and nothing else); other callers keep EPIPE, which some of them
 * know. Where this shape is met by others, both errors say that the peer has gone.
 *
 * ASan's and TSan's checks of sendmsg() are not made in programs with this one.
 */
#include "hangup/hangup.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"

/* As a stream of nng sends. */
static int is_plain(const struct msghdr *message, int flags)
{
    return flags == MSG_NOSIGNAL && message->msg_name == NULL && message->msg_control == NULL;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t n = syscall(SYS_sendmsg, fd, message, flags);

    if (n < 0 && errno == EPIPE && is_plain(message, flags))
        errno = ECONNRESET;
    return n;
}

void hangup_guard(void)
{
    mpa_assert(dlsym(RTLD_DEFAULT, "sendmsg") == (void *)sendmsg);
}
