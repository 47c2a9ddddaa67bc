/* SPDX-License-Identifier: BSD-3-Clause */
/* options.h — the command line of mpa-peer, common to all commands, and how a command reports. */
#ifndef MPA_TESTS_PEER_OPTIONS_H
#define MPA_TESTS_PEER_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_PORT_ECHO 7
#define PEER_PORT_DISCARD 9
#define PEER_PORT_CHARGEN 19
#define PEER_PORT_HTTP 80

union address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
};

struct options {
    const char *command;
    const char *argument; /* rx, tx, http, echo, bulk ...: the word after the command, or NULL */
    union address to;     /* port 0 */
    uint16_t port;        /* 0: the port of the command's service */
    union address from;   /* family AF_UNSPEC: the kernel chooses */
    unsigned n_sources;   /* that many addresses, counted up from `from` */
    unsigned n_connections;
    uint32_t warmup_ms, run_ms;
    uint32_t timeout_ms;    /* no answer for so long is an error */
    const char *congestion; /* NULL: the system's default */
    uint64_t n_bytes;       /* verify: a connection and direction; serve: the page */
    bool is_half_closing;   /* verify: shut down our side first, then read the rest */
    uint64_t seed;
};

/* 0, or -EINVAL with one line on standard error. */
int options_parse(int argc, char **argv, struct options *options) __attribute__((warn_unused_result));
void options_usage(void);

/* Prints "mpa-peer: COMMAND: text", one line, on standard error. Returns EXIT_FAILURE. */
int peer_fail(const struct options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A command: prints one JSON object, returns the exit status. */
int peer_ready(const struct options *options);
int peer_throughput(const struct options *options);
int peer_requests(const struct options *options);
int peer_crr(const struct options *options);
int peer_verify(const struct options *options);
int peer_udp(const struct options *options);
int peer_hold(const struct options *options);
int peer_serve(const struct options *options);
int peer_carry(const struct options *options);
int peer_churn(const struct options *options);

#endif
