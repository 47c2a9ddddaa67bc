/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_config.c — mpactl config: of a file without a daemon, or what is in force. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "controlplane/mpactl/mpactl.h"
#include "controlplane/mpactl/settings.h"
#include "controlplane/mpactl/suggest.h"

#define ACTIONS "check FILE, show [FILE], defaults, reload, set KEY=VALUE..."

struct options {
    const char *action;
    const char *path;
    bool is_dry;
    struct assignments assignments;
};

/* Before what follows it is judged: "chek FILE" is not one argument too many. */
static char *action_parse(char *text, struct argp_state *state)
{
    static const char *const actions[] = {"check", "show", "defaults", "reload", "set"};
    struct suggestion suggestion = {.word = text};

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(text, actions[i]) == 0)
            return text;
        suggest_try(&suggestion, actions[i]);
    }
    if (suggestion.best != NULL)
        argp_error(state, "'%s': no such action (did you mean '%s'?)", text, suggestion.best);
    argp_error(state, "'%s': no such action (allowed: " ACTIONS ")", text);
    return text;
}

static error_t parse_argument(struct options *options, char *value, struct argp_state *state)
{
    if (options->action == NULL)
        options->action = action_parse(value, state);
    else if (strcmp(options->action, "set") == 0)
        assignments_add(&options->assignments, value, state);
    else if (options->path == NULL &&
             (strcmp(options->action, "check") == 0 || strcmp(options->action, "show") == 0))
        options->path = value;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        return parse_argument(options, value, state);
    case 'd':
        options->is_dry = true;
        return 0;
    case ARGP_KEY_END:
        if (options->action == NULL)
            argp_error(state, "an action is missing (allowed: " ACTIONS ")");
        if (options->is_dry && strcmp(options->action, "reload") != 0)
            argp_error(state, "--dry-run: only with reload");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One object: the file, whether it is valid, and the messages if not. */
static int print_check_json(const char *path, const char *errors)
{
    json_t *json = json_pack("{s:s, s:b, s:s}", "file", path, "valid", errors[0] == '\0', "errors", errors);
    int error = json == NULL ? -1 : json_dumpf(json, stdout, JSON_INDENT(2));

    json_decref(json);
    puts("");
    return error == 0 ? MPACTL_OK : mpactl_fail(MPACTL_FAILED, "cannot write JSON");
}

static int config_check(const struct mpactl *mpactl, const char *path)
{
    static struct config config;
    char error[8192] = "";
    int result;

    if (path == NULL)
        return mpactl_fail(MPACTL_USAGE, "config check: FILE is missing");
    result = config_load(path, &config, error, sizeof(error));
    if (mpactl->is_json && print_check_json(path, error) != MPACTL_OK)
        return MPACTL_FAILED;
    if (!mpactl->is_json && result == 0)
        printf("%s: valid\n", path);
    if (!mpactl->is_json && result != 0)
        fprintf(stderr, "%s\n", error);
    return result == 0 ? MPACTL_OK : MPACTL_FAILED;
}

/* Sections as objects, values as they would stand in the file. */
static int print_config_json(const struct config *config)
{
    json_t *root = json_object();
    int error = 0;

    for (size_t i = 0; i < config_n_keys() && error == 0; i++) {
        const struct config_key *key = config_key(i);
        char value[CONFIG_VALUE_TEXT_BYTES];
        json_t *section = json_object_get(root, key->section);

        config_value_format(config, i, value, sizeof(value));
        if (section == NULL) {
            section = json_object();
            error = json_object_set_new(root, key->section, section);
        }
        if (error == 0)
            error = json_object_set_new(section, key->key, json_string(value));
    }
    if (error == 0)
        error = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    puts("");
    return error == 0 ? MPACTL_OK : mpactl_fail(MPACTL_FAILED, "cannot write JSON");
}

/* Of a file, or the built-in one (NULL). */
static int config_print(const struct mpactl *mpactl, const char *path)
{
    static struct config config;
    char error[8192];

    config_defaults(&config);
    if (path != NULL && config_load(path, &config, error, sizeof(error)) != 0) {
        fprintf(stderr, "%s\n", error);
        return MPACTL_FAILED;
    }
    if (mpactl->is_json)
        return print_config_json(&config);
    config_print_yaml(&config, stdout);
    return MPACTL_OK;
}

int command_config(struct mpactl *mpactl, int argc, char **argv)
{
    static const struct argp_option own[] = {
        {"dry-run", 'd', NULL, 0, "reload: show what would change and change nothing", 0},
        {0},
    };
    static const struct command_syntax syntax = {
        own, parse_option, "check FILE\nshow [FILE]\ndefaults\nreload\nset KEY=VALUE...",
        "check: says what is wrong in FILE, line by line. show: what the running stack goes by, where each "
        "value "
        "comes from and what waits for a new start; or the configuration of FILE with every default. "
        "defaults: "
        "the built-in one. reload: mpa-controld reads its file again, as a whole or not at all. set: changes "
        "live keys until the next reload. check, show FILE and defaults need no running stack.\v"
        "mpactl config check /etc/mpa/mpa.yaml\tbefore a restart\n"
        "mpactl config defaults > my.yaml\ta file to begin with\n"};
    struct options options = {0};

    command_parse(mpactl, &syntax, argc, argv, &options);
    if (strcmp(options.action, "check") == 0)
        return config_check(mpactl, options.path);
    if (strcmp(options.action, "show") == 0)
        return options.path == NULL ? settings_request_show(mpactl) : config_print(mpactl, options.path);
    if (strcmp(options.action, "defaults") == 0)
        return config_print(mpactl, NULL);
    if (strcmp(options.action, "reload") == 0)
        return settings_request_reload(mpactl, options.is_dry);
    if (options.assignments.n == 0)
        return mpactl_fail(MPACTL_USAGE, "config set: KEY=VALUE is missing");
    return settings_request_set(mpactl, "", &options.assignments);
}
