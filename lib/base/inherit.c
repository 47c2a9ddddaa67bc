/* SPDX-License-Identifier: BSD-3-Clause */
/* inherit.c — LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES: descriptors from 3 on, names parted by colons. */
#include "base/inherit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define INHERIT_FIRST_FD 3
#define INHERIT_MAX_GIVEN 1024u /* as many as the manager may keep for one unit */

/* How many are ours: the variables may be meant for the process that started us. */
static unsigned inherit_count(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *n = getenv("LISTEN_FDS");

    if (pid == NULL || n == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    return (unsigned)strtoul(n, NULL, 10);
}

/* Copies the name in front of the next colon; false when it is empty or too long. Goes on behind it. */
static bool inherit_name(const char **names, char name[INHERIT_NAME_BYTES])
{
    size_t length = strcspn(*names, ":");
    bool is_good = length > 0 && length < INHERIT_NAME_BYTES;

    if (is_good) {
        memcpy(name, *names, length);
        name[length] = '\0';
    }
    *names += length;
    if (**names == ':')
        (*names)++;
    return is_good;
}

void inherit_open(struct inherit *inherit)
{
    const char *names = getenv("LISTEN_FDNAMES");
    unsigned n = inherit_count();

    *inherit = (struct inherit){0};
    if (names == NULL)
        names = "";
    for (unsigned i = 0; i < n && i < INHERIT_MAX_GIVEN; i++) {
        struct inherited it = {.fd = INHERIT_FIRST_FD + (int)i};
        bool has_name = inherit_name(&names, it.name);

        /* Not every one that is announced need be there. */
        if (fcntl(it.fd, F_SETFD, FD_CLOEXEC) < 0)
            continue;
        if (has_name && inherit->n < INHERIT_MAX)
            inherit->all[inherit->n++] = it;
        else
            close(it.fd);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

int inherit_take(struct inherit *inherit, const char *name)
{
    for (unsigned i = 0; i < inherit->n; i++) {
        int fd = inherit->all[i].fd;

        if (fd < 0 || strcmp(inherit->all[i].name, name) != 0)
            continue;
        inherit->all[i].fd = -1;
        return fd;
    }
    return -1;
}

void inherit_close(struct inherit *inherit)
{
    for (unsigned i = 0; i < inherit->n; i++)
        fd_close(&inherit->all[i].fd);
    inherit->n = 0;
}
