/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.c — "drain 0  [######------]  12/32  1.4s". */
#include "controlplane/mpactl/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "controlplane/mpactl/text.h"

#define DEFAULT_COLUMNS 80u
#define MIN_BAR_COLUMNS 8u
#define MAX_BAR_COLUMNS 40u
#define QUICK_NS (300 * CLOCK_NS_PER_MS) /* what has ended by then needs no progress */

void progress_begin(struct progress *progress, const struct mpactl *mpactl)
{
    *progress = (struct progress){
        .is_quiet = mpactl->is_json, .is_terminal = isatty(STDERR_FILENO) != 0, .begin_ns = clock_now_ns()};
}

void progress_format(const struct progress_state *state, size_t n_columns, char *line, size_t size)
{
    char duration[TEXT_WORD_BYTES];
    char tail[TEXT_WORD_BYTES + 32];
    char bar[MAX_BAR_COLUMNS + 1] = "";
    uint32_t n_done = state->n_done < state->n_total ? state->n_done : state->n_total;
    size_t n_tail;
    size_t n_bar = 0;
    size_t n_text = strlen(state->text);

    text_duration(state->elapsed_ms, duration);
    if (state->n_total == 0)
        snprintf(tail, sizeof(tail), "  %s", duration);
    else
        snprintf(tail, sizeof(tail), "  %u/%u  %s", n_done, state->n_total, duration);
    n_tail = strlen(tail);
    if (n_columns > size)
        n_columns = size;
    /* A column stays free: a terminal may wrap at its last one. What is left is text, then bar. */
    if (state->n_total > 0 && n_columns > n_text + n_tail + 5 + MIN_BAR_COLUMNS)
        n_bar = n_columns - n_text - n_tail - 5;
    if (n_bar > MAX_BAR_COLUMNS)
        n_bar = MAX_BAR_COLUMNS;
    for (size_t i = 0; i < n_bar; i++)
        bar[i] = (i + 1) * state->n_total <= (size_t)n_done * n_bar ? '#' : '-';
    if (n_columns < n_tail + 1)
        n_text = 0;
    else if (n_bar == 0 && n_text > n_columns - n_tail - 1)
        n_text = n_columns - n_tail - 1;
    snprintf(line, size, n_bar > 0 ? "%.*s  [%s]%s" : "%.*s%s%s", (int)n_text, state->text, bar, tail);
}

static void show_line(struct progress *progress, const struct progress_state *state)
{
    size_t n_columns = terminal_columns(stderr);
    char line[256];

    progress_format(state, n_columns == 0 ? DEFAULT_COLUMNS : n_columns, line, sizeof(line));
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    progress->has_line = true;
}

void progress_show(struct progress *progress, const char *text, uint32_t n_done, uint32_t n_total)
{
    uint64_t elapsed_ns = clock_now_ns() - progress->begin_ns;
    char clean[PROGRESS_TEXT_BYTES];
    struct progress_state state = {clean, n_done, n_total, elapsed_ns / CLOCK_NS_PER_MS};

    if (progress->is_quiet || elapsed_ns < QUICK_NS)
        return;
    snprintf(clean, sizeof(clean), "%s", text);
    text_clean(clean);
    if (progress->is_terminal) {
        show_line(progress, &state);
    } else if (strcmp(clean, progress->text) != 0 || n_done != progress->n_done) {
        fprintf(stderr, "%s: %u of %u\n", clean, n_done, n_total);
        progress->n_done = n_done;
    }
    memcpy(progress->text, clean, sizeof(clean));
}

void progress_end(struct progress *progress)
{
    if (!progress->has_line)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->has_line = false;
}
