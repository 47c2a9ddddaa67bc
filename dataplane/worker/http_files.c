/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_files.c — the files of services.http_root, read once at start: a confined worker opens nothing.
 *
 * Regular files only, followed through no symbolic link, so that what is served lies below the root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "worker/http_pages.h"

#define FILES_MAX_DEPTH 16u

static const struct {
    const char *ending, *type;
} media_types[] = {
    {".html", "text/html; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".gif", "image/gif"},
    {".ico", "image/x-icon"},
    {".wasm", "application/wasm"},
};

/* By ending; a browser is told "bytes" rather than something wrong. */
static const char *media_type(const char *path)
{
    const char *ending = strrchr(path, '.');

    for (size_t i = 0; ending != NULL && i < sizeof(media_types) / sizeof(media_types[0]); i++) {
        if (strcmp(ending, media_types[i].ending) == 0)
            return media_types[i].type;
    }
    return "application/octet-stream";
}

/* Reads a file of `n_bytes`; a file that has meanwhile become shorter is -EIO. */
static int read_all(int fd, uint8_t *body, size_t n_bytes)
{
    size_t off = 0;

    while (off < n_bytes) {
        ssize_t n = read(fd, body + off, n_bytes - off);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO;
        if (n > 0)
            off += (size_t)n;
    }
    return 0;
}

/* Gives `body` away. An index.html becomes two pages. */
static int add_file(struct http_pages *pages, const char *path, const uint8_t *body, size_t n_bytes)
{
    struct http_source source = {.status = "200 OK",
                                 .path = path,
                                 .type = media_type(path),
                                 .fields = "",
                                 .body = body,
                                 .body_bytes = n_bytes,
                                 .is_body_owned = true};
    const char *name = strrchr(path, '/') + 1;
    int failed = http_pages_add(pages, &source);

    if (failed < 0 || strcmp(name, "index.html") != 0)
        return failed;
    char folder[HTTP_PATH_MAX_BYTES];

    /* The same bytes under the folder's name; the page before owns them. */
    snprintf(folder, sizeof(folder), "%.*s", (int)(name - path), path);
    source.path = folder;
    source.is_body_owned = false;
    return http_pages_add(pages, &source);
}

/* `n_bytes` is what the file had when it was opened: of one that grows meanwhile, the beginning is served. */
static int load_file(struct http_pages *pages, int fd, const char *path, size_t n_bytes)
{
    uint8_t *body;
    int failed;

    if (n_bytes > HTTP_PAGES_MAX_BYTES - pages->file_bytes)
        return -EFBIG;
    body = malloc(n_bytes + 1); /* malloc(0) may be NULL */
    if (body == NULL)
        return -ENOMEM;
    failed = read_all(fd, body, n_bytes);
    if (failed < 0) {
        free(body);
        return failed;
    }
    pages->file_bytes += n_bytes;
    return add_file(pages, path, body, n_bytes);
}

static int load_folder(struct http_pages *pages, int fd, const char *path, unsigned depth);

/* One name of a folder; `path` is its path, `folder_fd` is borrowed. */
static int load_entry(struct http_pages *pages, int folder_fd, const char *name, const char *path,
                      unsigned depth)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    int failed = 0;

    if (fd < 0 && errno == ELOOP)
        return 0;
    if (fd < 0 || fstat(fd, &status) < 0)
        failed = -errno;
    else if (S_ISDIR(status.st_mode))
        return load_folder(pages, fd, path, depth + 1); /* which owns fd from here on */
    else if (S_ISREG(status.st_mode))
        failed = load_file(pages, fd, path, (size_t)status.st_size);
    if (fd >= 0)
        close(fd);
    if (failed < 0)
        log_error("http_file_failed path=\"%s\" error=\"%s\"", path, strerror(-failed));
    return failed;
}

/* Takes `fd` over. The depth is bounded because each level holds a path on the stack. */
static int load_folder(struct http_pages *pages, int fd, const char *path, unsigned depth)
{
    DIR *folder = depth > FILES_MAX_DEPTH ? NULL : fdopendir(fd);
    char child[HTTP_PATH_MAX_BYTES];
    int failed = 0;

    if (folder == NULL) {
        failed = depth > FILES_MAX_DEPTH ? -ELOOP : -errno;
        log_error("http_folder_failed path=\"%s\" error=\"%s\"", path, strerror(-failed));
        close(fd);
        return failed;
    }
    for (struct dirent *entry = readdir(folder); failed == 0 && entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) >= (int)sizeof(child)) {
            log_error("http_file_failed path=\"%s/%s\" error=\"%s\"", path, entry->d_name,
                      strerror(ENAMETOOLONG));
            failed = -ENAMETOOLONG;
        } else {
            failed = load_entry(pages, fd, entry->d_name, child, depth);
        }
    }
    closedir(folder);
    return failed;
}

int http_files_load(struct http_pages *pages, const char *root)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        int failed = -errno;

        log_error("http_root_failed path=\"%s\" error=\"%s\"", root, strerror(-failed));
        return failed;
    }
    return load_folder(pages, fd, "", 0);
}
