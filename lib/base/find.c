/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find.c — a walk over /proc. Names of folders are not enough: the same path is another folder in another
 * mount namespace, so the folders themselves are compared.
 */
#include "base/find.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define COMMAND_LINE_BYTES 4096u

/* The file /proc/PID/name, ended by a NUL; its length, 0 when it cannot be read. */
static size_t read_file(const char *pid, const char *name, char *bytes, size_t size)
{
    char path[64];
    ssize_t length;
    int fd;

    snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    length = read(fd, bytes, size - 1);
    fd_close(&fd);
    if (length <= 0)
        return 0;
    bytes[length] = '\0';
    return (size_t)length;
}

const char *find_option(const char *words, size_t size, const char *option)
{
    size_t length = strlen(option);

    for (size_t i = 0; i < size; i += strlen(words + i) + 1) {
        const char *word = words + i;
        size_t next = i + strlen(word) + 1;

        if (strncmp(word, option, length) != 0)
            continue;
        if (word[length] == '=')
            return word + length + 1;
        if (word[length] == '\0' && next < size)
            return words + next;
    }
    return NULL;
}

/* True when `folder`, as process `pid` sees it, is `ours`. */
static bool is_same_folder(const char *pid, const char *folder, const struct stat *ours)
{
    char path[PATH_MAX];
    struct stat theirs;

    if (folder[0] != '/' ||
        snprintf(path, sizeof(path), "/proc/%.16s/root%s", pid, folder) >= (int)sizeof(path))
        return false;
    return stat(path, &theirs) == 0 && theirs.st_dev == ours->st_dev && theirs.st_ino == ours->st_ino;
}

static bool process_take(const char *pid, const char *program, const struct stat *ours,
                         struct found_process *found)
{
    char name[32];
    char words[COMMAND_LINE_BYTES];
    const char *value;
    size_t size;

    if (read_file(pid, "comm", name, sizeof(name)) == 0)
        return false;
    name[strcspn(name, "\n")] = '\0';
    if (strcmp(name, program) != 0)
        return false;
    /* What is cut off, or was written over, has a NUL behind it all the same. */
    size = read_file(pid, "cmdline", words, sizeof(words));
    value = size == 0 ? NULL : find_option(words, size, "--runtime-dir");
    if (value == NULL || !is_same_folder(pid, value, ours))
        return false;
    value = find_option(words, size, "--slot");
    found->pid = (pid_t)strtol(pid, NULL, 10);
    found->slot = value == NULL ? 0 : (uint32_t)strtoul(value, NULL, 10);
    return true;
}

size_t find_processes(const char *program, const char *runtime_dir, struct found_process *found, size_t max)
{
    const struct dirent *entry;
    struct stat ours;
    size_t n = 0;
    DIR *proc;

    if (stat(runtime_dir, &ours) < 0)
        return 0;
    proc = opendir("/proc");
    if (proc == NULL)
        return 0;
    while (n < max && (entry = readdir(proc)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) &&
            process_take(entry->d_name, program, &ours, &found[n]))
            n++;
    }
    closedir(proc);
    return n;
}
