/* SPDX-License-Identifier: BSD-3-Clause */
/* watch_screen.c — stdout is a variable like any other: glibc's manual says so ("Standard Streams"). */
#include "controlplane/mpactl/watch_screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SCREEN_CLEAR "\033[H\033[2J"
#define MIN_ROWS 4u /* less shows nothing but how much it does not show */

void watch_screen_begin(struct watch_screen *screen, struct mpactl *mpactl)
{
    char columns[16];
    FILE *memory;

    *screen = (struct watch_screen){.color = mpactl->color};
    if (mpactl->is_json || !isatty(STDOUT_FILENO))
        return;
    memory = open_memstream(&screen->text, &screen->size);
    if (memory == NULL)
        return;
    /* Memory has neither width nor colours. */
    screen->is_width_ours = getenv("COLUMNS") == NULL;
    snprintf(columns, sizeof(columns), "%zu", terminal_columns(stdout));
    if (screen->is_width_ours)
        setenv("COLUMNS", columns, 1);
    mpactl->color = terminal_has_color(mpactl->color, stdout) ? COLOR_ALWAYS : COLOR_NEVER;
    screen->terminal = stdout;
    stdout = memory;
}

void watch_screen_print(const char *text, unsigned n_rows, FILE *out)
{
    unsigned n_lines = 0;
    unsigned n_shown;

    for (const char *letter = text; *letter != '\0'; letter++)
        n_lines += *letter == '\n';
    if (n_rows < MIN_ROWS || n_lines < n_rows) {
        fputs(text, out);
        return;
    }
    n_shown = n_rows - 2;
    for (unsigned i = 0; i < n_shown; i++) {
        size_t length = strcspn(text, "\n") + 1;

        fwrite(text, 1, length, out);
        text += length;
    }
    fprintf(out, "... %u more lines than the terminal has\n", n_lines - n_shown);
}

void watch_screen_end(struct watch_screen *screen, struct mpactl *mpactl)
{
    struct winsize size = {0};

    if (screen->terminal == NULL)
        return;
    fclose(stdout);
    stdout = screen->terminal;
    mpactl->color = screen->color;
    if (screen->is_width_ours)
        unsetenv("COLUMNS");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        size.ws_row = 0;
    fputs(SCREEN_CLEAR, stdout);
    if (screen->text != NULL)
        watch_screen_print(screen->text, size.ws_row, stdout);
    free(screen->text);
}
