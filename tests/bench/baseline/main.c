/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c — mpa-bench-baseline: what our figures are compared with. Stock lwIP, one process, one thread, a
 * plain TAP, the raw API; the main loop of lwIP's unix port, but up to --burst frames a poll() instead of
 * one, which only helps it. Runs until it is killed.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "options.h"
#include "services.h"
#include "tap.h"

u32_t sys_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* Static addresses only; lwIP has no static IPv6 router, so IPv6 stays on its link. */
static int interface_start(struct netif *netif, struct tap *tap, const struct options *options)
{
    tap->name = options->tap_name;
    int error = tap_open(tap);

    if (error < 0)
        return error;
    if (netif_add(netif, &options->ip4, &options->netmask4, &options->gateway4, tap, tap_netif_init,
                  ethernet_input) == NULL)
        return -ENOMEM;
    netif_set_default(netif);
    netif_create_ip6_linklocal_address(netif, 1);
    if (options->has_ip6) {
        netif_ip6_addr_set(netif, 1, &options->ip6);
        netif_ip6_addr_set_state(netif, 1, IP6_ADDR_PREFERRED);
    }
    netif_set_up(netif);
    return 0;
}

/* The clock of lwIP's timers is read once a turn, behind the burst. */
static void run(struct netif *netif, const struct tap *tap, unsigned burst_frames)
{
    struct pollfd readable = {.fd = tap->fd, .events = POLLIN};

    for (;;) {
        u32_t sleep_ms = sys_timeouts_sleeptime();

        if (poll(&readable, 1, sleep_ms > 1000 ? 1000 : (int)sleep_ms) > 0)
            tap_input(netif, burst_frames);
        sys_check_timeouts();
    }
}

int main(int argc, char **argv)
{
    struct options options;
    struct tap tap;
    struct netif netif;
    int error;

    if (options_parse(argc, argv, &options) < 0)
        return EXIT_FAILURE;
    srandom((unsigned)time(NULL));
    lwip_init();
    error = interface_start(&netif, &tap, &options);
    if (error < 0) {
        fprintf(stderr, "mpa-bench-baseline: interface %s: %s\n", options.tap_name, strerror(-error));
        return EXIT_FAILURE;
    }
    error = services_start();
    if (error == 0)
        error = http_start(options.page_bytes);
    if (error < 0) {
        fprintf(stderr, "mpa-bench-baseline: services: %s\n", strerror(-error));
        return EXIT_FAILURE;
    }
    options_print(&options);
    run(&netif, &tap, options.burst_frames);
}
