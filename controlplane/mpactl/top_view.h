/* SPDX-License-Identifier: BSD-3-Clause */
/* top_view.h — pages of 'mpactl top', drawn into cells of any size. Pure. */
#ifndef MPA_MPACTL_TOP_VIEW_H
#define MPA_MPACTL_TOP_VIEW_H

#include <stdbool.h>

#include "controlplane/mpactl/grid.h"
#include "controlplane/mpactl/top_model.h"

enum top_page {
    TOP_PAGE_WORKERS, /* workers, and what fits of the busiest flows and the last events */
    TOP_PAGE_BUCKETS,
    TOP_PAGE_FLOWS,
    TOP_PAGE_EVENTS,
    TOP_N_PAGES,
};

struct top_view {
    enum top_page page;
    bool has_help, is_paused;
    bool is_plain; /* as text: nobody can press a key */
    uint32_t interval_ms;
    char clock[16]; /* "12:34:56" */
};

/* Draws the page over the whole grid, which is blank. */
void top_view_draw(const struct top_view *view, const struct top_model *model, struct grid *grid);

#endif
