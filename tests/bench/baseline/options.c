/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c — see options.h. lwIP's own address parser is used, so that what is printed is what lwIP runs
 * with. Errors are one line each; the caller ends the program.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>

#define OPTIONS_MAX_BURST 1024ul
#define OPTIONS_MAX_PAGE_BYTES (1ul << 20)

static const struct option long_options[] = {
    {"tap", required_argument, NULL, 't'},      {"ip4", required_argument, NULL, '4'},
    {"gateway4", required_argument, NULL, 'g'}, {"ip6", required_argument, NULL, '6'},
    {"burst", required_argument, NULL, 'b'},    {"page-bytes", required_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: mpa-bench-baseline [--tap NAME] [--ip4 ADDRESS/BITS] [--gateway4 ADDRESS] [--ip6 ADDRESS/64]\n"
    "                          [--burst FRAMES] [--page-bytes N]\n"
    "Stock lwIP on a plain TAP: echo 7 (TCP, UDP), discard 9, chargen 19, http 80.\n";

/* The whole text must be a number within [min, max]. */
static int parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *number)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        return -EINVAL;
    *number = value;
    return 0;
}

/* Splits "ADDRESS/BITS" into `address` (a buffer of IP6ADDR_STRLEN_MAX) and the number of bits. */
static int split_prefix(const char *text, char *address, unsigned long max_bits, unsigned long *n_bits)
{
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);

    if (length >= IP6ADDR_STRLEN_MAX)
        return -EINVAL;
    memcpy(address, text, length);
    address[length] = '\0';
    *n_bits = max_bits;
    return slash == NULL ? 0 : parse_number(slash + 1, 1, max_bits, n_bits);
}

/* An address without a length is a host: /32, nothing on-link but the gateway. */
static int parse_ip4(const char *text, struct options *options)
{
    char address[IP6ADDR_STRLEN_MAX];
    unsigned long n_bits;

    if (split_prefix(text, address, 32, &n_bits) < 0 || !ip4addr_aton(address, &options->ip4))
        return -EINVAL;
    ip4_addr_set_u32(&options->netmask4, lwip_htonl(0xffffffffu << (32 - n_bits)));
    return 0;
}

/* lwIP takes a static IPv6 address as one of a /64; another length would be silently wrong. */
static int parse_ip6(const char *text, struct options *options)
{
    char address[IP6ADDR_STRLEN_MAX];
    unsigned long n_bits;

    if (split_prefix(text, address, 128, &n_bits) < 0 || !ip6addr_aton(address, &options->ip6))
        return -EINVAL;
    options->has_ip6 = true;
    return n_bits == 64 ? 0 : -EINVAL;
}

static int parse_one(int letter, const char *text, struct options *options)
{
    unsigned long number = 0;
    int error;

    switch (letter) {
    case 't':
        options->tap_name = text;
        return 0;
    case '4':
        return parse_ip4(text, options);
    case 'g':
        return ip4addr_aton(text, &options->gateway4) ? 0 : -EINVAL;
    case '6':
        return parse_ip6(text, options);
    case 'b':
        error = parse_number(text, 1, OPTIONS_MAX_BURST, &number);
        options->burst_frames = (unsigned)number;
        return error;
    case 'p':
        error = parse_number(text, 1, OPTIONS_MAX_PAGE_BYTES, &number);
        options->page_bytes = number;
        return error;
    default:
        return -EINVAL;
    }
}

int options_parse(int argc, char **argv, struct options *options)
{
    int letter, long_idx = 0;

    *options = (struct options){.tap_name = "bench0", .burst_frames = 32, .page_bytes = 512};
    if (parse_ip4("10.77.0.2/24", options) < 0 || parse_ip6("fd77::2/64", options) < 0)
        return -EINVAL;
    while ((letter = getopt_long(argc, argv, "", long_options, &long_idx)) != -1) {
        if (letter == 'h') {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (letter == '?') {
            fputs(usage, stderr);
            return -EINVAL;
        }
        if (parse_one(letter, optarg, options) < 0) {
            fprintf(stderr, "mpa-bench-baseline: --%s: bad value '%s'\n", long_options[long_idx].name,
                    optarg);
            return -EINVAL;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "mpa-bench-baseline: unexpected argument '%s'\n", argv[optind]);
        return -EINVAL;
    }
    return 0;
}

#ifdef __OPTIMIZE__
#define OPTIONS_OPTIMIZE 1
#else
#define OPTIONS_OPTIMIZE 0
#endif

/* Keys are those of a log line, so that a report can quote the line as it is. */
void options_print(const struct options *options)
{
    char ip4[IP4ADDR_STRLEN_MAX], ip6[IP6ADDR_STRLEN_MAX];

    ip4addr_ntoa_r(&options->ip4, ip4, sizeof(ip4));
    ip6addr_ntoa_r(&options->ip6, ip6, sizeof(ip6));
    printf("baseline lwip=%s tap=%s ip4=%s ip6=%s vnet_hdr=0 burst_frames=%u page_bytes=%zu mss=%d wnd=%d "
           "snd_buf=%d rcv_scale=%d timestamps=%d sack_out=%d tmr_ms=%d chksum_algorithm=%d tcp_write=copy "
           "nodelay=1 mem=malloc cc=\"%s\" optimize=%d\n",
           LWIP_VERSION_STRING, options->tap_name, ip4, ip6, options->burst_frames, options->page_bytes,
           TCP_MSS, TCP_WND, TCP_SND_BUF, TCP_RCV_SCALE, LWIP_TCP_TIMESTAMPS, LWIP_TCP_SACK_OUT,
           TCP_TMR_INTERVAL, LWIP_CHKSUM_ALGORITHM, __VERSION__, OPTIONS_OPTIMIZE);
    fflush(stdout);
}
