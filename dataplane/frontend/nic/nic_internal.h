/* SPDX-License-Identifier: BSD-3-Clause */
/* nic_internal.h — what nic.c and the backends share: opening and its error line. */
#ifndef MPA_NIC_INTERNAL_H
#define MPA_NIC_INTERNAL_H

#include <stddef.h>

#include "frontend/nic/nic.h"

/* One nic_open() under way. The name in `config` is checked: short enough and not empty. */
struct nic_opening {
    struct nic *nic; /* zeroed, fd -1; the backend fills it in, and leaves it closed on failure */
    const struct config_nic *config;
    char *error;
    size_t error_size;
    int kept_fd; /* -1: none; a backend that uses it sets it to -1, else it is closed */
};

/* Writes "nic NAME: ..." as the error line and returns -err, so that `return nic_refuse(...)` says it all. */
int nic_refuse(const struct nic_opening *opening, int err, const char *format, ...) MPA_PRINTF(3, 4);

/* Sets MTU and IFF_UP where they differ from what is wanted; refuses with the error line. 0 or -errno. */
int nic_prepare_link(const struct nic_opening *opening, bool may_set_mtu) MPA_WARN_UNUSED;

int tap_open(struct nic_opening *opening) MPA_WARN_UNUSED;
int packet_open(const struct nic_opening *opening) MPA_WARN_UNUSED;
int memory_open(const struct nic_opening *opening) MPA_WARN_UNUSED;

#endif
