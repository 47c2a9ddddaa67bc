/* SPDX-License-Identifier: BSD-3-Clause */
/* http_request_test.c — promises of the HTTP request parser. */
#include "controlplane/controld/http_request.h"

#include <string.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/http_request";

static enum http_parse parse(const char *text, struct http_request *request)
{
    return http_request_parse(text, strlen(text), request);
}

static void test_method_and_path(void)
{
    struct http_request request;

    CU_ASSERT_EQUAL(parse("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", &request), HTTP_PARSE_OK);
    CU_ASSERT_TRUE(request.is_get);
    CU_ASSERT_STRING_EQUAL(request.path, "/metrics");
    CU_ASSERT_EQUAL(parse("POST /livez HTTP/1.0\n\n", &request), HTTP_PARSE_OK);
    CU_ASSERT_FALSE(request.is_get);
    CU_ASSERT_STRING_EQUAL(request.path, "/livez");
    CU_ASSERT_FALSE(request.is_head);
    CU_ASSERT_EQUAL(parse("HEAD /livez HTTP/1.1\r\n\r\n", &request), HTTP_PARSE_OK);
    CU_ASSERT_TRUE(request.is_get && request.is_head);
    CU_ASSERT_EQUAL(parse("GETT / HTTP/1.1\r\n\r\n", &request), HTTP_PARSE_OK);
    CU_ASSERT_FALSE(request.is_get);
}

static void test_every_cut_asks_for_more(void)
{
    static const char text[] = "GET /readyz HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
    struct http_request request;

    for (size_t n = 0; n < sizeof(text) - 1; n++)
        CU_ASSERT_EQUAL(http_request_parse(text, n, &request), HTTP_PARSE_MORE);
    CU_ASSERT_EQUAL(http_request_parse(text, sizeof(text) - 1, &request), HTTP_PARSE_OK);
}

static void test_what_is_no_request(void)
{
    static const char *const lines[] = {"\x16\x03\x01",
                                        "get / HTTP/1.1\r\n",
                                        "GET /\r\n",
                                        "GET  / HTTP/1.1\r\n",
                                        "GET / HTTP/2.0\r\n",
                                        "GET / HTTP/1.1 \r\n",
                                        "GET / HTTP/1.x\r\n",
                                        "GET /\x01 HTTP/1.1\r\n",
                                        "GET\r\n",
                                        "GETGETGETGETGETGETGET / HTTP/1.1\r\n",
                                        " GET / HTTP/1.1\r\n"};
    struct http_request request;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        CU_ASSERT_EQUAL(parse(lines[i], &request), HTTP_PARSE_BAD);
    /* A NUL ends no string here. */
    CU_ASSERT_EQUAL(http_request_parse("GET /\0 HTTP/1.1\r\n\r\n", 19, &request), HTTP_PARSE_BAD);
}

static void test_a_long_path_is_cut(void)
{
    struct http_request request;
    char text[400] = "GET /metrics";

    memset(text + strlen(text), 'a', 300);
    strcat(text, " HTTP/1.1\r\n\r\n");
    CU_ASSERT_EQUAL(parse(text, &request), HTTP_PARSE_OK);
    CU_ASSERT_EQUAL(strlen(request.path), HTTP_MAX_PATH_BYTES - 1);
}

const struct unit_test unit_tests[] = {{"method and path are taken, the query is not", test_method_and_path},
                                       {"a request cut anywhere asks for more", test_every_cut_asks_for_more},
                                       {"what is no request is told at once", test_what_is_no_request},
                                       {"a path that is too long is cut", test_a_long_path_is_cut},
                                       {NULL, NULL}};
