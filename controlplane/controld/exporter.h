/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exporter.h — what monitoring asks for over HTTP: /metrics, /livez, /readyz (control.http). Everything
 * happens in the loop; nothing is measured while nobody asks, and however many ask, at most once in
 * EXPORTER_KEEP_MS.
 */
#ifndef MPA_CONTROLD_EXPORTER_H
#define MPA_CONTROLD_EXPORTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "controlplane/controld/controld.h"

#define EXPORTER_KEEP_MS 250u    /* a page is handed out again for so long */
#define EXPORTER_SILENT_MS 2000u /* a frontend that has not answered for so long is not ready */

struct exporter; /* opaque */

/* Takes the socket "http" of controld->inherit, or opens the one of control.http. Needs controld->link. 0,
 * with NULL when there is neither; or an nng error with NULL, after one ERROR line where the place is at
 * fault. */
int exporter_new(struct exporter **exporter, struct controld *controld) MPA_WARN_UNUSED;
/* From now on it answers. 0 or -errno. The functions from here on take NULL too. */
int exporter_attach(struct exporter *exporter, struct sd_event *loop) MPA_WARN_UNUSED;
/* Before the loop is gone. */
void exporter_close(struct exporter *exporter);
/* The link's socket must be closed first. */
void exporter_free(struct exporter *exporter);

/* Main loop, after a wake; and a few times a second. */
void exporter_step(struct exporter *exporter);
void exporter_tick(struct exporter *exporter, uint64_t now_ns);

/* readiness.c: why the stack does not serve as configured, one line, or NULL: it does. Ready is: the frontend
 * runs and answers, and every configured worker has buckets, but for those that were drained by order. */
const char *readiness_obstacle(const struct supervisor *supervisor, uint64_t now_ns, char *text, size_t size);

#endif
