/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h — the configuration of all processes: one commented YAML file, loaded with a schema, every value
 * with a default that runs. Keys in the file have the names of the fields here (nic.mtu_bytes alone is
 * written `mtu`, the word everybody knows), sections those of the structs (nic, host, frontend, worker,
 * services, control). The table behind config_key() is the one source of names, defaults, ranges and help.
 */
#ifndef MPA_BASE_CONFIG_H
#define MPA_BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>

#include "base/assert.h"

#define CONFIG_MAX_WORKERS 16
#define CONFIG_MAX_ADDRESSES 8
#define CONFIG_NAME_BYTES 16         /* an interface name with its NUL (IFNAMSIZ) */
#define CONFIG_PATH_BYTES 108        /* a Unix socket path with its NUL (sun_path) */
#define CONFIG_ADDRESS_TEXT_BYTES 50 /* an IPv6 address, its prefix length and the NUL */
#define CONFIG_USER_BYTES 32         /* a user name or number with its NUL */
#define CONFIG_LISTEN_BYTES 64       /* "[IPv6 address]:port" with its NUL */
#define CONFIG_VALUE_TEXT_BYTES 640  /* any value as text: eight addresses, or a path */
#define CONFIG_KEY_BYTES 64          /* "services.discard.enabled" with its NUL */
#define CONFIG_MAX_KEYS 160          /* config_n_keys() is below */
#define CONFIG_MAX_FILE_BYTES (1u << 20)
#define CONFIG_USERS_BYTES 256 /* a list of users and %groups with its NUL */

enum config_backend { CONFIG_BACKEND_TAP, CONFIG_BACKEND_PACKET, CONFIG_BACKEND_MEMORY };

/* What a worker writes of each connection that a turn touched: its facts only when they change, or always. */
enum config_commit { CONFIG_COMMIT_MINIMAL, CONFIG_COMMIT_FULL };

/* How a new connection is refused under pressure. */
enum config_refuse { CONFIG_REFUSE_RESET, CONFIG_REFUSE_SILENT };

/* Who starts and ends frontend and workers: mpa-controld itself, systemd on its behalf, or somebody else. */
enum config_manager { CONFIG_MANAGER_DIRECT, CONFIG_MANAGER_SYSTEMD, CONFIG_MANAGER_EXTERNAL };

/* An address with its prefix length, "192.0.2.1/24" or "2001:db8::1/64". */
struct config_address {
    uint8_t family;      /* 4 or 6 */
    uint8_t prefix_bits; /* 0..32 or 0..128 */
    uint8_t bytes[16];   /* network order; IPv4 in the first four */
};

struct config_nic {
    enum config_backend backend;  /* tap | packet | memory; default tap */
    char name[CONFIG_NAME_BYTES]; /* interface; default "mpa0" */
    uint8_t mac[6];               /* default 02:4d:50:41:00:01, locally administered */
    uint16_t mtu_bytes;           /* 1280..9000; default 1500 */
    bool offload;                 /* virtio_net_hdr: checksum and TSO both ways; default true */
    uint32_t tap_queue_frames;    /* the kernel's queue towards us; 0: its own; 0..1000000; default 16384 */
};

struct config_host {
    bool dhcp;  /* IPv4 by DHCP; default false */
    bool slaac; /* IPv6 by router advertisement; default true */
    uint32_t n_addresses;
    struct config_address addresses[CONFIG_MAX_ADDRESSES]; /* static; default 10.77.0.2/24, fd77::2/64 */
    struct config_address gateway4;                        /* family 0: none */
    struct config_address gateway6;
};

struct config_frontend {
    uint32_t n_buckets;                   /* power of two, 64..65536; default 4096 */
    uint32_t burst_frames;                /* 1..256; default 32 */
    uint32_t spin_us;                     /* polling before sleep, giving way; 0..1000000; default 20 */
    uint32_t pool_chunks;                 /* 2 KiB chunks of the rx pool; default 16384 */
    uint32_t pool_large_chunks;           /* 64 KiB chunks; default 1024 */
    int32_t rx_cpu;                       /* pin the loop (or the rx thread); -1: not pinned */
    int32_t tx_cpu;                       /* with split_threads: pin the tx thread; -1: not pinned */
    bool split_threads;                   /* rx and tx stage on a thread each; default false */
    bool hugepages;                       /* rx pool on huge pages, falls back with a WARN; default false */
    uint32_t reassembly_fragments;        /* fragments held for all sources; default 1024 */
    uint32_t reassembly_source_fragments; /* held for one source; default 90 (two 64 KiB datagrams at 1500) */
    uint32_t park_frames;                 /* frames that may wait for a next hop; default 256 */
    uint32_t return_wait_ms;              /* a new frontend waits for the workers of the last; default 2000 */
    uint32_t held_frames;                 /* frames that may wait for the end of a hand-over, at most half of
                                             pool_chunks; default 8192 */
    char worker_user[CONFIG_USER_BYTES];  /* besides root and our own user, who may attach; empty: nobody */
};

struct config_worker {
    uint32_t count;             /* workers to start, 1..16; default 2 */
    uint32_t min, max;          /* limits of scaling; defaults 1 and 16 */
    uint32_t burst_frames;      /* 1..64; default 32 */
    uint32_t spin_us;           /* 0..1000000; default 60 */
    uint32_t ring_slots;        /* of each normal ring, power of two 64..32768; default 4096 */
    uint32_t urgent_ring_slots; /* of each urgent ring; default 256 */
    uint32_t tx_arena_kib;      /* normal tx arena, 256..65536; default 2048 */
    uint32_t urgent_arena_kib;  /* urgent tx arena; default 512 */
    uint32_t fifo_memory_mib;   /* all FIFOs of one worker, 4..65536; default 256 */
    uint32_t stack_memory_mib;  /* PCBs, segments, pbufs of one worker, 8..65536; default 256 */
    uint32_t max_connections;   /* 16..1000000; default 65536 */
    uint32_t tx_wait_ms;        /* how long output waits for a congested tx ring before it reports the
                                   connection stalled; 0: never reports; default 0 */
    enum config_commit commit;  /* minimal | full; default minimal */
    uint32_t orphan_s;          /* how long to keep the connections when the frontend is gone; 0: not at
                                   all; default 60 */
    uint32_t idle_s;            /* a connection on which nothing happens is closed; 0: never; default 0 */
    int32_t first_cpu;          /* worker i runs on CPU first_cpu + i; -1: not pinned */
    bool hugepages;             /* FIFO memory on huge pages, falls back with a WARN; default false */
};

#define CONFIG_N_SERVICES 4
struct config_service {
    bool enabled;  /* default true */
    uint16_t port; /* echo 7, discard 9, chargen 19, http 80 */
};

struct config_services {
    struct config_service echo, discard, chargen, http; /* echo serves TCP and UDP */
    char http_root[256]; /* files served from memory, read at start; empty: the built-in pages */
};

struct config_control {
    enum config_manager manager;              /* direct | systemd | external; default direct */
    char runtime_dir[CONFIG_PATH_BYTES - 32]; /* sockets and keys; default /run/mpa */
    uint32_t restart_delay_ms;                /* before a dead worker is started again; default 100 */
    uint32_t heartbeat_ms;                    /* a worker with work waiting may be still; default 1000 */
    bool balance;        /* buckets are moved to even the load of workers; default true */
    uint32_t balance_ms; /* between two rounds; default 1000 */
    /* Weights of CPU, ring depth and connections in the score of a worker; default 50, 30, 20. */
    uint32_t balance_weight_cpu, balance_weight_ring, balance_weight_connections;
    uint32_t balance_floor_permille;  /* score of the heaviest below which nothing is moved; default 100 */
    uint32_t balance_factor_permille; /* heaviest over lightest above which it is; default 1500 */
    bool degrade;                     /* give things up under pressure; default true */
    bool degrade_machine;             /* the machine's memory counts too; default false */
    uint32_t degrade_ms;              /* between two looks at the pressure; default 1000 */
    /* Pressure at which each step begins; default 850, 900, 940, 970. */
    uint32_t degrade_congested_permille, degrade_all_permille, degrade_idle_permille,
        degrade_workers_permille;
    uint32_t degrade_relief_permille; /* a step ends so far below its limit; default 100 */
    uint32_t degrade_idle_s;          /* idle limit under pressure; default 30 */
    enum config_refuse refuse;        /* reset | silent; default reset */
    char http[CONFIG_LISTEN_BYTES];   /* ADDRESS:PORT of /metrics, /livez, /readyz, or "off"; default off */
    /* Besides root and our own user: who may do everything, who may look; "ann 1000 %wheel"; empty: nobody.
     */
    char admins[CONFIG_USERS_BYTES], readers[CONFIG_USERS_BYTES];
    char remote[CONFIG_LISTEN_BYTES];              /* ADDRESS:PORT for TLS, or "off"; default off */
    char remote_role[8];                           /* read | admin: what a remote client may; default read */
    char tls_cert[256], tls_key[256], tls_ca[256]; /* PEM files, read at start */
    bool scale; /* workers are started and ended as the load asks for; default false */
    uint32_t scale_up_permille, scale_up_looks;     /* default 700, 5 */
    uint32_t scale_down_permille, scale_down_looks; /* default 200, 60 */
    uint32_t scale_pause_looks;                     /* default 10 */
    char log_level[8];                              /* error | warn | info | debug; default info */
};

struct config {
    struct config_nic nic;
    struct config_host host;
    struct config_frontend frontend;
    struct config_worker worker;
    struct config_services services;
    struct config_control control;
};

/* Fills in every default. */
void config_defaults(struct config *config);

/*
 * Loads `path` over the defaults. Returns 0, or -errno (-EINVAL: not valid) with a message in `error` of the
 * form "FILE:LINE: key 'x': what is wrong (allowed: ...)", a line for each thing that is wrong, without a
 * line end after the last. An empty file is valid. *config is written only on success.
 */
int config_load(const char *path, struct config *config, char *error, size_t error_size) MPA_WARN_UNUSED;

/* The same from memory; `name` stands for the file in messages. */
struct config_text {
    const char *name;
    const char *bytes; /* need not end with a NUL */
    size_t n_bytes;
    bool *is_given; /* NULL, or CONFIG_MAX_KEYS places: on success, which keys stand in the text */
};
int config_load_text(const struct config_text *text, struct config *config, char *error,
                     size_t error_size) MPA_WARN_UNUSED;

/* The same from a descriptor, to its end; it stays open. */
struct config_source {
    int fd;
    const char *name; /* of the file, for messages */
    bool *is_given;   /* as in struct config_text */
};
int config_load_fd(const struct config_source *source, struct config *config, char *error,
                   size_t error_size) MPA_WARN_UNUSED;

/* Text to address with prefix ("10.0.0.1/24", "fd00::1/64"; no prefix: /32 or /128). 0 or -EINVAL. */
int config_address_parse(const char *text, struct config_address *address) MPA_WARN_UNUSED;
/* A place to listen at. */
struct config_listen {
    struct config_address address; /* any of this host's, or all zero: every one */
    uint16_t port;                 /* 1..65535 */
};

/* "127.0.0.1:9464" or "[::1]:9464". 0 or -EINVAL. */
int config_listen_parse(const char *text, struct config_listen *listen) MPA_WARN_UNUSED;

/* "off": there is no such place. */
bool config_listen_is_off(const char *text);

/* Address to text, at least CONFIG_ADDRESS_TEXT_BYTES in `text`; family 0 is "none". */
void config_address_format(const struct config_address *address, char *text, size_t size);

/* What there is to know of one key; all text is static. */
struct config_key {
    const char *section;      /* "nic", "services.echo" */
    const char *key;          /* "mtu" */
    const char *default_text; /* as it would stand in the file */
    const char *allowed;      /* "1280..9000" */
    const char *help;         /* one sentence */
};

size_t config_n_keys(void);
/* The key at `idx` < config_n_keys(), in the order of the sections. */
const struct config_key *config_key(size_t idx);
/* The value of that key as it would stand in the file; CONFIG_VALUE_TEXT_BYTES are always enough. */
void config_value_format(const struct config *config, size_t idx, char *text, size_t size);

/* The name of that key with its section, "nic.mtu". */
void config_key_path(size_t idx, char path[CONFIG_KEY_BYTES]);
/* The key of that name; config_n_keys(): there is none. */
size_t config_key_find(const char *path);

/* When a new value in the file comes into force. */
enum config_change {
    CONFIG_CHANGE_LIVE,     /* at once, by `mpactl config reload` */
    CONFIG_CHANGE_WORKER,   /* when the workers are replaced: `mpactl update` */
    CONFIG_CHANGE_FRONTEND, /* when the frontend is replaced: `mpactl update --frontend` */
    CONFIG_CHANGE_CONTROLD, /* when mpa-controld is started again; the data plane runs on meanwhile */
    CONFIG_CHANGE_ALL,      /* when everything was stopped and is started again */
    CONFIG_N_CHANGES
};

enum config_change config_change(size_t idx);
/* "live", "worker", ...: the word of the reference page. */
const char *config_change_name(enum config_change change);

/* True when both have the same value at that key. */
bool config_is_same(const struct config *config, const struct config *other, size_t idx);
/* Copies the value of that key. */
void config_copy_key(struct config *to, const struct config *from, size_t idx);
/*
 * Sets a live key from text as it would stand in the file, by the rules of that key. 0, or -EINVAL (not
 * allowed) or -ENOENT (no such key, or not a live one) with one line in `error`; *config is written only on
 * success. Several are set one after the other, and checked against each other at the end.
 */
int config_set(struct config *config, const char *path, const char *value, char *error,
               size_t error_size) MPA_WARN_UNUSED;
/* 0, or -EINVAL and one line in `error` when keys contradict each other. */
int config_check_whole(const struct config *config, char *error, size_t error_size) MPA_WARN_UNUSED;

/* The whole configuration as a commented file that config_load() takes (deploy/mpa.yaml: the defaults). */
void config_print_yaml(const struct config *config, FILE *out);
/* The table of all keys in Markdown (docs/configuration.md). */
void config_print_markdown(FILE *out);

#endif
