/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c — one event, one line, one write(2), so that lines of several threads and processes never mix.
 *
 * The state is the process's (name, threshold, whether standard error is the journal, its socket): written by
 * log_init() before threads start, only read afterwards; the threshold alone may change later and is atomic.
 * After confinement a line costs write() or sendto() and nothing else: what libc loads lazily is loaded in
 * log_init(), and the socket is open.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_fields.h"

#define LOG_LINE_BYTES 2048
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"
#define LOG_STAMP_BYTES 32

struct log_state {
    const char *name;
    pid_t pid;
    bool is_journal;
    int journal; /* its socket; -1: not there */
    _Atomic int level;
};

static struct log_state state = {.name = "mpa", .journal = -1, .level = LOG_LEVEL_INFO};

/* The journal names the stream it gave us as "device:inode"; a redirected standard error no longer fits. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat info;

    if (stream == NULL || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

void log_use_journal(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (state.journal >= 0)
        close(state.journal);
    state.journal = -1;
    if (socket_path[0] == '\0' || strlen(socket_path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    state.journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (state.journal >= 0 &&
        connect(state.journal, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        close(state.journal);
        state.journal = -1;
    }
}

/* Once at start, and again in a forked child, whose pid differs. */
void log_init(const char *name, enum log_level level)
{
    state.name = name;
    state.pid = getpid();
    state.is_journal = stderr_is_journal();
    log_use_journal(state.is_journal ? LOG_JOURNAL_SOCKET : "");
    /* gmtime_r() opens the time zone file on first use, which a confined process may not. */
    tzset();
    log_set_level(level);
}

/* Relaxed: a line more or less around the change does not matter, and nothing else is published by it. */
void log_set_level(enum log_level level)
{
    atomic_store_explicit(&state.level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&state.level, memory_order_relaxed);
}

/* The words of the configuration, which log_level_parse() reads back. */
const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "?";
}

int log_level_parse(const char *text, enum log_level *level)
{
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, log_level_name(levels[i])) == 0) {
            *level = levels[i];
            return 0;
        }
    }
    return -EINVAL;
}

/* "<4>" for the journal, which adds time and name itself; else "time name[pid] warn: ". Returns its length.
 */
static size_t format_prefix(char *line, size_t size, enum log_level level)
{
    char stamp[LOG_STAMP_BYTES] = "";
    struct timespec now;
    struct tm utc;
    int length;

    if (state.is_journal) {
        length = snprintf(line, size, "<%d>", (int)level);
    } else {
        clock_gettime(CLOCK_REALTIME, &now);
        if (gmtime_r(&now.tv_sec, &utc) != NULL)
            strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
        length = snprintf(line, size, "%s.%03ldZ %s[%d] %s: ", stamp, now.tv_nsec / 1000000L, state.name,
                          (int)state.pid, log_level_name(level));
    }
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}

/* Text from outside may stand in a value: it must not forge a second line or drive a terminal. */
static void blank_control_bytes(char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    }
}

/* True when the journal has the line as fields: a journal that is busy or gone gets it by standard error. */
static bool send_fields(enum log_level level, const char *text)
{
    char bytes[LOG_FIELDS_BYTES];
    size_t n_bytes;

    if (state.journal < 0)
        return false;
    n_bytes = log_fields_format(bytes, state.name, level, text);
    return send(state.journal, bytes, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n_bytes;
}

static void write_line(const char *line, size_t n_bytes)
{
    /* There is nowhere left to report that standard error is gone. */
    ssize_t n_written = write(STDERR_FILENO, line, n_bytes);

    (void)n_written;
}

/* The common end of all levels. %m works, and errno is as before, so that a caller may log and then return
 * -errno. */
MPA_PRINTF(2, 0) static void log_line(enum log_level level, const char *format, va_list arguments)
{
    const int caller_errno = errno;
    char line[LOG_LINE_BYTES];
    size_t used, n_prefix;
    int length;

    if ((int)level > atomic_load_explicit(&state.level, memory_order_relaxed))
        return;
    n_prefix = used = format_prefix(line, sizeof(line), level);
    errno = caller_errno; /* for %m */
    length = vsnprintf(line + used, sizeof(line) - used, format, arguments);
    if (length > 0)
        used += (size_t)length;
    if (used >= sizeof(line))
        used = sizeof(line) - 1; /* cut off; its last byte becomes the line end */
    blank_control_bytes(line, used);
    line[used] = '\0';
    if (!send_fields(level, line + n_prefix)) {
        line[used] = '\n';
        write_line(line, used + 1);
    }
    errno = caller_errno;
}

#define LOG_FUNCTION(name, level)                                                                            \
    void name(const char *format, ...)                                                                       \
    {                                                                                                        \
        va_list arguments;                                                                                   \
                                                                                                             \
        va_start(arguments, format);                                                                         \
        log_line(level, format, arguments);                                                                  \
        va_end(arguments);                                                                                   \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_change_level(enum log_level level)
{
    enum log_level old = log_level();

    if (level > old)
        log_set_level(level);
    log_info("log_level_set level=%s was=%s", log_level_name(level), log_level_name(old));
    log_set_level(level);
}

/* The time is given, not asked for: the loop that logs has it already, and a test can choose it. */
bool log_gate_open(struct log_gate *gate, uint64_t now_ns, uint64_t *n_held)
{
    if (now_ns < gate->next_ns) {
        gate->n_held++;
        return false;
    }
    *n_held = gate->n_held;
    gate->n_held = 0;
    gate->next_ns = now_ns + CLOCK_NS_PER_S;
    return true;
}

/* abort() and not exit(): a fault handler may note what was in hand, and a core shows where. */
_Noreturn void mpa_assert_failed(const char *expression, const char *file, int line)
{
    log_error("assert_failed expression=\"%s\" at=%s:%d", expression, file, line);
    abort();
}
