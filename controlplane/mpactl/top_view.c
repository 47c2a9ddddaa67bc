/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top_view.c — head, page, and where there is room on the first page a look at the others. Columns that do
 * not fit are cut off by the grid, so what matters most stands on the left.
 */
#include "controlplane/mpactl/top_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "controlplane/mpactl/flow_text.h"

#define HEAD_ROWS 2u
#define BAR_COLUMNS 12u
#define RING_COLUMNS 8u
#define BUSY_PERMILLE 700u /* yellow from here, red from FULL_PERMILLE */
#define FULL_PERMILLE 900u
#define NO_WORKER 255u

struct place {
    unsigned row, column;
};

static struct place at(unsigned row, unsigned column)
{
    return (struct place){row, column};
}

/* Returns the column behind the text. */
MPA_PRINTF(4, 5)
static unsigned put(struct grid *grid, struct place place, enum grid_style style, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return grid_put(grid, place.row, place.column, style, text);
}

/* A line in reverse over the whole width. */
static void put_head(struct grid *grid, unsigned row, const char *text)
{
    unsigned column = grid_put(grid, row, 0, GRID_HEAD, text);

    while (column < grid->n_columns)
        column = grid_put(grid, row, column, GRID_HEAD, " ");
}

static enum grid_style style_of(const char *state)
{
    switch (text_color(state)) {
    case COLOR_GOOD:
        return GRID_GOOD;
    case COLOR_WARN:
        return GRID_WARN;
    case COLOR_BAD:
        return GRID_BAD;
    case COLOR_PLAIN:
        break;
    }
    return GRID_PLAIN;
}

static enum grid_style style_of_load(uint64_t permille)
{
    return permille >= FULL_PERMILLE ? GRID_BAD : permille >= BUSY_PERMILLE ? GRID_WARN : GRID_GOOD;
}

/* ---- head ---- */

static uint64_t sum_connections(const struct top_model *model)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < model->n_workers; i++)
        sum += model->workers[i].connections;
    return sum;
}

static void draw_state(const struct top_view *view, const struct top_model *model, struct grid *grid)
{
    const Mpa__V1__Reply *status = model->now.status;
    char word[TEXT_WORD_BYTES];
    unsigned column = put(grid, at(0, 0), GRID_TITLE, "mpactl top %s  ", view->clock);

    if (!model->is_up) {
        put(grid, at(0, column), GRID_BAD, "no daemon: %s", model->error);
        return;
    }
    if (status != NULL) {
        text_enum(&mpa__v1__system_state__descriptor, (int)status->get_status->state, word);
        column = put(grid, at(0, column), style_of(word), "%s", word);
        column = put(grid, at(0, column), GRID_PLAIN, "  up %s",
                     text_duration(status->get_status->uptime_ms, word));
    }
    column = put(grid, at(0, column), GRID_PLAIN, "  %zu workers  %s conn", model->n_workers,
                 text_count(sum_connections(model), word));
    column = put(grid, at(0, column), GRID_PLAIN, "  every %u.%us", view->interval_ms / 1000,
                 view->interval_ms % 1000 / 100);
    if (view->is_paused)
        put(grid, at(0, column), GRID_WARN, "  PAUSED");
}

static void draw_tabs(const struct top_view *view, struct grid *grid)
{
    static const char *const names[TOP_N_PAGES] = {"1 Workers", "2 Buckets", "3 Flows", "4 Events"};
    unsigned column = 0;

    for (unsigned i = 0; i < TOP_N_PAGES; i++)
        column =
            put(grid, at(1, column), i == (unsigned)view->page ? GRID_HEAD : GRID_PLAIN, " %s ", names[i]);
    grid_put(grid, 1, column, GRID_PLAIN, "  ? help  q quit");
}

/* ---- workers ---- */

static void draw_worker(const struct top_worker *worker, struct grid *grid, unsigned row)
{
    char words[5][TEXT_WORD_BYTES];
    uint64_t ring = worker->rx_slots == 0 ? 0 : worker->rx_depth * 1000 / worker->rx_slots;
    unsigned column = put(grid, at(row, 0), GRID_TITLE, "%2u ", worker->slot);

    column = put(grid, at(row, column), style_of(worker->state), "%-11s ", worker->state);
    column = grid_put_bar(grid, &(struct grid_bar){row, column, BAR_COLUMNS, worker->busy_permille,
                                                   style_of_load(worker->busy_permille)});
    column = put(grid, at(row, column), GRID_PLAIN, "%4u%% ", (worker->busy_permille + 5) / 10);
    column = grid_put_bar(grid,
                          &(struct grid_bar){row, column, RING_COLUMNS, (uint32_t)ring, style_of_load(ring)});
    column = put(grid, at(row, column), GRID_PLAIN, " %6s %6s %6s %5s",
                 text_count(worker->connections, words[0]), text_count(worker->rx_rate, words[1]),
                 text_count(worker->tx_rate, words[2]), text_count(worker->accepted_rate, words[3]));
    column = put(grid, at(row, column), worker->drop_rate > 0 || worker->faults > 0 ? GRID_BAD : GRID_PLAIN,
                 " %5s", text_count(worker->drop_rate, words[4]));
    put(grid, at(row, column), GRID_PLAIN, " %5u %8s %7u", worker->buckets,
        text_bytes(worker->memory_bytes, words[0]), worker->pid);
}

/* Returns the row behind the table. */
static unsigned draw_workers(const struct top_model *model, struct grid *grid, unsigned row)
{
    put_head(
        grid, row++,
        " W STATE       LOAD              RING       CONN   RX/S   TX/S NEW/S DROPS BUCKS   MEMORY     PID");
    for (size_t i = 0; i < model->n_workers; i++)
        draw_worker(&model->workers[i], grid, row++);
    if (model->n_workers == 0)
        grid_put(grid, row++, 0, GRID_PLAIN, "no workers");
    return row;
}

/* ---- flows ---- */

static void draw_flow(const struct flow_entry *entry, struct grid *grid, unsigned row)
{
    const Mpa__V1__Flow *flow = entry->flow;
    char words[6][TEXT_WORD_BYTES];
    char name[2 * FLOW_TEXT_ADDRESS_BYTES + 32];
    unsigned n_name = grid->n_columns > 60 ? grid->n_columns - 48 : 20;

    flow_text_format(flow->key, name, sizeof(name));
    if (strlen(name) > n_name)
        memcpy(&name[n_name - 1], "~", 2);
    put(grid, at(row, 0), GRID_PLAIN, "%9s %9s %2u %7s %8s %-6.6s %s", text_bytes(entry->rx_rate, words[0]),
        text_bytes(entry->tx_rate, words[1]), flow->worker,
        flow->srtt_us == 0 ? "-" : text_ns(flow->srtt_us * UINT64_C(1000), words[2]),
        text_bytes(flow->rx_queue_bytes + flow->tx_queue_bytes, words[3]),
        text_enum(&mpa__v1__flow_state__descriptor, (int)flow->state, words[4]), name);
}

static void draw_flows(const struct top_model *model, struct grid *grid, unsigned row, unsigned end)
{
    static const char *const sorts[TOP_N_SORTS] = {"rate", "received", "sent", "queue", "rtt", "age"};
    const struct flow_list *flows = &model->now.flows;
    char head[160];

    snprintf(head, sizeof(head), "     RX/S      TX/S  W     RTT    QUEUE STATE  FLOW (%zu, by %s)",
             flows->n_entries, sorts[model->sort]);
    put_head(grid, row++, head);
    for (size_t i = 0; i < flows->n_entries && row < end; i++)
        draw_flow(&flows->entries[i], grid, row++);
}

/* ---- events ---- */

/* The newest at the bottom, as in a log. */
static void draw_events(const struct top_model *model, struct grid *grid, unsigned row, unsigned end)
{
    size_t n = end > row + 1 ? end - row - 1 : 0;

    put_head(grid, row++, "EVENTS");
    if (model->events_note[0] != '\0' && n > 0) {
        grid_put(grid, row++, 0, GRID_WARN, model->events_note);
        n--;
    }
    while (n > 0 && top_model_event(model, n - 1) == NULL)
        n--;
    if (model->n_events == 0 && model->events_note[0] == '\0')
        grid_put(grid, row, 0, GRID_PLAIN, "none yet");
    for (; n > 0; n--)
        grid_put(grid, row++, 0, GRID_PLAIN, top_model_event(model, n - 1));
}

/* ---- buckets ---- */

/* A cell stands for one bucket or, where the page is small, for some neighbours. */
static void draw_cell(const struct top_model *model, size_t first, size_t n, struct grid_cell *cell)
{
    static const char slots[] = "0123456789abcdefghijklmnopqrstuv";
    uint64_t hottest = 0;
    uint32_t worker = model->buckets[first].worker;
    bool is_mixed = false;

    for (size_t i = first; i < first + n && i < model->n_buckets; i++) {
        is_mixed |= model->buckets[i].worker != worker;
        if (model->buckets[i].rate > hottest)
            hottest = model->buckets[i].rate;
    }
    cell->letter = is_mixed                     ? '*'
                   : worker < sizeof(slots) - 1 ? slots[worker]
                   : worker == NO_WORKER        ? '!'
                                                : '?';
    if (hottest == 0)
        cell->style = GRID_COLD;
    else if (hottest * 4 <= model->hottest_rate)
        cell->style = GRID_WARM;
    else
        cell->style = hottest * 4 <= model->hottest_rate * 3 ? GRID_HOT : GRID_HOTTEST;
}

static void draw_map(const struct top_model *model, struct grid *grid, unsigned row)
{
    /* Lines of a round number of buckets are easier to find one's way in. */
    unsigned n_columns = grid->n_columns >= 134 ? 128 : grid->n_columns >= 70 ? 64 : 32;
    size_t n_places = row < grid->n_rows ? (size_t)(grid->n_rows - row) * n_columns : 0;
    size_t n_each = 1;

    if (n_places == 0 || model->n_buckets == 0)
        return;
    while (n_each * n_places < model->n_buckets)
        n_each *= 2;
    for (size_t first = 0; first < model->n_buckets; row++) {
        put(grid, at(row, 0), GRID_PLAIN, "%5zu", first);
        for (unsigned i = 0; i < n_columns && first < model->n_buckets; i++, first += n_each) {
            struct grid_cell cell = {0};
            char letter[2] = "";

            draw_cell(model, first, n_each, &cell);
            letter[0] = cell.letter;
            grid_put(grid, row, 6 + i, (enum grid_style)cell.style, letter);
        }
    }
}

static void draw_buckets(const struct top_model *model, struct grid *grid, unsigned row)
{
    uint64_t rates[TOP_MAX_WORKERS] = {0};
    uint64_t sum = 0;
    char word[TEXT_WORD_BYTES];
    char head[128];
    unsigned column = 0;

    snprintf(head, sizeof(head), "BUCKETS (%zu, hottest %s frames/s)  heat:", model->n_buckets,
             text_count(model->hottest_rate, word));
    put_head(grid, row, head);
    column = (unsigned)strlen(head) + 1;
    column = grid_put(grid, row, column, GRID_COLD, " none ");
    column = grid_put(grid, row, column, GRID_WARM, " warm ");
    column = grid_put(grid, row, column, GRID_HOT, " hot ");
    grid_put(grid, row++, column, GRID_HOTTEST, " hottest ");
    for (size_t i = 0; i < model->n_buckets; i++) {
        sum += model->buckets[i].rate;
        if (model->buckets[i].worker < TOP_MAX_WORKERS)
            rates[model->buckets[i].worker] += model->buckets[i].rate;
    }
    column = grid_put(grid, row, 0, GRID_PLAIN, "share of frames:");
    for (size_t i = 0; i < model->n_workers; i++) {
        uint32_t slot = model->workers[i].slot;

        if (slot < TOP_MAX_WORKERS)
            column = put(grid, at(row, column), GRID_PLAIN, "  %u: %.0f%%", slot,
                         sum == 0 ? 0.0 : 100.0 * (double)rates[slot] / (double)sum);
    }
    draw_map(model, grid, row + 1);
}

/* ---- pages ---- */

static void draw_help(struct grid *grid, unsigned row)
{
    static const char *const lines[] = {
        "1 2 3 4, Tab   workers, buckets, flows, events",
        "s              sort flows by something else",
        "p, Space       pause, and go on",
        "+ -            look more often, less often",
        "? h            this help",
        "q              quit",
        "",
        "LOAD  share of the last second in which the worker's loop worked",
        "RING  how full its receive ring is",
        "BUCKETS  a digit is the worker, the heat its frames a second",
    };

    put_head(grid, row++, "HELP");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        grid_put(grid, row++, 1, GRID_PLAIN, lines[i]);
}

/* Workers first, then flows get two thirds of what is left, events the rest. */
static void draw_overview(const struct top_model *model, struct grid *grid, bool is_plain)
{
    unsigned row = draw_workers(model, grid, HEAD_ROWS);
    unsigned n_left = row < grid->n_rows ? grid->n_rows - row : 0;
    bool has_events = model->n_events > 0 || model->events_note[0] != '\0';
    unsigned n_events = n_left >= 8 && has_events && !is_plain ? n_left / 3 : 0;

    if (n_left >= 3)
        draw_flows(model, grid, row, grid->n_rows - n_events);
    if (n_events > 0)
        draw_events(model, grid, grid->n_rows - n_events, grid->n_rows);
}

void top_view_draw(const struct top_view *view, const struct top_model *model, struct grid *grid)
{
    draw_state(view, model, grid);
    if (!view->is_plain)
        draw_tabs(view, grid);
    if (view->has_help) {
        draw_help(grid, HEAD_ROWS);
        return;
    }
    switch (view->page) {
    case TOP_PAGE_WORKERS:
    case TOP_N_PAGES:
        draw_overview(model, grid, view->is_plain);
        return;
    case TOP_PAGE_BUCKETS:
        draw_buckets(model, grid, HEAD_ROWS);
        return;
    case TOP_PAGE_FLOWS:
        draw_flows(model, grid, HEAD_ROWS, grid->n_rows);
        return;
    case TOP_PAGE_EVENTS:
        draw_events(model, grid, HEAD_ROWS, grid->n_rows);
        return;
    }
}
