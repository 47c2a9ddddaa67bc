/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_config.c — mpactl config check|show: needs no daemon. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "controlplane/mpactl/mpactl.h"

struct options {
    const char *action;
    const char *path;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    if (key == ARGP_KEY_ARG && options->action == NULL) {
        options->action = value;
        return 0;
    }
    if (key == ARGP_KEY_ARG && options->path == NULL) {
        options->path = value;
        return 0;
    }
    if (key == ARGP_KEY_END && options->action == NULL)
        argp_error(state, "an action is missing (allowed: check FILE, show [FILE])");
    return ARGP_ERR_UNKNOWN;
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

static int config_show(const struct mpactl *mpactl, const char *path)
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
    static const struct command_syntax syntax = {NULL, parse_option, "check FILE\nshow [FILE]",
                                                 "check: says what is wrong in FILE, line by line. show: "
                                                 "prints the configuration of FILE, or the built-in "
                                                 "one, with every default and what is allowed.\v"
                                                 "mpactl config check /etc/mpa/mpa.yaml\tbefore a restart\n"
                                                 "mpactl config show > my.yaml\ta file to begin with\n"};
    struct options options = {0};

    command_parse(mpactl, &syntax, argc, argv, &options);
    if (strcmp(options.action, "check") == 0)
        return config_check(mpactl, options.path);
    if (strcmp(options.action, "show") == 0)
        return config_show(mpactl, options.path);
    return mpactl_fail(MPACTL_USAGE, "config %s: no such action (allowed: check FILE, show [FILE])",
                       options.action);
}
