/* SPDX-License-Identifier: BSD-3-Clause */
/* greet.c — the handshake, right or wrong in one place (dataplane/worker/attach.c is the honest one). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "hostile.h"

#define GREET_MAX_CROWD 512u
#define GREET_SLOTS 1024u
#define GREET_RETURN_SLOTS 16384u
#define GREET_RECORDS 64u
#define GREET_TOMBSTONES 64u
#define GREET_PAGE_BYTES 4096u
#define GREET_FIFO_BYTES (1u << 20)

/* Our half, with one thing wrong if the greeting says so. */
static int greet_half(struct hostile *hostile, const struct greeting *greeting)
{
    struct lane_shape shape = {.ring_slots = {GREET_SLOTS, GREET_SLOTS},
                               .return_slots = GREET_RETURN_SLOTS,
                               .arena_bytes = {LANE_MIN_ARENA_BYTES, LANE_MIN_ARENA_BYTES}};
    struct segment_spec spec = {.name = "hostile",
                                .kind = greeting->has_bad_kind ? SEGMENT_HOST : SEGMENT_WORKER,
                                .version = LANE_VERSION};
    int failed;

    lane_layout_init(&hostile->layout, &shape);
    spec.size_bytes = hostile->layout.worker_bytes / (greeting->is_too_small ? 2 : 1);
    failed = segment_new(&hostile->half, &spec);
    if (failed < 0)
        return failed;
    if (greeting->has_bad_shape)
        shape.ring_slots[LANE_NORMAL] = GREET_SLOTS + 1;
    hostile_half(hostile)->shape = shape;
    return greeting->is_unsealed ? 0 : segment_seal(&hostile->half);
}

/* Empty records in an honest layout: records.c fills them with lies. */
static void greet_records_layout(struct records_segment *records)
{
    records->record_bytes = sizeof(struct flow_record);
    records->cursors_bytes = sizeof(struct flow_cursors);
    records->facts_bytes = sizeof(struct flow_facts);
    records->n_records = GREET_RECORDS;
    records->n_tombstones = GREET_TOMBSTONES;
    records->page_bytes = GREET_PAGE_BYTES;
    records->records_off = GREET_PAGE_BYTES;
    records->tombstones_off =
        records->records_off + segment_align(GREET_RECORDS * sizeof(struct flow_record), GREET_PAGE_BYTES);
    records->fifo_off = records->tombstones_off +
                        segment_align(GREET_TOMBSTONES * sizeof(struct flow_tombstone), GREET_PAGE_BYTES);
    records->fifo_bytes = GREET_FIFO_BYTES;
}

static int greet_records(struct hostile *hostile)
{
    struct records_segment layout = {0};
    struct segment_spec spec = {
        .name = "hostile-records", .kind = SEGMENT_RECORDS, .version = RECORDS_SEGMENT_VERSION};
    int failed;

    greet_records_layout(&layout);
    spec.size_bytes = layout.fifo_off + layout.fifo_bytes;
    failed = segment_new(&hostile->records, &spec);
    if (failed < 0)
        return failed;
    greet_records_layout(hostile->records.base);
    return segment_seal(&hostile->records);
}

/* A descriptor in the place of our half that is no segment at all. */
static int greet_false_half(const struct greeting *greeting)
{
    int fd;

    if (greeting->is_file)
        return open("/", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    fd = memfd_create("tiny", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 &&
        (ftruncate(fd, 16) < 0 ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int greet_connect(struct hostile *hostile)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", hostile->runtime_dir, ATTACH_SOCKET_NAME);
    return fd_connect_seqpacket(path);
}

static int greet_hello(struct hostile *hostile, const struct greeting *greeting)
{
    uint32_t version = greeting->version != 0 ? greeting->version : LANE_VERSION;
    struct attach_hello hello = {.magic = ATTACH_MAGIC,
                                 .kind = ATTACH_HELLO,
                                 .version_min = version,
                                 .version_max = version,
                                 .slot = hostile->slot,
                                 .pid = (uint32_t)getpid()};
    bool is_false = greeting->is_file || greeting->is_tiny;
    /* A "pidfd" that is always readable would keep a frontend that trusts it awake for ever. */
    int pidfd =
        greeting->has_loud_pidfd ? eventfd(1, EFD_CLOEXEC) : (int)syscall(SYS_pidfd_open, getpid(), 0);
    int half_fd = is_false ? greet_false_half(greeting) : hostile->half.fd;
    int fds[N_ATTACH_HELLO_FDS] = {pidfd, half_fd, hostile->records.fd};
    int failed = -EBADF;

    if (pidfd >= 0 && half_fd >= 0)
        failed = fd_send(hostile->attach_socket, &hello, sizeof(hello), fds,
                         greeting->has_no_fds ? 0 : N_ATTACH_HELLO_FDS);
    fd_close(&pidfd);
    if (is_false)
        fd_close(&half_fd);
    return failed;
}

/* Takes the welcome, or the refusal as -ECONNREFUSED. */
static int greet_welcome(struct hostile *hostile, char *refusal)
{
    union {
        struct attach_welcome welcome;
        struct attach_refused refused;
    } answer = {0};
    int fds[N_ATTACH_WELCOME_FDS];
    ssize_t size = fd_receive(hostile->attach_socket, &answer, sizeof(answer), fds, N_ATTACH_WELCOME_FDS);
    int failed;

    if (size <= 0)
        return size == 0 ? -ECONNRESET : (int)size;
    if (answer.refused.kind == ATTACH_REFUSED) {
        snprintf(refusal, ATTACH_TEXT_BYTES, "%s", answer.refused.text);
        return -ECONNREFUSED;
    }
    failed = segment_attach(&hostile->frontend, fds[ATTACH_FD_FRONTEND_HALF], SEGMENT_FRONTEND,
                            SEGMENT_ANY_VERSION, hostile->layout.frontend_bytes);
    if (failed == 0)
        failed = segment_attach(&hostile->pool, fds[ATTACH_FD_POOL], SEGMENT_POOL, POOL_SEGMENT_VERSION,
                                sizeof(struct pool_segment));
    fd_close(&fds[ATTACH_FD_HOST]);
    hostile->wake_socket = fds[ATTACH_FD_WAKE];
    return failed;
}

int greet_attach(struct hostile *hostile, const struct greeting *greeting, char *refusal)
{
    int failed = greet_half(hostile, greeting);

    if (failed == 0)
        failed = greet_records(hostile);
    if (failed < 0)
        return failed;
    hostile->attach_socket = greet_connect(hostile);
    if (hostile->attach_socket < 0)
        return hostile->attach_socket;
    failed = greet_hello(hostile, greeting);
    return failed < 0 ? failed : greet_welcome(hostile, refusal);
}

int greet_ready(struct hostile *hostile)
{
    struct attach_ready ready = {.magic = ATTACH_MAGIC, .kind = ATTACH_READY};

    return fd_send(hostile->attach_socket, &ready, sizeof(ready), NULL, 0);
}

int greet_again(struct hostile *hostile)
{
    static const struct greeting honest;

    return greet_hello(hostile, &honest);
}

int greet_crowd(struct hostile *hostile, unsigned n)
{
    for (unsigned i = 0; i < n && i < GREET_MAX_CROWD; i++) {
        int socket = greet_connect(hostile);

        /* Kept to the end of the process: that is the deed. A closed one is the frontend making room. */
        if (socket < 0)
            return socket;
    }
    return 0;
}
