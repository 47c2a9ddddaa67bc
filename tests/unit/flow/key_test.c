/* SPDX-License-Identifier: BSD-3-Clause */
/* key_test.c — the hash against a second writing of lookup2, its spread measured, keys compared and shown. */
#include "flow/key.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flow/bucket.h"
#include "tests/support/unit.h"

const char unit_suite_name[] = "flow key";

static const struct flow_seed seed = {{0x9e3779b9u, 0x7f4a7c15u, 0xf39cc060u, 0x5cedc834u}};

static struct flow_key key_v4(uint32_t remote, uint32_t local, uint16_t remote_port, uint16_t local_port)
{
    struct flow_key key = {.protocol = IPPROTO_TCP, .family = 4};
    uint32_t remote_be = htonl(remote), local_be = htonl(local);

    memcpy(key.remote, &remote_be, 4);
    memcpy(key.local, &local_be, 4);
    key.remote_port_be = htons(remote_port);
    key.local_port_be = htons(local_port);
    return key;
}

static struct flow_key key_v6(uint16_t remote_host, uint16_t remote_port)
{
    struct flow_key key = {.protocol = IPPROTO_TCP, .family = 6};

    key.remote[0] = key.local[0] = 0xfd;
    key.remote[14] = (uint8_t)(remote_host >> 8);
    key.remote[15] = (uint8_t)remote_host;
    key.local[15] = 2;
    key.remote_port_be = htons(remote_port);
    key.local_port_be = htons(80);
    return key;
}

/* lookup2's mix as published, step by step. */
static void reference_mix(uint32_t s[3])
{
    static const unsigned shifts[9] = {13, 8, 13, 12, 16, 5, 3, 10, 15};

    for (unsigned i = 0; i < 9; i++) {
        uint32_t *x = &s[i % 3], y = s[(i + 1) % 3], z = s[(i + 2) % 3];

        *x = *x - y;
        *x = *x - z;
        *x ^= i % 3 == 1 ? z << shifts[i] : z >> shifts[i];
    }
}

static void is_lookup2_over_addresses_and_ports(void)
{
    struct flow_key key = key_v4(0x0a4d0001, 0x0a4d0002, 40000, 80);
    uint32_t s[3] = {seed.words[0] + 0x0a4d0001, seed.words[1] + 0x0a4d0002,
                     seed.words[2] + (40000u << 16 | 80u)};

    reference_mix(s);
    s[0] += IPPROTO_TCP;
    s[1] += seed.words[3];
    s[2] += 13;
    reference_mix(s);
    CU_ASSERT_EQUAL(flow_key_hash(&key, &seed), s[2]);
}

static void every_bit_of_key_and_seed_counts(void)
{
    struct flow_key keys[2] = {key_v4(0x0a4d0001, 0x0a4d0002, 40000, 80), key_v6(1, 40000)};

    for (unsigned k = 0; k < 2; k++) {
        uint32_t hash = flow_key_hash(&keys[k], &seed);
        unsigned address_bits = keys[k].family == 4 ? 32 : 128;

        for (unsigned bit = 0; bit < address_bits; bit++) {
            struct flow_key remote = keys[k], local = keys[k];

            remote.remote[bit / 8] ^= (uint8_t)(1u << bit % 8);
            local.local[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CU_ASSERT_NOT_EQUAL(flow_key_hash(&remote, &seed), hash);
            CU_ASSERT_NOT_EQUAL(flow_key_hash(&local, &seed), hash);
        }
        for (unsigned word = 0; word < 4; word++) {
            struct flow_seed other = seed;

            other.words[word] ^= 1;
            CU_ASSERT_NOT_EQUAL(flow_key_hash(&keys[k], &other), hash);
        }
        keys[k].protocol = IPPROTO_UDP;
        CU_ASSERT_NOT_EQUAL(flow_key_hash(&keys[k], &seed), hash);
    }
}

#define N_CELLS 4096u

/* Chi-square of the cells against an even spread, as a distance from its mean in standard deviations. */
static double deviation(const uint32_t cells[N_CELLS], uint32_t n_keys)
{
    double expected = (double)n_keys / N_CELLS, chi2 = 0;

    for (unsigned i = 0; i < N_CELLS; i++)
        chi2 += ((double)cells[i] - expected) * ((double)cells[i] - expected) / expected;
    return fabs(chi2 - (N_CELLS - 1)) / sqrt(2.0 * (N_CELLS - 1));
}

static void sequential_ports_spread_evenly(void)
{
    static uint32_t low[N_CELLS], high[N_CELLS];

    memset(low, 0, sizeof(low));
    memset(high, 0, sizeof(high));
    for (uint32_t port = 0; port < 65536; port++) {
        struct flow_key key = key_v4(0x0a4d0001, 0x0a4d0002, (uint16_t)port, 80);
        uint32_t hash = flow_key_hash(&key, &seed);

        low[hash % N_CELLS]++;
        high[hash >> 20]++;
    }
    CU_ASSERT(deviation(low, 65536) < 5);
    CU_ASSERT(deviation(high, 65536) < 5);
}

static void sequential_addresses_spread_evenly(void)
{
    static uint32_t v4[N_CELLS], v6[N_CELLS];

    memset(v4, 0, sizeof(v4));
    memset(v6, 0, sizeof(v6));
    for (uint32_t i = 0; i < 65536; i++) {
        struct flow_key key4 = key_v4(0x0a000000 + i, 0x0a4d0002, 40000, 80);
        struct flow_key key6 = key_v6((uint16_t)i, 40000);

        v4[flow_key_hash(&key4, &seed) % N_CELLS]++;
        v6[flow_key_hash(&key6, &seed) % N_CELLS]++;
    }
    CU_ASSERT(deviation(v4, 65536) < 5);
    CU_ASSERT(deviation(v6, 65536) < 5);
}

/* The busiest worker's part of n_flows sequential flows, as a ratio to the fair share. */
static double busiest(uint32_t n_workers, uint32_t n_flows, const struct flow_seed *with)
{
    struct bucket_table table;
    uint32_t n_served[4] = {0}, most = 0;

    CU_ASSERT_EQUAL_FATAL(bucket_table_init(&table, N_CELLS), 0);
    bucket_table_spread(&table, (1u << n_workers) - 1, NULL, NULL);
    for (uint32_t i = 0; i < n_flows; i++) {
        struct flow_key key = key_v4(0x0a4d0001 + i % 4, 0x0a4d0002, (uint16_t)(32768 + i), 80);

        n_served[table.worker[bucket_of(&table, flow_key_hash(&key, with))]]++;
    }
    for (uint32_t w = 0; w < n_workers; w++)
        most = n_served[w] > most ? n_served[w] : most;
    bucket_table_fini(&table);
    return (double)most * n_workers / n_flows;
}

static void workers_get_their_share_of_2000_connections(void)
{
    /* 15 % is the promise; a fair coin stays within 3.4 standard deviations of it with 4 workers. */
    for (uint32_t i = 0; i < 16; i++) {
        struct flow_seed with = {{seed.words[0] + i, seed.words[1], seed.words[2] ^ i << 16, seed.words[3]}};

        CU_ASSERT(busiest(2, 2000, &with) < 1.15);
        CU_ASSERT(busiest(4, 2000, &with) < 1.15);
    }
}

static void keys_compare_whole(void)
{
    struct flow_key a = key_v6(1, 40000), b = a;

    CU_ASSERT(flow_key_equal(&a, &b));
    b.remote[15] ^= 1;
    CU_ASSERT(!flow_key_equal(&a, &b));
    b = a;
    b.protocol = IPPROTO_UDP;
    CU_ASSERT(!flow_key_equal(&a, &b));
}

static void keys_are_shown_as_text(void)
{
    struct flow_key key4 = key_v4(0x0a000001, 0x0a000002, 1234, 80);
    struct flow_key key6 = key_v6(0x1234, 5555);
    char text[FLOW_KEY_TEXT_BYTES], small[8];

    flow_key_format(&key4, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "tcp 10.0.0.1:1234 -> 10.0.0.2:80");
    key6.protocol = IPPROTO_UDP;
    flow_key_format(&key6, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "udp [fd00::1234]:5555 -> [fd00::2]:80");
    flow_key_format(&key6, small, sizeof(small));
    CU_ASSERT_STRING_EQUAL(small, "udp [fd");
}

const struct unit_test unit_tests[] = {
    {"the hash is lookup2 over addresses and ports", is_lookup2_over_addresses_and_ports},
    {"every bit of key and seed counts", every_bit_of_key_and_seed_counts},
    {"sequential ports spread evenly", sequential_ports_spread_evenly},
    {"sequential addresses spread evenly", sequential_addresses_spread_evenly},
    {"2 and 4 workers get their share of 2000 connections", workers_get_their_share_of_2000_connections},
    {"keys compare whole", keys_compare_whole},
    {"keys are shown as text", keys_are_shown_as_text},
    {NULL, NULL},
};
