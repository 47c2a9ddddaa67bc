/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_replies.c — fuzz target: any bytes as what mpa-controld is told by the frontend: measures of
 * balance and pressure, the picture of the lanes, flows of an elephant, the page of metrics, log levels; and
 * as the memory that an earlier mpa-controld left.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/controld/controld.h"
#include "controlplane/controld/elephant.h"
#include "controlplane/controld/measures.h"
#include "controlplane/controld/metrics.h"
#include "controlplane/controld/pressure.h"
#include "controlplane/controld/settings.h"
#include "controlplane/controld/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_measures(const Mpa__V1__Reply *reply)
{
    static struct measures measures;

    if (reply->body_case == MPA__V1__REPLY__BODY_GET_WORKERS)
        measures_take_workers(&measures, reply->get_workers, 1000);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_LANES)
        measures_take_lanes(&measures, reply->get_lanes);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_BUCKETS &&
        measures_take_buckets(&measures, reply->get_buckets) == 0 && measures.n_buckets == 0)
        abort();
}

static void take_pressure(const Mpa__V1__Reply *reply)
{
    static struct pressure pressure;
    struct config config;

    config_defaults(&config);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_WORKERS)
        pressure_take_workers(&pressure, reply->get_workers, &config.worker);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_LANES)
        pressure_take_lanes(&pressure, reply->get_lanes);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_NIC)
        pressure_take_nic(&pressure, reply->get_nic);
}

static void render(const Mpa__V1__Reply *reply)
{
    struct metrics_input input = {
        .version = "0", .nic_name = "mpa0", .nic_backend = "tap", .state = metrics_states[0], .n_workers = 2};
    size_t n_bytes;

    if (reply->body_case == MPA__V1__REPLY__BODY_GET_STATS)
        input.stats = reply->get_stats;
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_HISTOGRAMS)
        input.histograms = reply->get_histograms;
    free(metrics_render(&input, &n_bytes));
}

/* What comes out of it goes to a client, where unknown fields of a broken frontend may keep it from being
 * read; what can be read has our own level at least. */
static void levels(const uint8_t *data, size_t size)
{
    Mpa__V1__Reply *reply;
    nng_msg *answer, *packed;

    if (nng_msg_alloc(&answer, size) != 0)
        abort();
    memcpy(nng_msg_body(answer), data, size);
    packed = settings_log_level_reply(1, MPA__V1__REQUEST__BODY_GET_LOG_LEVEL, answer);
    reply = mpa__v1__reply__unpack(NULL, nng_msg_len(packed), nng_msg_body(packed));
    if (reply != NULL && (reply->get_log_level == NULL || reply->get_log_level->n_processes == 0))
        abort();
    if (reply != NULL)
        mpa__v1__reply__free_unpacked(reply, NULL);
    nng_msg_free(packed);
    nng_msg_free(answer);
}

static void recall(const uint8_t *data, size_t size)
{
    struct runtime_memory memory;
    int fd = memfd_create("memory", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (runtime_recall(fd, &memory) == 0 &&
        (memory.n_workers < 1 || memory.n_workers > CONFIG_MAX_WORKERS || memory.n_full > CONFIG_MAX_WORKERS))
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Mpa__V1__Reply *reply = mpa__v1__reply__unpack(NULL, size, data);
    struct lane_report lanes[CONFIG_MAX_WORKERS];

    recall(data, size);
    levels(data, size);
    if (reply == NULL)
        return 0;
    take_measures(reply);
    take_pressure(reply);
    render(reply);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_STATUS)
        (void)status_lanes(reply->get_status, lanes);
    if (reply->body_case == MPA__V1__REPLY__BODY_GET_FLOWS)
        (void)elephant_pick(reply->get_flows, reply->get_flows);
    mpa__v1__reply__free_unpacked(reply, NULL);
    return 0;
}
