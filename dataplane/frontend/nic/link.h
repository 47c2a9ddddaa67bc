/* SPDX-License-Identifier: BSD-3-Clause */
/* link.h — reads and sets properties of a kernel interface by name. For the privileged start step only. */
#ifndef MPA_NIC_LINK_H
#define MPA_NIC_LINK_H

#include <stdint.h>

#include "base/assert.h"

/* All return 0 or -errno: -ENODEV (no such interface), -EPERM (CAP_NET_ADMIN missing), ... */
int link_get_index(const char *name, int *ifindex) MPA_WARN_UNUSED;
int link_get_mtu(const char *name, uint32_t *mtu_bytes) MPA_WARN_UNUSED;
int link_set_mtu(const char *name, uint32_t mtu_bytes) MPA_WARN_UNUSED;
/* Frames that wait on their way into the interface (txqueuelen); a TAP keeps as many for its reader. */
int link_set_queue(const char *name, uint32_t n_frames) MPA_WARN_UNUSED;
/* -EPROTONOSUPPORT when the interface is not an Ethernet. */
int link_get_mac(const char *name, uint8_t mac[6]) MPA_WARN_UNUSED;
/* Sets IFF_UP; does nothing, and needs no privilege, when it is set already. */
int link_set_up(const char *name) MPA_WARN_UNUSED;
/* The largest packet that the kernel gives the interface to segment (IFLA_GSO_MAX_SIZE). */
int link_set_gso_max(const char *name, uint32_t max_bytes) MPA_WARN_UNUSED;

#endif
