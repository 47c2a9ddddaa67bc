/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find.h — processes of a stack that nobody can be asked about: by the program they run, the runtime folder
 * they were given, and for workers their slot, as /proc shows them.
 */
#ifndef MPA_BASE_FIND_H
#define MPA_BASE_FIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct found_process {
    pid_t pid;
    uint32_t slot; /* the number behind --slot, 0 without one */
};

/*
 * Processes named `program` that were started with --runtime-dir and see the same folder there as we do; at
 * most `max` of them. Returns their number; what cannot be looked at (another user's) is left out. A pid may
 * have ended by the time it is used: open it, then look at its name again.
 */
size_t find_processes(const char *program, const char *runtime_dir, struct found_process *found, size_t max);

/* The value behind `option` ("--slot N" or "--slot=N") in the NUL-separated words of a command line of `size`
 * bytes that ends with a NUL; NULL if there is none. */
const char *find_option(const char *words, size_t size, const char *option);

#endif
