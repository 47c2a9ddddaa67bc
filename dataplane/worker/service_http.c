/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * service_http.c — HTTP/1.1 from memory: keep-alive, pipelining, GET and HEAD.
 *
 * A connection goes round: read a head, send the reply, skip the request's body. A reply is a page's index
 * and the number of bytes sent, so it goes on at any byte, in any worker. In a run the service goes round
 * until the input is empty or there is no room for output.
 *
 * After its last reply it closes its half and takes what still arrives: answering unread bytes with a reset
 * could destroy the reply on its way (RFC 9112 9.6). A peer that will not stop is reset.
 */
#include <string.h>

#include "worker/http_head.h"
#include "worker/service_internal.h"

#define LINGER_MAX_BYTES ((uint64_t)256 << 10)

enum http_step {
    STEP_HEAD,   /* reading a request */
    STEP_REPLY,  /* sending a page */
    STEP_BODY,   /* skipping the request's body */
    STEP_LINGER, /* closed; only taking */
};

struct http_state {
    struct http_head head;
    uint64_t n_bytes;   /* REPLY: sent; BODY: still to skip; LINGER: taken since the close */
    uint32_t pages_tag; /* of the table that the indexes in head belong to */
    uint8_t step;       /* enum http_step */
};

_Static_assert(sizeof(struct http_state) <= SERVICE_STATE_BYTES, "fits in the record");

/* True if the step is finished, false if it must wait. */
static bool http_read_head(struct http_state *state, const struct http_pages *pages,
                           const struct service_io *io)
{
    while (state->head.phase != HTTP_DONE) {
        struct fifo_span in = io->ops->peek(io->context);

        if (in.len == 0)
            return false;
        io->ops->consume(io->context, http_head_read(&state->head, pages, in.bytes, in.len));
    }
    state->n_bytes = 0;
    state->step = STEP_REPLY;
    return true;
}

/* Copies the reply's bytes from `off` on, head and then body, as many as `out` holds. */
static void http_copy(const struct http_page *page, bool is_kept, uint64_t off, struct fifo_span out)
{
    uint32_t head_bytes = page->head_bytes[is_kept];

    if (off < head_bytes) {
        uint32_t n_bytes = head_bytes - (uint32_t)off;

        if (n_bytes > out.len)
            n_bytes = out.len;
        memcpy(out.bytes, page->heads[is_kept] + off, n_bytes);
        out.bytes += n_bytes;
        out.len -= n_bytes;
        off += n_bytes;
    }
    if (out.len > 0)
        memcpy(out.bytes, page->body + (off - head_bytes), out.len);
}

/* What is left is asked for in one piece: a FIFO that is empty then gets the right size at once. */
static bool http_send_reply(struct http_state *state, const struct http_pages *pages,
                            const struct service_io *io)
{
    const struct http_page *page = &pages->pages[state->head.page];
    bool is_kept = http_head_keeps_open(&state->head);
    uint64_t end = page->head_bytes[is_kept];

    if (state->head.method != HTTP_HEAD)
        end += page->body_bytes;
    while (state->n_bytes < end) {
        uint64_t left = end - state->n_bytes;
        struct fifo_span out =
            io->ops->reserve(io->context, left < FIFO_MAX_BYTES ? (uint32_t)left : FIFO_MAX_BYTES);

        if (out.len == 0)
            return false;
        http_copy(page, is_kept, state->n_bytes, out);
        io->ops->produce(io->context, out.len);
        state->n_bytes += out.len;
    }
    state->step = is_kept ? STEP_BODY : STEP_LINGER;
    state->n_bytes = is_kept ? state->head.body_bytes : 0;
    if (!is_kept)
        io->ops->close(io->context);
    return true;
}

/* A body means nothing to GET, HEAD or a refused method; behind it the next request begins. */
static bool http_skip_body(struct http_state *state, const struct service_io *io)
{
    while (state->n_bytes > 0) {
        struct fifo_span in = io->ops->peek(io->context);
        uint32_t n_bytes = in.len < state->n_bytes ? in.len : (uint32_t)state->n_bytes;

        if (n_bytes == 0)
            return false;
        io->ops->consume(io->context, n_bytes);
        state->n_bytes -= n_bytes;
    }
    state->head = (struct http_head){0};
    state->step = STEP_HEAD;
    return true;
}

/* Never finished: the connection ends when the peer does, or here. */
static bool http_linger(struct http_state *state, const struct service_io *io)
{
    state->n_bytes += service_discard_input(io);
    if (state->n_bytes > LINGER_MAX_BYTES)
        io->ops->abort(io->context);
    return false;
}

/* One step; true when the next may be tried at once. */
static bool http_step(struct http_state *state, const struct http_pages *pages, const struct service_io *io)
{
    switch ((enum http_step)state->step) {
    case STEP_HEAD:
        return http_read_head(state, pages, io);
    case STEP_REPLY:
        return http_send_reply(state, pages, io);
    case STEP_BODY:
        return http_skip_body(state, io);
    case STEP_LINGER:
        return http_linger(state, io);
    }
    return false;
}

/* What another worker has begun can be continued only with the very same pages: half of one may be sent. */
static bool http_has_pages(struct http_state *state, const struct http_pages *pages)
{
    if (state->step == STEP_HEAD && state->head.head_bytes == 0)
        state->pages_tag = pages->tag;
    return state->pages_tag == pages->tag;
}

/* Whether it is a state at all; whether it is one of these pages is asked by each run. */
static bool http_can_resume(const struct service *service, const void *bytes)
{
    const struct http_state *state = bytes;

    return state->step <= STEP_LINGER && http_head_is_sane(&state->head, service->data);
}

static void http_run(const struct service *service, const struct service_io *io)
{
    const struct http_pages *pages = service->data;
    struct http_state *state = io->state;

    if (!http_has_pages(state, pages)) {
        io->ops->abort(io->context);
        return;
    }
    while (http_step(state, pages, io))
        ;
    /* No more requests will come; one that broke off gets no answer. */
    if (state->step != STEP_REPLY && io->ops->is_at_end(io->context))
        io->ops->close(io->context);
}

struct service service_http(const struct http_pages *pages)
{
    return (struct service){.name = "http",
                            .state_bytes = sizeof(struct http_state),
                            .data = pages,
                            .run = http_run,
                            .can_resume = http_can_resume};
}
