/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_keys.c — the table of all keys: the schema, the ranges, the reference and the example file are made
 * from it. A field of struct config without a row here cannot be set; a unit test holds the default texts to
 * config_defaults().
 */
#include "base/config_internal.h"

#include <string.h>

/* A row: section, key, default, allowed, help, kind, the field's offset and size, smallest, largest. */
#define PLACE(field) offsetof(struct config_file, field), sizeof(((struct config_file *)NULL)->field)
#define UINT(section, key, field, min, max, value, help)                                                     \
    {                                                                                                        \
        {section, key, value, #min ".." #max, help}, CONFIG_UINT, PLACE(config.field), min, max              \
    }
#define POWER(section, key, field, min, max, value, help)                                                    \
    {                                                                                                        \
        {section, key, value, "a power of two, " #min ".." #max, help}, CONFIG_POWER, PLACE(config.field),   \
            min, max                                                                                         \
    }
#define CPU(section, key, field, help)                                                                       \
    {                                                                                                        \
        {section, key, "-1", "-1 (not pinned), or a CPU number 0..1023", help}, CONFIG_CPU,                  \
            PLACE(config.field), -1, 1023                                                                    \
    }
#define BOOL(section, key, field, value, help)                                                               \
    {                                                                                                        \
        {section, key, value, "true | false", help}, CONFIG_BOOL, PLACE(config.field), 0, 1                  \
    }
#define OTHER(section, key, kind, field, value, allowed, help)                                               \
    {                                                                                                        \
        {section, key, value, allowed, help}, kind, PLACE(field), 0, 0                                       \
    }
#define SERVICE(name, number, what)                                                                          \
    BOOL("services." #name, "enabled", services.name.enabled, "true", "Serve " what "."),                    \
        UINT("services." #name, "port", services.name.port, 1, 65535, number, "Its port.")

/* clang-format off */
const struct config_rule config_rules[] = {
    OTHER("nic", "backend", CONFIG_BACKEND, config.nic.backend, "tap", "tap | packet | memory",
          "How the NIC is opened: a TAP of our own, AF_PACKET on an existing interface, or memory (tests)."),
    OTHER("nic", "name", CONFIG_NAME, config.nic.name, "mpa0", "1..15 bytes, no blank, no slash",
          "The interface; a TAP of this name is made if there is none."),
    OTHER("nic", "mac", CONFIG_MAC, mac, "\"02:4d:50:41:00:01\"", "six hexadecimal bytes, unicast",
          "The stack's own link address (not that of the interface)."),
    UINT("nic", "mtu", nic.mtu_bytes, 1280, 9000, "1500", "Largest IP packet in bytes; the MSS follows from it."),
    BOOL("nic", "offload", nic.offload, "true", "Checksums and segmentation by the NIC, both ways, if it can."),
    UINT("nic", "tap_queue_frames", nic.tap_queue_frames, 0, 1000000, "16384",
         "Frames that the kernel keeps for us in a TAP while we are busy or replaced; it drops what is more. 0: as many as it likes."),

    BOOL("host", "dhcp", host.dhcp, "false", "Ask for an IPv4 address by DHCP."),
    BOOL("host", "slaac", host.slaac, "true", "Make IPv6 addresses from router advertisements."),
    OTHER("host", "addresses", CONFIG_ADDRESSES, addresses, "[\"10.77.0.2/24\", \"fd77::2/64\"]",
          "up to 8 unicast addresses with prefix length", "Static addresses, IPv4 and IPv6; [] for none."),
    OTHER("host", "gateway4", CONFIG_GATEWAY, gateway4, "none", "an IPv4 address, or none",
          "Default IPv4 router; it must be on the link of a static address unless DHCP is on."),
    OTHER("host", "gateway6", CONFIG_GATEWAY, gateway6, "none", "an IPv6 address, or none",
          "Default IPv6 router, link-local or on the link of a static address unless SLAAC is on."),

    POWER("frontend", "n_buckets", frontend.n_buckets, 64, 65536, "4096",
          "Buckets that flows hash to; what is moved between workers is a bucket."),
    UINT("frontend", "burst_frames", frontend.burst_frames, 1, 256, "32", "Frames taken from the NIC at a time."),
    UINT("frontend", "spin_us", frontend.spin_us, 0, 1000000, "20", "Microseconds to poll before sleeping, giving way to whoever is runnable. 0: sleep at once."),
    UINT("frontend", "pool_chunks", frontend.pool_chunks, 512, 1048576, "16384",
         "Receive buffers of 2 KiB, shared by all workers."),
    UINT("frontend", "pool_large_chunks", frontend.pool_large_chunks, 16, 16384, "1024",
         "Receive buffers of 64 KiB, for frames the NIC has merged."),
    CPU("frontend", "rx_cpu", frontend.rx_cpu, "CPU of the loop, or of its receive thread."),
    CPU("frontend", "tx_cpu", frontend.tx_cpu, "CPU of the transmit thread; needs split_threads."),
    BOOL("frontend", "split_threads", frontend.split_threads, "false", "Receive and transmit on a thread each."),
    BOOL("frontend", "hugepages", frontend.hugepages, "false",
         "Receive buffers on huge pages; without any free, ordinary pages and a warning."),
    UINT("frontend", "reassembly_fragments", frontend.reassembly_fragments, 16, 65536, "1024",
         "IP fragments held for all sources together."),
    UINT("frontend", "reassembly_source_fragments", frontend.reassembly_source_fragments, 2, 65536, "90",
         "IP fragments held for one source; 90 are two datagrams of 64 KiB."),
    UINT("frontend", "park_frames", frontend.park_frames, 1, 65536, "256",
         "Frames that may wait for a neighbour's link address."),
    UINT("frontend", "held_frames", frontend.held_frames, 64, 524288, "8192",
         "Frames that may wait for the end of a hand-over; at most half of pool_chunks are used."),
    UINT("frontend", "return_wait_ms", frontend.return_wait_ms, 0, 60000, "2000",
         "Milliseconds that a new frontend waits for the workers of the last one."),
    OTHER("frontend", "worker_user", CONFIG_USER, config.frontend.worker_user, "\"\"",
          "a user name or number, or empty",
          "Who may attach as a worker besides root and the frontend's own user."),

    UINT("worker", "count", worker.count, 1, 16, "2", "Workers to start."),
    UINT("worker", "min", worker.min, 1, 16, "1", "No scaling, by hand or by itself, to fewer workers."),
    UINT("worker", "max", worker.max, 1, 16, "16", "No scaling, by hand or by itself, to more workers."),
    UINT("worker", "burst_frames", worker.burst_frames, 1, 64, "32", "Frames of one turn of a worker's loop."),
    UINT("worker", "spin_us", worker.spin_us, 0, 1000000, "60", "Microseconds to poll before sleeping, giving way to whoever is runnable. 0: sleep at once."),
    POWER("worker", "ring_slots", worker.ring_slots, 64, 32768, "4096", "Slots of each normal ring."),
    POWER("worker", "urgent_ring_slots", worker.urgent_ring_slots, 64, 32768, "256",
          "Slots of each urgent ring."),
    UINT("worker", "tx_arena_kib", worker.tx_arena_kib, 256, 65536, "2048",
         "KiB for frames on their way out, of each worker."),
    UINT("worker", "urgent_arena_kib", worker.urgent_arena_kib, 256, 65536, "512",
         "KiB for urgent frames on their way out, of each worker."),
    UINT("worker", "fifo_memory_mib", worker.fifo_memory_mib, 4, 65536, "256",
         "MiB for the bytes of all connections of one worker."),
    UINT("worker", "stack_memory_mib", worker.stack_memory_mib, 8, 65536, "256",
         "MiB for control blocks and segments of one worker."),
    UINT("worker", "max_connections", worker.max_connections, 16, 1000000, "65536", "Connections of one worker."),
    UINT("worker", "tx_wait_ms", worker.tx_wait_ms, 0, 3600000, "0",
         "Milliseconds before a connection that waits for a congested ring is reported; 0: never."),
    OTHER("worker", "commit", CONFIG_COMMIT, config.worker.commit, "minimal", "minimal | full",
          "What a turn writes of each connection it touched: what cannot be derived when it changed, or always."),
    UINT("worker", "orphan_s", worker.orphan_s, 0, 3600, "60",
         "Seconds to keep the connections while the frontend is gone; 0: the worker ends with it."),
    UINT("worker", "idle_s", worker.idle_s, 0, 604800, "0",
         "Seconds after which a connection is closed on which nothing happens; 0: never."),
    CPU("worker", "first_cpu", worker.first_cpu, "Worker i runs on CPU first_cpu + i."),
    BOOL("worker", "hugepages", worker.hugepages, "false",
         "Connection bytes on huge pages; without any free, ordinary pages and a warning."),

    OTHER("services", "http_root", CONFIG_ROOT, config.services.http_root, "\"\"", "an absolute path in ASCII, or empty",
          "Folder whose files the http service reads at start; empty: built-in pages."),
    SERVICE(echo, "7", "echo over TCP and UDP"),
    SERVICE(discard, "9", "discard"),
    SERVICE(chargen, "19", "a character generator"),
    SERVICE(http, "80", "static pages"),

    OTHER("control", "manager", CONFIG_MANAGER, config.control.manager, "direct", "direct | systemd | external",
          "Who starts and ends frontend and workers: mpa-controld, systemd by its order, or somebody else."),
    OTHER("control", "runtime_dir", CONFIG_PATH, config.control.runtime_dir, "/run/mpa",
          "an absolute path in ASCII, up to 75 bytes", "Folder of sockets and keys."),
    UINT("control", "restart_delay_ms", control.restart_delay_ms, 0, 60000, "100",
         "Milliseconds before a dead worker is started again."),
    UINT("control", "heartbeat_ms", control.heartbeat_ms, 10, 60000, "1000",
         "Milliseconds that a worker with work waiting may be still."),
    BOOL("control", "balance", control.balance, "true",
         "Move buckets from the heaviest worker to the lightest when they differ too much."),
    UINT("control", "balance_ms", control.balance_ms, 100, 60000, "1000",
         "Milliseconds between two looks at the load; a worker's CPU is that of the last second."),
    UINT("control", "balance_weight_cpu", control.balance_weight_cpu, 0, 1000, "50",
         "Weight of a worker's CPU in its score."),
    UINT("control", "balance_weight_ring", control.balance_weight_ring, 0, 1000, "30",
         "Weight of the depth of its receive rings; not alone, it tells of no bucket."),
    UINT("control", "balance_weight_connections", control.balance_weight_connections, 0, 1000, "20",
         "Weight of its connections, as a part of max_connections."),
    UINT("control", "balance_floor_permille", control.balance_floor_permille, 0, 1000, "100",
         "Nothing moves while the heaviest score is below; 1000 is a worker that can bear no more."),
    UINT("control", "balance_factor_permille", control.balance_factor_permille, 1200, 100000, "1500",
         "Buckets move when the heaviest score is more than so many thousandths of the lightest."),
    BOOL("control", "degrade", control.degrade, "true",
         "Under pressure refuse new connections, first on the workers concerned, then on all, then close idle ones."),
    BOOL("control", "degrade_machine", control.degrade_machine, "false",
         "Count the machine's memory too, by all steps; only then are there fewer workers in the last one."),
    UINT("control", "degrade_ms", control.degrade_ms, 100, 10000, "1000",
         "Milliseconds between two looks at the pressure: two above a limit lead a step up, ten below one down."),
    UINT("control", "degrade_congested_permille", control.degrade_congested_permille, 1, 1000, "850",
         "Pressure of one worker, in thousandths of its memory or rings, at which it gets no new connections."),
    UINT("control", "degrade_all_permille", control.degrade_all_permille, 1, 1000, "900",
         "Pressure of all workers together at which none gets any."),
    UINT("control", "degrade_idle_permille", control.degrade_idle_permille, 1, 1000, "940",
         "The same at which idle connections are closed after degrade_idle_s."),
    UINT("control", "degrade_workers_permille", control.degrade_workers_permille, 1, 1000, "970",
         "Part of the machine's memory that is not available, at which workers end (degrade_machine)."),
    UINT("control", "degrade_relief_permille", control.degrade_relief_permille, 1, 999, "100",
         "A step ends when the pressure is so far below its limit."),
    UINT("control", "degrade_idle_s", control.degrade_idle_s, 1, 65535, "30",
         "Seconds that a connection may be idle under pressure."),
    OTHER("control", "refuse", CONFIG_REFUSE, config.control.refuse, "reset", "reset | silent",
          "How a new connection is refused under pressure: at once, or by silence until the other end gives up."),
    OTHER("control", "http", CONFIG_LISTEN, config.control.http, "off",
          "\"ADDRESS:PORT\", \"[ADDRESS]:PORT\" for IPv6, or off",
          "Where mpa-controld serves /metrics, /livez and /readyz to whoever can connect."),
    OTHER("control", "admins", CONFIG_USERS, config.control.admins, "\"\"",
          "user names or numbers and %groups, with blanks between, or empty",
          "Who may do everything with mpactl, besides root and the user of mpa-controld."),
    OTHER("control", "readers", CONFIG_USERS, config.control.readers, "\"\"",
          "user names or numbers and %groups, with blanks between, or empty",
          "Who may look with mpactl, and change nothing."),
    OTHER("control", "remote", CONFIG_LISTEN, config.control.remote, "off",
          "\"ADDRESS:PORT\", \"[ADDRESS]:PORT\" for IPv6, or off",
          "Where mpactl --remote may connect, by TLS with certificates on both sides."),
    OTHER("control", "remote_role", CONFIG_ROLE, config.control.remote_role, "read", "read | admin",
          "What a remote client may: look, or everything."),
    OTHER("control", "tls_cert", CONFIG_ROOT, config.control.tls_cert, "\"\"",
          "an absolute path in ASCII, or empty", "Certificate of mpa-controld for remote clients, in PEM."),
    OTHER("control", "tls_key", CONFIG_ROOT, config.control.tls_key, "\"\"",
          "an absolute path in ASCII, or empty", "Its key, in PEM, without a password."),
    OTHER("control", "tls_ca", CONFIG_ROOT, config.control.tls_ca, "\"\"",
          "an absolute path in ASCII, or empty", "Who signs the certificates of remote clients, in PEM."),
    BOOL("control", "scale", control.scale, "false",
         "Start and end workers by itself, as the load asks for, between worker.min and worker.max."),
    UINT("control", "scale_up_permille", control.scale_up_permille, 1, 1000, "700",
         "One more worker when the mean score is so high or higher."),
    UINT("control", "scale_up_looks", control.scale_up_looks, 1, 3600, "5",
         "For so many looks (control.balance_ms) on end."),
    UINT("control", "scale_down_permille", control.scale_down_permille, 0, 999, "200",
         "One worker less when the mean score is lower."),
    UINT("control", "scale_down_looks", control.scale_down_looks, 1, 3600, "60", "For so many looks on end."),
    UINT("control", "scale_pause_looks", control.scale_pause_looks, 0, 3600, "10",
         "Looks after a change in which nothing is decided."),
    OTHER("control", "log_level", CONFIG_LEVEL, config.control.log_level, "info",
          "error | warn | info | debug", "The least important log lines that are written."),
};
/* clang-format on */

const size_t config_n_rules = sizeof(config_rules) / sizeof(config_rules[0]);

const char *const config_sections[] = {"nic",
                                       "host",
                                       "frontend",
                                       "worker",
                                       "services",
                                       "services.echo",
                                       "services.discard",
                                       "services.chargen",
                                       "services.http",
                                       "control",
                                       NULL};

size_t config_n_keys(void)
{
    return config_n_rules;
}

const struct config_key *config_key(size_t idx)
{
    mpa_assert(idx < config_n_rules);
    return &config_rules[idx].text;
}

void config_path(const char *section, const char *key, char path[CONFIG_TOKEN_BYTES])
{
    snprintf(path, CONFIG_TOKEN_BYTES, "%s%s%s", section, section[0] == '\0' ? "" : ".", key);
}

/* A linear search: some fifty keys, at start only. */
const struct config_rule *config_rule_find(const char *path)
{
    char candidate[CONFIG_TOKEN_BYTES];

    for (size_t i = 0; i < config_n_rules; i++) {
        config_path(config_rules[i].text.section, config_rules[i].text.key, candidate);
        if (strcmp(candidate, path) == 0)
            return &config_rules[i];
    }
    return NULL;
}

/* The only place that knows how wide the numbers of struct config are. Copied out, for a pointer cast would
 * read a field through a type it does not have. */
int64_t config_number(const struct config_rule *rule, const struct config *config)
{
    const char *place = (const char *)config + rule->offset;
    uint16_t small;
    uint32_t wide;

    if (rule->kind == CONFIG_BOOL)
        return *(const bool *)place;
    if (rule->size == sizeof(small)) {
        memcpy(&small, place, sizeof(small));
        return small;
    }
    mpa_assert(rule->size == sizeof(wide));
    memcpy(&wide, place, sizeof(wide));
    return rule->kind == CONFIG_CPU ? (int64_t)(int32_t)wide : (int64_t)wide;
}
