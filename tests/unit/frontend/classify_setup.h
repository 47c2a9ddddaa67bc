/* SPDX-License-Identifier: BSD-3-Clause */
/* classify_setup.h — who "we" are in the classifier's tests, and how a test asks for a verdict. */
#ifndef MPA_TESTS_CLASSIFY_SETUP_H
#define MPA_TESTS_CLASSIFY_SETUP_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/classify.h"
#include "tests/support/frame.h"
#include "tests/support/unit.h"

static const struct host_addresses setup_addresses = {
    .n_addresses = 3,
    .mtu_bytes = 1500,
    .addresses = {{.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}},
                  {.family = 6, .prefix_bits = 64, .bytes = {0xfe, 0x80, [15] = 2}},
                  {.family = 6, .prefix_bits = 64, .bytes = {0xfd, 0x77, [15] = 2}}}};
static const struct flow_seed setup_seed = {{1, 2, 3, 4}};
static const struct classify_context setup_context = {
    .mac = frame_our_mac, .addresses = &setup_addresses, .seed = &setup_seed};

/* The verdict on the first head_len bytes of a frame, from a copy of exactly that size: a read beyond it is
 * seen by the sanitizer. */
static inline struct classify_verdict classify_head(const struct frame *frame, uint32_t head_len, bool is_gso)
{
    struct classify_verdict verdict;
    uint8_t *head = malloc(head_len == 0 ? 1 : head_len);
    struct classify_frame received = {
        .head = head, .head_len = head_len, .len_bytes = frame->len_bytes, .is_gso = is_gso};

    CU_ASSERT_PTR_NOT_NULL_FATAL(head);
    memcpy(head, frame->bytes, head_len);
    classify_frame(&setup_context, &received, &verdict);
    free(head);
    return verdict;
}

static inline struct classify_verdict classify_whole(const struct frame *frame)
{
    return classify_head(frame, frame->len_bytes, false);
}

#define ASSERT_TO(frame, where)                                                                              \
    do {                                                                                                     \
        CU_ASSERT_EQUAL(classify_whole(frame).to, where);                                                    \
    } while (0)

#define ASSERT_DROP(frame, reason)                                                                           \
    do {                                                                                                     \
        struct classify_verdict verdict_ = classify_whole(frame);                                            \
        CU_ASSERT_EQUAL(verdict_.to, CLASSIFY_DROP);                                                         \
        CU_ASSERT_EQUAL(verdict_.drop, reason);                                                              \
    } while (0)

#endif
