/* SPDX-License-Identifier: BSD-3-Clause */
/* dscp.h — which traffic class takes the urgent rings. One rule for both directions and all processes. */
#ifndef MPA_FLOW_DSCP_H
#define MPA_FLOW_DSCP_H

#include <stdbool.h>
#include <stdint.h>

#define DSCP_CS5 40u /* signalling; above it VOICE-ADMIT (44), EF (46), CS6 and CS7 (RFC 4594) */

/* `dscp` is the upper six bits of the IPv4 TOS or the IPv6 traffic class. */
static inline bool dscp_is_urgent(uint8_t dscp)
{
    return dscp >= DSCP_CS5;
}

#endif
