/* SPDX-License-Identifier: BSD-3-Clause */
/* complete.c — the place of a word by the syntax of its command: pure. */
#include "controlplane/mpactl/complete.h"

#include <string.h>

static bool has_value(const struct argp_option *option)
{
    return option->arg != NULL && (option->flags & OPTION_ARG_OPTIONAL) == 0;
}

/* The option that `word` names, up to its '='; NULL: none. */
static const struct argp_option *option_in(const struct argp_option *options, const char *word)
{
    for (; options != NULL && (options->name != NULL || options->key != 0); options++) {
        size_t length = strlen(options->name);

        if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, options->name, length) == 0 &&
            (word[2 + length] == '\0' || word[2 + length] == '='))
            return options;
        if (word[0] == '-' && word[1] != '-' && word[1] == options->key && word[2] == '\0')
            return options;
    }
    return NULL;
}

static const struct argp_option *option_find(const struct command_syntax *syntax, const char *word)
{
    const struct argp_option *option = option_in(syntax->options, word);

    return option != NULL ? option : option_in(syntax_options_global, word);
}

static struct complete_place value_of(const struct argp_option *option, const char *typed)
{
    if (option->arg == NULL)
        return (struct complete_place){.typed = typed};
    return (struct complete_place){.kind = option->arg, .kind_length = strlen(option->arg), .typed = typed};
}

struct complete_place complete_find(const struct command_syntax *syntax, char *const *words, size_t n_words)
{
    const char *last = words[n_words - 1];
    const struct argp_option *option;

    /* Bash cuts at '=': "--to" "=" "1". */
    if (n_words >= 2 && strcmp(last, "=") == 0 && (option = option_find(syntax, words[n_words - 2])) != NULL)
        return value_of(option, "");
    if (n_words >= 3 && strcmp(words[n_words - 2], "=") == 0 &&
        (option = option_find(syntax, words[n_words - 3])) != NULL)
        return value_of(option, last);
    if (n_words >= 2 && (option = option_find(syntax, words[n_words - 2])) != NULL && has_value(option))
        return value_of(option, last);
    if (strncmp(last, "--", 2) == 0 && strchr(last, '=') != NULL &&
        (option = option_find(syntax, last)) != NULL)
        return value_of(option, strchr(last, '=') + 1);
    return (struct complete_place){.is_option = last[0] == '-', .typed = last};
}

/* ---- positional arguments ---- */

/* Whether `word` may stand where the syntax has `token`: one of its words, or any value. */
static bool token_fits(const char *token, size_t length, const char *word)
{
    size_t n = strlen(word);

    if (token[0] < 'a' || token[0] > 'z')
        return true;
    while (length > 0) {
        size_t part = strcspn(token, "| \n]");

        if (part > length)
            part = length;
        if (part == n && strncmp(token, word, n) == 0)
            return true;
        token += part + (part < length);
        length -= part + (part < length);
    }
    return false;
}

/* The next token of the line at *text, without brackets; NULL: the line is over. */
static const char *token_next(const char **text, size_t *length)
{
    const char *token;

    *text += strspn(*text, " [");
    if (**text == '\0' || **text == '\n')
        return NULL;
    token = *text;
    *length = strcspn(token, " \n]");
    *text += strcspn(token, " \n");
    return token;
}

/* The token of this line at the place of the last word, if all words before it fit. */
static const char *line_find(const char *line, char *const *arguments, size_t n, size_t *length)
{
    const char *token = NULL;

    for (size_t i = 0; i <= n; i++) {
        token = token_next(&line, length);
        if (token == NULL || (i < n && !token_fits(token, *length, arguments[i])))
            return NULL;
    }
    return token;
}

#define MAX_ARGUMENTS 8

const char *complete_argument(const struct command_syntax *syntax, char *const *words, size_t n_words,
                              size_t skip, size_t *length)
{
    char *arguments[MAX_ARGUMENTS];
    size_t n = 0;

    for (size_t i = 0; i + 1 < n_words && n < MAX_ARGUMENTS; i++) {
        const struct argp_option *option = option_find(syntax, words[i]);

        if (words[i][0] != '-')
            arguments[n++] = words[i];
        else if (option != NULL && has_value(option) && strchr(words[i], '=') == NULL)
            i++;
    }
    for (const char *line = syntax->arguments; line != NULL && *line != '\0';
         line += strcspn(line, "\n"), line += *line == '\n') {
        const char *token = line_find(line, arguments, n, length);

        if (token != NULL && skip-- == 0)
            return token;
    }
    return NULL;
}
