/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_worker.c — stands in for mpa-worker in tests of the control plane: says where it runs and waits for
 * SIGTERM. Files of the runtime folder play the faults:
 *   fake-worker-N-fails    exit at once with status 3
 *   fake-worker-N-hangs    do not react to SIGTERM
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *argument(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    }
    fprintf(stderr, "mpa-worker: %s is missing\n", name);
    exit(2);
}

static int has_file(const char *runtime_dir, const char *slot, const char *fault)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/fake-worker-%s-%s", runtime_dir, slot, fault);
    return access(path, F_OK) == 0;
}

/* The file appears whole, or not at all: the fake frontend reads it at any time. */
static void leave_pid(const char *path)
{
    char fresh[272];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    if (file == NULL)
        exit(EXIT_FAILURE);
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    if (rename(fresh, path) != 0)
        exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    const char *runtime_dir = argument(argc, argv, "--runtime-dir");
    const char *slot = argument(argc, argv, "--slot");
    char path[256];
    sigset_t signals;
    int signal_number;

    if (has_file(runtime_dir, slot, "fails"))
        return 3;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    snprintf(path, sizeof(path), "%s/worker-%s.pid", runtime_dir, slot);
    leave_pid(path);
    do {
        sigwait(&signals, &signal_number);
    } while (has_file(runtime_dir, slot, "hangs"));
    unlink(path);
    return EXIT_SUCCESS;
}
