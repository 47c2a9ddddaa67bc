/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stack_rig.h — the engine under test: a lane pair with a consumer of the wanted kind behind port RIG_PORT,
 * and the steps that every scripted connection takes. Bytes of a stream follow from their position, so that
 * any piece of it can be checked alone.
 */
#ifndef MPA_TESTS_STACK_RIG_H
#define MPA_TESTS_STACK_RIG_H

#include "tests/support/lane_pair.h"
#include "tests/support/tcp_script.h"

#define RIG_PORT 80u
#define RIG_MSS 1460u
#define RIG_SCALE 7u /* of the peer's window */

enum rig_consumer {
    RIG_ECHO,   /* sends back what it reads, closes when the peer has closed */
    RIG_SINK,   /* reads and drops, closes when the peer has closed */
    RIG_HOLD,   /* reads nothing until rig.is_reading */
    RIG_SOURCE, /* writes rig.source_bytes of the pattern, then closes if rig.source_closes */
};

struct rig {
    struct lane_pair pair;
    struct lane_pair_packet packet; /* the last one taken */
    enum rig_consumer consumer;
    bool is_reading;    /* HOLD */
    bool source_closes; /* SOURCE */
    bool refuses;       /* opened() says no */
    uint64_t source_bytes;
    uint32_t write_bytes; /* SOURCE: at most so many at a time; 0: as many as there is room for */
    uint32_t n_opened, n_closed, n_adopted;
    bool refuses_adoption;
    uint64_t n_read;     /* bytes that consumers have read */
    uint64_t n_bad_read; /* of them, not as the pattern says */
    struct conn *conn;   /* the last one opened */
    uint64_t suspect;    /* what was noted when it was */
};

/* What a peer says in its SYN. */
enum rig_option {
    RIG_OPTION_SCALE = 1,
    RIG_OPTION_SACK = 2,
    RIG_OPTION_TIMESTAMP = 4,
};
#define RIG_OPTIONS_LINUX (RIG_OPTION_SCALE | RIG_OPTION_SACK | RIG_OPTION_TIMESTAMP)

/* The configuration may be changed between the two. A rig stays where it is. */
void rig_defaults(struct lane_pair_config *config);
void rig_start(struct rig *rig, enum rig_consumer consumer, struct lane_pair_config *config);
/* Both with the defaults. */
void rig_init(struct rig *rig, enum rig_consumer consumer);
/* Ends the stack and checks that every chunk and every byte of memory has come back. */
void rig_fini(struct rig *rig);

/*
 * The connections go to another worker: a new stack with records of its own, which adopts from those of the
 * first. rig_move() hands all over alive, rig_crash() lets the first one die where it stands: between turns,
 * or wherever the test has stopped it. Packets not taken yet are lost. Both return what the adopter says.
 */
struct stack_adoption rig_move(struct rig *rig);
struct stack_adoption rig_crash(struct rig *rig);
/* The parts of it: the first worker's end, and the next one's beginning, with nothing adopted. */
uint32_t rig_export_all(struct rig *rig, uint64_t number);
struct segment rig_stop(struct rig *rig);
void rig_restart(struct rig *rig);

/* Byte of a stream at `position`. */
static inline uint8_t rig_byte(uint64_t position)
{
    return (uint8_t)(position * 167 + (position >> 8) * 13 + (position >> 16));
}
void rig_fill(uint8_t *bytes, uint64_t position, uint32_t n);
bool rig_is_pattern(const uint8_t *bytes, uint64_t position, uint32_t n);

/* A peer without a connection, over IPv4 or IPv6 (4, 6). */
struct tcp_script rig_peer(uint8_t family, uint16_t port);

/* Hands one segment over; it arrives with the next turn. Fails the test when there is no room. */
void rig_inject(struct rig *rig, const struct tcp_script *script, const struct tcp_segment *segment);
/* The same, and runs the turn. */
void rig_send(struct rig *rig, const struct tcp_script *script, const struct tcp_segment *segment);
/* A segment without payload, in sequence. */
void rig_send_flags(struct rig *rig, const struct tcp_script *script, uint8_t flags);
/* `n` bytes in sequence, ACK set; the script moves on. */
void rig_send_data(struct rig *rig, struct tcp_script *script, const void *bytes, uint32_t n);

/* The next segment that left for this peer; false: none. Packets for others are dropped. */
bool rig_take(struct rig *rig, struct tcp_script *script, struct tcp_segment *segment);
/* The last segment that left, the rest is dropped; false: none. */
bool rig_take_last(struct rig *rig, struct tcp_script *script, struct tcp_segment *segment);
/* Drops whatever has left; returns how many packets. */
unsigned rig_drop_all(struct rig *rig);

/* The SYN with `options` (enum rig_option) and the script's window. */
struct tcp_segment rig_syn(struct tcp_script *script, unsigned options);
/* The three-way handshake; *syn_ack (may be NULL) is what the stack said. False: no SYN-ACK. */
bool rig_open(struct rig *rig, struct tcp_script *script, unsigned options, struct tcp_segment *syn_ack);

/* Starts a rig with one open connection, and nothing of the handshake left to take. */
struct tcp_script rig_open_one(struct rig *rig, enum rig_consumer consumer, uint8_t family, unsigned options);
/* An echo of a few bytes works from where the stream stands. */
void rig_check_echo(struct rig *rig, struct tcp_script *peer);

#endif
