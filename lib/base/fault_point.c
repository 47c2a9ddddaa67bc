/* SPDX-License-Identifier: BSD-3-Clause */
/* fault_point.c — what the environment asks for, and doing it. Test builds only; elsewhere nobody calls. */
#include "base/fault_point.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAULT_MAX_PATTERN_BYTES 64u

#define FAULT_POINT_NAME(name, where) #name,
static const char *const fault_point_names[N_FAULT_POINTS] = {FAULT_POINTS(FAULT_POINT_NAME)};

/* A process has one environment, so there is one of these; written before the process begins to work. */
static struct {
    enum fault_point point;
    unsigned long long hits_left; /* 0: no point was asked for */
    bool is_commit_off;
    unsigned char pattern[FAULT_MAX_PATTERN_BYTES];
    size_t pattern_bytes; /* 0: no frame was asked for */
} faults;

static int fault_point_find(const char *name, size_t length)
{
    for (int i = 0; i < N_FAULT_POINTS; i++) {
        if (strlen(fault_point_names[i]) == length && strncmp(fault_point_names[i], name, length) == 0)
            return i;
    }
    return -EINVAL;
}

/* "NAME:HIT" or "NAME:HIT:SLOT". */
static int fault_point_parse(const char *text, unsigned slot)
{
    const char *colon = strchr(text, ':');
    int point = colon == NULL ? -EINVAL : fault_point_find(text, (size_t)(colon - text));
    unsigned long long hit;
    char *end;

    if (point < 0)
        return point;
    hit = strtoull(colon + 1, &end, 10);
    if (hit == 0 || (*end != '\0' && *end != ':'))
        return -EINVAL;
    if (*end == ':' && strtoul(end + 1, &end, 10) != slot)
        return 0;
    if (*end != '\0')
        return -EINVAL;
    faults.point = (enum fault_point)point;
    faults.hits_left = hit;
    return 0;
}

static int fault_point_parse_pattern(const char *text)
{
    size_t n_bytes = strlen(text) / 2;

    if (n_bytes == 0 || n_bytes > sizeof(faults.pattern) || strlen(text) % 2 != 0)
        return -EINVAL;
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned byte;

        if (strspn(text + 2 * i, "0123456789abcdefABCDEF") < 2 || sscanf(text + 2 * i, "%2x", &byte) != 1)
            return -EINVAL;
        faults.pattern[i] = (unsigned char)byte;
    }
    faults.pattern_bytes = n_bytes;
    return 0;
}

int fault_point_init(unsigned slot)
{
    const char *point = getenv("MPA_FAULT_POINT");
    const char *commit = getenv("MPA_COMMIT");
    const char *frame = getenv("MPA_FAULT_FRAME");

    memset(&faults, 0, sizeof(faults));
    faults.is_commit_off = commit != NULL && strcmp(commit, "off") == 0;
    if (point != NULL && point[0] != '\0' && fault_point_parse(point, slot) < 0) {
        fprintf(stderr, "MPA_FAULT_POINT=%s: not NAME:HIT or NAME:HIT:SLOT; the names are:\n", point);
        for (int i = 0; i < N_FAULT_POINTS; i++)
            fprintf(stderr, "  %s\n", fault_point_names[i]);
        return -EINVAL;
    }
    if (frame != NULL && frame[0] != '\0' && fault_point_parse_pattern(frame) < 0) {
        fprintf(stderr, "MPA_FAULT_FRAME=%s: not an even number of hexadecimal digits, 2..%u\n", frame,
                2 * FAULT_MAX_PATTERN_BYTES);
        return -EINVAL;
    }
    return 0;
}

/* To the process itself by tgkill(): a system call that every list has, for abort() needs it. */
static void fault_point_raise(int signal_number)
{
    syscall(SYS_tgkill, getpid(), gettid(), signal_number);
}

void fault_point_hit(enum fault_point point)
{
    if (faults.hits_left == 0 || faults.point != point)
        return;
    faults.hits_left--;
    if (faults.hits_left == 0)
        fault_point_raise(SIGKILL);
}

bool fault_point_commit_is_off_now(void)
{
    return faults.is_commit_off;
}

void fault_point_frame_in_hand(const void *bytes, size_t n_bytes)
{
    if (faults.pattern_bytes > 0 && memmem(bytes, n_bytes, faults.pattern, faults.pattern_bytes) != NULL)
        fault_point_raise(SIGSEGV);
}
