/* SPDX-License-Identifier: BSD-3-Clause */
/* services.h — the services every stack under test has: echo 7 (TCP, UDP), discard 9, chargen 19, http 80. */
#ifndef MPA_BASELINE_SERVICES_H
#define MPA_BASELINE_SERVICES_H

#include <stddef.h>

#include "session.h"

/* Starts echo, discard and chargen. 0 or -errno. */
int services_start(void);

/* Starts the web server with a page of page_bytes at every path that has no '.' ("/missing.html": 404). */
int http_start(size_t page_bytes);

#endif
