/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syntax.c — what all commands have in common on the command line: global options may stand before or behind
 * the command, so every command's argp has them as a child. Help, manual pages and completion look at a
 * syntax instead of parsing by it (mpactl->inspect).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/manual.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/suggest.h"

#define DEFAULT_WATCH_MS 2000u
#define MIN_WATCH_MS 100u
#define MAX_WATCH_MS 86400000u

/* Options without a letter. */
enum { KEY_COLOR = 0x1000, KEY_TLS_CERT, KEY_TLS_KEY, KEY_TLS_CA, KEY_TLS_NAME };

uint64_t option_number(struct argp_state *state, const char *text, const struct number_range *range)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || number < range->min ||
        number > range->max)
        argp_error(state, "--%s %s: not a number (allowed: %llu to %llu)", range->option, text,
                   (unsigned long long)range->min, (unsigned long long)range->max);
    return number;
}

/* ---- global options ---- */

const struct argp_option syntax_options_global[] = {
    {"runtime-dir", 'r', "DIR", 0, "folder of the sockets (default: /run/mpa)", -2},
    {"remote", 'R', "HOST:PORT", 0, "an mpa-controld elsewhere, by TLS; needs the three files", -2},
    {"tls-cert", KEY_TLS_CERT, "FILE", 0, "our certificate (PEM)", -2},
    {"tls-key", KEY_TLS_KEY, "FILE", 0, "its key (PEM)", -2},
    {"tls-ca", KEY_TLS_CA, "FILE", 0, "who signed the certificate of mpa-controld (PEM)", -2},
    {"tls-name", KEY_TLS_NAME, "NAME", 0, "the name in that certificate (default: HOST)", -2},
    {"json", 'j', NULL, 0, "output for programs, see docs/json.md", -2},
    {"timeout", 't', "MS", 0, "wait so long for an answer (default: 5000)", -2},
    {"color", KEY_COLOR, "auto|always|never", 0, "colours in tables (default: auto, on a terminal)", -2},
    {0},
};

static enum color_mode color_parse(const char *text, struct argp_state *state)
{
    static const char *const words[] = {"auto", "always", "never"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0)
            return (enum color_mode)i;
    }
    argp_error(state, "--color %s: not known (allowed: auto, always, never)", text);
    return COLOR_AUTO;
}

static error_t parse_global(int key, char *value, struct argp_state *state)
{
    static const struct number_range timeout_ms = {"timeout", 1, 60000};
    struct mpactl *mpactl = state->input;

    switch (key) {
    case 'r':
        mpactl->runtime_dir = value;
        return 0;
    case 'j':
        mpactl->is_json = true;
        return 0;
    case 't':
        mpactl->timeout_ms = (uint32_t)option_number(state, value, &timeout_ms);
        return 0;
    case 'R':
        mpactl->remote = value;
        return 0;
    case KEY_TLS_CERT:
        mpactl->tls_cert = value;
        return 0;
    case KEY_TLS_KEY:
        mpactl->tls_key = value;
        return 0;
    case KEY_TLS_CA:
        mpactl->tls_ca = value;
        return 0;
    case KEY_TLS_NAME:
        mpactl->tls_name = value;
        return 0;
    case KEY_COLOR:
        mpactl->color = color_parse(value, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp mpactl_argp_global = {syntax_options_global, parse_global, NULL, NULL, NULL, NULL, NULL};

/* ---- --watch ---- */

const struct argp_option syntax_options_watch[] = {SYNTAX_WATCH_OPTIONS, {0}};

static void watch_parse(struct mpactl *mpactl, const char *text, struct argp_state *state)
{
    char *end;
    double ms = strtod(text, &end) * 1000;

    if (end == text || *end != '\0' || !(ms >= MIN_WATCH_MS && ms <= MAX_WATCH_MS))
        argp_error(state, "--watch %s: not a number of seconds (allowed: 0.1 to 86400)", text);
    mpactl->watch_ms = (uint32_t)ms;
}

static error_t parse_watch(struct mpactl *mpactl, int key, char *value, struct argp_state *state)
{
    static const struct number_range rounds = {"rounds", 1, UINT64_MAX};

    switch (key) {
    case SYNTAX_KEY_WATCH:
        mpactl->watch_ms = DEFAULT_WATCH_MS;
        if (value != NULL)
            watch_parse(mpactl, value, state);
        return 0;
    case SYNTAX_KEY_ROUNDS:
        mpactl->max_rounds = option_number(state, value, &rounds);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* "--watch 5" is what people write, though the value of an option that may lack one is written with '='.
 * Makes it one word in `joined`; returns how many words there are then. */
static int watch_join(int argc, char **argv, char *joined, size_t size)
{
    for (int i = 1; i + 1 < argc; i++) {
        char *end;

        if (strcmp(argv[i], "--watch") != 0 || argv[i + 1][0] == '-')
            continue;
        (void)strtod(argv[i + 1], &end);
        if (end == argv[i + 1] || snprintf(joined, size, "--watch=%s", argv[i + 1]) >= (int)size)
            return argc;
        argv[i] = joined;
        memmove(&argv[i + 1], &argv[i + 2], (size_t)(argc - i - 1) * sizeof(*argv));
        return argc - 1;
    }
    return argc;
}

/* ---- a command ---- */

/* Input of a command's parser together with what it is wrapped in. */
struct parse_input {
    struct mpactl *mpactl;
    const struct command_syntax *syntax;
    void *input;
};

static error_t parse_command(int key, char *value, struct argp_state *state)
{
    struct parse_input *wrapped = state->input;
    error_t error = ARGP_ERR_UNKNOWN;

    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = wrapped->mpactl;
    if (key == SYNTAX_KEY_WATCH || key == SYNTAX_KEY_ROUNDS)
        return parse_watch(wrapped->mpactl, key, value, state);
    if (wrapped->syntax->parser != NULL) {
        state->input = wrapped->input;
        error = wrapped->syntax->parser(key, value, state);
        state->input = wrapped;
    }
    if (error == ARGP_ERR_UNKNOWN && key == ARGP_KEY_ARG)
        argp_error(state, "unexpected argument '%s'", value);
    return error;
}

/* True when `word` (without its dashes, up to '=') is an option of the list, or begins one: argp takes both.
 */
static bool options_try(const struct argp_option *options, const char *word, struct suggestion *suggestion)
{
    size_t length = strlen(word);

    for (; options != NULL && (options->name != NULL || options->key != 0); options++) {
        if (options->name == NULL)
            continue;
        if (strncmp(options->name, word, length) == 0)
            return true;
        suggest_try(suggestion, options->name);
    }
    return false;
}

void syntax_check_option(const struct command_syntax *syntax, const char *program, const char *argument)
{
    char word[64] = "";
    struct suggestion suggestion = {.word = word};
    bool is_front = strcmp(program, "mpactl") == 0;

    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0' || strlen(argument) >= sizeof(word))
        return;
    memcpy(word, argument + 2, strcspn(argument + 2, "="));
    if (options_try(syntax->options, word, &suggestion) ||
        options_try(syntax_options_global, word, &suggestion) || strncmp("help", word, strlen(word)) == 0 ||
        strncmp("usage", word, strlen(word)) == 0)
        return;
    suggest_try(&suggestion, "help");
    /* The line begins with "mpactl: " anyway. */
    if (suggestion.best != NULL)
        exit(mpactl_fail(MPACTL_USAGE, "%s%sunknown option --%s (did you mean --%s?)",
                         is_front ? "" : program, is_front ? "" : ": ", word, suggestion.best));
    if (is_front)
        exit(mpactl_fail(MPACTL_USAGE, "unknown option --%s (try 'mpactl help')", word));
    exit(mpactl_fail(MPACTL_USAGE, "%s: unknown option --%s (try 'mpactl %s --help')", program, word,
                     program));
}

bool syntax_takes_next(const char *argument)
{
    for (const struct argp_option *option = syntax_options_global; option->name != NULL; option++) {
        bool is_short = argument[0] == '-' && argument[1] == option->key && argument[2] == '\0';
        bool is_long = strncmp(argument, "--", 2) == 0 && strcmp(argument + 2, option->name) == 0;

        if (option->arg != NULL && (is_short || is_long))
            return true;
    }
    return false;
}

/* What is not left to argp: its words for an unknown option name none that is known, its help no examples. */
static void look_ahead(struct mpactl *mpactl, const struct command_syntax *syntax, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0) {
            manual_print_text(mpactl, argv[0], syntax);
            exit(MPACTL_OK);
        }
        syntax_check_option(syntax, argv[0], argv[i]);
    }
}

void command_parse(struct mpactl *mpactl, const struct command_syntax *syntax, int argc, char **argv,
                   void *input)
{
    const struct argp_child children[] = {{&mpactl_argp_global, 0, "Global options:", -2},
                                          {NULL, 0, NULL, 0}};
    const struct argp argp = {
        syntax->options, parse_command, syntax->arguments, syntax->doc, children, NULL, NULL};
    struct parse_input wrapped = {.mpactl = mpactl, .syntax = syntax, .input = input};
    char name[64];
    char joined[64];
    char *first = argv[0];

    if (mpactl->inspect != NULL) {
        mpactl->inspect(mpactl, argv[0], syntax);
        exit(fflush(stdout) == 0 ? MPACTL_OK : MPACTL_FAILED);
    }
    look_ahead(mpactl, syntax, argc, argv);
    snprintf(name, sizeof(name), "mpactl %s", argv[0]);
    argv[0] = name;
    argc = watch_join(argc, argv, joined, sizeof(joined));
    argp_parse(&argp, argc, argv, 0, NULL, &wrapped);
    argv[0] = first;
}
