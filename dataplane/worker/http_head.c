/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_head.c — a function for each phase, called with each byte. A phase either stays, or goes to another
 * one, or fails, which completes the head with an error page. Words (methods, field names, connection
 * options) are told apart by elimination: a bit for each that agrees with the bytes so far.
 */
#include "worker/http_head.h"

#include <string.h>

#define ESCAPE_FIRST 0x80u
#define LENGTH_MAX_DIGITS 18u /* fits in 64 bits without a check at each digit */
#define ALL_WORDS(list) ((uint8_t)((1u << (sizeof(list) / sizeof((list)[0]))) - 1u))

/* Fields whose value matters; the index is their bit in `candidates`. */
enum field { FIELD_HOST, FIELD_CONNECTION, FIELD_LENGTH, FIELD_CODING, FIELD_EXPECT, FIELD_OTHER };

static const char *const method_words[] = {[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD"};
static const char *const field_words[] = {[FIELD_HOST] = "host",
                                          [FIELD_CONNECTION] = "connection",
                                          [FIELD_LENGTH] = "content-length",
                                          [FIELD_CODING] = "transfer-encoding",
                                          [FIELD_EXPECT] = "expect"};
static const char scheme[] = "http://";
static const char *const option_words[] = {"close", "keep-alive"};
static const uint8_t option_flags[] = {HTTP_WANTS_CLOSE, HTTP_WANTS_KEEP};

/*
 * Whatever is wrong with a head, where the next request begins is no longer known: the error is the last
 * answer on the connection.
 */
static void fail(struct http_head *head, enum http_error error)
{
    head->page = error;
    head->flags |= HTTP_WANTS_CLOSE;
    head->phase = HTTP_DONE;
}

/* Not <ctype.h>: its answers depend on the locale. */
static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* tchar of RFC 9110 5.6.2. */
static bool is_token(uint8_t c)
{
    return is_letter(c) || is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* A new token is compared with all words of a list at once. */
static void words_begin(struct http_head *head, uint8_t all)
{
    head->candidates = all;
    head->matched = 0;
}

/* Strikes out the words that do not have `c` here. */
static void words_match(struct http_head *head, const char *const *words, uint8_t c)
{
    uint8_t left = head->candidates;

    /* A candidate has agreed so far, so it is at least `matched` long and its NUL differs from any c > 0. */
    for (unsigned i = 0; left >> i != 0; i++) {
        if ((left & 1u << i) && (uint8_t)words[i][head->matched] != c)
            left &= (uint8_t) ~(1u << i);
    }
    head->candidates = left;
    head->matched++;
}

/* The word that ends here, or -1. */
static int words_end(const struct http_head *head, const char *const *words)
{
    for (unsigned i = 0; head->candidates >> i != 0; i++) {
        if ((head->candidates & 1u << i) && words[i][head->matched] == '\0')
            return (int)i;
    }
    return -1;
}

/* Any method is a token; all but two are refused, but only when the whole head is there (RFC 9110 9.1). */
static void method_byte(struct http_head *head, uint8_t c)
{
    int word;

    if (is_token(c)) {
        words_match(head, method_words, c); /* methods are case-sensitive */
        return;
    }
    if (c != ' ') {
        fail(head, HTTP_BAD_REQUEST);
        return;
    }
    word = words_end(head, method_words);
    head->method = word < 0 ? HTTP_OTHER : (uint8_t)word;
    head->phase = HTTP_TARGET;
}

static void on_start(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (c == '\r' || c == '\n')
        return;
    if (!is_token(c)) {
        fail(head, HTTP_BAD_REQUEST);
        return;
    }
    words_begin(head, ALL_WORDS(method_words));
    head->phase = HTTP_METHOD;
    method_byte(head, c);
}

static void on_method(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    method_byte(head, c);
}

static void version_begin(struct http_head *head)
{
    head->matched = 0;
    head->phase = HTTP_VERSION;
}

/* One byte of the path, decoded. */
static void path_match(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    http_pages_narrow(pages, &head->page_low, &head->page_high, head->matched, c);
    head->matched++;
    head->phase = HTTP_PATH;
}

/* The first byte is the slash that was just read: every path has it. */
static void path_begin(struct http_head *head, const struct http_pages *pages)
{
    head->page_low = N_HTTP_ERRORS;
    head->page_high = pages->n_pages;
    head->matched = 0;
    path_match(head, pages, '/');
}

/* The range shrinks to the page whose path ends here, if there is one: it is the first of those that fit. */
static void path_end(struct http_head *head, const struct http_pages *pages)
{
    bool is_found =
        head->page_low < head->page_high && pages->pages[head->page_low].path[head->matched] == '\0';

    head->page_high = is_found ? head->page_low + 1 : head->page_low;
}

/* Origin form for us, absolute form because a server must (RFC 9112 3.2.2), the others only to be refused. */
static void on_target(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    if (c <= ' ' || c == 0x7f) {
        fail(head, HTTP_BAD_REQUEST);
    } else if (head->method == HTTP_OTHER) {
        head->phase = HTTP_QUERY; /* refused whatever it asks for */
    } else if (c == '/') {
        path_begin(head, pages);
    } else if (c == 'h' || c == 'H') {
        head->matched = 1;
        head->phase = HTTP_SCHEME;
    } else {
        fail(head, HTTP_BAD_REQUEST);
    }
}

/* Only http: what a proxy would do with other schemes is not ours to guess. */
static void on_scheme(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (to_lower(c) != (uint8_t)scheme[head->matched]) {
        fail(head, HTTP_BAD_REQUEST);
        return;
    }
    head->matched++;
    if (scheme[head->matched] == '\0')
        head->phase = HTTP_AUTHORITY;
}

/* Host and port do not matter, there is one site; what matters is where the path begins. */
static void on_authority(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    if (c == '/') {
        path_begin(head, pages);
    } else if (c == '?' || c == ' ') { /* no path is "/" (RFC 9110 4.2.3) */
        path_begin(head, pages);
        path_end(head, pages);
        head->phase = HTTP_QUERY;
        if (c == ' ')
            version_begin(head);
    } else if (c < ' ' || c == 0x7f) {
        fail(head, HTTP_BAD_REQUEST);
    }
}

static void on_path(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    if (c == ' ') {
        path_end(head, pages);
        version_begin(head);
    } else if (c == '?') {
        path_end(head, pages);
        head->phase = HTTP_QUERY;
    } else if (c == '%') {
        head->escape = 0;
        head->phase = HTTP_PATH_ESCAPE;
    } else if (c < ' ' || c == 0x7f) {
        fail(head, HTTP_BAD_REQUEST);
    } else {
        path_match(head, pages, c);
    }
}

/* %XX stands for one byte, which is compared like any other: an escaped '?' or '/' is just that character. */
static void on_path_escape(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    uint8_t digit;

    if (is_digit(c)) {
        digit = (uint8_t)(c - '0');
    } else if (to_lower(c) >= 'a' && to_lower(c) <= 'f') {
        digit = (uint8_t)(to_lower(c) - 'a' + 10);
    } else {
        fail(head, HTTP_BAD_REQUEST);
        return;
    }
    if (head->escape == 0)
        head->escape = ESCAPE_FIRST | digit;
    else
        path_match(head, pages, (uint8_t)((head->escape & 0x0fu) << 4 | digit));
}

/* No page depends on its query. */
static void on_query(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (c == ' ')
        version_begin(head);
    else if (c < ' ' || c == 0x7f)
        fail(head, HTTP_BAD_REQUEST);
}

/* "HTTP/1." and one digit; what is not "HTTP/" and two digits is not HTTP at all. */
static void on_version(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    static const char version[] = "HTTP/1.";
    enum { AT_MAJOR = 5, AT_MINOR = 7, AT_END = 8 };

    (void)pages;
    if (head->matched == AT_END && (c == '\r' || c == '\n')) {
        head->phase = c == '\r' ? HTTP_LINE_END : HTTP_FIELD;
    } else if (head->matched == AT_MINOR && is_digit(c)) {
        if (c != '0')
            head->flags |= HTTP_IS_11; /* a higher minor number understands ours (RFC 9110 2.5) */
        head->matched++;
    } else if (head->matched == AT_MAJOR && is_digit(c) && c != '1') {
        fail(head, HTTP_VERSION_UNKNOWN);
    } else if (head->matched < AT_MINOR && c == (uint8_t)version[head->matched]) {
        head->matched++;
    } else {
        fail(head, HTTP_BAD_REQUEST);
    }
}

/* A CR must be followed by LF: taken alone, two readers could see two different requests. */
static void on_line_end(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (c == '\n')
        head->phase = HTTP_FIELD;
    else
        fail(head, HTTP_BAD_REQUEST);
}

/* The head is whole: which page answers it. */
static void finish(struct http_head *head)
{
    unsigned both = HTTP_HAS_LENGTH | HTTP_HAS_CODING;

    if ((head->flags & (HTTP_IS_11 | HTTP_HAS_HOST)) == HTTP_IS_11 || (head->flags & both) == both) {
        fail(head, HTTP_BAD_REQUEST);
        return;
    }
    if (head->method == HTTP_OTHER)
        head->page = HTTP_METHOD_NOT_ALLOWED;
    else if (head->page_low == head->page_high)
        head->page = HTTP_NOT_FOUND;
    else
        head->page = head->page_low;
    head->phase = HTTP_DONE;
}

static void on_head_end(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (c == '\n')
        finish(head);
    else
        fail(head, HTTP_BAD_REQUEST);
}

/* The beginning of a line decides: another field, or the end of the head. */
static void on_field(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (c == '\r') {
        head->phase = HTTP_HEAD_END;
    } else if (c == '\n') {
        finish(head);
    } else if (is_token(c)) {
        words_begin(head, ALL_WORDS(field_words));
        words_match(head, field_words, to_lower(c));
        head->phase = HTTP_NAME;
    } else {
        fail(head, HTTP_BAD_REQUEST); /* white space here would be a folded line */
    }
}

/* A field that may stand only once: true for the first. */
static bool is_first(struct http_head *head, enum http_flag flag)
{
    bool is_new = (head->flags & flag) == 0;

    head->flags |= (uint8_t)flag;
    if (!is_new)
        fail(head, HTTP_BAD_REQUEST);
    return is_new;
}

/* At the colon the field is known; those that may be there only once are counted here. */
static void on_name(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    int word;

    (void)pages;
    if (is_token(c)) {
        words_match(head, field_words, to_lower(c));
        return;
    }
    if (c != ':') {
        fail(head, HTTP_BAD_REQUEST);
        return;
    }
    word = words_end(head, field_words);
    head->field = word < 0 ? FIELD_OTHER : (uint8_t)word;
    head->phase = HTTP_VALUE;
    head->is_spaced = 0;
    words_begin(head, ALL_WORDS(option_words));
    if (head->field == FIELD_HOST)
        is_first(head, HTTP_HAS_HOST);
    else if (head->field == FIELD_LENGTH)
        is_first(head, HTTP_HAS_LENGTH);
    else if (head->field == FIELD_CODING)
        head->flags |= HTTP_HAS_CODING;
    else if (head->field == FIELD_EXPECT)
        head->flags |= HTTP_EXPECTS;
}

/* Content-Length: digits with white space round them. */
static void length_byte(struct http_head *head, uint8_t c)
{
    if (c == ' ' || c == '\t') {
        head->is_spaced = head->matched > 0;
    } else if (is_digit(c) && !head->is_spaced && head->matched < LENGTH_MAX_DIGITS) {
        head->body_bytes = head->body_bytes * 10 + (uint64_t)(c - '0');
        head->matched++;
    } else {
        fail(head, HTTP_BAD_REQUEST);
    }
}

/* An option that is not ours is none of our business. */
static void option_end(struct http_head *head)
{
    int word = words_end(head, option_words);

    if (word >= 0)
        head->flags |= option_flags[word];
    words_begin(head, ALL_WORDS(option_words));
    head->is_spaced = 0;
}

/* Connection: options with commas between them and white space round each. */
static void option_byte(struct http_head *head, uint8_t c)
{
    if (c == ',') {
        option_end(head);
    } else if (c == ' ' || c == '\t') {
        head->is_spaced = head->matched > 0;
    } else {
        if (head->is_spaced)
            head->candidates = 0; /* two words are not an option of ours */
        words_match(head, option_words, to_lower(c));
    }
}

/* An option without a comma behind it ends with the line; a length must have had a digit. */
static void value_end(struct http_head *head, uint8_t c)
{
    if (head->field == FIELD_CONNECTION)
        option_end(head);
    if (head->field == FIELD_LENGTH && head->matched == 0)
        fail(head, HTTP_BAD_REQUEST);
    else
        head->phase = c == '\r' ? HTTP_LINE_END : HTTP_FIELD;
}

/* Control characters are refused in every value, also in those that are not looked at (RFC 9110 5.5). */
static void on_value(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)pages;
    if (c == '\r' || c == '\n')
        value_end(head, c);
    else if ((c < ' ' && c != '\t') || c == 0x7f)
        fail(head, HTTP_BAD_REQUEST);
    else if (head->field == FIELD_LENGTH)
        length_byte(head, c);
    else if (head->field == FIELD_CONNECTION)
        option_byte(head, c);
}

/* Nobody calls it: at HTTP_DONE nothing is read. */
static void on_done(struct http_head *head, const struct http_pages *pages, uint8_t c)
{
    (void)head;
    (void)pages;
    (void)c;
}

static void (*const phases[N_HTTP_PHASES])(struct http_head *head, const struct http_pages *pages,
                                           uint8_t c) = {
    [HTTP_START] = on_start,
    [HTTP_METHOD] = on_method,
    [HTTP_TARGET] = on_target,
    [HTTP_SCHEME] = on_scheme,
    [HTTP_AUTHORITY] = on_authority,
    [HTTP_PATH] = on_path,
    [HTTP_PATH_ESCAPE] = on_path_escape,
    [HTTP_QUERY] = on_query,
    [HTTP_VERSION] = on_version,
    [HTTP_LINE_END] = on_line_end,
    [HTTP_FIELD] = on_field,
    [HTTP_NAME] = on_name,
    [HTTP_VALUE] = on_value,
    [HTTP_HEAD_END] = on_head_end,
    [HTTP_DONE] = on_done,
};

/*
 * Most bytes of a browser's head are values that nobody looks at. Returns how many bytes from here on
 * on_value() would let pass without a trace, at most n_bytes.
 */
static uint32_t value_skip(const struct http_head *head, const uint8_t *bytes, uint32_t n_bytes)
{
    uint32_t n_plain = 0;

    if (head->phase != HTTP_VALUE || head->field == FIELD_LENGTH || head->field == FIELD_CONNECTION)
        return 0;
    while (n_plain < n_bytes && bytes[n_plain] >= ' ' && bytes[n_plain] != 0x7f)
        n_plain++;
    return n_plain;
}

uint32_t http_head_read(struct http_head *head, const struct http_pages *pages, const uint8_t *bytes,
                        uint32_t n_bytes)
{
    uint32_t n_read = 0;

    while (n_read < n_bytes && head->phase != HTTP_DONE) {
        uint32_t left_bytes = n_bytes - n_read;
        /* The last byte that the limit allows is left to the slow way, which sees the limit. */
        uint32_t limit_bytes = HTTP_HEAD_MAX_BYTES - 1u - head->head_bytes;
        uint32_t n_plain =
            value_skip(head, bytes + n_read, left_bytes < limit_bytes ? left_bytes : limit_bytes);

        if (n_plain > 0) {
            n_read += n_plain;
            head->head_bytes = (uint16_t)(head->head_bytes + n_plain);
            continue;
        }
        phases[head->phase](head, pages, bytes[n_read]);
        n_read++;
        head->head_bytes++;
        if (head->head_bytes >= HTTP_HEAD_MAX_BYTES && head->phase != HTTP_DONE)
            fail(head, HTTP_HEAD_TOO_LARGE);
    }
    return n_read;
}

/* No candidate is shorter than what was compared: words_match() looks at the byte behind that. */
static bool words_are_sane(const struct http_head *head, const char *const *words, uint8_t all)
{
    if (head->candidates & ~all)
        return false;
    for (unsigned i = 0; head->candidates >> i != 0; i++) {
        if ((head->candidates & 1u << i) && strnlen(words[i], head->matched) < head->matched)
            return false;
    }
    return true;
}

/* Paths are sorted: where the first and the last of a range agree, all between them do. */
static bool path_is_sane(const struct http_head *head, const struct http_pages *pages)
{
    const char *first, *last;

    if (head->page_low == head->page_high)
        return true;
    if (head->page_low < N_HTTP_ERRORS)
        return false;
    first = pages->pages[head->page_low].path;
    last = pages->pages[head->page_high - 1].path;
    return strnlen(first, head->matched) == head->matched && strncmp(first, last, head->matched) == 0;
}

bool http_head_is_sane(const struct http_head *head, const struct http_pages *pages)
{
    if (head->page >= pages->n_pages || head->page_low > head->page_high || head->page_high > pages->n_pages)
        return false;
    if (head->head_bytes >= HTTP_HEAD_MAX_BYTES && head->phase != HTTP_DONE)
        return false;
    switch ((enum http_phase)head->phase) {
    case HTTP_METHOD:
        return words_are_sane(head, method_words, ALL_WORDS(method_words));
    case HTTP_SCHEME:
        return head->matched < sizeof(scheme) - 1;
    case HTTP_PATH:
    case HTTP_PATH_ESCAPE:
        return path_is_sane(head, pages);
    case HTTP_NAME:
        return words_are_sane(head, field_words, ALL_WORDS(field_words));
    case HTTP_VALUE:
        return head->field != FIELD_CONNECTION || words_are_sane(head, option_words, ALL_WORDS(option_words));
    case HTTP_START:
    case HTTP_TARGET:
    case HTTP_AUTHORITY:
    case HTTP_QUERY:
    case HTTP_VERSION:
    case HTTP_LINE_END:
    case HTTP_FIELD:
    case HTTP_HEAD_END:
    case HTTP_DONE:
        return true;
    case N_HTTP_PHASES:
        break;
    }
    return false;
}

bool http_head_keeps_open(const struct http_head *head)
{
    if (head->flags & (HTTP_WANTS_CLOSE | HTTP_HAS_CODING | HTTP_EXPECTS))
        return false;
    if (head->body_bytes > HTTP_BODY_MAX_BYTES)
        return false;
    return (head->flags & (HTTP_IS_11 | HTTP_WANTS_KEEP)) != 0;
}
