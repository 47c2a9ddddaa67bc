/* SPDX-License-Identifier: BSD-3-Clause */
/* segment.c — memfd segments: create, seal, check, map. */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_HUGE_BYTES ((size_t)2 << 20)
#define SEGMENT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static int segment_create(const char *name, size_t size_bytes, unsigned flags, struct segment *segment)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    void *base;
    int failed;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size_bytes) < 0) {
        failed = -errno;
        close(fd);
        return failed;
    }
    base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        failed = -errno;
        close(fd);
        return failed;
    }
    segment->fd = fd;
    segment->base = base;
    segment->size_bytes = size_bytes;
    segment->is_huge = (flags & MFD_HUGETLB) != 0;
    return 0;
}

int segment_new(struct segment *segment, const struct segment_spec *spec)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    int failed = -ENOTSUP;

    if (spec->wants_huge) {
        failed = segment_create(spec->name, segment_align(spec->size_bytes, SEGMENT_HUGE_BYTES), MFD_HUGETLB,
                                segment);
    }
    if (failed < 0)
        failed = segment_create(spec->name, segment_align(spec->size_bytes, page_bytes), 0, segment);
    if (failed < 0)
        return failed;
    struct segment_header *header = segment->base;
    header->magic = SEGMENT_MAGIC;
    header->kind = (uint32_t)spec->kind;
    header->version = spec->version;
    header->size_bytes = segment->size_bytes;
    return 0;
}

int segment_seal(struct segment *segment)
{
    return fcntl(segment->fd, F_ADD_SEALS, SEGMENT_SEALS) < 0 ? -errno : 0;
}

/* The descriptor itself: a regular memfd, sealed as it must be, at least `min_bytes` long. */
static int segment_check_fd(int fd, size_t min_bytes, size_t *size_bytes)
{
    struct stat status;
    int seals;

    if (fstat(fd, &status) < 0)
        return -errno;
    seals = fcntl(fd, F_GET_SEALS);
    if (!S_ISREG(status.st_mode) || seals < 0 || (seals & SEGMENT_SEALS) != SEGMENT_SEALS)
        return -EINVAL;
    if (status.st_size < (off_t)sizeof(struct segment_header) || (size_t)status.st_size < min_bytes)
        return -EINVAL;
    *size_bytes = (size_t)status.st_size;
    return 0;
}

int segment_attach(struct segment *segment, int fd, enum segment_kind kind, uint32_t version,
                   size_t min_bytes)
{
    size_t size_bytes = 0;
    int failed = segment_check_fd(fd, min_bytes, &size_bytes);
    void *base;

    if (failed == 0) {
        base = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
        failed = base == MAP_FAILED ? -errno : 0;
    }
    if (failed < 0) {
        close(fd);
        return failed;
    }
    const struct segment_header header = *(const struct segment_header *)base;
    if (header.magic != SEGMENT_MAGIC || header.kind != (uint32_t)kind)
        failed = -EINVAL;
    else if (version != SEGMENT_ANY_VERSION && header.version != version)
        failed = -EPROTO;
    if (failed < 0) {
        munmap(base, size_bytes);
        close(fd);
        return failed;
    }
    *segment = (struct segment){.fd = fd, .base = base, .size_bytes = size_bytes};
    return 0;
}

void segment_fini(struct segment *segment)
{
    if (segment->base != NULL)
        munmap(segment->base, segment->size_bytes);
    if (segment->fd >= 0)
        close(segment->fd);
    *segment = (struct segment){.fd = -1};
}
