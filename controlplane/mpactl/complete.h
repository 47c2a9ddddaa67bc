/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * complete.h — which words may come next on a command line. The shells' functions (completion/) ask 'mpactl
 * complete WORD...', the last word being the one that is typed; so they know what this mpactl knows.
 */
#ifndef MPA_MPACTL_COMPLETE_H
#define MPA_MPACTL_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/mpactl/mpactl.h"

/* What may stand in a place. */
struct complete_place {
    const char *kind;   /* name of the value as in the syntax: "WORKER", "FILE", "on|off"; NULL: nothing */
    size_t kind_length; /* of it */
    bool is_option;     /* an option is being typed */
    const char *typed;  /* the part of the last word that is to be completed */
};

/* What the last of `words`, all of which come behind the command, is a part of. Pure. */
struct complete_place complete_find(const struct command_syntax *syntax, char *const *words, size_t n_words);

/* The value of a positional argument by its place: `skip` is how many of the alternatives in
 * syntax->arguments that fit are passed over; NULL when there are no more. */
const char *complete_argument(const struct command_syntax *syntax, char *const *words, size_t n_words,
                              size_t skip, size_t *length);

#endif
