/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * controld.c — puts the parts together and runs the loop. Everything that changes state happens in this one
 * thread: a signal, the end of a process (its pidfd), a step of nng (the wake eventfd), the tick.
 */
#include "controlplane/controld/controld.h"

#include <errno.h>
#include <malloc.h>
#include <nng/nng.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/leave.h"
#include "base/log.h"
#include "controlplane/controld/balancer.h"
#include "controlplane/controld/changes.h"
#include "controlplane/controld/degrader.h"
#include "controlplane/controld/endpoint.h"
#include "controlplane/controld/events.h"
#include "controlplane/controld/exporter.h"
#include "controlplane/controld/frontend_link.h"
#include "controlplane/controld/manager_external.h"
#include "controlplane/controld/settings.h"
#include "controlplane/controld/spawner.h"
#include "controlplane/controld/watch.h"
#include "hangup/hangup.h"

#define TICK_US 50000u
#define CLOSE_MS 2000u /* for closing everything at the end */

/* ---- news: log and event ---- */

static const char *process_name(const struct process *process)
{
    return process->role == MANAGER_FRONTEND ? "mpa-frontend" : "mpa-worker";
}

static void news_log(const struct supervisor_news *news)
{
    const struct process *process = news->process;

    switch (news->kind) {
    case NEWS_STARTED:
        log_info("process_started process=%s slot=%u pid=%d", process_name(process), process->slot,
                 (int)news->pid);
        return;
    case NEWS_READY:
        log_info("process_ready process=%s slot=%u pid=%d", process_name(process), process->slot,
                 (int)news->pid);
        return;
    case NEWS_KILLED:
        log_warn("process_killed process=%s slot=%u pid=%d reason=\"%s\"", process_name(process),
                 process->slot, (int)news->pid, news->cause);
        return;
    case NEWS_STOPPING:
        log_info("stopping");
        return;
    case NEWS_ENDED:
        if (news->is_restarted)
            log_warn("process_ended process=%s slot=%u pid=%d cause=\"%s\" restart_ms=%llu",
                     process_name(process), process->slot, (int)news->pid, news->cause,
                     (unsigned long long)news->restart_ms);
        else
            log_info("process_ended process=%s slot=%u pid=%d cause=\"%s\"", process_name(process),
                     process->slot, (int)news->pid, news->cause);
        return;
    }
}

static void event_field(struct event *event, const char *key, const char *value)
{
    event->fields[event->n_fields].key = key;
    event->fields[event->n_fields].value = value;
    event->n_fields++;
}

/* supervisor_news_fn. */
static void controld_news(void *context, const struct supervisor_news *news)
{
    static const Mpa__V1__EventKind kinds[] = {
        [NEWS_STARTED] = MPA__V1__EVENT_KIND__EVENT_KIND_STARTED,
        [NEWS_READY] = MPA__V1__EVENT_KIND__EVENT_KIND_READY,
        [NEWS_ENDED] = MPA__V1__EVENT_KIND__EVENT_KIND_ENDED,
        [NEWS_KILLED] = MPA__V1__EVENT_KIND__EVENT_KIND_KILLED,
        [NEWS_STOPPING] = MPA__V1__EVENT_KIND__EVENT_KIND_STOPPING,
    };
    struct controld *controld = context;
    struct event event = {.kind = kinds[news->kind], .role = MPA__V1__ROLE__ROLE_CONTROLD};
    char pid[12];
    char restart_ms[24];

    snprintf(pid, sizeof(pid), "%d", (int)news->pid);
    snprintf(restart_ms, sizeof(restart_ms), "%llu", (unsigned long long)news->restart_ms);
    if (news->process != NULL) {
        event.role = news->process->role == MANAGER_FRONTEND ? MPA__V1__ROLE__ROLE_FRONTEND
                                                             : MPA__V1__ROLE__ROLE_WORKER;
        event.slot = news->process->slot;
        event_field(&event, "pid", pid);
    }
    if (news->kind == NEWS_ENDED) {
        event_field(&event, "cause", news->cause);
        event_field(&event, "why", health_cause_name(news->process->last_cause));
    }
    if (news->kind == NEWS_ENDED && news->is_restarted)
        event_field(&event, "restart_ms", restart_ms);
    if (news->kind == NEWS_KILLED)
        event_field(&event, "reason", news->cause);
    news_log(news);
    if (news->kind == NEWS_STARTED)
        settings_process_started(controld->settings, news->process);
    events_publish(controld->events, &event);
}

/* operation_done_fn. */
static void operation_done(void *context, bool is_good, const char *text)
{
    struct controld *controld = context;

    update_operation_ended(&controld->update, is_good, text, clock_now_ns());
}

/* ---- the loop's sources ---- */

static int on_process_end(sd_event_source *source, int fd, uint32_t revents, void *context);

/* The update goes on; a source for each process that is alive and has none; exits the loop when all is over.
 */
static int controld_settle(struct controld *controld)
{
    update_tick(&controld->update, clock_now_ns());
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        const struct process *process = &controld->supervisor.processes[i];
        int error;

        if (!process_is_alive(process) || controld->ends[i] != NULL)
            continue;
        error = sd_event_add_io(controld->loop, &controld->ends[i], process->handle.pidfd, EPOLLIN,
                                on_process_end, controld);
        if (error < 0)
            return error;
    }
    controld_notify(controld, clock_now_ns());
    if (!supervisor_is_done(&controld->supervisor))
        return 0;
    if (controld->supervisor.manager.ops->all_ended != NULL && !controld->supervisor.has_failed)
        controld->supervisor.manager.ops->all_ended(controld->supervisor.manager.self);
    return sd_event_exit(controld->loop, 0);
}

static int on_process_end(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct controld *controld = context;

    (void)fd;
    (void)revents;
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++) {
        if (controld->ends[i] != source)
            continue;
        /* Before the descriptor is closed. */
        controld->ends[i] = sd_event_source_disable_unref(source);
        supervisor_process_ended(&controld->supervisor, &controld->supervisor.processes[i], clock_now_ns());
        break;
    }
    return controld_settle(controld);
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct controld *controld = context;
    struct events_fault fault;
    uint64_t ignored;

    (void)source;
    (void)revents;
    (void)!read(fd, &ignored, sizeof(ignored));
    if (events_step(controld->events))
        frontend_watch_ask(controld->watch);
    if (events_take_fault(controld->events, &fault) && fault.still_ns > 0)
        supervisor_worker_stalled(&controld->supervisor, fault.slot, fault.still_ns, clock_now_ns());
    else if (fault.fault[0] != '\0')
        supervisor_worker_quarantined(&controld->supervisor, fault.slot, fault.fault, clock_now_ns());
    frontend_watch_step(controld->watch);
    operation_step(controld->operation);
    balancer_step(controld->balancer);
    degrader_step(controld->degrader);
    settings_step(controld->settings);
    exporter_step(controld->exporter);
    endpoint_step(controld->endpoint);
    return controld_settle(controld);
}

static int on_tick(sd_event_source *source, uint64_t time_us, void *context)
{
    struct controld *controld = context;
    uint64_t now_ns = clock_now_ns();
    int error;

    (void)time_us;
    supervisor_tick(&controld->supervisor, now_ns);
    frontend_watch_tick(controld->watch, now_ns);
    operation_tick(controld->operation, now_ns);
    balancer_tick(controld->balancer, now_ns);
    degrader_tick(controld->degrader, now_ns);
    settings_tick(controld->settings, now_ns);
    exporter_tick(controld->exporter, now_ns);
    /* A timer of sd-event fires once and is then off. */
    if ((error = sd_event_source_set_time_relative(source, TICK_US)) < 0 ||
        (error = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT)) < 0)
        return error;
    return controld_settle(controld);
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
    struct controld *controld = context;

    (void)source;
    log_info("stop_requested by=signal signal=%u", info->ssi_signo);
    /* The processes are not ours to end: whoever ends us ends them, or leaves them to our successor. */
    if (!controld->supervisor.manager.is_owner && !controld->supervisor.is_stopping) {
        notify_tell(&controld->notify, "STOPPING=1\nSTATUS=Leaving the processes as they are");
        return sd_event_exit(controld->loop, 0);
    }
    supervisor_stop(&controld->supervisor, clock_now_ns());
    return controld_settle(controld);
}

/* The configuration is read again. */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
    struct controld *controld = context;

    (void)source;
    (void)info;
    settings_hangup(controld->settings);
    return controld_settle(controld);
}

/* ---- start and end ---- */

/* Every socket of ours, and the processes that an earlier controld left. 0 or an nng error. */
static int sockets_open(struct controld *controld)
{
    const char *runtime_dir = controld->config.control.runtime_dir;
    bool is_frontend_there = false;
    int error;

    hangup_guard();
    controld->link = calloc(1, sizeof(*controld->link));
    if (controld->link == NULL)
        return NNG_ENOMEM;
    if ((error = frontend_link_init(controld->link, runtime_dir, controld->wake_fd, &is_frontend_there)) !=
            0 ||
        (error = events_new(&controld->events, runtime_dir, &controld->access, controld->wake_fd)) != 0 ||
        (error = frontend_watch_new(&controld->watch, controld)) != 0 ||
        (error = operation_new(&controld->operation, controld->link, operation_done, controld)) != 0 ||
        (error = balancer_new(&controld->balancer, controld)) != 0 ||
        (error = degrader_new(&controld->degrader, controld)) != 0 ||
        (error = settings_new(&controld->settings, controld)) != 0 ||
        (error = endpoint_new(&controld->endpoint, controld)) != 0 ||
        (error = exporter_new(&controld->exporter, controld)) != 0)
        return error;
    controld_adopt(controld, is_frontend_there);
    return 0;
}

/* nng starts threads: our signals must be blocked in all of them, to reach the loop by signalfd. */
static void signals_block(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The manager of the configuration. 0, or -errno after one ERROR line. */
static int manager_open(struct controld *controld, const struct spawner_plan *plan, struct manager *manager)
{
    switch (controld->config.control.manager) {
    case CONFIG_MANAGER_DIRECT:
        /* While there is one thread and every privilege: it keeps them, we do not. */
        controld->spawner_socket = spawner_new(plan);
        if (controld->spawner_socket < 0) {
            log_error("start_failed step=helper error=\"%s\"", strerror(-controld->spawner_socket));
            return controld->spawner_socket;
        }
        *manager =
            manager_direct(&controld->direct, controld->spawner_socket, controld->config.control.runtime_dir);
        return 0;
    case CONFIG_MANAGER_SYSTEMD:
        return manager_systemd_init(&controld->systemd, manager);
    case CONFIG_MANAGER_EXTERNAL:
        *manager = manager_external();
        return 0;
    }
    return -EINVAL;
}

/* The helper that opens the configuration file, if there is one. 0, or -errno after one ERROR line. */
static int reader_open_file(struct controld *controld)
{
    int error = controld->options.config_path == NULL
                    ? 0
                    : reader_init(&controld->reader, controld->options.config_path);

    if (error != 0)
        log_error("start_failed step=reader error=\"%s\"", strerror(-error));
    return error;
}

int controld_init_privileged(struct controld *controld, const struct spawner_plan *plan)
{
    struct manager manager;
    sd_id128_t boot_id;
    int error;

    inherit_open(&controld->inherit);
    notify_open(&controld->notify);
    controld->started_ns = clock_now_ns();
    controld->spawner_socket = -1;
    controld->wake_fd = -1;
    controld->lock_fd = runtime_lock(controld->config.control.runtime_dir);
    if (controld->lock_fd < 0)
        return controld->lock_fd;
    error = access_init(&controld->access, &controld->config.control);
    if (error == 0)
        error = manager_open(controld, plan, &manager);
    if (error != 0)
        return error;
    error = reader_open_file(controld);
    if (error != 0)
        return error;
    if (controld->options.config_path != NULL)
        controld->kept_fd = runtime_open_kept(controld->config.control.runtime_dir);
    runtime_raise_files(); /* after the helper was born, which hands its own limit on */
    controld->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (controld->wake_fd < 0) {
        log_error("start_failed step=wake error=\"%s\"", strerror(errno));
        return -EMFILE;
    }
    supervisor_init(&controld->supervisor, &controld->config, manager, controld_news, controld);
    controld_find_leftovers(controld);
    changes_init(controld);
    signals_block();
    /* The loop's timers ask for the boot id later, when no file may be opened any more: this keeps it. */
    if (sd_id128_get_boot(&boot_id) < 0)
        log_warn("boot_id_missing action=none");
    /* One heap for all threads: to shrink a thread's own, malloc reads a file of /proc, which kills the
     * confined. */
    mallopt(M_ARENA_MAX, 1);
    error = controld_confine_capabilities();
    if (error != 0)
        return error;
    error = sockets_open(controld);
    if (error != 0) {
        log_error("start_failed step=sockets runtime_dir=%s error=\"%s\"",
                  controld->config.control.runtime_dir, nng_strerror(error));
        return -EIO;
    }
    return 0;
}

int controld_init_confined(struct controld *controld)
{
    int error;

    if ((error = sd_event_new(&controld->loop)) < 0 ||
        (error = sd_event_add_signal(controld->loop, NULL, SIGTERM, on_stop_signal, controld)) < 0 ||
        (error = sd_event_add_signal(controld->loop, NULL, SIGINT, on_stop_signal, controld)) < 0 ||
        (error = sd_event_add_signal(controld->loop, NULL, SIGHUP, on_hangup, controld)) < 0 ||
        (error = sd_event_add_io(controld->loop, NULL, controld->wake_fd, EPOLLIN, on_wake, controld)) < 0 ||
        (error = sd_event_add_time_relative(controld->loop, NULL, CLOCK_MONOTONIC, 0, 0, on_tick, controld)) <
            0 ||
        (error = exporter_attach(controld->exporter, controld->loop)) < 0) {
        log_error("start_failed step=loop error=\"%s\"", strerror(-error));
        return error;
    }
    if (controld->systemd.bus == NULL)
        return 0;
    error = manager_systemd_attach(&controld->systemd, controld->loop);
    if (error < 0)
        log_error("start_failed step=bus error=\"%s\"", strerror(-error));
    return error;
}

int controld_run(struct controld *controld)
{
    int error, exit_code;

    log_info("started version=%s runtime_dir=%s workers=%u", MPA_VERSION,
             controld->config.control.runtime_dir, controld->config.worker.count);
    error = sd_event_loop(controld->loop);
    if (error < 0)
        log_error("loop_failed error=\"%s\"", strerror(-error));
    log_info("stopped");
    /* Above 0: the bus is lost. Our successor connects anew. */
    exit_code = error != 0 || controld->supervisor.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
    leave_file(controld->config.control.runtime_dir, "control.ipc");
    leave_file(controld->config.control.runtime_dir, "events.ipc");
    leave_within(CLOSE_MS, exit_code);
    return exit_code;
}

static void remove_file(const struct controld *controld, const char *name)
{
    char path[CONFIG_PATH_BYTES + 16];

    snprintf(path, sizeof(path), "%s/%s", controld->config.control.runtime_dir, name);
    if (unlink(path) < 0 && errno != ENOENT)
        log_debug("file_left file=%s error=\"%s\"", path, strerror(errno));
}

void controld_fini(struct controld *controld)
{
    for (size_t i = 0; i < SUPERVISOR_MAX_PROCESSES; i++)
        sd_event_source_unref(controld->ends[i]);
    exporter_close(controld->exporter);
    sd_event_unref(controld->loop);
    /* The link's socket first: it ends the calls of the others. */
    if (controld->link != NULL)
        frontend_link_fini(controld->link);
    endpoint_free(controld->endpoint);
    frontend_watch_free(controld->watch);
    operation_free(controld->operation);
    settings_free(controld->settings);
    balancer_free(controld->balancer);
    degrader_free(controld->degrader);
    exporter_free(controld->exporter);
    events_free(controld->events);
    free(controld->link);
    /* nng removes a socket's file some time after the close. Only who holds the lock may: they are ours then.
     */
    if (controld->lock_fd >= 0) {
        remove_file(controld, "control.ipc");
        remove_file(controld, "events.ipc");
    }
    /* A stack that is started anew goes by its file; one that runs on without us may need what is kept. */
    if (controld->kept_fd >= 0 && controld->supervisor.processes[0].state == PROCESS_STOPPED)
        remove_file(controld, START_KEPT_CONFIG);
    fd_close(&controld->kept_fd);
    manager_systemd_fini(&controld->systemd);
    inherit_close(&controld->inherit);
    notify_close(&controld->notify);
    fd_close(&controld->wake_fd);
    fd_close(&controld->spawner_socket);
    reader_fini(&controld->reader);
    fd_close(&controld->lock_fd);
}
