/* SPDX-License-Identifier: BSD-3-Clause */
/* http_test.c — every kind of request gets the right answer, however it is split and whoever goes on. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/worker/service_rig.h"
#include "worker/http_head.h"
#include "worker/http_pages.h"
#include "worker/service_internal.h"

#define ANSWER_MAX_BYTES (3u << 20)

/* All that a peer got, with a NUL behind it. */
static char answer[ANSWER_MAX_BYTES + 1];
static uint32_t n_answer_bytes;

static void take_all(struct service_rig *rig)
{
    uint32_t n_taken;

    do {
        service_rig_run(rig);
        n_taken =
            service_rig_take(rig, (uint8_t *)answer + n_answer_bytes, ANSWER_MAX_BYTES - n_answer_bytes);
        n_answer_bytes += n_taken;
    } while (n_taken > 0);
    answer[n_answer_bytes] = '\0';
}

/* Sends in pieces of `piece_bytes`, to another worker after each if `is_moving`. */
static void ask(struct service_rig *rig, const char *request, size_t piece_bytes, bool is_moving)
{
    size_t n_bytes = strlen(request);

    for (size_t off = 0; off < n_bytes; off += piece_bytes) {
        size_t left = n_bytes - off;

        service_rig_send(rig, request + off, (uint32_t)(left < piece_bytes ? left : piece_bytes));
        take_all(rig);
        if (is_moving)
            service_rig_move(rig);
    }
}

struct fixture {
    struct http_pages *pages;
    struct service service;
    struct service_rig rig;
};

static void start(struct fixture *fixture)
{
    fixture->pages = http_pages_new("");
    CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->pages);
    fixture->service = service_http(fixture->pages);
    service_rig_init(&fixture->rig, &fixture->service);
    n_answer_bytes = 0;
}

/* A new connection to the same service. */
static void restart(struct fixture *fixture)
{
    service_rig_fini(&fixture->rig);
    service_rig_init(&fixture->rig, &fixture->service);
    n_answer_bytes = 0;
}

static void stop(struct fixture *fixture)
{
    service_rig_fini(&fixture->rig);
    http_pages_free(fixture->pages);
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

#define HOST "Host: a\r\n"
#define OPEN true
#define CLOSES false

/* A request, the status it gets, and whether the connection stays open. */
static const struct request_case {
    const char *request;
    unsigned status;
    bool is_open;
} cases[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET /1k HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"HEAD /1m HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET / HTTP/1.1\n"
     "Host: a\n\n",
     200, OPEN},
    {"GET /index.html?a=b&c HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET /%31%6B HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET http://a:80/1k HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET HTTP://a HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET http://a?x HTTP/1.1\r\n" HOST "\r\n", 200, OPEN},
    {"GET / HTTP/1.1\r\nhOsT:a\r\nconnection:\r\nX-Y: \xc3\xa4\t,\r\n\r\n", 200, OPEN},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", 200, OPEN},
    {"GET / HTTP/1.1\r\n" HOST "Connection: upgrade , keep-alive\r\n\r\n", 200, OPEN},
    {"GET / HTTP/1.1\r\n" HOST "Connection: not close, closed, clos\r\n\r\n", 200, OPEN},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Connection: x,, CLOSE \r\n\r\n", 200, CLOSES},
    {"GET / HTTP/1.0\r\n\r\n", 200, CLOSES},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, OPEN},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", 200, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length:  3 \r\n\r\nabc", 200, OPEN},
    {"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 200, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n", 200, CLOSES},
    {"GET /1 HTTP/1.1\r\n" HOST "\r\n", 404, OPEN},
    {"GET /1kk HTTP/1.1\r\n" HOST "\r\n", 404, OPEN},
    {"GET /1k%00 HTTP/1.1\r\n" HOST "\r\n", 404, OPEN},
    {"GET /../1k HTTP/1.1\r\n" HOST "\r\n", 404, OPEN},
    {"GET /\xff HTTP/1.1\r\n" HOST "\r\n", 404, OPEN},
    {"HEAD /none HTTP/1.1\r\n" HOST "\r\n", 404, OPEN},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 405, OPEN},
    {"get / HTTP/1.1\r\n" HOST "\r\n", 405, OPEN},
    {"GE / HTTP/1.1\r\n" HOST "\r\n", 405, OPEN},
    {"GETS / HTTP/1.1\r\n" HOST "\r\n", 405, OPEN},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 405, OPEN},
    {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 405, OPEN},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505, CLOSES},
    {"GET / HTTP/1.1\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, CLOSES},
    {"GET /\r\n\r\n", 400, CLOSES},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400, CLOSES},
    {"GET / HTTP/1.\r\n" HOST "\r\n", 400, CLOSES},
    {"GET / HTTP/11\r\n" HOST "\r\n", 400, CLOSES},
    {"GET / FTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET https://a/ HTTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET /%4x HTTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET /\t HTTP/1.1\r\n" HOST "\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r" HOST "\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST ": nameless\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1 2\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1000000000000000000\r\n\r\n", 400, CLOSES},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, CLOSES},
    {"\x16\x03\x01\x02", 400, CLOSES},
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void check_case(const struct request_case *one, bool is_closed)
{
    char status[32];
    bool is_right;

    snprintf(status, sizeof(status), "HTTP/1.1 %u ", one->status);
    is_right =
        begins_with(answer, status) && is_closed == !one->is_open &&
        strstr(answer, one->is_open ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n") != NULL;
    if (!is_right)
        printf("\n    request: %s\n    answer: %.60s\n    closed: %d\n", one->request, answer, is_closed);
    CU_ASSERT(is_right);
}

static void each_request_gets_its_status(void)
{
    struct fixture fixture;

    start(&fixture);
    for (size_t i = 0; i < N_CASES; i++) {
        ask(&fixture.rig, cases[i].request, SIZE_MAX, false);
        check_case(&cases[i], fixture.rig.is_closed);
        CU_ASSERT_FALSE(fixture.rig.is_aborted);
        CU_ASSERT_EQUAL(fifo_used(&fixture.rig.rx), 0);
        restart(&fixture);
    }
    stop(&fixture);
}

static void a_request_split_anywhere_and_moved_is_the_same(void)
{
    static char whole[65536];
    struct fixture fixture;

    start(&fixture);
    for (size_t i = 0; i < N_CASES; i++) {
        ask(&fixture.rig, cases[i].request, SIZE_MAX, false);
        CU_ASSERT_FATAL(n_answer_bytes < sizeof(whole));
        memcpy(whole, answer, n_answer_bytes + 1);
        restart(&fixture);
        for (size_t piece_bytes = 1; piece_bytes < 40; piece_bytes += piece_bytes < 4 ? 1 : 7) {
            ask(&fixture.rig, cases[i].request, piece_bytes, piece_bytes == 1);
            check_case(&cases[i], fixture.rig.is_closed);
            CU_ASSERT_STRING_EQUAL(answer, whole);
            restart(&fixture);
        }
    }
    stop(&fixture);
}

/* Index of the page with this path. */
static const struct http_page *page_of(const struct http_pages *pages, const char *path)
{
    for (uint32_t i = N_HTTP_ERRORS; i < pages->n_pages; i++) {
        if (strcmp(pages->pages[i].path, path) == 0)
            return &pages->pages[i];
    }
    CU_FAIL_FATAL("no such page");
    return NULL;
}

static void a_large_page_survives_small_room_and_moves(void)
{
    struct fixture fixture;
    const struct http_page *page;
    uint32_t seed = 21;

    start(&fixture);
    page = page_of(fixture.pages, "/1m");
    service_rig_send(&fixture.rig, "GET /1m HTTP/1.1\r\n" HOST "\r\n", 29);
    for (unsigned turn = 0; turn < 100000 && n_answer_bytes < page->head_bytes[1] + page->body_bytes;
         turn++) {
        seed = seed * 1664525u + 1013904223u;
        fixture.rig.tx_limit_bytes = (seed >> 12) % 40000;
        service_rig_run(&fixture.rig);
        if (turn % 5 == 0)
            service_rig_move(&fixture.rig);
        n_answer_bytes +=
            service_rig_take(&fixture.rig, (uint8_t *)answer + n_answer_bytes, (seed >> 10) % 30000);
    }
    CU_ASSERT_EQUAL_FATAL(n_answer_bytes, page->head_bytes[1] + page->body_bytes);
    CU_ASSERT_EQUAL(memcmp(answer, page->heads[1], page->head_bytes[1]), 0);
    CU_ASSERT_EQUAL(memcmp(answer + page->head_bytes[1], page->body, page->body_bytes), 0);
    service_rig_run(&fixture.rig);
    CU_ASSERT_EQUAL(fifo_used(&fixture.rig.tx), 0);
    stop(&fixture);
}

static void pipelined_requests_are_answered_in_order(void)
{
    struct fixture fixture;
    const struct http_page *index, *kib, *missing;
    const char *at = answer;

    start(&fixture);
    index = page_of(fixture.pages, "/");
    kib = page_of(fixture.pages, "/1k");
    missing = &fixture.pages->pages[HTTP_NOT_FOUND];
    ask(&fixture.rig,
        "GET /1k HTTP/1.1\r\n" HOST "\r\n"
        "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nGET "
        "GET /x HTTP/1.1\r\n" HOST "\r\n"
        "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
        "GET /1k HTTP/1.1\r\n" HOST "\r\n",
        SIZE_MAX, false);
    CU_ASSERT_TRUE(begins_with(at, kib->heads[1]));
    at += kib->head_bytes[1] + kib->body_bytes;
    CU_ASSERT_TRUE(begins_with(at, index->heads[1]));
    at += index->head_bytes[1]; /* HEAD: no body */
    CU_ASSERT_TRUE(begins_with(at, missing->heads[1]));
    at += missing->head_bytes[1] + missing->body_bytes;
    CU_ASSERT_TRUE(begins_with(at, index->heads[0]));
    at += index->head_bytes[0] + index->body_bytes;
    CU_ASSERT_EQUAL(at, answer + n_answer_bytes); /* nothing behind the close */
    CU_ASSERT_TRUE(fixture.rig.is_closed);
    stop(&fixture);
}

/* A request whose head has exactly n_bytes. */
static char *head_of(size_t n_bytes)
{
    static const char begin[] = "GET / HTTP/1.1\r\n" HOST "X: ";
    char *request = malloc(n_bytes + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(request);
    memset(request, 'x', n_bytes);
    memcpy(request, begin, sizeof(begin) - 1);
    memcpy(request + n_bytes - 4, "\r\n\r\n", 5);
    return request;
}

static void a_head_of_8_kib_is_the_limit(void)
{
    for (size_t excess = 0; excess < 2; excess++) {
        struct fixture fixture;
        char *request = head_of(HTTP_HEAD_MAX_BYTES + excess);

        start(&fixture);
        ask(&fixture.rig, request, SIZE_MAX, false);
        CU_ASSERT_TRUE(begins_with(answer, excess ? "HTTP/1.1 431 " : "HTTP/1.1 200 "));
        CU_ASSERT_EQUAL(fixture.rig.is_closed, excess == 1);
        stop(&fixture);
        free(request);
    }
}

static void after_its_last_reply_it_takes_a_while_and_then_resets(void)
{
    static char noise[60000];
    struct fixture fixture;

    start(&fixture);
    ask(&fixture.rig, "nonsense\r\n", SIZE_MAX, false);
    CU_ASSERT_TRUE(fixture.rig.is_closed);
    for (unsigned turn = 0; turn < 4; turn++) {
        service_rig_send(&fixture.rig, noise, sizeof(noise));
        service_rig_run(&fixture.rig);
        CU_ASSERT_EQUAL(fifo_used(&fixture.rig.rx), 0);
        CU_ASSERT_FALSE(fixture.rig.is_aborted);
    }
    service_rig_send(&fixture.rig, noise, sizeof(noise));
    service_rig_run(&fixture.rig);
    CU_ASSERT_TRUE(fixture.rig.is_aborted);
    stop(&fixture);
}

static void a_peer_that_closes_still_gets_its_answers(void)
{
    struct fixture fixture;

    start(&fixture);
    fixture.rig.tx_limit_bytes = 10;
    service_rig_send(&fixture.rig, "GET / HTTP/1.1\r\n" HOST "\r\nGET /br", 34);
    fixture.rig.has_peer_closed = true;
    service_rig_run(&fixture.rig);
    CU_ASSERT_FALSE(fixture.rig.is_closed);
    fixture.rig.tx_limit_bytes = FIFO_MAX_BYTES;
    take_all(&fixture.rig);
    CU_ASSERT_TRUE(begins_with(answer, "HTTP/1.1 200 "));
    CU_ASSERT_PTR_NULL(strstr(answer + 1, "HTTP/1.1 ")); /* the request that broke off gets none */
    CU_ASSERT_TRUE(fixture.rig.is_closed);
    stop(&fixture);
}

/* Half a page of one worker and half of another's would be a lie. */
static void a_reply_is_not_continued_from_other_pages(void)
{
    struct fixture fixture;

    start(&fixture);
    fixture.rig.tx_limit_bytes = 100;
    service_rig_send(&fixture.rig, "GET /1k HTTP/1.1\r\n" HOST "\r\n", 29);
    service_rig_run(&fixture.rig);
    fixture.pages->tag++;
    service_rig_run(&fixture.rig);
    CU_ASSERT_TRUE(fixture.rig.is_aborted);
    stop(&fixture);
}

static void an_idle_connection_goes_on_with_other_pages(void)
{
    struct fixture fixture;

    start(&fixture);
    ask(&fixture.rig, "GET /1k HTTP/1.1\r\n" HOST "\r\n", SIZE_MAX, false);
    fixture.pages->tag++;
    n_answer_bytes = 0;
    ask(&fixture.rig, "GET /1k HTTP/1.1\r\n" HOST "\r\n", SIZE_MAX, false);
    CU_ASSERT_TRUE(begins_with(answer, "HTTP/1.1 200 "));
    CU_ASSERT_FALSE(fixture.rig.is_aborted);
    stop(&fixture);
}

const char unit_suite_name[] = "worker/http";
/* The service's state in another worker's records, as whoever took that one over would write it. */
static void forge(struct service_rig *rig, uint64_t *random)
{
    uint8_t *bytes = (uint8_t *)rig->state;
    unsigned n_changes;

    *random = *random * 6364136223846793005u + 1442695040888963407u;
    n_changes = 1 + (unsigned)(*random >> 62);
    for (unsigned i = 0; i < n_changes; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        bytes[(*random >> 40) % rig->service->state_bytes] = (uint8_t)(*random >> 56);
    }
}

static void a_forged_state_is_refused_or_harmless(void)
{
    static const char request[] = "GET /1k?a=b HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n";
    unsigned n_refused = 0, n_resumed = 0;
    struct fixture fixture;
    uint64_t random = 1;

    start(&fixture);
    for (unsigned round = 0; round < 200; round++) {
        for (uint32_t split = 0; split < sizeof(request) - 1; split++) {
            restart(&fixture);
            service_rig_send(&fixture.rig, request, split);
            take_all(&fixture.rig);
            forge(&fixture.rig, &random);
            if (!service_can_resume(&fixture.service, fixture.rig.state)) {
                n_refused++;
                continue;
            }
            n_resumed++;
            service_rig_send(&fixture.rig, request + split, (uint32_t)(sizeof(request) - 1 - split));
            take_all(&fixture.rig); /* a sanitizer sees what is read outside */
        }
    }
    CU_ASSERT(n_refused > 0);
    CU_ASSERT(n_resumed > 0);
    stop(&fixture);
}

static void a_forged_page_is_refused(void)
{
    const struct {
        size_t off;
        uint32_t value;
    } lies[] = {
        {offsetof(struct http_head, page), 0x7fffffff},
        {offsetof(struct http_head, page_high), 0x7fffffff},
        {offsetof(struct http_head, page_low), 0x7fffffff},
    };
    struct fixture fixture;

    start(&fixture);
    CU_ASSERT(service_can_resume(&fixture.service, fixture.rig.state));
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        restart(&fixture);
        memcpy((uint8_t *)fixture.rig.state + lies[i].off, &lies[i].value, sizeof(lies[i].value));
        CU_ASSERT_FALSE(service_can_resume(&fixture.service, fixture.rig.state));
    }
    stop(&fixture);
}

const struct unit_test unit_tests[] = {
    {"each request gets its status", each_request_gets_its_status},
    {"a request split anywhere and moved is the same", a_request_split_anywhere_and_moved_is_the_same},
    {"a large page survives small room and moves", a_large_page_survives_small_room_and_moves},
    {"pipelined requests are answered in order", pipelined_requests_are_answered_in_order},
    {"a head of 8 KiB is the limit", a_head_of_8_kib_is_the_limit},
    {"after its last reply it takes a while and then resets",
     after_its_last_reply_it_takes_a_while_and_then_resets},
    {"a peer that closes still gets its answers", a_peer_that_closes_still_gets_its_answers},
    {"a reply is not continued from other pages", a_reply_is_not_continued_from_other_pages},
    {"an idle connection goes on with other pages", an_idle_connection_goes_on_with_other_pages},
    {"a forged page is refused", a_forged_page_is_refused},
    {"a forged state is refused or harmless", a_forged_state_is_refused_or_harmless},
    {NULL, NULL},
};
