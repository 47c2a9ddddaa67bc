/* SPDX-License-Identifier: BSD-3-Clause */
/* pattern.c — see pattern.h. Eight bytes of the stream are one output of the splitmix64 mixing function. */
#include "pattern.h"

#include <string.h>

static uint64_t pattern_word(uint64_t seed, uint64_t word_idx)
{
    uint64_t x = (seed + word_idx) * 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Streams of neighbouring seeds must not be shifted copies of each other. */
static uint64_t pattern_stream(uint64_t seed)
{
    return pattern_word(seed, 0x6d7061);
}

static uint8_t pattern_byte(uint64_t stream, uint64_t position)
{
    return (uint8_t)(pattern_word(stream, position / 8) >> (position % 8 * 8));
}

void pattern_fill(uint64_t seed, uint64_t position, uint8_t *bytes, size_t n_bytes)
{
    uint64_t stream = pattern_stream(seed);
    size_t i = 0;

    while (i < n_bytes) {
        if ((position + i) % 8 == 0 && n_bytes - i >= 8) {
            uint64_t word = pattern_word(stream, (position + i) / 8);

            for (unsigned k = 0; k < 8; k++)
                bytes[i + k] = (uint8_t)(word >> (k * 8));
            i += 8;
        } else {
            bytes[i] = pattern_byte(stream, position + i);
            i++;
        }
    }
}

size_t pattern_check(uint64_t seed, uint64_t position, const uint8_t *bytes, size_t n_bytes)
{
    uint8_t expected[1024];

    for (size_t done = 0; done < n_bytes;) {
        size_t n = n_bytes - done < sizeof(expected) ? n_bytes - done : sizeof(expected);

        pattern_fill(seed, position + done, expected, n);
        for (size_t i = 0; memcmp(expected, bytes + done, n) != 0 && i < n; i++) {
            if (expected[i] != bytes[done + i])
                return done + i;
        }
        done += n;
    }
    return n_bytes;
}
