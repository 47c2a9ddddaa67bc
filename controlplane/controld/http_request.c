/* SPDX-License-Identifier: BSD-3-Clause */
/* http_request.c — see http_request.h. Bytes are compared one by one, in any order they may come. */
#include "controlplane/controld/http_request.h"

#include <string.h>

#define MAX_METHOD_BYTES 16u

static bool is_upper(char byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool is_visible(char byte)
{
    return byte > ' ' && byte <= '~';
}

/* Length of the request line without its end; `n` when the end is not here yet. */
static size_t line_length(const char *bytes, size_t n)
{
    const char *end = memchr(bytes, '\n', n);

    if (end == NULL)
        return n;
    return (size_t)(end - bytes) - (end > bytes && end[-1] == '\r');
}

/* True when the empty line behind the headers is there; a bare LF will do (RFC 9112 2.2). */
static bool has_end(const char *bytes, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (bytes[i] != '\n')
            continue;
        if (bytes[i + 1] == '\n' || (i + 2 < n && bytes[i + 1] == '\r' && bytes[i + 2] == '\n'))
            return true;
    }
    return false;
}

/* METHOD SP PATH[?QUERY] SP "HTTP/1." DIGIT, and nothing more. */
static bool take_line(const char *line, size_t n, struct http_request *request)
{
    size_t method = 0, target, end, path;

    while (method < n && is_upper(line[method]))
        method++;
    if (method == 0 || method > MAX_METHOD_BYTES || method == n || line[method] != ' ')
        return false;
    target = end = method + 1;
    while (end < n && is_visible(line[end]))
        end++;
    if (end == target || n - end != sizeof(" HTTP/1.x") - 1 || memcmp(line + end, " HTTP/1.", 8) != 0 ||
        line[n - 1] < '0' || line[n - 1] > '9')
        return false;
    for (path = target; path < end && line[path] != '?';)
        path++;
    path -= target;
    if (path >= HTTP_MAX_PATH_BYTES)
        path = HTTP_MAX_PATH_BYTES - 1;
    memcpy(request->path, line + target, path);
    request->path[path] = '\0';
    request->is_head = method == 4 && memcmp(line, "HEAD", 4) == 0;
    request->is_get = request->is_head || (method == 3 && memcmp(line, "GET", 3) == 0);
    return true;
}

enum http_parse http_request_parse(const char *bytes, size_t n, struct http_request *request)
{
    size_t line = line_length(bytes, n);
    struct http_request taken;

    /* Another protocol shows in its first byte: TLS, for one. */
    if (n > 0 && !is_upper(bytes[0]))
        return HTTP_PARSE_BAD;
    if (line == n)
        return HTTP_PARSE_MORE;
    if (!take_line(bytes, line, &taken))
        return HTTP_PARSE_BAD;
    if (!has_end(bytes, n))
        return HTTP_PARSE_MORE;
    *request = taken;
    return HTTP_PARSE_OK;
}
