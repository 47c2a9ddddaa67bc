/* SPDX-License-Identifier: BSD-3-Clause */
/* lwip_hooks.h — what stock lwIP calls in a worker; defined in dataplane/worker/stack/. */
#ifndef MPA_LWIP_WORKER_HOOKS_H
#define MPA_LWIP_WORKER_HOOKS_H

#include <lwip/arch.h>
#include <lwip/err.h>
#include <lwip/ip_addr.h>
#include <stddef.h>

struct tcp_pcb;
struct tcp_hdr;
struct pbuf;

u32_t stack_hook_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
/* LONG: lwIP gives the six parameters. */
err_t stack_hook_segment_in(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t options_len,
                            u16_t options1_len, u8_t *options2, struct pbuf *payload);
u32_t *stack_hook_segment_out(struct pbuf *packet, struct tcp_hdr *header, const struct tcp_pcb *pcb,
                              u32_t *options);

#define LWIP_HOOK_TCP_ISN stack_hook_isn
#define LWIP_HOOK_TCP_INPACKET_PCB stack_hook_segment_in
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS stack_hook_segment_out

#endif
