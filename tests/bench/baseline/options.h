/* SPDX-License-Identifier: BSD-3-Clause */
/* options.h — the command line of the baseline. */
#ifndef MPA_BASELINE_OPTIONS_H
#define MPA_BASELINE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <lwip/ip_addr.h>

struct options {
    const char *tap_name;
    ip4_addr_t ip4, netmask4, gateway4; /* gateway4 0.0.0.0: none */
    bool has_ip6;
    ip6_addr_t ip6; /* a /64: lwIP knows no other prefix length for a static address */
    unsigned burst_frames;
    size_t page_bytes;
};

/* Fills *options from the command line over the defaults. 0, or -EINVAL with one line on standard error. */
int options_parse(int argc, char **argv, struct options *options);

/* Prints one line with everything that moves a figure: options, lwIP's settings, compiler. */
void options_print(const struct options *options);

#endif
