/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * runtime.c — the runtime folder: sockets, the lock, the frontend's keys. The lock is a lock on an open file,
 * so it ends with its holder however that dies; the file stays, for a new one could be locked beside an old.
 * Its bytes are the only thing that one controld leaves to the next: a line of fixed length, written at once.
 * Beside it lies the configuration that was loaded last, for whoever must start while the file has a mistake.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "controlplane/controld/controld.h"

#define MAX_FILES 4096u /* clients in their handshake cannot be counted before they are through */

/* The folder must be ours alone to write: who can write there can put sockets and keys of his own in. */
static int runtime_check(const char *runtime_dir)
{
    struct stat status;

    if (mkdir(runtime_dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (stat(runtime_dir, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return -EPERM;
    return 0;
}

int runtime_lock(const char *runtime_dir)
{
    char path[CONFIG_PATH_BYTES + 16];
    int error = runtime_check(runtime_dir);
    int fd;

    if (error != 0) {
        log_error("runtime_dir_failed dir=%s error=\"%s\"%s", runtime_dir, strerror(-error),
                  error == -EPERM ? " hint=\"it must belong to this user and be writable by nobody else\""
                                  : "");
        return error;
    }
    snprintf(path, sizeof(path), "%s/controld.lock", runtime_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error = -errno;
        log_error("lock_failed file=%s error=\"%s\"", path, strerror(errno));
        return error;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    fd_close(&fd);
    log_error("already_running runtime_dir=%s hint=\"another mpa-controld holds %s\"", runtime_dir, path);
    return -EBUSY;
}

bool runtime_has_frontend(const char *runtime_dir)
{
    char path[CONFIG_PATH_BYTES + 16];
    bool is_held;
    int fd;

    snprintf(path, sizeof(path), "%s/frontend.lock", runtime_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    is_held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    fd_close(&fd);
    return is_held;
}

int runtime_open_kept(const char *runtime_dir)
{
    char path[CONFIG_PATH_BYTES + sizeof(START_KEPT_CONFIG) + 1];
    int fd;

    snprintf(path, sizeof(path), "%s/" START_KEPT_CONFIG, runtime_dir);
    /* Workers may run as another user. */
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0)
        log_warn("keep_failed file=%s error=\"%s\"", path, strerror(errno));
    return fd;
}

/* In place, for we may open nothing any more. Whoever reads it has found a file with a mistake a moment ago,
 * and here is written only after a good one was found: the two do not meet. */
void runtime_keep(int kept_fd, const struct config *config)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *memory = kept_fd < 0 ? NULL : open_memstream(&text, &n_bytes);

    if (memory == NULL)
        return;
    config_print_yaml(config, memory);
    if (fclose(memory) != 0 || lseek(kept_fd, 0, SEEK_SET) < 0 ||
        write(kept_fd, text, n_bytes) != (ssize_t)n_bytes || ftruncate(kept_fd, (off_t)n_bytes) < 0)
        log_warn("keep_failed file=" START_KEPT_CONFIG " error=\"%s\"", strerror(errno));
    free(text);
}

void runtime_raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MAX_FILES)
        return;
    limit.rlim_cur = limit.rlim_max < MAX_FILES ? limit.rlim_max : MAX_FILES;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warn("files_limited n=%llu error=\"%s\"", (unsigned long long)limit.rlim_cur, strerror(errno));
}

#define MEMORY_FORMAT "workers=%02u full=%02u configured=%02u drained=%04x\n"
#define MEMORY_BYTES 46

static void write_line(const struct runtime_memory *memory, char line[MEMORY_BYTES + 1])
{
    snprintf(line, MEMORY_BYTES + 1, MEMORY_FORMAT, memory->n_workers % 100, memory->n_full % 100,
             memory->n_configured % 100, memory->drained & 0xffffu);
}

/* Within bounds, and no worker is to come back to a place that is taken. */
static bool is_sound(const struct runtime_memory *memory)
{
    return memory->n_workers >= 1 && memory->n_workers <= CONFIG_MAX_WORKERS &&
           (memory->n_full == 0 ||
            (memory->n_full > memory->n_workers && memory->n_full <= CONFIG_MAX_WORKERS));
}

void runtime_remember(int lock_fd, const struct runtime_memory *memory)
{
    char line[MEMORY_BYTES + 1];

    write_line(memory, line);
    if (lseek(lock_fd, 0, SEEK_SET) < 0 || write(lock_fd, line, MEMORY_BYTES) != MEMORY_BYTES)
        log_warn("memory_failed error=\"%s\" hint=\"the next mpa-controld will not know of scale\"",
                 strerror(errno));
}

int runtime_recall(int lock_fd, struct runtime_memory *memory)
{
    char line[MEMORY_BYTES + 2] = "";
    char again[MEMORY_BYTES + 1];
    struct runtime_memory found;
    ssize_t n;

    if (lseek(lock_fd, 0, SEEK_SET) < 0)
        return -errno;
    n = read(lock_fd, line, MEMORY_BYTES + 1);
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ENOENT;
    if (n != MEMORY_BYTES || sscanf(line, MEMORY_FORMAT, &found.n_workers, &found.n_full, &found.n_configured,
                                    &found.drained) != 4)
        return -EINVAL;
    /* Nothing but what we would have written: no signs, no blanks. */
    write_line(&found, again);
    if (memcmp(again, line, MEMORY_BYTES) != 0 || !is_sound(&found))
        return -EINVAL;
    *memory = found;
    return 0;
}
