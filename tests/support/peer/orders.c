/* SPDX-License-Identifier: BSD-3-Clause */
/* orders.c — see orders.h. */
#include "orders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int orders_init(struct orders *orders)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);

    *orders = (struct orders){0};
    if (flags < 0 || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static enum order order_parse(const char *line, uint64_t *number)
{
    if (strncmp(line, "fault ", 6) == 0) {
        *number = strtoull(line + 6, NULL, 10);
        return ORDER_FAULT;
    }
    if (strcmp(line, "probe") == 0)
        return ORDER_PROBE;
    if (strcmp(line, "stat") == 0)
        return ORDER_STAT;
    return strcmp(line, "stop") == 0 ? ORDER_STOP : ORDER_NONE;
}

/* The first whole line, taken out of the buffer; false: none. */
static int take_line(struct orders *orders, char line[sizeof(orders->bytes)])
{
    char *end = memchr(orders->bytes, '\n', orders->n_bytes);
    unsigned n_line;

    if (end == NULL)
        return 0;
    n_line = (unsigned)(end - orders->bytes);
    memcpy(line, orders->bytes, n_line);
    line[n_line] = '\0';
    orders->n_bytes -= n_line + 1;
    memmove(orders->bytes, end + 1, orders->n_bytes);
    return 1;
}

enum order orders_next(struct orders *orders, uint64_t *number)
{
    char line[sizeof(orders->bytes)];

    for (;;) {
        ssize_t n;

        while (take_line(orders, line)) {
            enum order order = order_parse(line, number);

            if (order != ORDER_NONE)
                return order;
        }
        if (orders->n_bytes == sizeof(orders->bytes))
            orders->n_bytes = 0; /* a line longer than any order */
        n = read(STDIN_FILENO, orders->bytes + orders->n_bytes, sizeof(orders->bytes) - orders->n_bytes);
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? ORDER_NONE : ORDER_STOP;
        orders->n_bytes += (unsigned)n;
    }
}
