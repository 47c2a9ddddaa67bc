/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fd.c — descriptors and the Unix SEQPACKET sockets that carry them.
 *
 * Everything that arrives is from a peer: a message that does not fit what the caller expects is refused as a
 * whole, and no descriptor of a refused message stays open here.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FD_LISTEN_BACKLOG 64

/* Room for one SCM_RIGHTS message, aligned as the kernel wants it. */
union fd_control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(FD_MAX_PASSED * sizeof(int))];
};

/* Not repeated on EINTR: Linux has freed the number by then, and another thread may already have it. */
void fd_close(int *fd)
{
    const int caller_errno = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = caller_errno;
}

ssize_t fd_read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t used = 0;
    ssize_t n = fd < 0 ? -errno : 1;

    while (n > 0) {
        n = read(fd, text + used, size - used);
        if (n < 0)
            n = -errno;
        else
            used += (size_t)n;
        if (used == size)
            n = -EFBIG;
    }
    fd_close(&fd);
    if (n < 0)
        return n;
    text[used] = '\0';
    return (ssize_t)used;
}

int fd_set_nonblock(int fd)
{
    const int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

/* The path with its NUL must fit sun_path; a longer one would name another file. */
static int make_address(const char *path, struct sockaddr_un *address)
{
    const size_t length = strlen(path);

    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (length == 0 || length >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

/* Returns a connected descriptor or -errno. */
static int connect_to(const struct sockaddr_un *address, int flags)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
    int status;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return fd;
    status = -errno;
    fd_close(&fd);
    return status;
}

int fd_connect_seqpacket(const char *path)
{
    struct sockaddr_un address;
    const int status = make_address(path, &address);

    return status < 0 ? status : connect_to(&address, 0);
}

int fd_connect_seqpacket_now(const char *path)
{
    struct sockaddr_un address;
    const int status = make_address(path, &address);

    return status < 0 ? status : connect_to(&address, SOCK_NONBLOCK);
}

/* Only a refused connection proves that the socket file has no listener; any other doubt leaves it alone. */
static bool is_dead_socket(const struct sockaddr_un *address)
{
    struct stat info;
    int fd;

    if (lstat(address->sun_path, &info) < 0 || !S_ISSOCK(info.st_mode))
        return false;
    fd = connect_to(address, SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    return fd == -ECONNREFUSED;
}

/* Two processes that both replace the same dead socket race: the later bind() fails, as it should. */
static int bind_replacing_dead(int fd, const struct sockaddr_un *address)
{
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    if (!is_dead_socket(address))
        return -EADDRINUSE;
    if (unlink(address->sun_path) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -errno;
    return 0;
}

int fd_listen_seqpacket(const char *path, mode_t mode)
{
    struct sockaddr_un address;
    int status = make_address(path, &address);
    int fd;

    if (status < 0)
        return status;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Before bind(), so that the file is at no moment more open than wanted; after it, against the umask. */
    if (fchmod(fd, mode) < 0)
        status = -errno;
    if (status == 0)
        status = bind_replacing_dead(fd, &address);
    if (status == 0 && (chmod(path, mode) < 0 || listen(fd, FD_LISTEN_BACKLOG) < 0)) {
        status = -errno;
        unlink(path);
    }
    if (status == 0)
        return fd;
    fd_close(&fd);
    return status;
}

static bool has_option(int fd, int option, int wanted)
{
    socklen_t size = sizeof(int);
    int value = -1;

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

int fd_check_listener(int fd, const char *path)
{
    struct sockaddr_un wanted, address = {0};
    socklen_t size = sizeof(address);
    int status = make_address(path, &wanted);

    if (status < 0)
        return status;
    if (!has_option(fd, SO_TYPE, SOCK_SEQPACKET) || !has_option(fd, SO_ACCEPTCONN, 1))
        return -EINVAL;
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return -errno;
    if (address.sun_family != AF_UNIX || strncmp(address.sun_path, wanted.sun_path, sizeof(wanted.sun_path)))
        return -EADDRNOTAVAIL;
    return fd_set_nonblock(fd);
}

/* MSG_DONTWAIT whatever the socket's flags: a peer that does not read must not stop us. */
int fd_send(int socket, const void *message, size_t size, const int *fds, size_t n_fds)
{
    struct iovec body = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
    struct msghdr header = {.msg_iov = &body, .msg_iovlen = 1};
    union fd_control control;
    ssize_t n_sent;

    /* An empty message reads as end of file at the other end. */
    if (size == 0 || n_fds > FD_MAX_PASSED)
        return -EINVAL;
    if (n_fds > 0) {
        memset(&control, 0, sizeof(control));
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, n_fds * sizeof(int));
    }
    do {
        n_sent = sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n_sent < 0 && errno == EINTR);
    return n_sent < 0 ? -errno : 0;
}

/* Takes the descriptors out of a received message into all[]; returns how many there are. */
static size_t take_descriptors(struct msghdr *header, int all[FD_MAX_PASSED])
{
    size_t n_taken = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n_here = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n_here > FD_MAX_PASSED - n_taken)
            n_here = FD_MAX_PASSED - n_taken;
        memcpy(all + n_taken, CMSG_DATA(part), n_here * sizeof(int));
        n_taken += n_here;
    }
    return n_taken;
}

/* The control buffer takes FD_MAX_PASSED descriptors even if the caller wants fewer, so that those too many
 * are received and can be closed; what exceeds even that, the kernel closes and says MSG_CTRUNC. */
ssize_t fd_receive(int socket, void *message, size_t size, int *fds, size_t max_fds)
{
    struct iovec body = {.iov_base = message, .iov_len = size};
    union fd_control control;
    struct msghdr header = {.msg_iov = &body,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    int all[FD_MAX_PASSED];
    ssize_t n_received;
    size_t n_taken;
    bool is_refused;

    for (size_t i = 0; i < max_fds; i++)
        fds[i] = -1;
    do {
        n_received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    } while (n_received < 0 && errno == EINTR);
    if (n_received < 0)
        return -errno;

    n_taken = take_descriptors(&header, all);
    is_refused = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || n_taken > max_fds;
    /* With no bytes it is end of file to the caller, who would not look for descriptors. */
    for (size_t i = 0; i < n_taken; i++) {
        if (is_refused || n_received == 0)
            close(all[i]);
        else
            fds[i] = all[i];
    }
    return is_refused ? -EMSGSIZE : n_received;
}
