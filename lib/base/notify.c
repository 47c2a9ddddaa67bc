/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notify.c — notices to the service manager over one connected datagram socket.
 *
 * libsystemd makes a new socket for each notice, which a confined process may not; and it is a large library
 * for processes that shall hold little. The protocol is an interface that systemd keeps stable.
 */
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define NOTIFY_LINE_BYTES 256

/* A path, or "@" and the name of an abstract socket. Returns the length of the address, 0 if there is none.
 */
static socklen_t notify_address(const char *name, struct sockaddr_un *address)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof(address->sun_path))
        return 0;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, length);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    else
        length++; /* the NUL belongs to a path */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* Returns a connected socket or -errno. */
static int notify_connect(const char *name)
{
    struct sockaddr_un address;
    socklen_t size = notify_address(name, &address);
    int fd, failed;

    if (size == 0)
        return -EINVAL;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    failed = -errno;
    fd_close(&fd);
    return failed;
}

/* Half of the time after which the manager calls us dead, as sd_watchdog_enabled(3) advises. */
static uint64_t notify_interval_ns(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    const char *text = getenv("WATCHDOG_USEC");
    uint64_t us;

    if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    us = strtoull(text, NULL, 10);
    return us > UINT64_MAX / CLOCK_NS_PER_US ? 0 : us * CLOCK_NS_PER_US / 2;
}

void notify_open(struct notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *notify = (struct notify){.socket = -1};
    if (name != NULL) {
        notify->socket = notify_connect(name);
        if (notify->socket < 0)
            log_warn("notify_failed socket=%s error=\"%s\"", name, strerror(-notify->socket));
        else
            notify->interval_ns = notify_interval_ns();
    }
    if (notify->socket < 0)
        notify->socket = -1;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    fd_close(&notify->socket);
    notify->interval_ns = 0;
}

/* A manager that does not read must not stop us: then it does not hear. */
void notify_tell(const struct notify *notify, const char *lines)
{
    if (notify->socket >= 0 && fd_send(notify->socket, lines, strlen(lines), NULL, 0) < 0)
        log_debug("notice_lost");
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
    if (notify->interval_ns == 0 || now_ns < notify->next_ns)
        return;
    notify->next_ns = now_ns + notify->interval_ns;
    notify_tell(notify, "WATCHDOG=1");
}

int notify_store(const struct notify *notify, const char *name, int fd)
{
    char line[NOTIFY_LINE_BYTES];
    int length = snprintf(line, sizeof(line), "FDSTORE=1\nFDNAME=%s", name);

    if (length < 0 || length >= (int)sizeof(line))
        return -EINVAL;
    return notify->socket < 0 ? -ENOTCONN : fd_send(notify->socket, line, (size_t)length, &fd, 1);
}
