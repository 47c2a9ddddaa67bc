/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_text.h — flows and buckets as people write them. Pure. */
#ifndef MPA_MPACTL_FLOW_TEXT_H
#define MPA_MPACTL_FLOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"

#define FLOW_TEXT_ADDRESS_BYTES 64

/* Where the strings of a key that was parsed stand. */
struct flow_text {
    char protocol[8];
    char remote[FLOW_TEXT_ADDRESS_BYTES];
    char local[FLOW_TEXT_ADDRESS_BYTES];
};

/* "tcp 10.0.0.1:1234 -> 10.0.0.2:80", "[2001:db8::1]:1234 [2001:db8::2]:80": the protocol and the arrow may
 * be left out. *key points into *places. False: it is not like that; whether the addresses are any is for the
 * stack to say. */
bool flow_text_parse(const char *text, struct flow_text *places, Mpa__V1__FlowKey *key) MPA_WARN_UNUSED;

/* "10.0.0.1:1234 -> 10.0.0.2:80" into `text`. */
void flow_text_format(const Mpa__V1__FlowKey *key, char *text, size_t size);

/* "3", "0-511,1024": into at most `max` ranges; their number, 0: it is not like that, or there are more. */
size_t bucket_text_parse(const char *text, Mpa__V1__BucketRange *ranges, size_t max) MPA_WARN_UNUSED;

#endif
