/* SPDX-License-Identifier: BSD-3-Clause */
/* http_pages.c — the table of pages: errors, built-in pages, sorting, look-up a byte at a time. */
#include "worker/http_pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_FIRST 64u
#define LINE_BYTES 64u

static const struct http_error_text {
    const char *status;
    const char *fields;
    const char *body;
} error_texts[N_HTTP_ERRORS] = {
    [HTTP_BAD_REQUEST] = {"400 Bad Request", "", "400 Bad Request: this is not an HTTP/1.1 request.\n"},
    [HTTP_NOT_FOUND] = {"404 Not Found", "",
                        "404 Not Found: there is no page with this path; / lists some.\n"},
    [HTTP_METHOD_NOT_ALLOWED] = {"405 Method Not Allowed", "Allow: GET, HEAD\r\n",
                                 "405 Method Not Allowed: GET and HEAD are.\n"},
    [HTTP_HEAD_TOO_LARGE] = {"431 Request Header Fields Too Large", "",
                             "431 Request Header Fields Too Large: at most 8 KiB with the request line.\n"},
    [HTTP_VERSION_UNKNOWN] = {"505 HTTP Version Not Supported", "",
                              "505 HTTP Version Not Supported: HTTP/1.0 and HTTP/1.1 are.\n"},
};

static const char index_html[] = "<!DOCTYPE html>\n"
                                 "<html lang=\"en\"><head><title>LwIP MPA</title></head><body>\n"
                                 "<h1>It works</h1>\n"
                                 "<p>This page came through a user-space TCP/IP stack.</p>\n"
                                 "<ul>\n"
                                 "<li><a href=\"/1k\">1 KiB</a></li>\n"
                                 "<li><a href=\"/64k\">64 KiB</a></li>\n"
                                 "<li><a href=\"/1m\">1 MiB</a></li>\n"
                                 "</ul>\n"
                                 "</body></html>\n";

/* FNV-1a over all paths and bodies; not for keys that a peer chooses. */
static uint32_t tag_of(const struct http_pages *pages)
{
    uint32_t tag = 2166136261u;

    for (uint32_t i = 0; i < pages->n_pages; i++) {
        const struct http_page *page = &pages->pages[i];

        for (const char *c = page->path; c != NULL && *c != '\0'; c++)
            tag = (tag ^ (uint8_t)*c) * 16777619u;
        for (size_t at = 0; at < page->body_bytes; at++)
            tag = (tag ^ page->body[at]) * 16777619u;
        tag = (tag ^ 0xffu) * 16777619u; /* so that the border between two pages counts */
    }
    return tag;
}

/* The head for a connection that stays open, or for one that closes: the only difference between replies. */
static int make_head(struct http_page *page, const struct http_source *source, unsigned is_kept)
{
    /* No Date: a worker has no wall clock (RFC 9110 6.6.1), and a reply resumed elsewhere is the same. */
    int n_bytes = asprintf(&page->heads[is_kept],
                           "HTTP/1.1 %s\r\n"
                           "Server: lwip-mpa\r\n"
                           "Content-Type: %s\r\n"
                           "Content-Length: %zu\r\n"
                           "%s"
                           "Connection: %s\r\n\r\n",
                           source->status, source->type, source->body_bytes, source->fields,
                           is_kept ? "keep-alive" : "close");

    if (n_bytes < 0) {
        page->heads[is_kept] = NULL; /* asprintf leaves it undefined */
        return -ENOMEM;
    }
    page->head_bytes[is_kept] = (uint32_t)n_bytes;
    return 0;
}

static void page_fini(struct http_page *page)
{
    free(page->path);
    free(page->heads[0]);
    free(page->heads[1]);
    if (page->is_body_owned)
        free((void *)(uintptr_t)page->body);
}

/* Takes the body over in every case, so that the caller has one rule. */
static int page_init(struct http_page *page, const struct http_source *source)
{
    int failed = 0;

    *page = (struct http_page){
        .body = source->body, .body_bytes = source->body_bytes, .is_body_owned = source->is_body_owned};
    if (source->path != NULL) {
        page->path = strdup(source->path);
        failed = page->path == NULL ? -ENOMEM : 0;
    }
    for (unsigned is_kept = 0; failed == 0 && is_kept < 2; is_kept++)
        failed = make_head(page, source, is_kept);
    if (failed < 0)
        page_fini(page);
    return failed;
}

/* Makes a place for one more page. Only while the table is made: later, services hold pointers into it. */
static int pages_grow(struct http_pages *pages)
{
    uint32_t n_allocated = pages->n_allocated == 0 ? PAGES_FIRST : pages->n_allocated * 2;
    struct http_page *grown;

    if (pages->n_pages < pages->n_allocated)
        return 0;
    if (pages->n_pages >= HTTP_PAGES_MAX)
        return -ENFILE;
    grown = reallocarray(pages->pages, n_allocated, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    pages->pages = grown;
    pages->n_allocated = n_allocated;
    return 0;
}

int http_pages_add(struct http_pages *pages, const struct http_source *source)
{
    int failed = pages_grow(pages);

    if (failed < 0) {
        if (source->is_body_owned)
            free((void *)(uintptr_t)source->body);
        return failed;
    }
    failed = page_init(&pages->pages[pages->n_pages], source);
    if (failed == 0)
        pages->n_pages++;
    return failed;
}

/* In the order of enum http_error: an error is its own index. */
static int add_errors(struct http_pages *pages)
{
    int failed = 0;

    for (unsigned error = 0; failed == 0 && error < N_HTTP_ERRORS; error++) {
        const struct http_error_text *text = &error_texts[error];

        failed = http_pages_add(pages, &(struct http_source){.status = text->status,
                                                             .type = "text/plain; charset=utf-8",
                                                             .fields = text->fields,
                                                             .body = (const uint8_t *)text->body,
                                                             .body_bytes = strlen(text->body)});
    }
    return failed;
}

/* Before the table is sorted, for the few built-in pages: files were there first. */
static bool has_path(const struct http_pages *pages, const char *path)
{
    for (uint32_t i = N_HTTP_ERRORS; i < pages->n_pages; i++) {
        if (strcmp(pages->pages[i].path, path) == 0)
            return true;
    }
    return false;
}

/* Lines of 64 bytes that begin with their own offset: a byte out of place is seen with the naked eye. */
static uint8_t *numbered_lines(size_t n_bytes)
{
    uint8_t *body = malloc(n_bytes + 1); /* snprintf ends the last line with a NUL */

    for (uint32_t off = 0; body != NULL && off < n_bytes; off += LINE_BYTES)
        snprintf((char *)body + off, LINE_BYTES + 1, "%08x %s\n", off,
                 "the quick brown fox jumps over the lazy dog, and back.");
    return body;
}

static int add_numbered(struct http_pages *pages, const char *path, size_t n_bytes)
{
    uint8_t *body;

    if (has_path(pages, path))
        return 0;
    body = numbered_lines(n_bytes);
    if (body == NULL)
        return -ENOMEM;
    return http_pages_add(pages, &(struct http_source){.status = "200 OK",
                                                       .path = path,
                                                       .type = "text/plain; charset=utf-8",
                                                       .fields = "",
                                                       .body = body,
                                                       .body_bytes = n_bytes,
                                                       .is_body_owned = true});
}

static int add_index(struct http_pages *pages, const char *path)
{
    if (has_path(pages, path))
        return 0;
    return http_pages_add(pages, &(struct http_source){.status = "200 OK",
                                                       .path = path,
                                                       .type = "text/html; charset=utf-8",
                                                       .fields = "",
                                                       .body = (const uint8_t *)index_html,
                                                       .body_bytes = sizeof(index_html) - 1});
}

static int add_built_in(struct http_pages *pages)
{
    int failed = 0;

    /* A root with its own /index.html has "/" from it too. */
    failed = add_index(pages, "/");
    if (failed == 0)
        failed = add_index(pages, "/index.html");
    if (failed == 0)
        failed = add_numbered(pages, "/1k", (size_t)1 << 10);
    if (failed == 0)
        failed = add_numbered(pages, "/64k", (size_t)64 << 10);
    if (failed == 0)
        failed = add_numbered(pages, "/1m", (size_t)1 << 20);
    return failed;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct http_page *)a)->path, ((const struct http_page *)b)->path);
}

struct http_pages *http_pages_new(const char *root)
{
    struct http_pages *pages = calloc(1, sizeof(*pages));
    int failed;

    if (pages == NULL)
        return NULL;
    failed = add_errors(pages);
    if (failed == 0 && root[0] != '\0')
        failed = http_files_load(pages, root);
    if (failed == 0)
        failed = add_built_in(pages);
    if (failed < 0) {
        http_pages_free(pages);
        errno = -failed;
        return NULL;
    }
    qsort(pages->pages + N_HTTP_ERRORS, pages->n_pages - N_HTTP_ERRORS, sizeof(*pages->pages), compare_paths);
    pages->tag = tag_of(pages);
    return pages;
}

void http_pages_free(struct http_pages *pages)
{
    if (pages == NULL)
        return;
    for (uint32_t i = 0; i < pages->n_pages; i++)
        page_fini(&pages->pages[i]);
    free(pages->pages);
    free(pages);
}

/* The first page of [low, high) whose byte at `depth` is not below `byte`; a path that ends there has 0. */
static uint32_t lower_bound(const struct http_pages *pages, uint32_t low, uint32_t high, uint32_t depth,
                            unsigned byte)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if ((uint8_t)pages->pages[middle].path[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void http_pages_narrow(const struct http_pages *pages, uint32_t *low, uint32_t *high, uint32_t depth,
                       uint8_t byte)
{
    if (byte == 0) {
        *high = *low; /* no path has a zero byte, and behind a path's end nothing may be read */
        return;
    }
    *low = lower_bound(pages, *low, *high, depth, byte);
    *high = lower_bound(pages, *low, *high, depth, byte + 1u);
}
