/* SPDX-License-Identifier: BSD-3-Clause */
/* event_text.h — events as lines for people. */
#ifndef MPA_MPACTL_EVENT_TEXT_H
#define MPA_MPACTL_EVENT_TEXT_H

#include <stdio.h>

#include "mpa/v1/control.pb-c.h"

/* "KIND what happened" without a line end: a sentence for hand-overs and adoptions, name="value" pairs for
 * everything else. Control characters become '?'. */
void event_text_print(const Mpa__V1__Event *event, FILE *out);

#endif
