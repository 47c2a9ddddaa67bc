/* SPDX-License-Identifier: BSD-3-Clause */
/* stack.c — starting lwIP, addresses, listening ports, and one turn's run of the consumers. */
#include "worker/stack/stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <lwip/init.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "worker/stack/checksum.h"
#include "worker/stack/stack_internal.h"

/* lwIP calls back without a context, so the one stack of the process is found here. */
static struct stack *the_stack;

struct stack *stack_the(void)
{
    return the_stack;
}

u32_t sys_now(void)
{
    return (u32_t)((the_stack != NULL && the_stack->now_ns != 0 ? the_stack->now_ns : clock_now_ns()) /
                   CLOCK_NS_PER_MS);
}

unsigned short stack_lwip_checksum(const void *data, int len)
{
    return checksum(data, (size_t)len);
}

static const struct flow_key *stack_key_of(const void *context, uint32_t value)
{
    const struct stack *stack = context;

    return &stack->conns[value].key;
}

static size_t stack_conns_bytes(const struct stack *stack)
{
    return (size_t)stack->config.max_connections * sizeof(struct conn);
}

static int stack_init_memory(struct stack *stack)
{
    uint32_t n_buckets = stack->config.n_buckets == 0 ? 1 : stack->config.n_buckets;
    int failed = flow_table_init(&stack->flows, stack->config.max_connections, stack_key_of, stack);

    if (failed < 0)
        return failed;
    stack->bucket_mask = n_buckets - 1;
    stack->bucket_heads = malloc(n_buckets * sizeof(*stack->bucket_heads));
    stack->conns = mmap(NULL, stack_conns_bytes(stack), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack->bucket_heads != NULL && stack->conns != MAP_FAILED) {
        memset(stack->bucket_heads, 0xff, n_buckets * sizeof(*stack->bucket_heads)); /* CONN_NONE */
        failed = stack_records_init(stack);
        if (failed == 0)
            return 0;
    }
    if (stack->conns != MAP_FAILED)
        munmap(stack->conns, stack_conns_bytes(stack));
    free(stack->bucket_heads);
    flow_table_fini(&stack->flows);
    return failed < 0 ? failed : -ENOMEM;
}

int stack_init(struct stack *stack, const struct stack_config *config,
               const struct stack_callbacks *callbacks, void *context)
{
    int failed;

    *stack = (struct stack){.config = *config,
                            .callbacks = *callbacks,
                            .context = context,
                            .first_free = CONN_NONE,
                            .ready_head = CONN_NONE,
                            .dirty_head = CONN_NONE,
                            .blocked_head = CONN_NONE,
                            .zombie_head = CONN_NONE};
    failed = stack_init_memory(stack);
    if (failed < 0)
        return failed;
    the_stack = stack;
    stack->now_ns = clock_now_ns();
    checksum_init();
    stack_isn_init(config->isn_key);
    lwip_init();
    stack_timer_init(stack);
    stack_netif_init(stack);
    return 0;
}

void stack_fini(struct stack *stack)
{
    stack_records_fini(stack);
    for (uint32_t idx = 0; idx < stack->n_unused_idx; idx++) {
        stack->conns[idx].flags &= ~(uint32_t)CONN_EXPORTED;
        if (stack->conns[idx].pcb != NULL)
            stack_conn_forget(stack, &stack->conns[idx]);
        stack->conns[idx].flags &= ~(uint32_t)(CONN_READY | CONN_BLOCKED);
    }
    stack_commit(stack);
    while (tcp_listen_pcbs.listen_pcbs != NULL)
        tcp_close((struct tcp_pcb *)tcp_listen_pcbs.pcbs);
    netif_remove(&stack->netif);
    flow_table_fini(&stack->flows);
    free(stack->bucket_heads);
    munmap(stack->conns, stack_conns_bytes(stack));
    the_stack = NULL;
}

/* IPv6 addresses beyond those given are removed; a connection on a removed address dies of its own accord. */
static void stack_set_address6(struct netif *netif, s8_t idx, const struct config_address *address)
{
    ip6_addr_t lwip_address;

    memcpy(lwip_address.addr, address->bytes, 16);
    ip6_addr_clear_zone(&lwip_address);
    ip6_addr_assign_zone(&lwip_address, IP6_UNICAST, netif);
    if (!ip6_addr_eq(netif_ip6_addr(netif, idx), &lwip_address))
        netif_ip6_addr_set(netif, idx, &lwip_address);
    netif_ip6_addr_set_state(netif, idx, IP6_ADDR_PREFERRED);
}

void stack_set_addresses(struct stack *stack, const struct host_facts *facts)
{
    struct netif *netif = &stack->netif;
    s8_t n_ip6 = 0;

    netif->mtu = facts->mtu_bytes;
    netif->mtu6 = facts->mtu_bytes;
    for (uint32_t i = 0; i < facts->n_addresses && i < HOST_SEGMENT_MAX_ADDRESSES; i++) {
        const struct config_address *address = &facts->addresses[i];

        if (address->family == 6 && n_ip6 < LWIP_IPV6_NUM_ADDRESSES) {
            stack_set_address6(netif, n_ip6++, address);
        } else if (address->family == 4) {
            ip4_addr_t ip, mask, any = {0};

            memcpy(&ip.addr, address->bytes, 4);
            mask.addr = htonl(address->prefix_bits == 0 ? 0 : ~0u << (32 - address->prefix_bits));
            netif_set_addr(netif, &ip, &mask, &any);
        }
    }
    for (; n_ip6 < LWIP_IPV6_NUM_ADDRESSES; n_ip6++)
        netif_ip6_addr_set_state(netif, n_ip6, IP6_ADDR_INVALID);
}

static err_t stack_on_passive_open(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
    (void)id;
    (void)listener;
    return stack_conn_new(the_stack, pcb) != NULL ? ERR_OK : ERR_MEM;
}

static void stack_on_destroy(u8_t id, void *data)
{
    (void)id;
    if (data != NULL)
        stack_conn_gone(the_stack, data);
}

static const struct tcp_ext_arg_callbacks stack_ext_callbacks = {stack_on_destroy, stack_on_passive_open};

void stack_conn_callbacks(struct stack *stack, struct tcp_pcb *pcb)
{
    (void)stack;
    tcp_ext_arg_set_callbacks(pcb, 0, &stack_ext_callbacks);
}

static err_t stack_on_accept(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct conn *conn = pcb == NULL ? NULL : stack_conn_of(pcb);

    (void)argument;
    if (error != ERR_OK || conn == NULL)
        return ERR_VAL;
    pcb->mss = LWIP_MAX(pcb->mss, STACK_MIN_MSS);
    conn->real_mss = pcb->mss;
    conn->flags |= CONN_OPEN;
    counter_add(the_stack->config.counters, WORKER_connections_accepted, 1);
    if (!the_stack->callbacks.opened(the_stack->context, conn))
        conn->flags |= CONN_ABORT;
    stack_mark_ready(the_stack, conn);
    return ERR_OK;
}

int stack_listen(struct stack *stack, uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    struct tcp_pcb *listener;

    if (pcb == NULL)
        return -ENOMEM;
    if (tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) {
        tcp_abort(pcb);
        return -EADDRINUSE;
    }
    listener = tcp_listen(pcb);
    if (listener == NULL) {
        tcp_abort(pcb);
        return -ENOMEM;
    }
    tcp_accept(listener, stack_on_accept);
    stack_conn_callbacks(stack, listener);
    return 0;
}

/* One connection: its consumer, then output, then the FIN it may owe. */
static void stack_run_one(struct stack *stack, struct conn *conn)
{
    conn->flags &= ~(uint32_t)CONN_READY;
    stack_mark_dirty(stack, conn);
    if (conn->pcb == NULL)
        return;
    if (conn->flags & CONN_ABORT) {
        tcp_abort(conn->pcb);
        return;
    }
    if (conn->flags & CONN_OPEN)
        stack->callbacks.ready(stack->context, conn);
    if (conn->pcb != NULL)
        stack_pump(stack, conn);
    if (conn->pcb != NULL)
        stack_timer_update(stack, conn);
}

/* Everything that was received in this turn is acknowledged at its end, unless data has carried the ACK. */
static void stack_acknowledge(struct stack *stack)
{
    for (uint32_t idx = stack->dirty_head; idx != CONN_NONE; idx = stack->conns[idx].dirty_next) {
        struct tcp_pcb *pcb = stack->conns[idx].pcb;

        if (pcb == NULL || pcb->state == TIME_WAIT || !(pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW)))
            continue;
        tcp_ack_now(pcb);
        tcp_output(pcb);
    }
}

static void stack_unblock(struct stack *stack)
{
    uint32_t idx = stack->blocked_head;

    if (idx == CONN_NONE || staging_is_congested(stack->config.staging))
        return;
    stack->blocked_head = CONN_NONE;
    while (idx != CONN_NONE) {
        struct conn *conn = &stack->conns[idx];

        idx = conn->ready_next;
        conn->flags &= ~(uint32_t)CONN_BLOCKED;
        stack_mark_ready(stack, conn);
    }
}

void stack_run(struct stack *stack)
{
    stack_unblock(stack);
    while (stack->ready_head != CONN_NONE) {
        struct conn *conn = &stack->conns[stack->ready_head];

        stack->ready_head = conn->ready_next;
        stack_run_one(stack, conn);
    }
    stack_acknowledge(stack);
}

bool stack_reset_flow(struct stack *stack, const struct flow_key *key)
{
    uint32_t idx = flow_table_find(&stack->flows, flow_key_hash(key, &stack->config.flow_seed), key);

    if (idx == FLOW_TABLE_NONE)
        return false;
    stack_lists_put(&stack->conns[idx]);
    tcp_abort(stack->conns[idx].pcb);
    return true;
}

void stack_drop_held_frames(struct stack *stack)
{
    for (uint32_t idx = 0; idx < stack->n_unused_idx; idx++) {
        struct tcp_pcb *pcb = stack->conns[idx].pcb;

        if (pcb != NULL && pcb->ooseq != NULL)
            tcp_free_ooseq(pcb);
    }
}

bool stack_has_work(const struct stack *stack)
{
    return stack->ready_head != CONN_NONE || stack->blocked_head != CONN_NONE;
}
