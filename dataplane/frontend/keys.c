/* SPDX-License-Identifier: BSD-3-Clause */
/* keys.c — random keys made once and kept in the runtime folder, so that a new frontend hashes like the old.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "frontend/frontend.h"

#define KEYS_FILE "keys"

struct keys {
    struct flow_seed seed;
    uint8_t isn_key[16];
};

static int keys_read(int fd, struct keys *keys)
{
    return read(fd, keys, sizeof(*keys)) == (ssize_t)sizeof(*keys) ? 0 : -EINVAL;
}

static int keys_make(int fd, struct keys *keys)
{
    if (getrandom(keys, sizeof(*keys), 0) != (ssize_t)sizeof(*keys))
        return -EIO;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, keys, sizeof(*keys), 0) != (ssize_t)sizeof(*keys))
        return -errno;
    return 0;
}

int keys_load(struct frontend *frontend)
{
    char path[CONFIG_PATH_BYTES];
    struct keys keys;
    int fd, failed;

    snprintf(path, sizeof(path), "%s/" KEYS_FILE, frontend->config.control.runtime_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    failed = fd < 0 ? -errno : 0;
    if (failed == 0 && keys_read(fd, &keys) < 0)
        failed = keys_make(fd, &keys);
    fd_close(&fd);
    if (failed < 0) {
        log_error("keys_failed file=%s error=\"%s\"", path, strerror(-failed));
        return failed;
    }
    frontend->seed = frontend->board.seed = keys.seed;
    memcpy(frontend->isn_key, keys.isn_key, sizeof(frontend->isn_key));
    return 0;
}
