/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notify.h — what a process tells the service manager that started it: ready, status, alive, and descriptors
 * it shall keep for the next life (sd_notify(3), the protocol of NOTIFY_SOCKET). Without such a manager every
 * call does nothing. The socket is opened before confinement; after it a notice costs one send() that never
 * blocks.
 */
#ifndef MPA_BASE_NOTIFY_H
#define MPA_BASE_NOTIFY_H

#include <stdint.h>

#include "base/assert.h"

struct notify {
    int socket;           /* -1: nobody listens */
    uint64_t interval_ns; /* between two signs of life; 0: none are wanted */
    uint64_t next_ns;
};

/* Takes the socket and the watchdog's interval from the environment, and takes them out of it: a child must
 * not speak in our name. Never fails: what cannot be reached is not told, after one WARN. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* Sends "READY=1", "STATUS=...", or several such lines. Lost when the manager does not read. */
void notify_tell(const struct notify *notify, const char *lines);

/* A sign of life, if one is due at `now_ns` (clock_now_ns()). Called by the loop itself, from the turn that a
 * stuck loop would not reach. */
void notify_alive(struct notify *notify, uint64_t now_ns);

/* Asks the manager to keep a duplicate of `fd` under `name` (no colon, no blank) and to hand it to our next
 * life: see inherit.h. 0 or -errno (-ENOTCONN: there is no manager). */
int notify_store(const struct notify *notify, const char *name, int fd) MPA_WARN_UNUSED;

#endif
