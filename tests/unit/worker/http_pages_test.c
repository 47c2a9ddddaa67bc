/* SPDX-License-Identifier: BSD-3-Clause */
/* http_pages_test.c — which pages there are, and finding them a byte at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/http_pages.h"

/* A folder of its own for a test; everything in it is removed by folder_remove(). */
struct folder {
    char path[64];
};

static void folder_make(struct folder *folder)
{
    const char *home = getenv("TMPDIR");

    snprintf(folder->path, sizeof(folder->path), "%.40s/pagesXXXXXX", home != NULL ? home : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder->path));
}

static const char *in_folder(const struct folder *folder, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    return path;
}

static void file_make(const struct folder *folder, const char *name, const char *text)
{
    FILE *file = fopen(in_folder(folder, name), "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static const struct http_page *find(const struct http_pages *pages, const char *path)
{
    uint32_t low = N_HTTP_ERRORS, high = pages->n_pages, depth = 0;

    for (; path[depth] != '\0'; depth++)
        http_pages_narrow(pages, &low, &high, depth, (uint8_t)path[depth]);
    return low < high && pages->pages[low].path[depth] == '\0' ? &pages->pages[low] : NULL;
}

static bool has_body(const struct http_pages *pages, const char *path, const char *text)
{
    const struct http_page *page = find(pages, path);

    return page != NULL && page->body_bytes == strlen(text) &&
           memcmp(page->body, text, page->body_bytes) == 0;
}

static bool has_type(const struct http_pages *pages, const char *path, const char *type)
{
    const struct http_page *page = find(pages, path);

    return page != NULL && strstr(page->heads[0], type) != NULL && strstr(page->heads[1], type) != NULL;
}

static void the_built_in_pages_have_the_sizes_they_say(void)
{
    struct http_pages *pages = http_pages_new("");

    CU_ASSERT_PTR_NOT_NULL_FATAL(pages);
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(pages, "/1k"));
    CU_ASSERT_EQUAL(find(pages, "/1k")->body_bytes, 1024);
    CU_ASSERT_EQUAL(find(pages, "/64k")->body_bytes, 65536);
    CU_ASSERT_EQUAL(find(pages, "/1m")->body_bytes, 1048576);
    CU_ASSERT_EQUAL(memcmp(find(pages, "/1m")->body + 1048512, "000fffc0 the quick ", 19), 0);
    CU_ASSERT_TRUE(has_type(pages, "/", "Content-Type: text/html"));
    CU_ASSERT_PTR_NULL(find(pages, "/1"));
    CU_ASSERT_PTR_NULL(find(pages, "/1k/"));
    CU_ASSERT_PTR_NULL(find(pages, ""));
    http_pages_free(pages);
}

static void every_head_tells_the_length_of_its_body(void)
{
    struct http_pages *pages = http_pages_new("");
    char length[64];

    CU_ASSERT_PTR_NOT_NULL_FATAL(pages);
    for (uint32_t i = 0; i < pages->n_pages; i++) {
        const struct http_page *page = &pages->pages[i];

        snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", page->body_bytes);
        for (unsigned is_kept = 0; is_kept < 2; is_kept++) {
            CU_ASSERT_PTR_NOT_NULL(strstr(page->heads[is_kept], length));
            CU_ASSERT_EQUAL(strlen(page->heads[is_kept]), page->head_bytes[is_kept]);
            CU_ASSERT_STRING_EQUAL(page->heads[is_kept] + page->head_bytes[is_kept] - 4, "\r\n\r\n");
        }
    }
    CU_ASSERT_PTR_NOT_NULL(
        strstr(pages->pages[HTTP_METHOD_NOT_ALLOWED].heads[0], "\r\nAllow: GET, HEAD\r\n"));
    http_pages_free(pages);
}

static void every_path_is_found_and_nothing_else(void)
{
    struct http_pages *pages = http_pages_new("");
    char path[HTTP_PATH_MAX_BYTES];

    CU_ASSERT_PTR_NOT_NULL_FATAL(pages);
    for (uint32_t i = N_HTTP_ERRORS; i < pages->n_pages; i++) {
        CU_ASSERT_PTR_EQUAL(find(pages, pages->pages[i].path), &pages->pages[i]);
        snprintf(path, sizeof(path), "%s\x01", pages->pages[i].path);
        CU_ASSERT_PTR_NULL(find(pages, path));
    }
    http_pages_free(pages);
}

static void files_of_a_folder_become_pages(void)
{
    struct folder folder;
    struct http_pages *pages;

    folder_make(&folder);
    mkdir(in_folder(&folder, "sub"), 0700);
    file_make(&folder, "index.html", "mine");
    file_make(&folder, "1k", "short");
    file_make(&folder, "sub/index.html", "below");
    file_make(&folder, "sub/style.css", "p {}");
    file_make(&folder, "empty", "");
    file_make(&folder, ".hidden", "secret");
    CU_ASSERT_EQUAL(symlink("/etc/hostname", in_folder(&folder, "link")), 0);
    CU_ASSERT_EQUAL(mkfifo(in_folder(&folder, "pipe"), 0600), 0);
    pages = http_pages_new(folder.path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pages);
    CU_ASSERT_TRUE(has_body(pages, "/", "mine"));
    CU_ASSERT_TRUE(has_body(pages, "/index.html", "mine"));
    CU_ASSERT_TRUE(has_body(pages, "/1k", "short")); /* a file comes before the built-in page */
    CU_ASSERT_TRUE(has_body(pages, "/sub/", "below"));
    CU_ASSERT_TRUE(has_body(pages, "/empty", ""));
    CU_ASSERT_TRUE(has_type(pages, "/sub/style.css", "Content-Type: text/css"));
    CU_ASSERT_TRUE(has_type(pages, "/empty", "Content-Type: application/octet-stream"));
    CU_ASSERT_PTR_NOT_NULL(find(pages, "/64k"));
    CU_ASSERT_PTR_NULL(find(pages, "/.hidden"));
    CU_ASSERT_PTR_NULL(find(pages, "/link"));
    CU_ASSERT_PTR_NULL(find(pages, "/pipe"));
    CU_ASSERT_PTR_NULL(find(pages, "/sub"));
    http_pages_free(pages);
    for (const char *const *name =
             (const char *const[]){"index.html", "1k", "sub/index.html", "sub/style.css", "empty", ".hidden",
                                   "link", "pipe", "sub", "", NULL};
         *name != NULL; name++)
        CU_ASSERT_EQUAL(remove(in_folder(&folder, *name)), 0);
}

static void the_tag_tells_pages_apart(void)
{
    struct http_pages *a = http_pages_new(""), *b = http_pages_new(""), *c;
    struct folder folder;

    folder_make(&folder);
    file_make(&folder, "new", "");
    c = http_pages_new(folder.path);
    CU_ASSERT_FATAL(a != NULL && b != NULL && c != NULL);
    CU_ASSERT_EQUAL(a->tag, b->tag);
    CU_ASSERT_NOT_EQUAL(a->tag, c->tag);
    http_pages_free(a);
    http_pages_free(b);
    http_pages_free(c);
    remove(in_folder(&folder, "new"));
    remove(folder.path);
}

static void a_root_that_is_not_there_is_an_error(void)
{
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

    dup2(null, STDERR_FILENO); /* the line about it is expected */
    errno = 0;
    CU_ASSERT_PTR_NULL(http_pages_new("/proc/self/no-such-folder"));
    CU_ASSERT_EQUAL(errno, ENOENT);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(null);
}

const char unit_suite_name[] = "worker/http_pages";
const struct unit_test unit_tests[] = {
    {"the built-in pages have the sizes they say", the_built_in_pages_have_the_sizes_they_say},
    {"every head tells the length of its body", every_head_tells_the_length_of_its_body},
    {"every path is found and nothing else", every_path_is_found_and_nothing_else},
    {"files of a folder become pages", files_of_a_folder_become_pages},
    {"the tag tells pages apart", the_tag_tells_pages_apart},
    {"a root that is not there is an error", a_root_that_is_not_there_is_an_error},
    {NULL, NULL},
};
