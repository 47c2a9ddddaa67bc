/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inherit.h — descriptors that the service manager hands over at start: listening sockets that it has opened
 * for us, and what an earlier life gave it to keep (notify_store()); sd_listen_fds(3).
 */
#ifndef MPA_BASE_INHERIT_H
#define MPA_BASE_INHERIT_H

#include "base/assert.h"

#define INHERIT_MAX 8
#define INHERIT_NAME_BYTES 32

struct inherited {
    char name[INHERIT_NAME_BYTES];
    int fd; /* close-on-exec; -1: taken */
};

struct inherit {
    struct inherited all[INHERIT_MAX];
    unsigned n;
};

/* Takes what is there, and the variables that tell of it out of the environment. Descriptors beyond
 * INHERIT_MAX and those without a name are closed. Before the process opens anything of its own. */
void inherit_open(struct inherit *inherit);
/* The descriptor of that name, from now on the caller's; -1: none (left). */
int inherit_take(struct inherit *inherit, const char *name);
/* Closes what nobody has taken. */
void inherit_close(struct inherit *inherit);

#endif
