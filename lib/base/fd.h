/* SPDX-License-Identifier: BSD-3-Clause */
/* fd.h — descriptors: closing, sending over and receiving from Unix sockets, sockets by path. */
#ifndef MPA_BASE_FD_H
#define MPA_BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/assert.h"

#define FD_MAX_PASSED 8

/* Closes *fd if it is open and sets it to -1; errno is kept. */
void fd_close(int *fd);

int fd_set_nonblock(int fd) MPA_WARN_UNUSED;

/* The whole file as text with a NUL behind it. Its length, or -errno (-EFBIG: it does not fit). */
ssize_t fd_read_text(const char *path, char *text, size_t size) MPA_WARN_UNUSED;

/* A listening, non-blocking SEQPACKET socket at `path` with `mode`; an old socket file of a dead listener is
 * replaced, -EADDRINUSE when a living one answers. Returns the descriptor or -errno. */
int fd_listen_seqpacket(const char *path, mode_t mode) MPA_WARN_UNUSED;
/* 0 when `fd`, which another process has opened, is such a socket at `path`; it is made non-blocking. */
int fd_check_listener(int fd, const char *path) MPA_WARN_UNUSED;
/* A blocking connection to the listener at `path`. Returns the descriptor or -errno. */
int fd_connect_seqpacket(const char *path) MPA_WARN_UNUSED;
/* The same without waiting, and for a descriptor that never blocks; -EAGAIN: the listener has no room now. */
int fd_connect_seqpacket_now(const char *path) MPA_WARN_UNUSED;

/*
 * Sends one message with up to FD_MAX_PASSED descriptors (SCM_RIGHTS). Never blocks, never raises SIGPIPE.
 * Returns 0 or -errno (-EINVAL: an empty message or too many descriptors).
 */
int fd_send(int socket, const void *message, size_t size, const int *fds, size_t n_fds) MPA_WARN_UNUSED;

/*
 * Receives one message. Returns its size, 0 at end of file, or -errno (-EMSGSIZE: longer than `size` or more
 * descriptors than `max_fds`: all of them are closed). Received descriptors are close-on-exec and owned by
 * the caller; unused places of `fds` are set to -1.
 */
ssize_t fd_receive(int socket, void *message, size_t size, int *fds, size_t max_fds) MPA_WARN_UNUSED;

#endif
