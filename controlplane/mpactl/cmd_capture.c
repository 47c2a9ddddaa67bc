/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_capture.c — mpactl capture: frames as pcap. The filter is compiled here and runs in the frontend; what
 * is captured is fetched in bulk. When we die the frontend ends the capture by itself, five seconds later.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "controlplane/mpactl/client.h"
#include "controlplane/mpactl/json.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/signals.h"

#define ALL_LANES 0xffffffffu /* as in CaptureStartRequest */
#define MAX_SNAP_BYTES 65549
#define MAX_LANE 15
#define ASK_AGAIN_MS 50 /* pause when there was nothing: a fraction of what the ring holds */

struct options {
    uint32_t lane;
    const char *filter;
    const char *path; /* "-": standard output */
    uint64_t n_max;   /* 0: no limit */
    uint64_t max_s;   /* 0: no limit */
    uint32_t snap_bytes;
};

struct capture {
    const struct mpactl *mpactl;
    const struct options *options;
    struct client client;
    int signals_fd;
    pcap_t *pcap;          /* owned: Ethernet, no source */
    pcap_dumper_t *dumper; /* owned; NULL: JSON to standard output */
    uint64_t *filter;      /* owned: instructions as the wire has them */
    size_t n_filter;
    uint64_t capture_id;
    uint64_t n_frames;
    uint64_t n_missed;
    bool is_done; /* nobody reads what we write, or enough was written */
};

static const struct argp_option option_list[] = {
    {"lane", 'L', "N|all", 0, "frames of this lane only (default: all)", 0},
    {"filter", 'f', "BPF", 0, "a filter as tcpdump takes it, e.g. 'tcp port 80'", 0},
    {"write", 'w', "FILE|-", 0, "pcap to FILE or to standard output (default: -)", 0},
    {"count", 'c', "N", 0, "stop after N frames", 0},
    {"seconds", 'S', "S", 0, "stop after S seconds", 0},
    {"snaplen", 's', "BYTES", 0, "keep so many bytes of each frame (default: all)", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    static const struct number_range lane = {"lane", 0, MAX_LANE};
    static const struct number_range count = {"count", 1, UINT64_MAX};
    static const struct number_range seconds = {"seconds", 1, 86400 * 365};
    static const struct number_range snaplen = {"snaplen", 1, MAX_SNAP_BYTES};
    struct options *options = state->input;

    switch (key) {
    case 'L':
        options->lane = strcmp(value, "all") == 0 ? ALL_LANES : (uint32_t)option_number(state, value, &lane);
        return 0;
    case 'f':
        options->filter = value;
        return 0;
    case 'w':
        options->path = value;
        return 0;
    case 'c':
        options->n_max = option_number(state, value, &count);
        return 0;
    case 'S':
        options->max_s = option_number(state, value, &seconds);
        return 0;
    case 's':
        options->snap_bytes = (uint32_t)option_number(state, value, &snaplen);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Opens where frames go. */
static int output_open(struct capture *capture)
{
    const struct options *options = capture->options;
    const char *path = options->path != NULL ? options->path : "-";

    if (capture->mpactl->is_json && options->path == NULL)
        return MPACTL_OK;
    if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO))
        return mpactl_fail(MPACTL_USAGE, "capture: pcap is nothing for a terminal (--write FILE, or a pipe: "
                                         "mpactl capture | tshark -r -)");
    capture->dumper = pcap_dump_open(capture->pcap, path);
    if (capture->dumper == NULL)
        return mpactl_fail(MPACTL_FAILED, "--write %s: %s", path, pcap_geterr(capture->pcap));
    /* The file header at once: a reader of the pipe waits for it. */
    pcap_dump_flush(capture->dumper);
    return MPACTL_OK;
}

static int filter_compile(struct capture *capture)
{
    struct bpf_program program;

    capture->pcap =
        pcap_open_dead_with_tstamp_precision(DLT_EN10MB, MAX_SNAP_BYTES, PCAP_TSTAMP_PRECISION_NANO);
    if (capture->pcap == NULL)
        return mpactl_fail(MPACTL_FAILED, "out of memory");
    if (capture->options->filter == NULL)
        return MPACTL_OK;
    if (pcap_compile(capture->pcap, &program, capture->options->filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return mpactl_fail(MPACTL_USAGE, "--filter '%s': %s", capture->options->filter,
                           pcap_geterr(capture->pcap));
    capture->filter = calloc(program.bf_len, sizeof(*capture->filter));
    for (; capture->filter != NULL && capture->n_filter < program.bf_len; capture->n_filter++) {
        const struct bpf_insn *insn = &program.bf_insns[capture->n_filter];

        capture->filter[capture->n_filter] =
            (uint64_t)insn->code << 48 | (uint64_t)insn->jt << 40 | (uint64_t)insn->jf << 32 | insn->k;
    }
    pcap_freecode(&program);
    return capture->filter != NULL ? MPACTL_OK : mpactl_fail(MPACTL_FAILED, "out of memory");
}

static int capture_start(struct capture *capture)
{
    Mpa__V1__CaptureStartRequest body = MPA__V1__CAPTURE_START_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    body.lane = capture->options->lane;
    body.snap_bytes = capture->options->snap_bytes;
    body.filter = capture->filter;
    body.n_filter = capture->n_filter;
    request.body_case = MPA__V1__REQUEST__BODY_CAPTURE_START;
    request.capture_start = &body;
    exit_code = client_ask(&capture->client, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    capture->capture_id = reply->capture_start->capture_id;
    mpa__v1__reply__free_unpacked(reply, NULL);
    return MPACTL_OK;
}

static void frame_write(struct capture *capture, const Mpa__V1__CapturedFrame *frame)
{
    struct pcap_pkthdr header = {.caplen = (bpf_u_int32)frame->data.len, .len = frame->len_bytes};

    if (capture->options->n_max != 0 && capture->n_frames >= capture->options->n_max)
        return;
    capture->n_frames++;
    if (capture->dumper == NULL) {
        json_print_line(&frame->base, stdout);
        return;
    }
    header.ts.tv_sec = (time_t)(frame->time_ns / CLOCK_NS_PER_S);
    /* With nanosecond precision libpcap has nanoseconds here. */
    header.ts.tv_usec = (suseconds_t)(frame->time_ns % CLOCK_NS_PER_S);
    pcap_dump((u_char *)capture->dumper, &header, frame->data.data);
}

/* Fetches once; *n_fetched gets how many there were. */
static int capture_fetch(struct capture *capture, size_t *n_fetched)
{
    Mpa__V1__CaptureReadRequest body = MPA__V1__CAPTURE_READ_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    body.capture_id = capture->capture_id;
    request.body_case = MPA__V1__REQUEST__BODY_CAPTURE_READ;
    request.capture_read = &body;
    exit_code = client_ask(&capture->client, &request, &reply);
    if (exit_code != MPACTL_OK)
        return exit_code;
    *n_fetched = reply->capture_read->n_frames;
    capture->n_missed = reply->capture_read->missed;
    for (size_t i = 0; i < *n_fetched; i++)
        frame_write(capture, reply->capture_read->frames[i]);
    mpa__v1__reply__free_unpacked(reply, NULL);
    if ((capture->dumper != NULL ? pcap_dump_flush(capture->dumper) : fflush(stdout)) != 0) {
        /* tshark was left with Ctrl-C or has seen enough: not a failure of ours. */
        capture->is_done = true;
        return errno == EPIPE ? MPACTL_OK
                              : mpactl_fail(MPACTL_FAILED, "cannot write frames: %s", strerror(errno));
    }
    return MPACTL_OK;
}

static int capture_loop(struct capture *capture)
{
    const struct options *options = capture->options;
    uint64_t end_ns = options->max_s == 0 ? UINT64_MAX : clock_now_ns() + options->max_s * CLOCK_NS_PER_S;

    while (!capture->is_done) {
        size_t n_fetched = 0;
        int exit_code = capture_fetch(capture, &n_fetched);

        if (exit_code != MPACTL_OK)
            return exit_code;
        if ((options->n_max != 0 && capture->n_frames >= options->n_max) || clock_now_ns() >= end_ns ||
            signals_wait(capture->signals_fd, n_fetched > 0 ? 0 : ASK_AGAIN_MS))
            capture->is_done = true;
    }
    return MPACTL_OK;
}

static int capture_stop(struct capture *capture)
{
    Mpa__V1__CaptureStopRequest body = MPA__V1__CAPTURE_STOP_REQUEST__INIT;
    Mpa__V1__Request request = MPA__V1__REQUEST__INIT;
    Mpa__V1__Reply *reply;
    int exit_code;

    body.capture_id = capture->capture_id;
    request.body_case = MPA__V1__REQUEST__BODY_CAPTURE_STOP;
    request.capture_stop = &body;
    exit_code = client_ask(&capture->client, &request, &reply);
    if (exit_code == MPACTL_OK)
        mpa__v1__reply__free_unpacked(reply, NULL);
    return exit_code;
}

static int capture_run(struct capture *capture)
{
    int exit_code = filter_compile(capture);
    int stop_code;

    /* Nothing is written, and no file made, before it is known that it will work. */
    if (exit_code == MPACTL_OK)
        exit_code = client_open(&capture->client, capture->mpactl, "control.ipc", false);
    if (exit_code == MPACTL_OK)
        exit_code = output_open(capture);
    if (exit_code == MPACTL_OK)
        exit_code = capture_start(capture);
    if (exit_code != MPACTL_OK)
        return exit_code;
    exit_code = capture_loop(capture);
    stop_code = exit_code == MPACTL_OK ? capture_stop(capture) : exit_code;
    fprintf(stderr, "%llu frames captured, %llu missed\n", (unsigned long long)capture->n_frames,
            (unsigned long long)capture->n_missed);
    return stop_code;
}

int command_capture(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct command_syntax syntax = {
        option_list, parse_option, NULL,
        "Writes frames as pcap until Ctrl-C, --count or --seconds. With --json and without --write: a frame "
        "a line.\v"
        "mpactl capture --filter 'tcp port 80' | tshark -r -\tread it at once\n"
        "mpactl capture --write drops.pcap --seconds 10\tten seconds into a file\n"};
    struct options options = {.lane = ALL_LANES};
    struct capture capture = {.mpactl = mpactl, .options = &options};
    int exit_code;

    command_parse(mpactl, &syntax, argc, argv, &options);
    capture.signals_fd = signals_open();
    if (capture.signals_fd < 0)
        return mpactl_fail(MPACTL_FAILED, "cannot wait for signals: %s", strerror(-capture.signals_fd));
    exit_code = capture_run(&capture);
    client_close(&capture.client);
    if (capture.dumper != NULL)
        pcap_dump_close(capture.dumper);
    if (capture.pcap != NULL)
        pcap_close(capture.pcap);
    free(capture.filter);
    fd_close(&capture.signals_fd);
    return exit_code;
}
