/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hangup.h — sockets of nng that outlive clients who hang up. nng 1.5.2 has two faults with them:
 *
 * 1. It accepts no more, for ever and without a word, when sendmsg() fails with EPIPE while it greets a
 *    client: it translates that to NNG_ECLOSED, which is also how it tells itself that a listener was closed
 *    (listener_accept_cb() in its core; a dialer stops in the same way). One process that connects and leaves
 *    at once is enough. ECONNRESET, the other error of a peer that has gone, makes it accept the next.
 * 2. It gives no connection back any more, neither memory nor descriptor, after one whose sender found out
 *    that the peer has gone while a message was being received. A client that asks, never reads and leaves
 *    does it often; nng_close() then hangs too.
 *
 * So programs that link this library have a sendmsg() and an epoll_wait() of their own, which nng finds
 * before libc's: a greeting fails with ECONNRESET; any other message to a peer that has gone is sent, into
 * the void, and the receiver finds the end; errors wake both directions like data; and a unix socket takes a
 * message whole or not at all.
 *
 * Not cured: a message greater than the socket's buffer (200 KiB by default) still goes in parts, and over
 * TCP any may.
 */
#ifndef MPA_HANGUP_H
#define MPA_HANGUP_H

/*
 * Call before the first socket of nng is opened: links this library in, and makes sure that libraries do find
 * ours; a build in which they do not is our bug and stops here. Any thread, no system call.
 */
void hangup_guard(void);

#endif
