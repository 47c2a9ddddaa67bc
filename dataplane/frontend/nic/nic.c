/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nic.c — picks the backend; the error line and the link settings that backends share.
 *
 * All of it runs once, in the privileged start step. An operator reads the error line and nothing else: it
 * names the interface, what went wrong, and what to do about it.
 */
#include "frontend/nic/nic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "frontend/nic/link.h"
#include "frontend/nic/nic_internal.h"

int nic_refuse(const struct nic_opening *opening, int err, const char *format, ...)
{
    int len = snprintf(opening->error, opening->error_size, "nic %.15s: ", opening->config->name);
    va_list args;

    va_start(args, format);
    if (len >= 0 && (size_t)len < opening->error_size)
        vsnprintf(opening->error + len, opening->error_size - (size_t)len, format, args);
    va_end(args);
    return -err;
}

int nic_prepare_link(const struct nic_opening *opening, bool may_set_mtu)
{
    /* Settings that are right already are left alone: an unprivileged user may have got them made before. */
    const char *name = opening->config->name;
    uint16_t wanted_bytes = opening->config->mtu_bytes;
    uint32_t mtu_bytes = 0;
    int err = link_get_mtu(name, &mtu_bytes);

    if (err == 0 && may_set_mtu && mtu_bytes != wanted_bytes)
        err = link_set_mtu(name, wanted_bytes);
    if (err != 0)
        return nic_refuse(opening, -err,
                          "MTU %u cannot be set (%s): set it with 'ip link set %s mtu %u' or "
                          "change nic.mtu",
                          wanted_bytes, strerror(-err), name, wanted_bytes);
    err = link_set_up(name);
    if (err != 0)
        return nic_refuse(opening, -err,
                          "interface cannot be brought up (%s): run as root or "
                          "'ip link set %s up' before",
                          strerror(-err), name);
    return 0;
}

/* Backends copy the name into kernel structs of this size, with its NUL. */
static int check_name(const struct nic_opening *opening)
{
    const struct config_nic *config = opening->config;

    if (memchr(config->name, '\0', sizeof(config->name)) == NULL)
        return nic_refuse(opening, EINVAL, "interface name is too long: at most %d characters (nic.name)",
                          CONFIG_NAME_BYTES - 1);
    if (config->name[0] == '\0')
        return nic_refuse(opening, EINVAL, "no interface name: set nic.name");
    return 0;
}

static int open_backend(struct nic_opening *opening)
{
    switch (opening->config->backend) {
    case CONFIG_BACKEND_TAP:
        return tap_open(opening);
    case CONFIG_BACKEND_PACKET:
        return packet_open(opening);
    case CONFIG_BACKEND_MEMORY:
        return memory_open(opening);
    }
    return nic_refuse(opening, EINVAL, "no such backend: set nic.backend to tap, packet or memory");
}

int nic_open_kept(struct nic *nic, const struct config_nic *config, int fd, char *error, size_t error_size)
{
    struct nic_opening opening = {
        .nic = nic, .config = config, .error = error, .error_size = error_size, .kept_fd = fd};
    int err;

    /* So that a failure leaves a NIC that nic_close() takes. */
    *nic = (struct nic){.fd = -1, .mtu_bytes = config->mtu_bytes};
    memcpy(nic->mac, config->mac, sizeof(nic->mac));
    err = check_name(&opening);
    if (err == 0)
        err = open_backend(&opening);
    fd_close(&opening.kept_fd);
    return err;
}

int nic_open(struct nic *nic, const struct config_nic *config, char *error, size_t error_size)
{
    return nic_open_kept(nic, config, -1, error, error_size);
}

void nic_close(struct nic *nic)
{
    if (nic->ops != NULL)
        nic->ops->close(nic);
    *nic = (struct nic){.fd = -1};
}
