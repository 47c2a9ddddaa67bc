/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_internal.h — inside of the control endpoint. control_core is all of it but the sockets: bytes of a
 * request in, bytes of the reply out, so that tests and the fuzzer drive it without nng. One thread: the
 * control thread.
 */
#ifndef MPA_FRONTEND_CONTROL_INTERNAL_H
#define MPA_FRONTEND_CONTROL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "base/config.h"
#include "base/log.h"
#include "frontend/board.h"

#define CONTROL_MAX_REQUEST_BYTES (64u << 10)
#define CONTROL_MAX_MESSAGE_BYTES (1u << 20)
#define CONTROL_CAPTURE_LEASE_NS (5 * 1000000000ull) /* a capture that nobody reads ends after so long */
#define CONTROL_CAPTURE_MAX_READ_BYTES (512u << 10)
#define CONTROL_CAPTURE_MAX_READ_FRAMES 4096u

/*
 * Memory of one reply: allocated once, emptied for each request, so no request can make the process grow.
 * Two MiB hold every reply that fits into a message.
 */
struct control_arena {
    uint8_t *bytes; /* owned */
    size_t size;
    size_t used;
};

/* `n` zeroed things of `size`, or NULL when the arena is full. */
void *control_alloc(struct control_arena *arena, size_t n, size_t size) MPA_WARN_UNUSED;
/* A formatted string, or NULL when the arena is full. */
char *control_text(struct control_arena *arena, const char *format, ...) MPA_PRINTF(2, 3) MPA_WARN_UNUSED;
/* A string of ours in a message: protobuf-c has no const, and packing does not write. */
char *control_borrow(const char *text);

/* The one capture; capture_id 0: none runs. */
struct control_capture {
    uint64_t capture_id;
    uint64_t last_id;
    uint64_t lease_end_ns;  /* stopped unless read before */
    uint64_t missed_before; /* NIC_capture_missed at its start */
    bool is_stop_due;       /* the loop is still to be told: a command was pending */
};

struct control_operations; /* opaque, control_operation.c */

/* How much is logged, as controld has asked; an empty place (0): as all. */
struct control_levels {
    enum log_level all; /* at first as the frontend was started */
    enum log_level frontend;
    enum log_level workers[CONFIG_MAX_WORKERS];
};

struct control_core {
    const struct config *config; /* borrowed */
    struct board *board;         /* borrowed */
    struct control_arena arena;
    struct control_capture capture;
    struct control_operations *operations; /* owned */
    struct control_levels levels;
    uint64_t started_ns;
    uint64_t own_uid;     /* besides root, who may ask */
    uint64_t stop_due_ns; /* when the loop is to be told to stop; 0: it is not */
};

/* A request on its way through a handler. */
struct control_call {
    struct control_core *core;
    const Mpa__V1__Request *request;
    Mpa__V1__Reply *reply;
    uint64_t now_ns;
};

/* `config` and `board` are borrowed until control_core_fini(). 0 or -ENOMEM. */
int control_core_init(struct control_core *core, const struct config *config, struct board *board,
                      uint64_t now_ns) MPA_WARN_UNUSED;
void control_core_fini(struct control_core *core);

/* Whoever is at the other end, as the kernel tells. */
struct control_peer {
    uint64_t pid; /* 0: not known, it is in another container */
    uint64_t uid; /* UINT64_MAX: not known, the connection has gone */
};

/* False for anybody but root and our own user, and for the process of a worker that is attached: one that was
 * taken over can reach the socket, because it may connect to return to the next frontend. */
bool control_core_may_ask(const struct control_core *core, const struct control_peer *peer);
/* What it gets for an answer; lives as that of control_core_answer(). */
const Mpa__V1__Reply *control_core_deny(struct control_core *core);

/*
 * Answers the `size` bytes of a request, whatever they are: every input gets a reply. Returns the reply,
 * which lives in the arena until the next call, at most CONTROL_MAX_MESSAGE_BYTES long when packed.
 */
const Mpa__V1__Reply *control_core_answer(struct control_core *core, const uint8_t *bytes, size_t size,
                                          uint64_t now_ns);

/* Ends a capture whose reader has gone, goes on with operations and hands over what the loop could not take
 * yet. Call every 100 ms. */
void control_core_tick(struct control_core *core, uint64_t now_ns);

/* Next event of the board as a message in the arena, its sequence number left 0; NULL when there is none.
 * `realtime_ns` is the wall clock at `now_ns`. */
Mpa__V1__Event *control_core_event(struct control_core *core, uint64_t *next, uint64_t now_ns,
                                   uint64_t realtime_ns);

/* Makes the reply an error about `field` (""; the command itself); a body is taken away. */
void control_refuse(struct control_call *call, Mpa__V1__ErrorCode code, const char *field, const char *format,
                    ...) MPA_PRINTF(4, 5);

/* Handlers: 0 with the reply filled in (a body, or an error by control_refuse()), or -ENOMEM: arena full. */
int control_get_status(struct control_call *call);
int control_get_workers(struct control_call *call);
int control_get_buckets(struct control_call *call);
int control_get_lanes(struct control_call *call);
int control_get_nic(struct control_call *call);
int control_get_stats(struct control_call *call);
int control_get_histograms(struct control_call *call);
int control_capture_start(struct control_call *call);
int control_capture_read(struct control_call *call);
int control_capture_stop(struct control_call *call);
int control_migrate(struct control_call *call);
int control_drain(struct control_call *call);
int control_undrain(struct control_call *call);
int control_kill(struct control_call *call);
int control_get_operation(struct control_call *call);
int control_get_flows(struct control_call *call);
int control_set_degrade(struct control_call *call);
int control_set_config(struct control_call *call);

/* Operations: orders to the loop that take their time. The ids begin at `first_id`. NULL: out of memory. */
struct control_operations *control_operations_new(uint64_t first_id) MPA_WARN_UNUSED;
void control_operations_free(struct control_operations *operations);
/* Takes results and gives the orders that follow. */
void control_operations_tick(struct control_core *core, uint64_t now_ns);

/* How a hand-over ended (enum board_result), for scripts. */
const char *control_result_name(uint32_t result);

/* The key that the message names; false after a refusal that says which field is wrong. */
bool control_flow_key(struct control_call *call, const Mpa__V1__FlowKey *message, struct flow_key *key);
/* And back; NULL: arena full. */
Mpa__V1__FlowKey *control_flow_message(struct control_arena *arena, const struct flow_key *key);

/* Gauges of the frontend itself: fields of struct board. X(name, help) */
#define FRONTEND_GAUGES(X)                                                                                   \
    X(pool_free_chunks, "Free 2 KiB chunks of the rx pool")                                                  \
    X(pool_chunks, "2 KiB chunks of the rx pool")                                                            \
    X(pool_free_large, "Free 64 KiB chunks of the rx pool")                                                  \
    X(pool_large, "64 KiB chunks of the rx pool")                                                            \
    X(degrade_step, "Step of degradation that holds, 0: none (docs/architecture.md, Under pressure)")        \
    X(shed_lanes, "Workers that get no new connections")                                                     \
    X(shed_all, "1 while no worker gets any")                                                                \
    X(short_idle_s, "Shortened idle limit of connections, 0: none")                                          \
    X(loop_turns, "Turns of the frontend's loop")                                                            \
    X(loop_heartbeat_ns, "Monotonic time of the loop's last turn")

#define FRONTEND_GAUGE_ENUM(name, help) FRONTEND_GAUGE_##name,
enum frontend_gauge { FRONTEND_GAUGES(FRONTEND_GAUGE_ENUM) N_FRONTEND_GAUGES };
extern const struct counter_text control_frontend_gauge_texts[N_FRONTEND_GAUGES];

/* Their values now. */
void control_frontend_gauges(const struct board *board, counter values[N_FRONTEND_GAUGES]);

/* True for the lanes that stand in lists of numbers: those of configured workers, so that a graph does not
 * lose a line with a worker, and whoever else is there. */
bool control_shows_lane(const struct control_core *core, uint32_t slot);

/* The addresses we serve as texts, *n of them; NULL when the arena is full. */
char **control_addresses(struct control_call *call, size_t *n);
/* Life of a lane on the wire. */
Mpa__V1__LaneState control_lane_state(const struct board_lane *lane);
/* Name of the fault of a quarantined lane, "" otherwise. */
const char *control_lane_fault(const struct board_lane *lane);

#endif
