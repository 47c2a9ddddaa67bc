/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c — see options.h. One set of options for all commands: a script can hand the same words to each,
 * and a command ignores what it has no use for.
 */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option long_options[] = {
    {"to", required_argument, NULL, 'a'},
    {"port", required_argument, NULL, 'p'},
    {"from", required_argument, NULL, 'f'},
    {"sources", required_argument, NULL, 'k'},
    {"connections", required_argument, NULL, 'n'},
    {"warmup", required_argument, NULL, 'w'},
    {"seconds", required_argument, NULL, 's'},
    {"timeout", required_argument, NULL, 't'},
    {"congestion", required_argument, NULL, 'C'},
    {"bytes", required_argument, NULL, 'b'},
    {"half-close", no_argument, NULL, 'H'},
    {"seed", required_argument, NULL, 'S'},
    {NULL, 0, NULL, 0},
};

void options_usage(void)
{
    fputs(
        "usage: mpa-peer COMMAND [WORD] [OPTIONS]\n"
        "  ready               wait until a TCP connection opens\n"
        "  throughput rx|tx    rx: send to discard, tx: receive from chargen\n"
        "  requests            1-byte echo ping-pong over -n connections\n"
        "  crr [http|echo]     connect, request, close; -n at a time\n"
        "  verify              echo of position-dependent bytes, every byte checked\n"
        "  udp                 echo of -n datagrams of all sizes\n"
        "  hold                open -n connections to echo and keep them -s seconds\n"
        "  carry bulk|trickle|idle  echo over -n connections, checked, until told to stop (orders.h)\n"
        "  churn               checked connections of 30 ms, -n at a time, until told to stop\n"
        "  serve [pattern]     the same services over the kernel's TCP, until killed\n"
        "options: --to ADDRESS --port P --from ADDRESS --sources N -n N -w WARMUP_S -s SECONDS -t TIMEOUT_S\n"
        "         -C CONGESTION -b BYTES --half-close --seed N\n",
        stderr);
}

int peer_fail(const struct options *options, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "mpa-peer: %s: %s\n", options->command, text);
    return EXIT_FAILURE;
}

/* Numeric only: a test must not depend on a resolver. */
static int parse_address(const char *text, union address *address)
{
    *address = (union address){.any.sa_family = AF_UNSPEC};
    if (inet_pton(AF_INET, text, &address->ip4.sin_addr) == 1) {
        address->ip4.sin_family = AF_INET;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &address->ip6.sin6_addr) == 1) {
        address->ip6.sin6_family = AF_INET6;
        return 0;
    }
    return -EINVAL;
}

static int parse_number(const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value > max)
        return -EINVAL;
    *number = value;
    return 0;
}

/* Fractions are welcome, negative and not-a-number are not. */
static int parse_seconds(const char *text, uint32_t *time_ms)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0 && seconds <= 86400))
        return -EINVAL;
    *time_ms = (uint32_t)(seconds * 1000);
    return 0;
}

/* The options that take a whole number, each with its own range. */
static int parse_count(int letter, const char *text, struct options *options)
{
    uint64_t number = 0;
    int error = parse_number(text, letter == 'p' ? 65535 : UINT64_MAX >> 1, &number);

    if (error < 0)
        return error;
    switch (letter) {
    case 'p':
        options->port = (uint16_t)number;
        return 0;
    case 'k':
        options->n_sources = (unsigned)number;
        return number >= 1 && number <= 250 ? 0 : -EINVAL;
    case 'n':
        options->n_connections = (unsigned)number;
        return number >= 1 && number <= 1000000 ? 0 : -EINVAL;
    case 'b':
        options->n_bytes = number;
        return 0;
    default:
        options->seed = number;
        return 0;
    }
}

static int parse_one(int letter, const char *text, struct options *options)
{
    switch (letter) {
    case 'a':
        return parse_address(text, &options->to);
    case 'f':
        return parse_address(text, &options->from);
    case 'w':
        return parse_seconds(text, &options->warmup_ms);
    case 's':
        return parse_seconds(text, &options->run_ms);
    case 't':
        return parse_seconds(text, &options->timeout_ms);
    case 'C':
        options->congestion = text;
        return 0;
    case 'H':
        options->is_half_closing = true;
        return 0;
    default:
        return parse_count(letter, text, options);
    }
}

int options_parse(int argc, char **argv, struct options *options)
{
    int letter;

    *options = (struct options){.command = argv[1],
                                .n_sources = 1,
                                .n_connections = 1,
                                .warmup_ms = 500,
                                .run_ms = 2000,
                                .timeout_ms = 10000,
                                .n_bytes = 512,
                                .seed = 1};
    if (argc > 2 && argv[2][0] != '-')
        options->argument = argv[2];
    optind = options->argument == NULL ? 2 : 3;
    while ((letter = getopt_long(argc, argv, "n:w:s:t:C:b:", long_options, NULL)) != -1) {
        if (letter == '?')
            return -EINVAL; /* getopt_long() has said why */
        if (parse_one(letter, optarg, options) < 0) {
            peer_fail(options, "bad value '%s'", optarg);
            return -EINVAL;
        }
    }
    if (optind != argc) {
        peer_fail(options, "unexpected argument '%s'", argv[optind]);
        return -EINVAL;
    }
    if (options->to.any.sa_family == AF_UNSPEC && strcmp(options->command, "serve") != 0) {
        peer_fail(options, "--to ADDRESS is missing");
        return -EINVAL;
    }
    return 0;
}
