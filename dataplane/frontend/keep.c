/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keep.c — a TAP that we made is kept over our death, with the addresses and routes that others gave it: the
 * workers come back to the next frontend with open connections, and their peers must still be there. It goes
 * with us when we end in order and no worker is left. One that stood there before us is not ours to keep or
 * to take away; which is which stands in RUNTIME/nic.kept, because the next frontend has to know too.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/frontend.h"

#define KEEP_FILE "nic.kept"

/* What tells one interface from all others: indexes are used again in other network namespaces only. */
struct kept_nic {
    char name[CONFIG_NAME_BYTES];
    uint32_t index;
    uint32_t zero; /* the struct is compared whole */
    uint64_t namespace;
};

static void keep_path(const struct frontend *frontend, char path[CONFIG_PATH_BYTES + 16])
{
    snprintf(path, CONFIG_PATH_BYTES + 16, "%s/" KEEP_FILE, frontend->config.control.runtime_dir);
}

static void kept_now(const struct frontend *frontend, struct kept_nic *kept)
{
    struct stat status = {0};

    *kept = (struct kept_nic){.index = if_nametoindex(frontend->config.nic.name)};
    snprintf(kept->name, sizeof(kept->name), "%s", frontend->config.nic.name);
    if (stat("/proc/self/ns/net", &status) == 0)
        kept->namespace = (uint64_t)status.st_ino;
}

static bool kept_before(const struct frontend *frontend, const struct kept_nic *now)
{
    char path[CONFIG_PATH_BYTES + 16];
    struct kept_nic before;
    ssize_t size;
    int fd;

    keep_path(frontend, path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    size = read(fd, &before, sizeof(before));
    fd_close(&fd);
    return size == (ssize_t)sizeof(before) && memcmp(&before, now, sizeof(before)) == 0;
}

/* 0 or -errno. */
static int keep_write(const struct frontend *frontend, const struct kept_nic *kept)
{
    char path[CONFIG_PATH_BYTES + 16];
    int failed = 0;
    int fd;

    keep_path(frontend, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (write(fd, kept, sizeof(*kept)) != (ssize_t)sizeof(*kept))
        failed = -EIO;
    fd_close(&fd);
    return failed;
}

void keep_begin(struct frontend *frontend)
{
    struct nic *nic = &frontend->nic;
    struct kept_nic now;
    int failed;

    if (nic->ops->keep == NULL)
        return;
    kept_now(frontend, &now);
    if (!nic->is_made && !kept_before(frontend, &now))
        return;
    /* The file first: an interface that is kept and not written down would stay for ever. */
    failed = keep_write(frontend, &now);
    if (failed == 0)
        failed = nic->ops->keep(nic, true);
    frontend->is_nic_kept = failed == 0;
    if (failed < 0)
        log_warn("nic_not_kept nic=%s error=\"%s\" hint=\"it goes when this process dies\"", now.name,
                 strerror(-failed));
}

/* A worker that has just ended may still have its lane: its pidfd knows. */
static bool is_worker_left(const struct frontend *frontend)
{
    for (unsigned i = 0; i < FRONTEND_MAX_LANES; i++) {
        const struct lane *lane = &frontend->lanes[i];
        struct pollfd end = {.fd = lane->pidfd, .events = POLLIN};

        if (lane->state != BOARD_LANE_EMPTY && lane->pidfd >= 0 && poll(&end, 1, 0) == 0)
            return true;
    }
    return false;
}

void keep_end(struct frontend *frontend)
{
    char path[CONFIG_PATH_BYTES + 16];
    int failed;

    if (!frontend->is_nic_kept || is_worker_left(frontend))
        return;
    keep_path(frontend, path);
    failed = frontend->nic.ops->keep(&frontend->nic, false);
    if (failed == 0 && unlink(path) < 0)
        failed = -errno;
    if (failed < 0)
        log_warn("nic_left nic=%s error=\"%s\"", frontend->config.nic.name, strerror(-failed));
}
