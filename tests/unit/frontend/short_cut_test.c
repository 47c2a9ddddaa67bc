/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * short_cut_test.c — plain TCP takes a short cut through the classifier and through the check of what a
 * worker sends. Here right packets are spoilt one byte after the other, in every way that a check could see,
 * and cut off at every length: both ways have to come to the same each time. The fuzz targets hold them to it
 * too.
 */
#include "tests/support/short_cut.h"

#include "frontend/classify_internal.h"
#include "tests/unit/frontend/classify_setup.h"

const char unit_suite_name[] = "short cuts";

#define LINK 14u
#define MTU 1500u
#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Nibbles of versions and header lengths, protocols, option kinds, first bytes of special addresses. */
static const uint8_t spoilers[] = {0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x0a, 0x11, 0x20, 0x40,
                                   0x45, 0x46, 0x50, 0x60, 0x7f, 0x80, 0xe0, 0xf0, 0xfe, 0xff};

static const uint8_t timestamps[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t other_options[12] = {2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 0, 0};

static const struct {
    const uint8_t *bytes;
    size_t n_bytes;
} option_sets[] = {{NULL, 0}, {timestamps, 12}, {other_options, 12}, {timestamps, 8}};

static void make(struct frame *frame, uint8_t family, unsigned options, uint8_t flags)
{
    frame_begin(frame, family == 4 ? 0x0800 : 0x86dd);
    if (family == 4)
        frame_put_ip4(frame, 6);
    else
        frame_put_ip6(frame, 6);
    frame_put_tcp(frame, flags, option_sets[options].bytes, option_sets[options].n_bytes);
    frame_put_zeros(frame, 10);
    frame_finish(frame);
}

/* From a copy of exactly that size: a read beyond it is seen by the sanitizer. */
static void assert_same_verdict(const struct frame *frame, uint32_t head_len, uint32_t len_bytes)
{
    struct classify_verdict short_cut, long_way;
    uint8_t *head = malloc(head_len == 0 ? 1 : head_len);
    struct classify_frame received = {.head = head, .head_len = head_len, .len_bytes = len_bytes};

    CU_ASSERT_PTR_NOT_NULL_FATAL(head);
    memcpy(head, frame->bytes, head_len);
    classify_frame(&setup_context, &received, &short_cut);
    classify_step_by_step(&setup_context, &received, &long_way);
    CU_ASSERT_FATAL(short_cut_same_verdict(&short_cut, &long_way));
    free(head);
}

static void spoil_received(const struct frame *frame)
{
    for (uint32_t at = 0; at < frame->len_bytes; at++) {
        for (size_t i = 0; i < LENGTH_OF(spoilers) + 2; i++) {
            struct frame spoilt = *frame;

            spoilt.bytes[at] =
                i < LENGTH_OF(spoilers) ? spoilers[i] : spoilt.bytes[at] ^ (i % 2 == 0 ? 1 : 0x80);
            assert_same_verdict(&spoilt, spoilt.len_bytes, spoilt.len_bytes);
            /* The checksum would hide what else is looked at. */
            if (at >= LINK + 12 || at == LINK || spoilt.bytes[LINK] >> 4 != 4)
                continue;
            frame_fix_ip4_checksum(&spoilt);
            assert_same_verdict(&spoilt, spoilt.len_bytes, spoilt.len_bytes);
        }
    }
}

static void a_received_frame_with_any_byte_wrong(void)
{
    static const uint8_t families[] = {4, 6};

    for (size_t f = 0; f < LENGTH_OF(families); f++) {
        for (unsigned options = 0; options < LENGTH_OF(option_sets); options++) {
            struct frame frame;

            make(&frame, families[f], options, options % 2 == 0 ? FRAME_ACK : FRAME_SYN);
            assert_same_verdict(&frame, frame.len_bytes, frame.len_bytes);
            spoil_received(&frame);
        }
    }
}

static void a_received_frame_cut_off_anywhere(void)
{
    struct frame frame;

    for (unsigned i = 0; i < 2 * LENGTH_OF(option_sets); i++) {
        make(&frame, i % 2 == 0 ? 4 : 6, i / 2, FRAME_ACK);
        for (uint32_t head_len = 0; head_len <= frame.len_bytes; head_len++) {
            assert_same_verdict(&frame, head_len, frame.len_bytes);
            assert_same_verdict(&frame, head_len, head_len);
        }
        frame_put_zeros(&frame, 6); /* padding */
        assert_same_verdict(&frame, frame.len_bytes, frame.len_bytes);
    }
}

static void a_received_frame_between_special_addresses(void)
{
    static const char *const addresses[] = {"0.0.0.0",     "0.1.2.3",        "127.0.0.1", "10.77.0.0",
                                            "10.77.0.255", "10.77.0.2",      "10.77.1.2", "224.0.0.1",
                                            "240.0.0.1",   "255.255.255.255"};
    struct frame frame;

    for (size_t i = 0; i < LENGTH_OF(addresses); i++) {
        for (uint32_t at = LINK + 12; at <= LINK + 16; at += 4) {
            make(&frame, 4, 0, FRAME_ACK);
            inet_pton(AF_INET, addresses[i], frame.bytes + at);
            frame_fix_ip4_checksum(&frame);
            assert_same_verdict(&frame, frame.len_bytes, frame.len_bytes);
        }
    }
}

static void a_received_frame_from_low_addresses(void)
{
    static const char *const addresses[] = {"::",      "::1",     "::ffff:10.77.0.1", "fe80::1", "fe80::2",
                                            "fd77::2", "ff02::1", "ff01::1",          "2001::1"};
    struct frame frame;

    for (size_t i = 0; i < LENGTH_OF(addresses); i++) {
        for (uint32_t at = LINK + 8; at <= LINK + 24; at += 16) {
            make(&frame, 6, 0, FRAME_ACK);
            inet_pton(AF_INET6, addresses[i], frame.bytes + at);
            assert_same_verdict(&frame, frame.len_bytes, frame.len_bytes);
        }
    }
}

/* The request on the first bytes of the frame's packet, from a copy of exactly that size. */
static void assert_same_plan(const struct frame *frame, uint32_t total_len, uint16_t gso_size)
{
    uint32_t here = frame->len_bytes - LINK < total_len ? frame->len_bytes - LINK : total_len;
    uint32_t header_len = here < OFFLOAD_MAX_COPY_BYTES ? here : OFFLOAD_MAX_COPY_BYTES;
    uint8_t *header = malloc(header_len == 0 ? 1 : header_len);
    struct offload_request request = {.header = header,
                                      .header_len = header_len,
                                      .total_len = total_len,
                                      .gso_size = gso_size,
                                      .needs_csum = true};
    struct offload_plan short_cut, long_way;
    enum offload_outcome outcome;

    CU_ASSERT_PTR_NOT_NULL_FATAL(header);
    memcpy(header, frame->bytes + LINK, header_len);
    outcome = offload_check_tx(&setup_addresses, MTU, &request, &short_cut);
    CU_ASSERT_EQUAL_FATAL(offload_check_tx_step_by_step(&setup_addresses, MTU, &request, &long_way), outcome);
    if (outcome == OFFLOAD_OK)
        CU_ASSERT_FATAL(short_cut_same_plan(&short_cut, &long_way));
    free(header);
}

static void turn_round(struct frame *frame, uint8_t family)
{
    uint8_t *ip = frame->bytes + LINK;

    memcpy(ip + (family == 4 ? 12 : 8), family == 4 ? frame_our_ip4 : frame_our_ip6, family == 4 ? 4 : 16);
    memcpy(ip + (family == 4 ? 16 : 24), family == 4 ? frame_peer_ip4 : frame_peer_ip6, family == 4 ? 4 : 16);
}

static void a_sent_packet_with_any_byte_wrong(void)
{
    for (unsigned i = 0; i < 2 * LENGTH_OF(option_sets); i++) {
        uint8_t family = i % 2 == 0 ? 4 : 6;
        struct frame frame;

        make(&frame, family, i / 2, FRAME_ACK);
        turn_round(&frame, family);
        for (uint32_t at = LINK; at < frame.len_bytes; at++) {
            for (size_t k = 0; k < LENGTH_OF(spoilers); k++) {
                struct frame spoilt = frame;

                spoilt.bytes[at] = spoilers[k];
                assert_same_plan(&spoilt, spoilt.len_bytes - LINK, 0);
                assert_same_plan(&spoilt, spoilt.len_bytes - LINK, 5);
            }
        }
    }
}

static void a_sent_packet_of_any_length(void)
{
    for (unsigned i = 0; i < 2 * LENGTH_OF(option_sets); i++) {
        uint8_t family = i % 2 == 0 ? 4 : 6;
        struct frame frame;

        make(&frame, family, i / 2, FRAME_ACK);
        turn_round(&frame, family);
        frame_put_zeros(&frame, 1600);
        for (uint32_t total_len = 0; total_len <= frame.len_bytes - LINK; total_len++) {
            uint16_t length_be = htons((uint16_t)(family == 4 ? total_len : total_len - 40));

            assert_same_plan(&frame, total_len, 0);
            memcpy(frame.bytes + LINK + (family == 4 ? 2 : 4), &length_be, sizeof(length_be));
            assert_same_plan(&frame, total_len, 0);
        }
    }
}

const struct unit_test unit_tests[] = {
    {"a received frame with any byte wrong", a_received_frame_with_any_byte_wrong},
    {"a received frame cut off anywhere", a_received_frame_cut_off_anywhere},
    {"a received frame between special addresses", a_received_frame_between_special_addresses},
    {"a received frame from low addresses", a_received_frame_from_low_addresses},
    {"a sent packet with any byte wrong", a_sent_packet_with_any_byte_wrong},
    {"a sent packet of any length", a_sent_packet_of_any_length},
    {NULL, NULL},
};
