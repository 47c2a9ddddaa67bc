/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c — mpa-hostile-worker --runtime-dir DIR --slot N --deed NAME [--seconds S] [--seed N]
 *
 * A deed that needs a lane attaches honestly, prints "serving", waits for a line on standard input (not with
 * --at-once), does the deed, prints "done" and stays until standard input ends (--at-once: until a signal). A
 * bad greeting prints what became of it ("refused: ...", "attached", "gone") and stays as well. The seed
 * makes noise repeatable.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "hostile.h"

#define MAIN_CROWD 100u
#define MAIN_FUTURE_VERSION 999u

struct arguments {
    struct hostile hostile;
    const char *deed;
    bool is_at_once;
};

static const struct argp_option options[] = {
    {"runtime-dir", 'r', "DIR", 0, "of the frontend", 0},
    {"slot", 's', "N", 0, "worker slot", 0},
    {"deed", 'd', "NAME", 0, "the rule to break", 0},
    {"seconds", 't', "S", 0, "how long a deed goes on that does (default 1)", 0},
    {"seed", 'x', "N", 0, "of all noise (default 1)", 0},
    {"at-once", 'o', NULL, 0, "do not wait for a line", 0},
    {"config", 'c', "FILE", 0, "ignored: controld gives it to every worker", 0},
    {0},
};

static const struct {
    const char *name;
    struct greeting greeting;
} greetings[] = {
    {"greet-unsealed", {.is_unsealed = true}},
    {"greet-too-small", {.is_too_small = true}},
    {"greet-tiny", {.is_tiny = true}},
    {"greet-file", {.is_file = true}},
    {"greet-no-fds", {.has_no_fds = true}},
    {"greet-bad-shape", {.has_bad_shape = true}},
    {"greet-bad-kind", {.has_bad_kind = true}},
    {"greet-version", {.version = MAIN_FUTURE_VERSION}},
    {"greet-loud-pidfd", {.has_loud_pidfd = true}},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    switch (key) {
    case 'r':
        arguments->hostile.runtime_dir = value;
        return 0;
    case 's':
        arguments->hostile.slot = (uint32_t)strtoul(value, NULL, 10);
        return 0;
    case 'd':
        arguments->deed = value;
        return 0;
    case 't':
        arguments->hostile.run_ms = (uint32_t)(strtod(value, NULL) * 1000);
        return 0;
    case 'x':
        arguments->hostile.seed = (uint32_t)strtoul(value, NULL, 10) | 1u;
        return 0;
    case 'o':
        arguments->is_at_once = true;
        return 0;
    case 'c':
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

uint32_t hostile_random(struct hostile *hostile)
{
    hostile->seed ^= hostile->seed << 13;
    hostile->seed ^= hostile->seed >> 17;
    hostile->seed ^= hostile->seed << 5;
    return hostile->seed;
}

void hostile_publish(struct hostile *hostile, struct lane_index *index, uint32_t value)
{
    atomic_store_explicit(&index->value, value, memory_order_release);
    (void)!send(hostile->wake_socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool hostile_has_time(struct hostile *hostile, uint64_t *until_ns)
{
    uint64_t now_ns = clock_now_ns();

    hostile_beat(hostile);
    if (*until_ns == 0)
        *until_ns = now_ns + hostile->run_ms * CLOCK_NS_PER_MS;
    return now_ns < *until_ns;
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

/* Until standard input ends: then the test has seen enough. */
static void stay(void)
{
    char bytes[64];

    while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
        continue;
}

static int attach(struct hostile *hostile, const struct greeting *greeting)
{
    char refusal[ATTACH_TEXT_BYTES] = "";
    int failed = greet_attach(hostile, greeting, refusal);

    if (failed == -ECONNREFUSED && refusal[0] != '\0')
        printf("refused: %s\n", refusal);
    else if (failed < 0)
        printf("gone: %s\n", strerror(-failed));
    fflush(stdout);
    return failed;
}

static int run_greeting(struct hostile *hostile, const struct greeting *greeting)
{
    if (attach(hostile, greeting) == 0)
        say(greet_ready(hostile) == 0 ? "attached" : "gone");
    stay();
    return EXIT_SUCCESS;
}

/* Until a line is there, or the end of standard input. */
static void wait_for_line(struct hostile *hostile)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    do
        obey(hostile, false);
    while (poll(&input, 1, 1) == 0);
}

static int run_deed(struct arguments *arguments, deed_fn *deed)
{
    static const struct greeting honest;
    char line[64];

    if (attach(&arguments->hostile, &honest) < 0 || greet_ready(&arguments->hostile) < 0)
        return EXIT_FAILURE;
    say("serving");
    if (!arguments->is_at_once)
        wait_for_line(&arguments->hostile);
    if (!arguments->is_at_once && fgets(line, sizeof(line), stdin) == NULL)
        return EXIT_SUCCESS;
    deed(&arguments->hostile);
    say("done");
    while (arguments->is_at_once)
        pause();
    stay();
    return EXIT_SUCCESS;
}

static int run_without_ready(struct hostile *hostile)
{
    static const struct greeting honest;

    if (attach(hostile, &honest) == 0)
        say("attached");
    stay();
    return EXIT_SUCCESS;
}

static int run(struct arguments *arguments)
{
    const char *name = arguments->deed;
    deed_fn *deed = misuse_find(name);

    for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
        if (strcmp(name, greetings[i].name) == 0)
            return run_greeting(&arguments->hostile, &greetings[i].greeting);
    }
    if (strcmp(name, "greet-never-ready") == 0)
        return run_without_ready(&arguments->hostile);
    if (strcmp(name, "greet-crowd") == 0) {
        say(greet_crowd(&arguments->hostile, MAIN_CROWD) == 0 ? "attached" : "gone");
        stay();
        return EXIT_SUCCESS;
    }
    if (deed == NULL)
        deed = packets_find(name);
    if (deed == NULL)
        deed = records_find(name);
    if (deed != NULL)
        return run_deed(arguments, deed);
    fprintf(stderr, "mpa-hostile-worker: no deed '%s'\n", name);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {options, parse_option, NULL, NULL, NULL, NULL, NULL};
    static struct arguments arguments = {
        .hostile = {.run_ms = 1000, .seed = 1, .attach_socket = -1, .wake_socket = -1}, .deed = ""};

    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    return run(&arguments);
}
