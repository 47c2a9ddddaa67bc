/* SPDX-License-Identifier: BSD-3-Clause */
/* service_internal.h — the services themselves, for the table and for their tests, and what they share. */
#ifndef MPA_WORKER_SERVICE_INTERNAL_H
#define MPA_WORKER_SERVICE_INTERNAL_H

#include "worker/service.h"

#define CHARGEN_N_CHARS 95u /* printable ASCII, space included */
#define CHARGEN_LINE_CHARS 72u
#define CHARGEN_LINE_BYTES (CHARGEN_LINE_CHARS + 2u)
#define CHARGEN_PATTERN_BYTES (CHARGEN_N_CHARS * CHARGEN_LINE_BYTES) /* after so many lines it repeats */

struct http_pages;

/* RFC 862. Sends back what it receives; closes when the peer has closed and has got everything. */
extern const struct service service_echo;

/* RFC 863. Takes everything, sends nothing. */
extern const struct service service_discard;

/* RFC 864. Fills in the pattern that the service below sends for ever. */
void service_chargen_pattern(uint8_t pattern[CHARGEN_PATTERN_BYTES]);
/* Endless lines until the peer closes; `pattern` is borrowed for the life of the service. */
struct service service_chargen(const uint8_t *pattern);

/* HTTP/1.1 (RFC 9110, 9112), GET and HEAD of `pages`, which are borrowed for the life of the service. */
struct service service_http(const struct http_pages *pages);

/* Consumes whatever was received; returns the number of bytes. */
uint64_t service_discard_input(const struct service_io *io);

#endif
