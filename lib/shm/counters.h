/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters.h — every counter of the system, once: these lists make the enums, the names in `mpactl stats` and
 * in the metrics, and docs/counters.md. A drop has its reason in its name. Units are in the name, events have
 * none. Counters only grow, until their segment goes; one thread writes each.
 */
#ifndef MPA_SHM_COUNTERS_H
#define MPA_SHM_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* One place of a counter set. One thread writes, anyone reads; no order is promised between counters. */
typedef _Atomic uint64_t counter;

/* Adds to a counter that only the calling thread writes: a load and a store, no locked instruction. */
static inline void counter_add(counter *set, unsigned which, uint64_t n)
{
    uint64_t value = atomic_load_explicit(&set[which], memory_order_relaxed);

    atomic_store_explicit(&set[which], value + n, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *set, unsigned which)
{
    return atomic_load_explicit(&set[which], memory_order_relaxed);
}

/* Written by the frontend, one set for its NIC. X(name, help) */
#define NIC_COUNTERS(X)                                                                                      \
    X(rx_frames, "Frames received from the NIC")                                                             \
    X(rx_bytes, "Bytes received from the NIC, link header included")                                         \
    X(rx_super_frames, "Received frames longer than the MTU (GSO)")                                          \
    X(tx_frames, "Frames given to the NIC")                                                                  \
    X(tx_bytes, "Bytes given to the NIC, link header included")                                              \
    X(tx_super_frames, "Frames given to the NIC to be cut by it (GSO)")                                      \
    X(tx_busy, "Times the NIC took no more frames for now")                                                  \
    X(rx_to_host, "Frames given to the frontend's own stack")                                                \
    X(rx_reassembled, "Datagrams reassembled and classified again")                                          \
    X(rx_icmp_to_worker, "ICMP errors given to the worker of the quoted flow")                               \
    X(tx_fragmented, "Datagrams cut into fragments on the way out")                                          \
    X(tx_parked, "Frames that waited for a next hop")                                                        \
    X(rx_drop_runt, "Dropped: shorter than its headers")                                                     \
    X(rx_drop_vlan, "Dropped: VLAN tagged")                                                                  \
    X(rx_drop_ethertype, "Dropped: ethertype not served")                                                    \
    X(rx_drop_not_ours, "Dropped: link or network destination is not ours")                                  \
    X(rx_drop_spoofed, "Dropped: source is ours, multicast or otherwise impossible")                         \
    X(rx_drop_ip_version, "Dropped: IP version does not fit the ethertype")                                  \
    X(rx_drop_ip_header, "Dropped: IP header or its lengths are not valid")                                  \
    X(rx_drop_ip_checksum, "Dropped: IPv4 header checksum")                                                  \
    X(rx_drop_ip_options, "Dropped: IPv4 options not valid")                                                 \
    X(rx_drop_ip6_extension, "Dropped: IPv6 extension headers not valid or over 256 bytes")                  \
    X(rx_drop_protocol, "Dropped: transport protocol not served")                                            \
    X(rx_drop_tcp_header, "Dropped: TCP header or its length is not valid")                                  \
    X(rx_drop_tcp_option_malformed, "Dropped: a TCP option runs past the header")                            \
    X(rx_drop_udp_header, "Dropped: UDP length is not valid")                                                \
    X(rx_drop_icmp, "Dropped: ICMP not valid")                                                               \
    X(rx_drop_arp, "Dropped: ARP not valid or claims our address")                                           \
    X(rx_drop_nd_option, "Dropped: a neighbour discovery option is not valid")                               \
    X(rx_drop_nd, "Dropped: neighbour discovery not valid (hop limit, code, source)")                        \
    X(rx_drop_gso, "Dropped: offload header is not valid")                                                   \
    X(rx_drop_fragment_tiny, "Dropped: a fragment too small for its transport header (RFC 1858)")            \
    X(rx_drop_fragment_overlap, "Dropped: a fragment overlaps another or lies about its place")              \
    X(rx_drop_fragment_source, "Dropped: a source holds its whole share of the reassembly")                  \
    X(rx_drop_fragment_full, "Dropped: reassembly is full")                                                  \
    X(rx_drop_pool_empty, "Dropped: no free chunk in the rx pool")                                           \
    X(rx_drop_no_worker, "Dropped: the bucket has no worker")                                                \
    X(rx_held, "Frames held back during a hand-over")                                                        \
    X(rx_drop_held_full, "Dropped: too many frames are held back for hand-overs")                            \
    X(rx_drop_suspect, "Dropped: a worker died of this frame")                                               \
    X(rx_drop_returning, "Dropped: a new frontend waits for its workers to return")                          \
    X(shed_worker_reset, "New connections refused with a reset: their worker is told to take none")          \
    X(shed_worker_silent, "New connections refused without a word: their worker is told to take none")       \
    X(shed_all_reset, "New connections refused with a reset: no worker takes any")                           \
    X(shed_all_silent, "New connections refused without a word: no worker takes any")                        \
    X(shed_reset_limited, "Resets not sent for refused connections: more than 1000 a second")                \
    X(handovers, "Hand-overs completed")                                                                     \
    X(handovers_failed,                                                                                      \
      "Hand-overs that were given up; the flows stayed where they were or went to survivors")                \
    X(flows_handed_over, "Flows moved by hand-overs")                                                        \
    X(workers_died, "Workers that died while serving")                                                       \
    X(flows_adopted, "Flows of dead workers adopted by others")                                              \
    X(rx_drop_host, "Dropped: the frontend's own stack took it not")                                         \
    X(tx_drop_unresolved, "Dropped: the next hop did not answer")                                            \
    X(tx_drop_park_full, "Dropped: too many frames wait for a next hop")                                     \
    X(tx_drop_no_route, "Dropped: no gateway for the destination")                                           \
    X(tx_drop_nic_error, "Dropped: the NIC refused the frame")                                               \
    X(capture_missed, "Frames not captured because the reader was slow")

/* Written by the frontend, one set for each lane. */
#define LANE_COUNTERS(X)                                                                                     \
    X(rx_frames, "Frames put into the rx rings")                                                             \
    X(rx_bytes, "Bytes put into the rx rings, link header included")                                         \
    X(rx_urgent_frames, "Frames put into the urgent rx ring")                                                \
    X(tx_frames, "Packets taken from the tx rings")                                                          \
    X(tx_bytes, "Bytes taken from the tx rings")                                                             \
    X(tx_urgent_frames, "Packets taken from the urgent tx ring")                                             \
    X(rx_wakes, "Times the worker was woken")                                                                \
    X(rx_congested, "Times an rx ring went over 90 %")                                                       \
    X(rx_drop_ring_full, "Dropped: rx ring full")                                                            \
    X(rx_drop_quota, "Dropped: the worker holds its whole share of the rx pool")                             \
    X(rx_steered, "New connections steered elsewhere: the ring was congested, or the worker takes none")     \
    X(tx_drop_source, "Dropped: source address is not ours")                                                 \
    X(tx_drop_header, "Dropped: packet header or lengths not valid")                                         \
    X(fault_slot, "Faults: a tx slot names bytes outside its arena")                                         \
    X(fault_index, "Faults: a ring index moved too far or back")                                             \
    X(fault_return, "Faults: a returned chunk was not the worker's, or of an old generation")                \
    X(fault_orders, "Faults: the worker does not take orders from its socket")                               \
    X(fault_stalled, "Faults: still with work waiting, or an order not answered in time")

/* Written by the worker into its own segment. */
#define WORKER_COUNTERS(X)                                                                                   \
    X(rx_frames, "Frames taken from the rx rings")                                                           \
    X(rx_bytes, "Payload bytes made readable")                                                               \
    X(tx_packets, "Packets staged in the tx rings")                                                          \
    X(tx_super_packets, "Packets to be cut by the NIC (GSO)")                                                \
    X(tx_bytes, "Packet bytes staged")                                                                       \
    X(tx_urgent_packets, "Packets staged in the urgent ring")                                                \
    X(turns, "Turns of the loop that found work")                                                            \
    X(sleeps, "Times the worker slept")                                                                      \
    X(wakes_sent, "Times the worker woke the frontend")                                                      \
    X(connections_accepted, "TCP connections accepted")                                                      \
    X(connections_closed, "TCP connections gone")                                                            \
    X(connections_reset, "TCP connections ended by a reset or a time-out")                                   \
    X(tx_ring_full, "Packets not staged because ring or arena was full; TCP sends them again")               \
    X(tx_congested, "Times a tx ring went over 90 %")                                                        \
    X(tx_stalled, "Times output waited for the frontend longer than worker.tx_wait_ms")                      \
    X(tx_recuts, "Send queues cut again to real segments on the first sign of loss")                         \
    X(tx_sack_retransmits, "Segments sent again by SACK recovery")                                           \
    X(tx_fast_recoveries, "Times fast recovery began")                                                       \
    X(tx_tail_probes, "Tail loss probes")                                                                    \
    X(tx_timeouts, "Retransmission time-outs")                                                               \
    X(rx_out_of_order, "Segments that arrived out of order")                                                 \
    X(rx_unborrowed, "Held frames copied so that the rx pool stays free")                                    \
    X(udp_datagrams_in, "UDP datagrams received")                                                            \
    X(udp_datagrams_out, "UDP datagrams sent")                                                               \
    X(rx_drop_slot, "Dropped: rx slot not valid")                                                            \
    X(rx_drop_stack_memory, "Dropped: no memory for a packet buffer")                                        \
    X(rx_drop_fifo_memory, "Dropped: no FIFO memory for the payload")                                        \
    X(rx_drop_tcp_checksum, "Dropped: TCP checksum")                                                         \
    X(rx_drop_udp_checksum, "Dropped: UDP checksum")                                                         \
    X(rx_drop_connections, "Dropped: connection limit reached")                                              \
    X(rx_drop_icmp, "Dropped: ICMP error that fits no connection (RFC 5927)")                                \
    X(rx_pmtu, "Path MTU lowered by an ICMP error")                                                          \
    X(flows_exported, "Flows handed over to another worker")                                                 \
    X(flows_imported, "Flows taken over from another worker")                                                \
    X(flows_import_bad, "Flow records that could not be trusted: their flows are reset")                     \
    X(flows_import_memory, "Flows not taken over for lack of memory or places: reset")                       \
    X(flows_import_known, "Flow records skipped: the flow was here already, or is closed")                   \
    X(rx_drop_tombstone, "Dropped: a late segment of a connection that was closed")                          \
    X(records_facts, "Times the facts of a flow record were written")                                        \
    X(records_cursors, "Times the cursors of a flow record were written")                                    \
    X(turns_30us, "Turns that found work and took at most 30 us")                                            \
    X(turns_100us, "Turns that found work and took more than 30 us, at most 100 us")                         \
    X(turns_300us, "Turns that found work and took more than 100 us, at most 300 us")                        \
    X(turns_1ms, "Turns that found work and took more than 300 us, at most 1 ms")                            \
    X(turns_10ms, "Turns that found work and took more than 1 ms, at most 10 ms")                            \
    X(turns_100ms, "Turns that found work and took more than 10 ms, at most 100 ms")                         \
    X(turns_busy_ns, "Time spent in turns that found work")                                                  \
    X(connections_closed_idle, "TCP connections closed because nothing happened on them for too long")

#define COUNTER_ENUM_NIC(name, help) NIC_##name,
#define COUNTER_ENUM_LANE(name, help) LANE_##name,
#define COUNTER_ENUM_WORKER(name, help) WORKER_##name,

enum nic_counter { NIC_COUNTERS(COUNTER_ENUM_NIC) N_NIC_COUNTERS };
enum lane_counter { LANE_COUNTERS(COUNTER_ENUM_LANE) N_LANE_COUNTERS };
enum worker_counter { WORKER_COUNTERS(COUNTER_ENUM_WORKER) N_WORKER_COUNTERS };

/* Upper bounds of the counters from turns_30us on, one each; a longer turn is in `turns` alone. */
#define WORKER_N_TURN_BOUNDS 6u
extern const uint64_t worker_turn_bounds_ns[WORKER_N_TURN_BOUNDS];

/* Worker: counts a turn that found work. */
static inline void counter_add_turn(counter set[N_WORKER_COUNTERS], uint64_t took_ns)
{
    unsigned i = 0;

    counter_add(set, WORKER_turns, 1);
    counter_add(set, WORKER_turns_busy_ns, took_ns);
    while (i < WORKER_N_TURN_BOUNDS && took_ns > worker_turn_bounds_ns[i])
        i++;
    if (i < WORKER_N_TURN_BOUNDS)
        counter_add(set, WORKER_turns_30us + i, 1);
}

/* One counter as lists show it. */
struct counter_text {
    const char *name;
    const char *help;
};

extern const struct counter_text nic_counter_texts[N_NIC_COUNTERS];
extern const struct counter_text lane_counter_texts[N_LANE_COUNTERS];
extern const struct counter_text worker_counter_texts[N_WORKER_COUNTERS];

#endif
