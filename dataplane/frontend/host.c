/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.c — the host stack's life: netifs, addresses, time.
 *
 * Time is the caller's: lwIP's clock moves only in host_tick(). It starts with the first tick and continues
 * where it was when another host stack is made in the same process (tests), because lwIP's list of timers
 * outlives its netifs. Nothing is transmitted before the first tick.
 *
 * lwIP cannot tell of everything that matters here (a router's MTU, a neighbour's new address), so after each
 * call that may have changed something the result is compared with what was there before: host_refresh().
 */
#include "frontend/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/icmp.h>
#include <lwip/icmp6.h>
#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/nd6.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <lwip_hooks.h>

#include "base/clock.h"
#include "base/log.h"
#include "frontend/host_internal.h"
#include "frontend/wire.h"

/* How long an answer of host_next_hop() may be cached: use must be seen for a neighbour to stay confirmed. */
#define EPOCH_LIFE_NS (30 * CLOCK_NS_PER_S)
#define ICMP_BYTES 8u
#define ICMP_QUOTED_BYTES 8u

/*
 * lwIP's own state is global and so are the two ways it calls without an argument of ours: its clock and the
 * gateway hook. A process has at most one host stack.
 */
static bool lwip_is_initialised;
static uint64_t lwip_clock_ns; /* never goes back */
static struct host *only_host;

/* lwIP takes milliseconds modulo 2^32 and compares by subtraction. */
u32_t sys_now(void)
{
    return (u32_t)(lwip_clock_ns / CLOCK_NS_PER_MS);
}

/*
 * Called by lwIP for every new destination off the link. A configured gateway wins over advertised routers:
 * the operator has said so, and anybody on the link can advertise.
 */
const ip6_addr_t *host_hook_gateway6(struct netif *netif, const ip6_addr_t *destination)
{
    (void)netif;
    (void)destination;
    return only_host->has_gateway6 ? &only_host->gateway6 : NULL;
}

/* Reads the netifs, not host->addresses: a lease may have come or gone inside the same call into lwIP. */
bool host_owns4(const struct host *host, const uint8_t address[4])
{
    for (uint32_t i = 0; i < host->n_links; i++) {
        const ip4_addr_t *own = netif_ip4_addr(&host->links[i]);

        if (!ip4_addr_isany(own) && memcmp(&own->addr, address, 4) == 0)
            return true;
    }
    return false;
}

bool host_owns6(const struct host *host, const uint8_t address[16], bool or_tentative)
{
    const struct netif *link = &host->links[0];

    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        uint8_t state = netif_ip6_addr_state(link, i);

        if ((ip6_addr_isvalid(state) || (or_tentative && ip6_addr_istentative(state))) &&
            memcmp(netif_ip6_addr(link, i)->addr, address, 16) == 0)
            return true;
    }
    return false;
}

/* Appends an address unless the list is full. */
static void list_address(struct host_addresses *list, uint8_t family, const void *bytes, uint8_t prefix_bits)
{
    struct config_address *address = &list->addresses[list->n_addresses];

    if (list->n_addresses == HOST_MAX_ADDRESSES)
        return;
    address->family = family;
    address->prefix_bits = prefix_bits;
    memcpy(address->bytes, bytes, family == 4 ? 4 : 16);
    list->n_addresses++;
}

/* A configured address has the length it was given; those that lwIP made (SLAAC) have the only one it knows.
 */
static uint8_t prefix_bits6(const struct host *host, const ip6_addr_t *address)
{
    for (uint32_t i = 0; i < host->n_static6; i++) {
        if (memcmp(host->static6[i].bytes, address->addr, 16) == 0)
            return host->static6[i].prefix_bits;
    }
    return HOST_LWIP_PREFIX_BITS;
}

/* What we have now. The link-local address comes last: it gives way when there are too many. */
static void list_addresses(const struct host *host, struct host_addresses *list)
{
    const struct netif *link = &host->links[0];

    memset(list, 0, sizeof(*list)); /* the whole of it is compared */
    for (uint32_t i = 0; i < host->n_links; i++) {
        const struct netif *alias = &host->links[i];

        if (!ip4_addr_isany(netif_ip4_addr(alias)))
            list_address(list, 4, &netif_ip4_addr(alias)->addr,
                         (uint8_t)__builtin_popcount(netif_ip4_netmask(alias)->addr));
    }
    for (int i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(link, i)))
            list_address(list, 6, netif_ip6_addr(link, i)->addr, prefix_bits6(host, netif_ip6_addr(link, i)));
    }
    if (ip6_addr_isvalid(netif_ip6_addr_state(link, 0)))
        list_address(list, 6, netif_ip6_addr(link, 0)->addr, HOST_LWIP_PREFIX_BITS);
    list->mtu_bytes = host->mtu_bytes;
    if (netif_mtu6(link) != 0 && netif_mtu6(link) < host->mtu_bytes)
        list->mtu_bytes = netif_mtu6(link);
}

/*
 * The epoch moves before the callback runs, so that a caller who throws its cache away inside changed() and
 * asks again cannot be left with an old answer under the new number.
 */
void host_refresh(struct host *host)
{
    struct host_addresses now;
    uint64_t hash = host_neighbours_hash(host);

    list_addresses(host, &now);
    if (hash != host->neighbours_hash) {
        host->neighbours_hash = hash;
        host->epoch++;
    }
    if (memcmp(&now, &host->addresses, sizeof(now)) != 0) {
        host->addresses = now;
        host->epoch++;
        host->callbacks.changed(host->context, &host->addresses);
    }
}

/*
 * netif_add() callback. The link is called up from the start: a carrier that is lost shows as neighbours that
 * do not answer, and the NIC backend reports it. Group membership is kept once, on the first netif.
 */
static err_t init_link(struct netif *netif)
{
    const struct host *host = netif->state;

    netif->name[0] = 'm';
    netif->name[1] = 'p';
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, host->mac, ETH_HWADDR_LEN);
    netif->mtu = host->mtu_bytes;
    netif->mtu6 = host->mtu_bytes;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    if (netif == &host->links[0])
        netif->flags |= NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    host_output_attach(netif);
    return ERR_OK;
}

/* Frames come in through host_input(), never through the netif. */
static err_t refuse_input(struct pbuf *p, struct netif *netif)
{
    (void)netif;
    pbuf_free(p);
    return ERR_OK;
}

/* With an empty mask (no address yet) every gateway is in the network: DHCP will replace it. */
static bool is_same_net(const ip4_addr_t *a, const ip4_addr_t *b, const ip4_addr_t *mask)
{
    return ((a->addr ^ b->addr) & mask->addr) == 0;
}

/* One more netif; `address` NULL: without an IPv4 address so far. */
static void add_link(struct host *host, const struct config_address *address,
                     const struct config_address *gateway)
{
    ip4_addr_t ip = {0};
    ip4_addr_t mask = {0};
    ip4_addr_t router = {0};
    ip4_addr_t no_router = {0};

    if (address != NULL) {
        memcpy(&ip.addr, address->bytes, 4);
        mask.addr = lwip_htonl(address->prefix_bits == 0 ? 0 : 0xffffffffu << (32 - address->prefix_bits));
    }
    if (gateway->family == 4)
        memcpy(&router.addr, gateway->bytes, 4);
    /* A gateway outside the network could not be asked for. */
    if (!is_same_net(&ip, &router, &mask))
        router = no_router;
    /* Fails only when lwIP has no netif number left, of 254. */
    mpa_assert(netif_add(&host->links[host->n_links], &ip, &mask, &router, host, init_link, refuse_input) !=
               NULL);
    host->n_links++;
}

/*
 * Netifs for the configured IPv4 addresses: with DHCP the first stays free for its address. A gateway belongs
 * to the netif whose network it is in.
 */
static void add_links(struct host *host, const struct config_host *config)
{
    if (config->dhcp)
        add_link(host, NULL, &config->gateway4);
    for (uint32_t i = 0; i < config->n_addresses && host->n_links < HOST_MAX_LINKS; i++) {
        if (config->addresses[i].family == 4)
            add_link(host, &config->addresses[i], &config->gateway4);
    }
    if (host->n_links == 0)
        add_link(host, NULL, &config->gateway4);
    netif_set_default(&host->links[0]);
    for (uint32_t i = 0; i < host->n_links; i++) {
        if (!ip4_addr_isany(netif_ip4_gw(&host->links[i])))
            netif_set_default(&host->links[i]);
    }
}

/* The caller's configuration is borrowed for host_new(); what the first tick needs is copied here. */
static void keep_config(struct host *host, const struct config *config)
{
    const struct config_host *own = &config->host;

    host->mtu_bytes = config->nic.mtu_bytes;
    host->wants_dhcp = own->dhcp;
    host->wants_slaac = own->slaac;
    for (uint32_t i = 0; i < own->n_addresses; i++) {
        if (own->addresses[i].family != 6)
            continue;
        host->static6[host->n_static6++] = own->addresses[i];
        if (own->addresses[i].prefix_bits < HOST_LWIP_PREFIX_BITS)
            log_warn("host_prefix_length address_idx=%u prefix_bits=%u used_as=%u", i,
                     own->addresses[i].prefix_bits, HOST_LWIP_PREFIX_BITS);
    }
    if (own->gateway6.family == 6) {
        host->has_gateway6 = true;
        memcpy(host->gateway6.addr, own->gateway6.bytes, 16);
    }
}

/*
 * The first tick: interfaces up, addresses asked for and announced. Up before the IPv6 addresses are added,
 * so that each announces its group and begins its duplicate address detection at once.
 */
static void bring_up(struct host *host)
{
    struct netif *link = &host->links[0];

    host->is_up = true;
    netif_set_ip6_autoconfig_enabled(link, host->wants_slaac ? 1 : 0);
    netif_create_ip6_linklocal_address(link, 1);
    for (uint32_t i = 0; i < host->n_links; i++)
        netif_set_up(&host->links[i]);
    /* netif_set_up() has armed router solicitations; without SLAAC their answers would be dropped. */
    if (!host->wants_slaac)
        link->rs_count = 0;
    for (uint32_t i = 0; i < host->n_static6; i++) {
        ip6_addr_t address;

        memcpy(address.addr, host->static6[i].bytes, 16);
        if (netif_add_ip6_address(link, &address, NULL) != ERR_OK)
            log_warn("host_address_refused reason=too_many idx=%u", i);
    }
    host_take_held(host);
    if (host->wants_dhcp && dhcp_start(link) != ERR_OK)
        log_warn("host_dhcp_failed reason=memory");
}

/* All memory but lwIP's static pools. On failure errno is set and host_free() gives back the rest. */
static bool allocate(struct host *host, const struct config *config)
{
    struct reassembly_limits limits = {config->frontend.reassembly_fragments,
                                       config->frontend.reassembly_source_fragments, config->nic.mtu_bytes};

    host->reassembly = reassembly_new(&limits);
    if (host->reassembly == NULL)
        return false;
    host->linear = malloc(HOST_LINEAR_BYTES);
    host->large = malloc(sizeof(*host->large));
    host->probe = pbuf_alloc(PBUF_LINK, WIRE_IP6_BYTES, PBUF_RAM);
    if (host->linear == NULL || host->large == NULL || host->probe == NULL) {
        errno = ENOMEM;
        return false;
    }
    memset(host->probe->payload, 0, WIRE_IP6_BYTES);
    return true;
}

struct host *host_new(const struct config *config, const uint8_t mac[6],
                      const struct host_callbacks *callbacks, void *context)
{
    struct host *host;

    mpa_assert(only_host == NULL);
    host = calloc(1, sizeof(*host));
    if (host == NULL)
        return NULL;
    if (!lwip_is_initialised)
        lwip_init();
    lwip_is_initialised = true;
    host->callbacks = *callbacks;
    host->context = context;
    host->counters = host->own_counters;
    memcpy(host->mac, mac, sizeof(host->mac));
    keep_config(host, config);
    only_host = host;
    if (!allocate(host, config) ||
        getrandom(&host->identification, sizeof(host->identification), 0) < (ssize_t)sizeof(uint32_t)) {
        int reason = errno;

        host_free(host);
        errno = reason;
        return NULL;
    }
    add_links(host, &config->host);
    list_addresses(host, &host->addresses);
    return host;
}

/*
 * Netifs go in the opposite order, the first last: removing one clears its neighbours in lwIP's tables, and
 * the references to the probe with them.
 */
void host_free(struct host *host)
{
    if (host == NULL)
        return;
    host->is_up = false; /* nothing is sent any more: no release of the lease, no farewell to groups */
    for (uint32_t i = host->n_links; i > 0; i--) {
        if (i == 1 && host->wants_dhcp && netif_dhcp_data(&host->links[0]) != NULL) {
            dhcp_stop(&host->links[0]);
            dhcp_cleanup(&host->links[0]);
        }
        netif_remove(&host->links[i - 1]);
    }
    if (host->probe != NULL)
        pbuf_free(host->probe);
    reassembly_free(host->reassembly);
    free(host->linear);
    free(host->large);
    only_host = NULL;
    free(host);
}

void host_set_counters(struct host *host, counter *nic_counters)
{
    host->counters = nic_counters;
}

const struct host_addresses *host_addresses(const struct host *host)
{
    return &host->addresses;
}

uint32_t host_epoch(const struct host *host)
{
    return host->epoch;
}

/* ICMP time exceeded for a fragment (RFC 792); lwIP has it only together with its own reassembly. */
static void tell_expired4(const uint8_t *header, uint32_t header_len, const uint8_t *payload)
{
    struct pbuf *p = pbuf_alloc(PBUF_IP, (u16_t)(ICMP_BYTES + header_len + ICMP_QUOTED_BYTES), PBUF_RAM);
    ip4_addr_t source;
    ip4_addr_t destination;
    uint8_t *message;

    if (p == NULL)
        return;
    message = p->payload;
    memset(message, 0, ICMP_BYTES);
    message[0] = ICMP_TE;
    message[1] = ICMP_TE_FRAG;
    memcpy(message + ICMP_BYTES, header, header_len);
    memcpy(message + ICMP_BYTES + header_len, payload, ICMP_QUOTED_BYTES);
    wire_put16(message + 2, wire_fold(wire_sum(0, message, p->len)));
    memcpy(&source.addr, header + WIRE_IP4_DESTINATION_OFF, 4);
    memcpy(&destination.addr, header + WIRE_IP4_SOURCE_OFF, 4);
    (void)ip4_output(p, &source, &destination, ICMP_TTL, 0, IP_PROTO_ICMP);
    pbuf_free(p);
}

/* Here lwIP has the message; it quotes the first fragment with its fragment header, as received. */
static void tell_expired6(const uint8_t *header, uint32_t header_len, const uint8_t *payload,
                          uint32_t payload_len)
{
    struct pbuf *p = pbuf_alloc(PBUF_LINK, (u16_t)(header_len + payload_len), PBUF_RAM);
    ip6_addr_t source;
    ip6_addr_t destination;

    if (p == NULL)
        return;
    pbuf_take(p, header, (u16_t)header_len);
    pbuf_take_at(p, payload, (u16_t)payload_len, (u16_t)header_len);
    memcpy(source.addr, header + WIRE_IP6_SOURCE_OFF, 16);
    memcpy(destination.addr, header + WIRE_IP6_DESTINATION_OFF, 16);
    icmp6_time_exceeded_with_addrs(p, ICMP6_TE_FRAG, &source, &destination);
    pbuf_free(p);
}

/* RFC 1122 3.3.2, RFC 8200 4.5: the sender of a datagram that never became whole is told. */
static void tell_expired(void *context, const uint8_t *header, uint32_t header_len, const uint8_t *payload,
                         uint32_t payload_len)
{
    (void)context;
    /* Fewer bytes cannot be quoted; a first fragment has more follow, so it has at least eight. */
    if (payload_len < ICMP_QUOTED_BYTES)
        return;
    if (header[0] >> 4 == 4)
        tell_expired4(header, header_len, payload);
    else
        tell_expired6(header, header_len, payload, payload_len);
}

/* What is looked after once a second: lives of datagrams in pieces, and the age of the caller's cache. */
static void tick_second(struct host *host)
{
    host->next_second_ns = host->now_ns + CLOCK_NS_PER_S;
    reassembly_expire(host->reassembly, host->now_ns, tell_expired, host);
    if (host->now_ns < host->next_epoch_ns)
        return;
    host->next_epoch_ns = host->now_ns + EPOCH_LIFE_NS;
    host->epoch++;
}

uint32_t host_tick(struct host *host, uint64_t now_ns)
{
    bool is_first = !host->is_up;

    if (!is_first && now_ns > host->now_ns)
        lwip_clock_ns += now_ns - host->now_ns;
    host->now_ns = now_ns;
    if (is_first)
        bring_up(host);
    /* Called every turn of the loop: most turns nothing is due. */
    if (is_first || sys_timeouts_sleeptime() == 0 || now_ns >= host->next_second_ns) {
        sys_check_timeouts();
        if (now_ns >= host->next_second_ns)
            tick_second(host);
        host_refresh(host);
    }
    return sys_timeouts_sleeptime();
}
