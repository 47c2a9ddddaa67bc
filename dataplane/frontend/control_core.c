/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_core.c — a request from bytes to its handler and the reply's memory. Whatever the bytes are, there
 * is a reply: a sender that has to guess from silence is a sender that retries.
 */
#include "frontend/control_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define ARENA_BYTES (2u << 20)
#define STOP_DELAY_MS 50u /* the reply leaves first: nng says that it was sent when it was only queued */
#define ERROR_TEXT_BYTES 160

void *control_alloc(struct control_arena *arena, size_t n, size_t size)
{
    size_t n_bytes;
    void *place = arena->bytes + arena->used;

    if (__builtin_mul_overflow(n, size, &n_bytes) || n_bytes > arena->size - arena->used)
        return NULL;
    memset(place, 0, n_bytes);
    /* Kept on 8 bytes; the size of the arena is a multiple of that, so this stays inside. */
    arena->used += (n_bytes + 7) & ~(size_t)7;
    return place;
}

char *control_text(struct control_arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    text = control_alloc(arena, (size_t)length + 1, 1);
    if (text == NULL)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

char *control_borrow(const char *text)
{
    union {
        const char *borrowed;
        char *message;
    } pointer = {.borrowed = text};

    return pointer.message;
}

int control_core_init(struct control_core *core, const struct config *config, struct board *board,
                      uint64_t now_ns)
{
    *core = (struct control_core){.config = config, .board = board, .started_ns = now_ns};
    core->own_uid = geteuid(); /* now: the confined may not ask */
    core->levels.all = log_level();
    core->arena.bytes = malloc(ARENA_BYTES);
    core->arena.size = ARENA_BYTES;
    /* Time in ns runs faster than operations come: an id of the frontend before is not taken for one of ours.
     */
    core->operations = control_operations_new(now_ns);
    return core->arena.bytes == NULL || core->operations == NULL ? -ENOMEM : 0;
}

void control_core_fini(struct control_core *core)
{
    free(core->arena.bytes);
    core->arena.bytes = NULL;
    control_operations_free(core->operations);
    core->operations = NULL;
}

/* As the field of Request is called; "request" where there is none that we know. */
static char *command_name(const Mpa__V1__Request *request)
{
    const ProtobufCFieldDescriptor *field =
        request == NULL || request->body_case == MPA__V1__REQUEST__BODY__NOT_SET
            ? NULL
            : protobuf_c_message_descriptor_get_field(request->base.descriptor, request->body_case);

    return control_borrow(field == NULL ? "request" : field->name);
}

void control_refuse(struct control_call *call, Mpa__V1__ErrorCode code, const char *field, const char *format,
                    ...)
{
    struct control_arena *arena = &call->core->arena;
    Mpa__V1__Error *error;
    va_list arguments;
    char *text;

    call->reply->body_case = MPA__V1__REPLY__BODY__NOT_SET;
    /* The body built so far is dropped, so there is room for the error; the reply itself stands first. */
    arena->used = (sizeof(*call->reply) + 7) & ~(size_t)7;
    error = control_alloc(arena, 1, sizeof(*error));
    text = control_alloc(arena, 1, ERROR_TEXT_BYTES);
    mpa_assert(error != NULL && text != NULL);
    va_start(arguments, format);
    vsnprintf(text, ERROR_TEXT_BYTES, format, arguments);
    va_end(arguments);
    mpa__v1__error__init(error);
    error->code = code;
    error->text = text;
    error->field = field[0] == '\0' ? command_name(call->request) : control_borrow(field);
    call->reply->error = error;
}

static int control_stop_loop(struct control_call *call)
{
    Mpa__V1__StopReply *body = control_alloc(&call->core->arena, 1, sizeof(*body));

    if (body == NULL)
        return -ENOMEM;
    mpa__v1__stop_reply__init(body);
    body->pid = (uint32_t)getpid();
    call->core->stop_due_ns = call->now_ns + STOP_DELAY_MS * CLOCK_NS_PER_MS;
    call->reply->body_case = MPA__V1__REPLY__BODY_STOP;
    call->reply->stop = body;
    return 0;
}

static const struct {
    Mpa__V1__Request__BodyCase command;
    int (*answer)(struct control_call *call);
} handlers[] = {
    {MPA__V1__REQUEST__BODY_GET_STATUS, control_get_status},
    {MPA__V1__REQUEST__BODY_GET_WORKERS, control_get_workers},
    {MPA__V1__REQUEST__BODY_GET_BUCKETS, control_get_buckets},
    {MPA__V1__REQUEST__BODY_GET_LANES, control_get_lanes},
    {MPA__V1__REQUEST__BODY_GET_NIC, control_get_nic},
    {MPA__V1__REQUEST__BODY_GET_STATS, control_get_stats},
    {MPA__V1__REQUEST__BODY_GET_HISTOGRAMS, control_get_histograms},
    {MPA__V1__REQUEST__BODY_CAPTURE_START, control_capture_start},
    {MPA__V1__REQUEST__BODY_CAPTURE_READ, control_capture_read},
    {MPA__V1__REQUEST__BODY_CAPTURE_STOP, control_capture_stop},
    {MPA__V1__REQUEST__BODY_STOP, control_stop_loop},
    {MPA__V1__REQUEST__BODY_MIGRATE, control_migrate},
    {MPA__V1__REQUEST__BODY_DRAIN, control_drain},
    {MPA__V1__REQUEST__BODY_UNDRAIN, control_undrain},
    {MPA__V1__REQUEST__BODY_KILL, control_kill},
    {MPA__V1__REQUEST__BODY_GET_OPERATION, control_get_operation},
    {MPA__V1__REQUEST__BODY_GET_FLOWS, control_get_flows},
    {MPA__V1__REQUEST__BODY_SET_DEGRADE, control_set_degrade},
    {MPA__V1__REQUEST__BODY_SET_CONFIG, control_set_config},
};

static void answer_command(struct control_call *call)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].command != call->request->body_case)
            continue;
        if (handlers[i].answer(call) != 0 ||
            mpa__v1__reply__get_packed_size(call->reply) > CONTROL_MAX_MESSAGE_BYTES)
            control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_TOO_LARGE, "",
                           "the answer is longer than %u bytes", CONTROL_MAX_MESSAGE_BYTES);
        return;
    }
    control_refuse(call, MPA__V1__ERROR_CODE__ERROR_CODE_UNSUPPORTED, "",
                   "no command in the request that version " MPA_VERSION " knows");
}

static Mpa__V1__Reply *core_new_reply(struct control_core *core)
{
    Mpa__V1__Reply *reply;

    core->arena.used = 0;
    reply = control_alloc(&core->arena, 1, sizeof(*reply));
    mpa_assert(reply != NULL);
    mpa__v1__reply__init(reply);
    return reply;
}

bool control_core_may_ask(const struct control_core *core, const struct control_peer *peer)
{
    if (peer->uid != 0 && peer->uid != core->own_uid)
        return false;
    for (unsigned i = 0; i < CONFIG_MAX_WORKERS && peer->pid != 0; i++) {
        if (atomic_load_explicit(&core->board->lanes[i].peer_pid, memory_order_relaxed) == peer->pid)
            return false;
    }
    return true;
}

const Mpa__V1__Reply *control_core_deny(struct control_core *core)
{
    struct control_call call = {.core = core, .reply = core_new_reply(core)};

    control_refuse(&call, MPA__V1__ERROR_CODE__ERROR_CODE_DENIED, "",
                   "only root and the user of mpa-frontend may ask here, and no worker");
    return call.reply;
}

const Mpa__V1__Reply *control_core_answer(struct control_core *core, const uint8_t *bytes, size_t size,
                                          uint64_t now_ns)
{
    struct control_call call = {.core = core, .now_ns = now_ns, .reply = core_new_reply(core)};
    Mpa__V1__Request *request = NULL;

    /* Before decoding: what is unpacked takes a multiple of the bytes it came in. */
    if (size > CONTROL_MAX_REQUEST_BYTES) {
        control_refuse(&call, MPA__V1__ERROR_CODE__ERROR_CODE_TOO_LARGE, "",
                       "the request has %zu bytes, at most %u are allowed", size, CONTROL_MAX_REQUEST_BYTES);
        return call.reply;
    }
    request = mpa__v1__request__unpack(NULL, size, bytes);
    if (request == NULL) {
        control_refuse(&call, MPA__V1__ERROR_CODE__ERROR_CODE_MALFORMED, "", "the bytes are no request");
        return call.reply;
    }
    call.request = request;
    call.reply->id = request->id;
    answer_command(&call);
    mpa__v1__request__free_unpacked(request, NULL);
    return call.reply;
}

void control_core_tick(struct control_core *core, uint64_t now_ns)
{
    struct control_capture *capture = &core->capture;

    if (capture->capture_id != 0 && now_ns > capture->lease_end_ns) {
        capture->capture_id = 0;
        capture->is_stop_due = true;
    }
    /* -EBUSY: the loop has not taken the last command yet; the next tick tries again. */
    if (capture->is_stop_due && board_command(core->board, BOARD_COMMAND_CAPTURE_STOP) == 0)
        capture->is_stop_due = false;
    if (core->stop_due_ns != 0 && now_ns >= core->stop_due_ns &&
        board_command(core->board, BOARD_COMMAND_STOP) == 0)
        core->stop_due_ns = 0;
    control_operations_tick(core, now_ns);
}
