/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_text_test.c — flows, buckets and hand-overs as people write and read them. */
#include "controlplane/mpactl/flow_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/event_text.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/flow_text";

static void test_flows_in_all_spellings(void)
{
    static const char *const texts[] = {"tcp 10.0.0.1:1234 -> 10.0.0.2:80", "10.0.0.1:1234 10.0.0.2:80",
                                        "  tcp\t10.0.0.1:1234   10.0.0.2:80 "};
    struct flow_text places;
    Mpa__V1__FlowKey key;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CU_ASSERT_TRUE_FATAL(flow_text_parse(texts[i], &places, &key));
        CU_ASSERT_STRING_EQUAL(key.protocol, "tcp");
        CU_ASSERT_STRING_EQUAL(key.remote_address, "10.0.0.1");
        CU_ASSERT_EQUAL(key.remote_port, 1234);
        CU_ASSERT_STRING_EQUAL(key.local_address, "10.0.0.2");
        CU_ASSERT_EQUAL(key.local_port, 80);
    }
}

static void test_what_is_shown_can_be_given_back(void)
{
    static const char *const texts[] = {"10.0.0.1:1234 -> 10.0.0.2:80", "[fd77::1]:1 -> [fd77::2]:65535"};
    struct flow_text places;
    Mpa__V1__FlowKey key;
    char shown[160];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CU_ASSERT_TRUE_FATAL(flow_text_parse(texts[i], &places, &key));
        flow_text_format(&key, shown, sizeof(shown));
        CU_ASSERT_STRING_EQUAL(shown, texts[i]);
    }
}

static void test_what_is_no_flow(void)
{
    static const char *const texts[] = {"",
                                        "tcp",
                                        "10.0.0.1:1",
                                        "10.0.0.1 10.0.0.2",
                                        "10.0.0.1:x 10.0.0.2:1",
                                        ":1 :2",
                                        "[]:1 [::1]:2",
                                        "[::1:1 [::1]:2",
                                        "10.0.0.1:65536 10.0.0.2:1",
                                        "a b c d",
                                        "a:1 b:2 c",
                                        "a:1 b:-2",
                                        "a:1 b:2 -> tcp d:1 e:2"};
    struct flow_text places;
    Mpa__V1__FlowKey key;
    char longest[400];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CU_ASSERT_FALSE(flow_text_parse(texts[i], &places, &key));
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + sizeof(longest) - 7, ":1 b:2", 7);
    CU_ASSERT_FALSE(flow_text_parse(longest, &places, &key));
}

static void test_buckets(void)
{
    Mpa__V1__BucketRange ranges[3];

    CU_ASSERT_EQUAL_FATAL(bucket_text_parse("7,0-511,4095", ranges, 3), 3);
    CU_ASSERT_EQUAL(ranges[0].first, 7);
    CU_ASSERT_EQUAL(ranges[0].last, 7);
    CU_ASSERT_EQUAL(ranges[1].first, 0);
    CU_ASSERT_EQUAL(ranges[1].last, 511);
    CU_ASSERT_EQUAL(ranges[2].first, 4095);
    CU_ASSERT_EQUAL(bucket_text_parse("1,2,3,4", ranges, 3), 0);
    CU_ASSERT_EQUAL(bucket_text_parse("", ranges, 3), 0);
    CU_ASSERT_EQUAL(bucket_text_parse("1,", ranges, 3), 0);
    CU_ASSERT_EQUAL(bucket_text_parse("1-", ranges, 3), 0);
    CU_ASSERT_EQUAL(bucket_text_parse("-1", ranges, 3), 0);
    CU_ASSERT_EQUAL(bucket_text_parse("1;2", ranges, 3), 0);
    CU_ASSERT_EQUAL(bucket_text_parse("4294967296", ranges, 3), 0);
}

static void test_hand_over_is_a_sentence(void)
{
    char to[] = "to", duration[] = "duration_ns", flows[] = "flows", buckets[] = "buckets";
    char frames[] = "frames_held", result[] = "result";
    char one[] = "1", two[] = "2", ns[] = "820000", many[] = "341", bad[] = "target\ndied";
    Mpa__V1__Field fields[6];
    Mpa__V1__Field *list[6];
    Mpa__V1__Event event = MPA__V1__EVENT__INIT;
    char *keys[] = {to, duration, flows, buckets, frames, result};
    char *values[] = {two, ns, one, many, one, bad};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    for (size_t i = 0; i < 6; i++) {
        mpa__v1__field__init(&fields[i]);
        fields[i].key = keys[i];
        fields[i].value = values[i];
        list[i] = &fields[i];
    }
    event.kind = MPA__V1__EVENT_KIND__EVENT_KIND_HANDOVER;
    event.slot = 1;
    event.fields = list;
    event.n_fields = 6;
    event_text_print(&event, out);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(
        text, "handover worker 1 -> worker 2: 1 flow in 341 buckets, 820us, 1 frame held, target?died");
    free(text);
}

const struct unit_test unit_tests[] = {
    {"a flow is read in all its spellings", test_flows_in_all_spellings},
    {"what is shown can be given back", test_what_is_shown_can_be_given_back},
    {"what is no flow is refused", test_what_is_no_flow},
    {"buckets are numbers and ranges", test_buckets},
    {"a hand-over is told as a sentence", test_hand_over_is_a_sentence},
    {NULL, NULL},
};
