/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hangup.h — a listener of nng that outlives clients who hang up in the middle of their greeting.
 *
 * nng 1.5.2 accepts no more, for ever and without a word, when sendmsg() fails with EPIPE while it greets a
 * client: it translates that to NNG_ECLOSED, which is also how it tells itself that a listener was closed
 * (listener_accept_cb() in its core; a dialer stops in the same way). One process that connects and leaves at
 * once is enough. ECONNRESET, the other error of a peer that has gone, makes it accept the next. So
 * programs that link this library have a sendmsg() of their own, which nng finds before libc's and which
 * tells the one as the other.
 */
#ifndef MPA_HANGUP_H
#define MPA_HANGUP_H

/*
 * Call before the first socket of nng is opened: links this library in, and makes sure that libraries do find
 * our sendmsg(); a build in which they do not is our bug and stops here. Any thread, no system call.
 */
void hangup_guard(void);

#endif
