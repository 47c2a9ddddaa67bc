/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervisor.h — keeps one frontend and N workers running, and stops them in order. A state machine without
 * I/O: time, ends of processes and what the frontend says come in as calls; starts and signals go out through
 * the manager, news through a callback. Tests drive it with a manager of their own.
 */
#ifndef MPA_CONTROLD_SUPERVISOR_H
#define MPA_CONTROLD_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "controlplane/controld/manager.h"
#include "controlplane/policy/health.h"

#define SUPERVISOR_MAX_PROCESSES (1 + CONFIG_MAX_WORKERS) /* the frontend stands first */
#define SUPERVISOR_READY_MS 15000u /* a process that is not ready by then is killed and started again */
#define SUPERVISOR_KILL_MS 3000u   /* from SIGTERM to SIGKILL */
#define SUPERVISOR_LOST_MS 90000u  /* a worker that a running frontend has not seen for so long is killed */
/* A frontend that runs and leaves questions unanswered for so long is killed. */
#define SUPERVISOR_SILENT_MS 15000u
/* A loop that has not turned for so long stands still; its frontend is killed after so much of that. */
#define SUPERVISOR_LOOP_MS 1000u
#define SUPERVISOR_STUCK_MS 5000u
#define SUPERVISOR_WHY_MS 100u /* the frontend kills workers too: its word of why may come so late */

#define SUPERVISOR_EXIT_BYTES (MANAGER_CAUSE_BYTES + 96) /* with the reason when we have killed it */

enum process_state {
    PROCESS_STOPPED,  /* not running, not wanted; -> STARTING */
    PROCESS_STARTING, /* runs, not ready; -> RUNNING, WAITING, STOPPING */
    PROCESS_RUNNING,  /* ready; -> WAITING, STOPPING */
    PROCESS_WAITING,  /* has died; -> STARTING at due_ns, STOPPED when everything stops */
    PROCESS_STOPPING, /* SIGTERM sent, SIGKILL at due_ns; -> STOPPED, and from there on if it is wanted */
};

struct process {
    enum manager_role role;
    uint32_t slot;
    enum process_state state;
    struct manager_process handle; /* pidfd -1: not running */
    uint64_t started_ns;           /* 0: by an earlier controld */
    uint64_t ready_ns;             /* 0: not yet in this life */
    uint64_t ended_ns;
    uint64_t lost_ns;    /* since when a running frontend does not see this running worker; 0: it does */
    uint64_t due_ns;     /* STARTING: not ready in time; WAITING: start; STOPPING: SIGKILL */
    uint32_t n_restarts; /* starts after the first */
    uint32_t n_failures; /* ends in a row without a healthy life between */
    bool is_killed;      /* SIGKILL sent: not again; kill_cause and kill_reason say why */
    bool has_run;        /* it had a life before, so that the next start is a restart */
    bool was_ready;      /* in its last life */
    bool is_spare;       /* a worker beyond the wanted ones, while an update needs it or until it is ended */
    bool is_replaced;    /* ended and started because we want it so: not a sign of trouble */
    bool is_serving;     /* a worker: as the frontend said last */
    bool is_draining;    /* a worker: as the frontend said last */
    enum health_cause kill_cause;
    char kill_reason[64];
    enum health_cause last_cause; /* of its last end, when last_exit is not empty */
    bool was_as_asked;            /* that end: in good order, and nothing to look into */
    char last_exit[SUPERVISOR_EXIT_BYTES];
    /* A kill that was not ours is told a moment later, or with the next start: the frontend may say why. */
    struct {
        pid_t pid; /* 0: every end has been told */
        uint64_t restart_ms;
        bool is_restarted;
        uint64_t due_ns; /* no word of the frontend is about this end any more */
    } untold;
};

/* Life of a lane as the frontend reports it. */
enum lane_life { LANE_LIFE_OTHER, LANE_LIFE_SERVING, LANE_LIFE_QUARANTINED };

/* What the frontend says about one worker. */
struct lane_report {
    uint32_t slot;
    pid_t pid; /* 0: unknown (another pid namespace) */
    enum lane_life life;
    uint64_t attached_ns;
    bool is_draining;
    const char *fault; /* name of the fault; borrowed for the call */
};

enum supervisor_news_kind { NEWS_STARTED, NEWS_READY, NEWS_ENDED, NEWS_KILLED, NEWS_STOPPING };

/* One thing that happened, for log and event. Borrowed for the call. */
struct supervisor_news {
    enum supervisor_news_kind kind;
    const struct process *process; /* NULL for NEWS_STOPPING */
    pid_t pid;
    const char *cause;   /* ENDED: why; KILLED: the reason; else "" */
    bool is_restarted;   /* ENDED: it is started again, ... */
    uint64_t restart_ms; /* ... after so long */
};
typedef void supervisor_news_fn(void *context, const struct supervisor_news *news);

struct supervisor {
    const struct config *config; /* borrowed */
    uint32_t n_workers;          /* that are to run, in slots 0..n_workers - 1; worker.count at first */
    struct manager manager;
    supervisor_news_fn *news;
    void *context; /* of news */
    struct process processes[SUPERVISOR_MAX_PROCESSES];
    uint32_t stuck_ms;  /* its loop has stood still while it answered, by the time between two answers */
    uint32_t silent_ms; /* questions that the frontend has not answered on end, by the time each was given */
    uint64_t heard_ns;  /* watch.c: when the frontend answered last; 0: never */
    bool is_stopping;
    bool has_been_up; /* everything was ready once, or all but who failed too often */
    bool has_served;  /* a worker was ready once: from now on nothing is given up */
    bool has_failed;  /* the first start was given up */
};

enum supervisor_state { SUPERVISOR_STARTING, SUPERVISOR_UP, SUPERVISOR_DEGRADED, SUPERVISOR_STOPPING };

void supervisor_init(struct supervisor *supervisor, const struct config *config, struct manager manager,
                     supervisor_news_fn *news, void *context);

/* From now on so many workers are to run, 1..CONFIG_MAX_WORKERS. Those that are missing are started by the
 * next ticks and are no sign of trouble until they are ready; who runs beyond is a spare. */
void supervisor_scale(struct supervisor *supervisor, uint32_t n_workers);

/* Takes over a process of an earlier controld: it counts as ready. A worker beyond the wanted number
 * counts as a spare. 0 or -errno (not one of ours, ended). From the first one on nothing is given up. */
int supervisor_adopt(struct supervisor *supervisor, enum manager_role role, uint32_t slot,
                     pid_t pid) MPA_WARN_UNUSED;
/* An adopted one that nobody has spoken for: it has still to get ready. */
void supervisor_adopt_silent(struct supervisor *supervisor, enum manager_role role, uint32_t slot,
                             uint64_t now_ns);

/* Ends a process and starts it again, with the program that is on disk then; one that waits for its start
 * anyway is started at once. */
void supervisor_replace(struct supervisor *supervisor, struct process *process, uint64_t now_ns);

/* A worker in a slot beyond those wanted, NULL when there is none: 16 are wanted. It is
 * started by the next ticks. */
struct process *supervisor_spare_new(struct supervisor *supervisor);
/* Any spare that is there, NULL: none. */
struct process *supervisor_spare(struct supervisor *supervisor);
/* The spare is not wanted any more: ends it. */
void supervisor_spare_end(struct supervisor *supervisor, struct process *spare, uint64_t now_ns);

/* Does what is due: starts, kills. Call every 50 ms and after each of the calls below. */
void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns);

/* The frontend has answered a status request with these lanes. */
void supervisor_frontend_says(struct supervisor *supervisor, const struct lane_report *lanes, size_t n_lanes,
                              uint64_t now_ns);

/* The frontend has not answered a question that it had `waited_ms` for. Our own pauses do not count against
 * it. */
void supervisor_frontend_silent(struct supervisor *supervisor, uint32_t waited_ms);

/* Its answer, `since_ms` after the one before, says that its loop has turned last `loop_age_ms` ago. The
 * other threads of one that hangs answer all the same. */
void supervisor_frontend_loops(struct supervisor *supervisor, uint64_t loop_age_ms, uint32_t since_ms);

/* The frontend has seen the worker in `slot` stand still for so long with work waiting. It kills it where it
 * may; we do in any case, for where processes have users of their own it may not. */
void supervisor_worker_stalled(struct supervisor *supervisor, uint32_t slot, uint64_t still_ns,
                               uint64_t now_ns);
/* The frontend has found that the worker in `slot` broke the rule `fault`. That ends it, if it lives, by what
 * the frontend says of its lane; here the reason is kept of one that was killed for it just now. */
void supervisor_worker_quarantined(struct supervisor *supervisor, uint32_t slot, const char *fault,
                                   uint64_t now_ns);

/* The descriptor of `process` is readable: it has ended. */
void supervisor_process_ended(struct supervisor *supervisor, struct process *process, uint64_t now_ns);

/* Begins to stop everything: workers first, then the frontend. May be called twice. */
void supervisor_stop(struct supervisor *supervisor, uint64_t now_ns);

/* True when everything has ended after supervisor_stop(). */
bool supervisor_is_done(const struct supervisor *supervisor);

enum supervisor_state supervisor_state(const struct supervisor *supervisor);

/* True when the process is to run: the frontend, the wanted number of workers, spares. */
bool supervisor_wants(const struct supervisor *supervisor, const struct process *process);

/* True when it is to run and is not ready, and that is a sign of trouble. */
bool supervisor_misses(const struct supervisor *supervisor, const struct process *process);

static inline bool process_is_alive(const struct process *process)
{
    return process->handle.pidfd >= 0;
}

#endif
