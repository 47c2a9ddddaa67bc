/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.c — asks environment and terminal; nothing is remembered, for a terminal changes its size. */
#include "controlplane/mpactl/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_COLUMNS 10000

size_t terminal_columns(FILE *out)
{
    const char *text = getenv("COLUMNS");
    unsigned long columns = text == NULL ? 0 : strtoul(text, NULL, 10);
    struct winsize size = {0};

    if (columns > 0 && columns <= MAX_COLUMNS)
        return columns;
    /* A memory stream has no descriptor, and no limit. */
    if (fileno(out) < 0 || ioctl(fileno(out), TIOCGWINSZ, &size) < 0)
        return 0;
    return size.ws_col;
}

bool terminal_has_color(enum color_mode mode, FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (mode != COLOR_AUTO)
        return mode == COLOR_ALWAYS;
    /* An empty NO_COLOR does not count (no-color.org). */
    if (no_color != NULL && *no_color != '\0')
        return false;
    return term != NULL && strcmp(term, "dumb") != 0 && *term != '\0' && fileno(out) >= 0 &&
           isatty(fileno(out));
}

const char *terminal_color(enum color color)
{
    switch (color) {
    case COLOR_PLAIN:
        return "\033[0m";
    case COLOR_GOOD:
        return "\033[32m";
    case COLOR_WARN:
        return "\033[33m";
    case COLOR_BAD:
        return "\033[1;31m";
    }
    return "";
}
