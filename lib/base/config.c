/* SPDX-License-Identifier: BSD-3-Clause */
/* config.c — the defaults, and the way of a file through the stations of config_internal.h. */
#include "base/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* The example file and the reference page show the same values from the table of keys; a test compares them,
 * so that a default changed here and not there is found. */
void config_defaults(struct config *config)
{
    *config = (struct config){
        .nic = {.backend = CONFIG_BACKEND_TAP,
                .name = "mpa0",
                .mac = {0x02, 0x4d, 0x50, 0x41, 0x00, 0x01},
                .mtu_bytes = 1500,
                .offload = true,
                .tap_queue_frames = 16384},
        .host = {.slaac = true,
                 .n_addresses = 2,
                 .addresses = {{.family = 4, .prefix_bits = 24, .bytes = {10, 77, 0, 2}},
                               {.family = 6, .prefix_bits = 64, .bytes = {0xfd, 0x77, [15] = 2}}}},
        .frontend = {.n_buckets = 4096,
                     .burst_frames = 32,
                     .spin_us = 20,
                     .pool_chunks = 16384,
                     .pool_large_chunks = 1024,
                     .rx_cpu = -1,
                     .tx_cpu = -1,
                     .reassembly_fragments = 1024,
                     .reassembly_source_fragments = 90,
                     .park_frames = 256,
                     .held_frames = 8192,
                     .return_wait_ms = 2000},
        .worker = {.count = 2,
                   .min = 1,
                   .max = CONFIG_MAX_WORKERS,
                   .burst_frames = 32,
                   .spin_us = 60,
                   .ring_slots = 4096,
                   .urgent_ring_slots = 256,
                   .tx_arena_kib = 2048,
                   .urgent_arena_kib = 512,
                   .fifo_memory_mib = 256,
                   .stack_memory_mib = 256,
                   .max_connections = 65536,
                   .commit = CONFIG_COMMIT_MINIMAL,
                   .orphan_s = 60,
                   .first_cpu = -1},
        .services = {.echo = {true, 7}, .discard = {true, 9}, .chargen = {true, 19}, .http = {true, 80}},
        .control = {.runtime_dir = "/run/mpa",
                    .restart_delay_ms = 100,
                    .heartbeat_ms = 1000,
                    .balance = true,
                    .balance_ms = 1000,
                    .scale_up_permille = 700,
                    .scale_up_looks = 5,
                    .scale_down_permille = 200,
                    .scale_down_looks = 60,
                    .scale_pause_looks = 10,
                    .balance_weight_cpu = 50,
                    .balance_weight_ring = 30,
                    .balance_weight_connections = 20,
                    .balance_floor_permille = 100,
                    .balance_factor_permille = 1500,
                    .degrade = true,
                    .degrade_ms = 1000,
                    .degrade_congested_permille = 850,
                    .degrade_all_permille = 900,
                    .degrade_idle_permille = 940,
                    .degrade_workers_permille = 970,
                    .degrade_relief_permille = 100,
                    .degrade_idle_s = 30,
                    .refuse = CONFIG_REFUSE_RESET,
                    .http = "off",
                    .remote = "off",
                    .remote_role = "read",
                    .log_level = "info"},
    };
}

/* Counts every fault, also those that no longer fit: the load fails even when its message could not be
 * written. */
void config_fault(struct config_report *report, unsigned line, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int length;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    /* Names and values come from the file: they must not forge lines or drive a terminal. */
    for (char *byte = text; *byte != '\0'; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == 0x7f)
            *byte = '?';
    }
    report->n_faults++;
    if (report->used >= report->size)
        return;
    length = snprintf(report->text + report->used, report->size - report->used, "%s%s:%u: %s",
                      report->used == 0 ? "" : "\n", report->name, line, text);
    report->used += length > 0 ? (size_t)length : 0;
}

/* What stands in the file goes over the defaults; what does not stand there keeps them. */
static void copy_given(struct config *config, const struct config_file *file,
                       const struct config_index *index, bool *is_given)
{
    char path[CONFIG_TOKEN_BYTES];

    for (size_t i = 0; i < config_n_rules; i++) {
        const struct config_rule *rule = &config_rules[i];
        bool is_there;

        config_path(rule->text.section, rule->text.key, path);
        is_there = config_index_find(index, path) != NULL;
        if (is_there)
            config_copy_key(config, &file->config, i);
        if (is_given != NULL)
            is_given[i] = is_there;
    }
}

/* The stations in turn, each only when nothing was found before it. */
static int load_stations(const struct config_text *text, struct config *config, struct config_report *report)
{
    struct config_index index;
    struct config_file file;
    int status = config_index_build(&index, text, report);

    if (status == 0 && report->n_faults == 0)
        status = config_schema_load(&file, text, &index, report);
    if (status < 0 || report->n_faults > 0)
        return status;
    config_validate_values(&file, &index, report);
    if (report->n_faults > 0)
        return 0;
    copy_given(config, &file, &index, text->is_given);
    config_validate_whole(config, &index, report);
    return 0;
}

/* Works on a copy until the end: a caller that keeps running after a bad reload keeps its old configuration
 * whole. */
int config_load_text(const struct config_text *text, struct config *config, char *error, size_t error_size)
{
    struct config_report report = {.name = text->name, .text = error, .size = error_size};
    struct config loaded;
    int status;

    if (error_size > 0)
        error[0] = '\0';
    config_defaults(&loaded);
    status = load_stations(text, &loaded, &report);
    if (status < 0) {
        snprintf(error, error_size, "%s: %s", text->name, strerror(-status));
        return status;
    }
    if (report.n_faults > 0)
        return -EINVAL;
    *config = loaded;
    return 0;
}

/* Reads at most `size` bytes; returns how many, or -errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t used = 0;
    ssize_t n_read;

    while (used < size) {
        n_read = read(fd, bytes + used, size - used);
        if (n_read < 0 && errno == EINTR)
            continue;
        if (n_read < 0)
            return -errno;
        if (n_read == 0)
            break;
        used += (size_t)n_read;
    }
    return (ssize_t)used;
}

/* A file that fills the buffer is refused: what of it was cut off might have been the important part. The
 * bound also ends the reading of /dev/zero and of pipes that never close. On the heap, for the largest file
 * is larger than a thread's stack should carry. */
int config_load_fd(const struct config_source *source, struct config *config, char *error, size_t error_size)
{
    char *bytes = malloc(CONFIG_MAX_FILE_BYTES);
    ssize_t n_bytes = bytes == NULL ? -ENOMEM : read_all(source->fd, bytes, CONFIG_MAX_FILE_BYTES);
    int status;

    if (n_bytes == (ssize_t)CONFIG_MAX_FILE_BYTES)
        n_bytes = -EFBIG;
    if (n_bytes < 0) {
        snprintf(error, error_size, "%s: %s", source->name, strerror((int)-n_bytes));
        status = (int)n_bytes;
    } else {
        const struct config_text text = {source->name, bytes, (size_t)n_bytes, source->is_given};
        status = config_load_text(&text, config, error, error_size);
    }
    free(bytes);
    return status;
}

int config_load(const char *path, struct config *config, char *error, size_t error_size)
{
    struct config_source source = {.fd = open(path, O_RDONLY | O_CLOEXEC), .name = path};
    int status;

    if (source.fd < 0) {
        status = -errno;
        snprintf(error, error_size, "%s: %s", path, strerror(-status));
        return status;
    }
    status = config_load_fd(&source, config, error, error_size);
    fd_close(&source.fd);
    return status;
}
