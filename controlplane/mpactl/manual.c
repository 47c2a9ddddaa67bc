/* SPDX-License-Identifier: BSD-3-Clause */
/* manual.c — one source, two forms: what 'mpactl help COMMAND' prints, and scdoc for mpactl-COMMAND(8). */
#include "controlplane/mpactl/manual.h"

#include <ctype.h>
#include <string.h>

#define TEXT_COLUMNS 78
#define OPTION_COLUMNS 28 /* where the meaning of an option begins */

static const struct {
    const char *code, *meaning;
} exits[] = {
    {"0", "done"},
    {"1", "refused or failed; one line on standard error says why"},
    {"2", "wrong command line"},
    {"3", "no daemon; see --runtime-dir"},
};

static bool is_option(const struct argp_option *option)
{
    return option->name != NULL || option->key != 0;
}

/* What stands behind the '\v' of the text, or nothing. */
static const char *examples_of(const struct command_syntax *syntax)
{
    const char *examples = strchr(syntax->doc, '\v');

    return examples == NULL ? "" : examples + 1;
}

/* "-T, --to=WORKER"; the parts that are variable are emphasized by `mark`. */
static void option_format(const struct argp_option *option, const char *bold, const char *mark,
                          char text[128])
{
    char short_form[16] = "";
    char value[64] = "";

    if (option->key > ' ' && option->key < 0x7f && isprint(option->key))
        snprintf(short_form, sizeof(short_form), "%s-%c%s, ", bold, option->key, bold);
    if (option->arg != NULL)
        snprintf(value, sizeof(value), (option->flags & OPTION_ARG_OPTIONAL) != 0 ? "[=%s%s%s]" : "=%s%s%s",
                 mark, option->arg, mark);
    snprintf(text, 128, "%s%s--%s%s%s", short_form, bold, option->name, bold, value);
}

/* ---- for the terminal ---- */

/* Words, wrapped, each line behind `indent` blanks, where the first one stands already. */
static void print_wrapped(const char *text, size_t length, int indent)
{
    const char *end = text + length;
    int column = indent;

    while (text < end) {
        int word = (int)strcspn(text, " \n\v");

        if (column + 1 + word > TEXT_COLUMNS && column > indent) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf(column > indent ? " %.*s" : "%.*s", word, text);
        text += word + 1;
    }
    putchar('\n');
}

static void print_options(const struct argp_option *options, const char *title)
{
    char text[128];

    if (options == NULL)
        return;
    printf("\n%s:\n", title);
    for (; is_option(options); options++) {
        int length;

        option_format(options, "", "", text);
        /* Names are aligned behind the short forms. */
        length = printf("  %s%s", options->key < 0x7f ? "" : "    ", text);
        if (length >= OPTION_COLUMNS) {
            putchar('\n');
            length = 0;
        }
        printf("%*s", OPTION_COLUMNS - length, "");
        print_wrapped(options->doc, strlen(options->doc), OPTION_COLUMNS);
    }
}

/* Lines "command TAB what for". */
static void print_examples(const char *examples)
{
    puts("\nExamples:");
    while (*examples != '\0') {
        int command = (int)strcspn(examples, "\t\n");
        int rest = (int)strcspn(examples, "\n");

        printf("  %.*s\n", command, examples);
        if (rest > command)
            printf("      %.*s\n", rest - command - 1, examples + command + 1);
        examples += rest + (examples[rest] == '\n');
    }
}

void manual_print_text(const struct mpactl *mpactl, const char *name, const struct command_syntax *syntax)
{
    const char *arguments = syntax->arguments == NULL ? "" : syntax->arguments;
    const char *examples = examples_of(syntax);

    (void)mpactl;
    fputs("usage: ", stdout);
    do {
        int length = (int)strcspn(arguments, "\n");

        printf("mpactl %s%s%.*s [OPTION...]\n", name, length > 0 ? " " : "", length, arguments);
        arguments += length + (arguments[length] == '\n');
        fputs(*arguments != '\0' ? "       " : "\n", stdout);
    } while (*arguments != '\0');
    print_wrapped(syntax->doc, strcspn(syntax->doc, "\v"), 0);
    print_options(syntax->options, "Options");
    print_options(syntax_options_global, "Global options");
    fputs("\nExit codes: ", stdout);
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
        printf("%s%s %.*s", i == 0 ? "" : ", ", exits[i].code, (int)strcspn(exits[i].meaning, ";"),
               exits[i].meaning);
    puts(".");
    if (*examples != '\0')
        print_examples(examples);
}

/* ---- scdoc ---- */

/* What scdoc takes for marks is escaped. */
static void scdoc_put(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr("_*\\<>`#", text[i]) != NULL)
            putchar('\\');
        putchar(text[i]);
    }
}

static void scdoc_options(const struct argp_option *options)
{
    for (; options != NULL && is_option(options); options++) {
        char text[128];

        option_format(options, "*", "_", text);
        printf("%s\n\t", text);
        scdoc_put(options->doc, strlen(options->doc));
        fputs("\n\n", stdout);
    }
}

static void scdoc_examples(const char *examples)
{
    fputs("# EXAMPLES\n\n", stdout);
    while (*examples != '\0') {
        int command = (int)strcspn(examples, "\t\n");
        int rest = (int)strcspn(examples, "\n");

        if (rest > command)
            scdoc_put(examples + command + 1, (size_t)(rest - command - 1));
        printf("%s```\n%.*s\n```\n\n", rest > command ? "\n\n" : "", command, examples);
        examples += rest + (examples[rest] == '\n');
    }
}

static void scdoc_synopsis(const char *name, const char *arguments)
{
    fputs("# SYNOPSIS\n\n", stdout);
    do {
        size_t length = strcspn(arguments, "\n");

        printf("*mpactl %s* ", name);
        scdoc_put(arguments, length);
        arguments += length + (arguments[length] == '\n');
        printf(" [_OPTION_...]%s\n", *arguments != '\0' ? "++" : "");
    } while (*arguments != '\0');
}

void manual_print_scdoc(const struct mpactl *mpactl, const char *name, const struct command_syntax *syntax)
{
    const struct command *command = command_find(name);
    const char *examples = examples_of(syntax);

    (void)mpactl;
    printf("mpactl-%s(8)\n\n# NAME\n\nmpactl-%s - ", name, name);
    scdoc_put(command->help, strlen(command->help));
    fputs("\n\n", stdout);
    scdoc_synopsis(name, syntax->arguments == NULL ? "" : syntax->arguments);
    fputs("\n# DESCRIPTION\n\n", stdout);
    scdoc_put(syntax->doc, strcspn(syntax->doc, "\v"));
    fputs("\n\n# OPTIONS\n\n", stdout);
    scdoc_options(syntax->options);
    scdoc_options(syntax_options_global);
    fputs("# EXIT STATUS\n\n", stdout);
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
        printf("*%s*\n\t%s\n\n", exits[i].code, exits[i].meaning);
    if (*examples != '\0')
        scdoc_examples(examples);
    fputs("# SEE ALSO\n\n*mpactl*(8)\n", stdout);
}
