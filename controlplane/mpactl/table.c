/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c — collects cells, then gives every column its width: what it needs, or what is left. */
#include "controlplane/mpactl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/mpactl/text.h"

#define GAP_COLUMNS 2u
#define MIN_CUT_COLUMNS 8u   /* a text is not cut below this */
#define SHORT_TEXT_BYTES 64u /* what most cells need */

struct cell {
    size_t at; /* its text, in those of the table: they may move */
    enum color color;
};

struct column {
    const char *title; /* without marks; borrowed */
    bool is_right, can_cut;
    unsigned droppable; /* 0: never */
    size_t width;       /* 0: left out */
};

struct table {
    struct column columns[TABLE_MAX_COLUMNS];
    size_t n_columns;
    struct cell *cells; /* row by row; owned */
    size_t n_cells, max_cells;
    char *texts; /* of all cells, one behind the other, each with its end; owned */
    size_t n_text_bytes, max_text_bytes;
    bool has_failed; /* memory was out */
};

static struct column column_parse(const char *header)
{
    struct column column = {0};

    for (; *header == '>' || *header == '-' || *header == '~'; header++) {
        column.is_right |= *header == '>';
        column.can_cut |= *header == '~';
        column.droppable += *header == '-';
    }
    column.title = header;
    column.width = strlen(header);
    return column;
}

struct table *table_new(const char *const *headers)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    for (; headers[table->n_columns] != NULL && table->n_columns < TABLE_MAX_COLUMNS; table->n_columns++)
        table->columns[table->n_columns] = column_parse(headers[table->n_columns]);
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    free(table->texts);
    free(table->cells);
    free(table);
}

/* Makes room for at least one more cell and n_bytes more of text. */
static bool table_reserve(struct table *table, size_t n_bytes)
{
    if (table->n_cells == table->max_cells) {
        size_t max_cells = table->max_cells == 0 ? 64 : 2 * table->max_cells;
        struct cell *cells = realloc(table->cells, max_cells * sizeof(*cells));

        if (cells == NULL)
            return false;
        table->cells = cells;
        table->max_cells = max_cells;
    }
    if (n_bytes > table->max_text_bytes - table->n_text_bytes) {
        size_t max_text_bytes = 2 * (table->n_text_bytes + n_bytes);
        char *texts = realloc(table->texts, max_text_bytes);

        if (texts == NULL)
            return false;
        table->texts = texts;
        table->max_text_bytes = max_text_bytes;
    }
    return true;
}

/* A text that was written behind the others becomes a cell. */
static void table_append(struct table *table, size_t length)
{
    struct column *column = &table->columns[table->n_cells % table->n_columns];

    text_clean(table->texts + table->n_text_bytes);
    table->cells[table->n_cells++] = (struct cell){.at = table->n_text_bytes};
    table->n_text_bytes += length + 1;
    if (length > column->width)
        column->width = length;
}

void table_cell(struct table *table, const char *format, ...)
{
    size_t n_bytes = SHORT_TEXT_BYTES;
    va_list arguments;
    int length = 0;

    if (table == NULL || table->has_failed)
        return;
    /* Twice when the first room was too small. */
    do {
        n_bytes = n_bytes > (size_t)length + 1 ? n_bytes : (size_t)length + 1;
        if (!table_reserve(table, n_bytes)) {
            table->has_failed = true;
            return;
        }
        va_start(arguments, format);
        length = vsnprintf(table->texts + table->n_text_bytes, n_bytes, format, arguments);
        va_end(arguments);
    } while (length >= 0 && (size_t)length >= n_bytes);
    if (length < 0)
        table->has_failed = true;
    else
        table_append(table, (size_t)length);
}

void table_color(struct table *table, enum color color)
{
    if (table != NULL && table->n_cells > 0)
        table->cells[table->n_cells - 1].color = color;
}

/* ---- widths ---- */

static size_t table_width(const struct table *table)
{
    size_t width = 0;

    for (size_t i = 0; i < table->n_columns; i++) {
        if (table->columns[i].width > 0)
            width += table->columns[i].width + (width > 0 ? GAP_COLUMNS : 0);
    }
    return width;
}

/* Leaves out the column that matters least, the last of those. False: all that are left are needed. */
static bool table_drop(struct table *table)
{
    struct column *least = NULL;

    for (size_t i = 0; i < table->n_columns; i++) {
        struct column *column = &table->columns[i];

        if (column->width > 0 && column->droppable > 0 &&
            (least == NULL || column->droppable >= least->droppable))
            least = column;
    }
    if (least != NULL)
        least->width = 0;
    return least != NULL;
}

/* Takes what is too much from the columns whose texts may be cut. */
static void table_cut(struct table *table, size_t n_columns)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        struct column *column = &table->columns[i];
        size_t width = table_width(table);

        if (!column->can_cut || width <= n_columns || column->width <= MIN_CUT_COLUMNS)
            continue;
        column->width -= width - n_columns < column->width - MIN_CUT_COLUMNS
                             ? width - n_columns
                             : column->width - MIN_CUT_COLUMNS;
    }
}

static void table_fit(struct table *table, size_t n_columns)
{
    while (table_width(table) > n_columns && table_drop(table))
        ;
    table_cut(table, n_columns);
}

/* ---- output ---- */

/* Where a line stands: what is left of it, and blanks that are written only when something follows. */
struct line {
    FILE *out;
    size_t n_left, n_blanks;
    bool has_color;
};

static void line_put(struct line *line, const char *text, size_t length, enum color color)
{
    if (length == 0 || line->n_left <= line->n_blanks)
        return;
    for (size_t i = 0; i < line->n_blanks; i++)
        putc_unlocked(' ', line->out);
    line->n_left -= line->n_blanks;
    line->n_blanks = 0;
    if (length > line->n_left)
        length = line->n_left;
    line->n_left -= length;
    if (line->has_color && color != COLOR_PLAIN)
        fprintf(line->out, "%s%.*s%s", terminal_color(color), (int)length, text, terminal_color(COLOR_PLAIN));
    else
        fwrite(text, 1, length, line->out);
}

static void cell_print(struct line *line, const struct column *column, const char *text, enum color color)
{
    size_t length = strlen(text);
    size_t n_pad = length < column->width ? column->width - length : 0;

    if (column->is_right)
        line->n_blanks += n_pad;
    if (length > column->width) {
        line_put(line, text, column->width - 1, color);
        line_put(line, "~", 1, color);
    } else {
        line_put(line, text, length, color);
    }
    line->n_blanks += GAP_COLUMNS + (column->is_right ? 0 : n_pad);
}

/* One row; cells == NULL: the header. */
static void row_print(const struct table *table, const struct cell *cells, struct line line)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct column *column = &table->columns[i];

        if (column->width == 0)
            continue;
        if (cells == NULL)
            cell_print(&line, column, column->title, COLOR_PLAIN);
        else
            cell_print(&line, column, table->texts + cells[i].at, cells[i].color);
    }
    fputc('\n', line.out);
}

int table_print_fit(struct table *table, FILE *out, size_t n_columns, bool has_color)
{
    struct line line = {.out = out, .n_left = n_columns == 0 ? SIZE_MAX : n_columns, .has_color = has_color};

    if (table == NULL || table->has_failed) {
        table_free(table);
        return mpactl_fail(MPACTL_FAILED, "out of memory");
    }
    if (n_columns != 0)
        table_fit(table, n_columns);
    row_print(table, NULL, line);
    for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
        row_print(table, &table->cells[i], line);
    table_free(table);
    return MPACTL_OK;
}

int table_print(struct table *table, FILE *out)
{
    return table_print_fit(table, out, terminal_columns(out), false);
}

int table_show(const struct mpactl *mpactl, struct table *table)
{
    return table_print_fit(table, stdout, terminal_columns(stdout),
                           terminal_has_color(mpactl->color, stdout));
}
