/* SPDX-License-Identifier: BSD-3-Clause */
/* tally.c — see tally.h. */
#include "tally.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"

#define TALLY_LONG_STALL_NS 5000000000u
#define TALLY_MAX_LINES 20u

void tally_fault(struct tally *tally, uint64_t time_ns)
{
    if (tally->n_faults == TALLY_MAX_FAULTS)
        return;
    tally->faults[tally->n_faults].time_ns = time_ns;
    tally->faults[tally->n_faults].stall_ns = 0;
    tally->n_faults++;
}

static unsigned local_port(int fd)
{
    union address address;
    socklen_t size = sizeof(address);

    if (getsockname(fd, &address.any, &size) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.ip4.sin_port : address.ip6.sin6_port);
}

/* Backwards from the latest fault while the wait reaches into the fault's time: nearly always one step. */
void tally_wait(struct tally *tally, int fd, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t wait_ns = to_ns - from_ns, next_ns = UINT64_MAX;

    if (wait_ns > tally->longest_stall_ns)
        tally->longest_stall_ns = wait_ns;
    if (wait_ns > TALLY_LONG_STALL_NS) {
        tally->n_stalls_over_5s++;
        if (tally->n_lines++ < TALLY_MAX_LINES)
            peer_fail(tally->options, "%.3f s: local port %u waited for %.3f s", (double)to_ns / 1e9,
                      local_port(fd), (double)wait_ns / 1e9);
    }
    for (unsigned i = tally->n_faults; i > 0 && next_ns > from_ns; i--) {
        uint64_t fault_ns = tally->faults[i - 1].time_ns;
        uint64_t begin_ns = from_ns > fault_ns ? from_ns : fault_ns;
        uint64_t end_ns = to_ns < next_ns ? to_ns : next_ns;

        if (end_ns > begin_ns && end_ns - begin_ns > tally->faults[i - 1].stall_ns)
            tally->faults[i - 1].stall_ns = end_ns - begin_ns;
        next_ns = fault_ns;
    }
}

static uint64_t *counter_of(struct tally *tally, int error)
{
    switch (-error) {
    case ECONNRESET:
    case EPIPE:
        return &tally->n_resets;
    case ECONNREFUSED:
        return &tally->n_refused;
    case ETIMEDOUT:
        return &tally->n_timeouts;
    case ENODATA:
        return &tally->n_early_ends;
    case EINPROGRESS:
        return &tally->n_unfinished;
    default:
        return &tally->n_errors;
    }
}

void tally_failure(struct tally *tally, int fd, uint64_t position, int error)
{
    const char *text = error == -EBADMSG       ? "wrong byte"
                       : error == -ENODATA     ? "end of stream before the last byte"
                       : error == -EINPROGRESS ? "not ended in time"
                                               : strerror(-error);

    if (error != -EBADMSG)
        *counter_of(tally, error) += 1;
    if (tally->n_lines++ < TALLY_MAX_LINES)
        peer_fail(tally->options, "%.3f s: local port %u, byte %llu: %s", (double)net_now_ns() / 1e9,
                  local_port(fd), (unsigned long long)position, text);
}

void tally_socket(struct tally *tally, int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
        tally->n_retransmits += info.tcpi_total_retrans;
}

void tally_print(const struct tally *tally)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"connections", tally->n_connections},
        {"completed", tally->n_completed},
        {"resets", tally->n_resets},
        {"refused", tally->n_refused},
        {"timeouts", tally->n_timeouts},
        {"early_ends", tally->n_early_ends},
        {"unfinished", tally->n_unfinished},
        {"errors", tally->n_errors},
        {"bad_bytes", tally->n_bad_bytes},
        {"bytes_sent", tally->n_bytes_sent},
        {"bytes_received", tally->n_bytes_received},
        {"retransmits", tally->n_retransmits},
        {"stalls_over_5s", tally->n_stalls_over_5s},
    };

    printf("{");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        printf("\"%s\":%llu,", counts[i].name, (unsigned long long)counts[i].value);
    printf("\"longest_stall_ms\":%.3f,\"fault_stalls_ms\":[", (double)tally->longest_stall_ns / 1e6);
    for (unsigned i = 0; i < tally->n_faults; i++)
        printf("%s%.3f", i > 0 ? "," : "", (double)tally->faults[i].stall_ns / 1e6);
    printf("]}\n");
    fflush(stdout);
}

bool tally_is_clean(const struct tally *tally)
{
    return tally->n_resets + tally->n_refused + tally->n_timeouts + tally->n_early_ends +
                   tally->n_unfinished + tally->n_errors + tally->n_bad_bytes + tally->n_stalls_over_5s ==
               0 &&
           tally->n_bytes_received > 0 && tally->n_completed == tally->n_connections;
}
