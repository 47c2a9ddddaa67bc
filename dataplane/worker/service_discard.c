/* SPDX-License-Identifier: BSD-3-Clause */
/* service_discard.c — RFC 863: everything is taken, nothing is sent. */
#include "worker/service_internal.h"

static void discard_run(const struct service *service, const struct service_io *io)
{
    (void)service;
    service_discard_input(io);
    if (io->ops->is_at_end(io->context))
        io->ops->close(io->context);
}

const struct service service_discard = {.name = "discard", .run = discard_run};
