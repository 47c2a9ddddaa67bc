/* SPDX-License-Identifier: BSD-3-Clause */
/* service_echo.c — RFC 862: what comes in goes out. The FIFOs' cursors are all the state there is. */
#include <string.h>

#include "worker/service_internal.h"

static void echo_run(const struct service *service, const struct service_io *io)
{
    (void)service;
    for (;;) {
        struct fifo_span in = io->ops->peek(io->context);
        struct fifo_span out;

        if (in.len == 0)
            break;
        out = io->ops->reserve(io->context, in.len);
        if (out.len == 0)
            return; /* the peer reads slower than it writes: rx fills up and its window closes */
        memcpy(out.bytes, in.bytes, out.len);
        /* Both cursors stand in one commit: whoever goes on sends no byte twice and loses none. */
        io->ops->produce(io->context, out.len);
        io->ops->consume(io->context, out.len);
    }
    if (io->ops->is_at_end(io->context))
        io->ops->close(io->context);
}

const struct service service_echo = {.name = "echo", .run = echo_run};
