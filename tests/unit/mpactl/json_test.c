/* SPDX-License-Identifier: BSD-3-Clause */
/* json_test.c — promises of the converter from messages to JSON. */
#include "controlplane/mpactl/json.h"

#include <string.h>

#include "mpa/v1/control.pb-c.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "mpactl/json";

/* The message as compact JSON equals `expected`. */
static void assert_json(const ProtobufCMessage *message, const char *expected)
{
    json_t *json = json_from_message(message);
    char *text;

    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    text = json_dumps(json, JSON_COMPACT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
    json_decref(json);
}

static void test_defaults_are_there(void)
{
    Mpa__V1__CaptureStopReply message = MPA__V1__CAPTURE_STOP_REPLY__INIT;

    assert_json(&message.base, "{\"missed\":0}");
}

static void test_enums_are_words(void)
{
    Mpa__V1__Lane lane = MPA__V1__LANE__INIT;

    lane.state = MPA__V1__LANE_STATE__LANE_STATE_QUARANTINED;
    assert_json(&lane.base,
                "{\"slot\":0,\"state\":\"quarantined\",\"fault\":\"\",\"gauges\":{},\"counters\":{}}");
    lane.state = (Mpa__V1__LaneState)77;
    assert_json(&lane.base, "{\"slot\":0,\"state\":77,\"fault\":\"\",\"gauges\":{},\"counters\":{}}");
}

static void test_pairs_are_objects(void)
{
    char rx[] = "rx_frames";
    char tx[] = "tx_frames";
    Mpa__V1__Value values[] = {MPA__V1__VALUE__INIT, MPA__V1__VALUE__INIT};
    Mpa__V1__Value *list[] = {&values[0], &values[1]};
    Mpa__V1__Lane lane = MPA__V1__LANE__INIT;

    values[0].name = rx;
    values[0].value = 7;
    values[1].name = tx;
    values[1].value = 8;
    lane.counters = list;
    lane.n_counters = 2;
    assert_json(&lane.base, "{\"slot\":0,\"state\":\"empty\",\"fault\":\"\",\"gauges\":{},"
                            "\"counters\":{\"rx_frames\":7,\"tx_frames\":8}}");
}

static void test_bytes_are_hexadecimal(void)
{
    uint8_t bytes[] = {0x00, 0x7f, 0xff};
    Mpa__V1__CapturedFrame frame = MPA__V1__CAPTURED_FRAME__INIT;

    frame.data.data = bytes;
    frame.data.len = sizeof(bytes);
    frame.is_out = 1;
    assert_json(&frame.base,
                "{\"time_ns\":0,\"len_bytes\":0,\"lane\":0,\"is_out\":true,\"data\":\"007fff\"}");
}

static void test_lists_of_numbers(void)
{
    uint32_t workers[] = {0, 255};
    uint64_t frames[] = {1, UINT64_MAX};
    Mpa__V1__GetBucketsReply reply = MPA__V1__GET_BUCKETS_REPLY__INIT;

    reply.n_buckets = 2;
    reply.workers = workers;
    reply.n_workers = 2;
    reply.frames = frames;
    reply.n_frames = 2;
    assert_json(&reply.base, "{\"n_buckets\":2,\"workers\":[0,255],\"frames\":[1,\"18446744073709551615\"]}");
}

static void test_only_the_set_case_of_a_oneof(void)
{
    Mpa__V1__StopRequest stop = MPA__V1__STOP_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;

    assert_json(&request.base, "{\"id\":0,\"deadline_ms\":0}");
    request.body_case = MPA__V1__REQUEST__BODY_STOP;
    request.stop = &stop;
    assert_json(&request.base, "{\"id\":0,\"deadline_ms\":0,\"stop\":{}}");
}

static void test_text_that_is_no_utf8(void)
{
    char bad[] = "\xff\xfe";
    Mpa__V1__Error error = MPA__V1__ERROR__INIT;

    error.text = bad;
    assert_json(&error.base, "{\"code\":\"none\",\"text\":null,\"field\":\"\"}");
}

const struct unit_test unit_tests[] = {
    {"a field with its default value is there", test_defaults_are_there},
    {"an enum is a word, an unknown value its number", test_enums_are_words},
    {"a list of names and values is an object", test_pairs_are_objects},
    {"bytes are hexadecimal digits", test_bytes_are_hexadecimal},
    {"a list of numbers is an array, numbers beyond 63 bits are strings", test_lists_of_numbers},
    {"of a oneof only the case that is set is there", test_only_the_set_case_of_a_oneof},
    {"text that is no UTF-8 spoils nothing else", test_text_that_is_no_utf8},
    {NULL, NULL},
};
