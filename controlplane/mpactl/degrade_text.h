/* SPDX-License-Identifier: BSD-3-Clause */
/* degrade_text.h — steps of degradation as text, for the commands that show them (cmd_degrade.c). */
#ifndef MPA_MPACTL_DEGRADE_TEXT_H
#define MPA_MPACTL_DEGRADE_TEXT_H

#include "mpa/v1/control.pb-c.h"

/* One decision to standard output: when, from where to where, and why. */
void degrade_print_decision(const Mpa__V1__DegradeDecision *decision);

#endif
