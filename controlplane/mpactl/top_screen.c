/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top_screen.c — the only file that knows curses, whose state is global as curses has it. Its handler of
 * SIGWINCH notes a new size, which the next look for a key takes over.
 */
#include "controlplane/mpactl/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <unistd.h>

static SCREEN *screen; /* NULL: not taken */

/* Pairs have the numbers of the styles. */
static void colors_begin(void)
{
    static const struct {
        short style, color;
    } colors[] = {{GRID_GOOD, COLOR_GREEN}, {GRID_WARN, COLOR_YELLOW}, {GRID_BAD, COLOR_RED},
                  {GRID_COLD, COLOR_BLUE},  {GRID_WARM, COLOR_GREEN},  {GRID_HOT, COLOR_YELLOW},
                  {GRID_HOTTEST, COLOR_RED}};

    start_color();
    use_default_colors();
    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
        init_pair(colors[i].style, colors[i].color, -1);
}

static bool is_colored;

int top_screen_open(bool has_color)
{
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL)
        return -ENOTTY;
    is_colored = has_color && has_colors();
    if (is_colored)
        colors_begin();
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    return 0;
}

void top_screen_close(void)
{
    if (screen == NULL)
        return;
    curs_set(1);
    endwin();
    delscreen(screen);
    screen = NULL;
}

void top_screen_size(unsigned *n_rows, unsigned *n_columns)
{
    *n_rows = (unsigned)getmaxy(stdscr);
    *n_columns = (unsigned)getmaxx(stdscr);
}

static chtype attributes_of(enum grid_style style)
{
    static const chtype plain[] = {
        [GRID_PLAIN] = A_NORMAL, [GRID_TITLE] = A_BOLD,     [GRID_HEAD] = A_REVERSE, [GRID_GOOD] = A_NORMAL,
        [GRID_WARN] = A_BOLD,    [GRID_BAD] = A_STANDOUT,   [GRID_COLD] = A_DIM,     [GRID_WARM] = A_NORMAL,
        [GRID_HOT] = A_BOLD,     [GRID_HOTTEST] = A_REVERSE};

    if (!is_colored || style < GRID_GOOD)
        return plain[style];
    return (chtype)COLOR_PAIR(style) | (style == GRID_BAD || style == GRID_HOTTEST ? A_BOLD : A_NORMAL);
}

void top_screen_show(const struct grid *grid)
{
    erase();
    for (unsigned row = 0; row < grid->n_rows; row++) {
        for (unsigned column = 0; column < grid->n_columns; column++) {
            const struct grid_cell *cell = &grid->cells[row * grid->n_columns + column];

            if (cell->letter != ' ' || cell->style != GRID_PLAIN)
                mvaddch((int)row, (int)column,
                        (chtype)(unsigned char)cell->letter | attributes_of((enum grid_style)cell->style));
        }
    }
    refresh();
}

int top_screen_key(void)
{
    int key = getch();

    /* A new size is taken over by the look itself. */
    return key == ERR || key > 0x7e ? 0 : key;
}
