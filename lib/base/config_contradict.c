/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_contradict.c — the keys of the whole configuration against each other, defaults included: each is
 * allowed alone, but not all of them together. The blame goes to the key that stands in the file.
 */
#include "base/config_internal.h"

#include <string.h>

struct contradiction {
    const struct config *config;
    const struct config_index *index;
    struct config_report *report;
};

/* The line of the first of these keys that the file has, else of its section, else the first. */
static unsigned line_of_either(const struct config_index *index, const char *path, const char *other_path)
{
    const struct config_place *place = config_index_find(index, path);

    if (place == NULL)
        place = config_index_find(index, other_path);
    return place == NULL ? 1 : place->line;
}

/* The same address twice, even with another prefix length: the host stack would keep only one of them. One
 * message for each later entry, however often it came before. */
static void check_duplicates(const struct contradiction *check, uint32_t later_idx)
{
    const struct config_address *addresses = check->config->host.addresses;
    char later_path[CONFIG_TOKEN_BYTES], earlier_path[CONFIG_TOKEN_BYTES], text[CONFIG_ADDRESS_TEXT_BYTES];

    for (uint32_t i = 0; i < later_idx; i++) {
        if (addresses[i].family != addresses[later_idx].family ||
            memcmp(addresses[i].bytes, addresses[later_idx].bytes, sizeof(addresses[i].bytes)) != 0)
            continue;
        snprintf(later_path, sizeof(later_path), "host.addresses[%u]", later_idx);
        snprintf(earlier_path, sizeof(earlier_path), "host.addresses[%u]", i);
        config_address_format(&addresses[later_idx], text, sizeof(text));
        config_fault(check->report, line_of_either(check->index, later_path, "host.addresses"),
                     "key 'host.addresses': '%s' is given twice (first at line %u)", text,
                     line_of_either(check->index, earlier_path, "host.addresses"));
        return;
    }
}

/* True when `other` lies in the network of `address`: whole bytes first, then the bits of a broken one. */
static bool is_same_network(const struct config_address *address, const struct config_address *other)
{
    const unsigned n_whole = address->prefix_bits / 8u;
    const unsigned n_rest = address->prefix_bits % 8u;
    const uint8_t mask = (uint8_t)(0xff00u >> n_rest);

    if (address->family != other->family || memcmp(address->bytes, other->bytes, n_whole) != 0)
        return false;
    return n_rest == 0 || ((address->bytes[n_whole] ^ other->bytes[n_whole]) & mask) == 0;
}

/* A router is reached by its link address, so it must share a network with us (RFC 1122 section 3.3.1.1). */
static bool is_on_link(const struct config_host *host, const struct config_address *gateway)
{
    if (gateway->family == 6 && gateway->bytes[0] == 0xfe && (gateway->bytes[1] & 0xc0) == 0x80)
        return true; /* link-local */
    for (uint32_t i = 0; i < host->n_addresses; i++) {
        if (is_same_network(&host->addresses[i], gateway))
            return true;
    }
    return false;
}

/* A host that is its own router sends every packet back to itself. */
static bool is_own(const struct config_host *host, const struct config_address *gateway)
{
    for (uint32_t i = 0; i < host->n_addresses; i++) {
        if (host->addresses[i].family == gateway->family &&
            memcmp(host->addresses[i].bytes, gateway->bytes, sizeof(gateway->bytes)) == 0)
            return true;
    }
    return false;
}

/* `is_learnt`: networks may still come from DHCP or router advertisements. */
static void check_gateway(const struct contradiction *check, const char *path,
                          const struct config_address *gateway, bool is_learnt)
{
    const struct config_host *host = &check->config->host;
    const unsigned line = line_of_either(check->index, path, "host.addresses");

    if (gateway->family == 0)
        return;
    if (is_own(host, gateway))
        config_fault(check->report, line, "key '%s': is an address of this host itself", path);
    else if (!is_learnt && !is_on_link(host, gateway))
        config_fault(check->report, line, "key '%s': is on the link of no address in host.addresses", path);
}

/* Addresses and routers. With DHCP or SLAAC networks may come that the file does not name, so those checks
 * ask less. */
static void check_host(const struct contradiction *check)
{
    const struct config_host *host = &check->config->host;

    for (uint32_t i = 1; i < host->n_addresses; i++)
        check_duplicates(check, i);
    check_gateway(check, "host.gateway4", &host->gateway4, host->dhcp);
    check_gateway(check, "host.gateway6", &host->gateway6, host->slaac);
    if (host->n_addresses == 0 && !host->dhcp && !host->slaac)
        config_fault(check->report, line_of_either(check->index, "host.addresses", "host.slaac"),
                     "key 'host.addresses': the host has no address (allowed: addresses, dhcp or slaac)");
}

/* Keys that have a meaning only together with others. */
static void check_frontend(const struct contradiction *check)
{
    const struct config_frontend *frontend = &check->config->frontend;

    if (frontend->tx_cpu >= 0 && !frontend->split_threads)
        config_fault(
            check->report, line_of_either(check->index, "frontend.tx_cpu", "frontend.split_threads"),
            "key 'frontend.tx_cpu': there is no transmit thread (allowed: with split_threads: true)");
    if (frontend->reassembly_source_fragments > frontend->reassembly_fragments)
        config_fault(check->report,
                     line_of_either(check->index, "frontend.reassembly_source_fragments",
                                    "frontend.reassembly_fragments"),
                     "key 'frontend.reassembly_source_fragments': %u are more than all sources may have "
                     "(allowed: up to reassembly_fragments, %u)",
                     frontend->reassembly_source_fragments, frontend->reassembly_fragments);
}

/* Two services behind one port: the second could never be reached. */
static void check_services(const struct contradiction *check)
{
    const struct config_services *services = &check->config->services;
    const struct {
        const char *name;
        const struct config_service *service;
    } all[CONFIG_N_SERVICES] = {{"echo", &services->echo},
                                {"discard", &services->discard},
                                {"chargen", &services->chargen},
                                {"http", &services->http}};
    char path[CONFIG_TOKEN_BYTES], other_path[CONFIG_TOKEN_BYTES];

    for (size_t i = 0; i < CONFIG_N_SERVICES * CONFIG_N_SERVICES; i++) {
        const size_t later = i / CONFIG_N_SERVICES, earlier = i % CONFIG_N_SERVICES;

        if (earlier >= later || !all[earlier].service->enabled || !all[later].service->enabled ||
            all[earlier].service->port != all[later].service->port)
            continue;
        snprintf(path, sizeof(path), "services.%s.port", all[later].name);
        snprintf(other_path, sizeof(other_path), "services.%s.port", all[earlier].name);
        config_fault(check->report, line_of_either(check->index, path, other_path),
                     "key '%s': port %u is taken by service '%s'", path, all[later].service->port,
                     all[earlier].name);
    }
}

/* A score of nothing would find everything even; and one of ring depth alone would find what is uneven and
 * nothing to be done about it, for a deep ring tells that there is too much and not which buckets make it so.
 */
static void check_balance(const struct contradiction *check)
{
    const struct config_control *control = &check->config->control;

    if (control->balance_weight_cpu == 0 && control->balance_weight_connections == 0)
        config_fault(
            check->report,
            line_of_either(check->index, "control.balance_weight_cpu", "control.balance_weight_connections"),
            "key 'control.balance_weight_cpu': is 0 as balance_weight_connections is (allowed: one of the "
            "two "
            "above 0)");
}

/* A ladder that rises, and whose first step has an end. */
static void check_degrade(const struct contradiction *check)
{
    const struct config_control *control = &check->config->control;
    const struct {
        const char *path;
        uint32_t permille;
    } steps[] = {{"control.degrade_relief_permille", control->degrade_relief_permille},
                 {"control.degrade_congested_permille", control->degrade_congested_permille},
                 {"control.degrade_all_permille", control->degrade_all_permille},
                 {"control.degrade_idle_permille", control->degrade_idle_permille},
                 {"control.degrade_workers_permille", control->degrade_workers_permille}};

    for (size_t i = 1; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].permille > steps[i - 1].permille)
            continue;
        config_fault(check->report, line_of_either(check->index, steps[i].path, steps[i - 1].path),
                     "key '%s': %u is not above %s, %u", steps[i].path, steps[i].permille, steps[i - 1].path,
                     steps[i - 1].permille);
    }
}

/* Remote control without all three files would be remote control for anybody, or for nobody. */
static void check_remote(const struct contradiction *check)
{
    const struct config_control *control = &check->config->control;

    if (!config_listen_is_off(control->remote) &&
        (control->tls_cert[0] == '\0' || control->tls_key[0] == '\0' || control->tls_ca[0] == '\0'))
        config_fault(check->report, line_of_either(check->index, "control.remote", "control.tls_cert"),
                     "key 'control.remote': needs certificates (allowed: with tls_cert, tls_key and tls_ca)");
}

/* Scaling needs room to be in, and must not answer to the same score both ways. */
static void check_scale(const struct contradiction *check)
{
    const struct config_worker *worker = &check->config->worker;
    const struct config_control *control = &check->config->control;

    if (worker->min > worker->max)
        config_fault(check->report, line_of_either(check->index, "worker.min", "worker.max"),
                     "key 'worker.min': %u is more than worker.max, %u", worker->min, worker->max);
    else if (worker->count < worker->min || worker->count > worker->max)
        config_fault(check->report,
                     line_of_either(check->index, "worker.count",
                                    worker->count < worker->min ? "worker.min" : "worker.max"),
                     "key 'worker.count': %u is not between worker.min, %u, and worker.max, %u",
                     worker->count, worker->min, worker->max);
    if (control->scale_down_permille >= control->scale_up_permille)
        config_fault(check->report,
                     line_of_either(check->index, "control.scale_down_permille", "control.scale_up_permille"),
                     "key 'control.scale_down_permille': %u is not below scale_up_permille, %u",
                     control->scale_down_permille, control->scale_up_permille);
}

void config_validate_whole(const struct config *config, const struct config_index *index,
                           struct config_report *report)
{
    const struct contradiction check = {config, index, report};

    check_host(&check);
    check_frontend(&check);
    check_services(&check);
    check_balance(&check);
    check_degrade(&check);
    check_remote(&check);
    check_scale(&check);
}
