/* SPDX-License-Identifier: BSD-3-Clause */
/* grid.c — cells in memory. */
#include "controlplane/mpactl/grid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int grid_resize(struct grid *grid, unsigned n_rows, unsigned n_columns)
{
    size_t n = (size_t)n_rows * n_columns;
    struct grid_cell *cells = realloc(grid->cells, (n == 0 ? 1 : n) * sizeof(*cells));

    if (cells == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        cells[i] = (struct grid_cell){.letter = ' ', .style = GRID_PLAIN};
    *grid = (struct grid){n_rows, n_columns, cells};
    return 0;
}

void grid_free(struct grid *grid)
{
    free(grid->cells);
    *grid = (struct grid){0};
}

unsigned grid_put(struct grid *grid, unsigned row, unsigned column, enum grid_style style, const char *text)
{
    for (; *text != '\0'; text++, column++) {
        if (row < grid->n_rows && column < grid->n_columns)
            grid->cells[row * grid->n_columns + column] = (struct grid_cell){
                .letter = *text >= ' ' && *text <= '~' ? *text : '?', .style = (uint8_t)style};
    }
    return column;
}

unsigned grid_put_bar(struct grid *grid, const struct grid_bar *bar)
{
    unsigned n_inside = bar->width < 3 ? 1 : bar->width - 2;
    uint32_t permille = bar->permille > 1000 ? 1000 : bar->permille;
    unsigned n_full = (n_inside * permille + 999) / 1000; /* the least load shows */
    unsigned column = grid_put(grid, bar->row, bar->column, GRID_PLAIN, "[");

    for (unsigned i = 0; i < n_inside; i++)
        column =
            grid_put(grid, bar->row, column, i < n_full ? bar->style : GRID_PLAIN, i < n_full ? "#" : "-");
    return grid_put(grid, bar->row, column, GRID_PLAIN, "]");
}

void grid_print(const struct grid *grid, FILE *out)
{
    unsigned n_blank_rows = 0;

    for (unsigned row = 0; row < grid->n_rows; row++) {
        const struct grid_cell *cells = &grid->cells[row * grid->n_columns];
        unsigned length = grid->n_columns;

        while (length > 0 && cells[length - 1].letter == ' ')
            length--;
        if (length == 0) {
            n_blank_rows++;
            continue;
        }
        for (; n_blank_rows > 0; n_blank_rows--)
            fputc('\n', out);
        for (unsigned i = 0; i < length; i++)
            fputc(cells[i].letter, out);
        fputc('\n', out);
    }
}
