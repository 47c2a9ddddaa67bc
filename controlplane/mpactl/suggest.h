/* SPDX-License-Identifier: BSD-3-Clause */
/* suggest.h — "did you mean": the known word that is nearest to one that is not known. Pure. */
#ifndef MPA_MPACTL_SUGGEST_H
#define MPA_MPACTL_SUGGEST_H

#include <stddef.h>

/* The search; begin with {.word = WORD}. */
struct suggestion {
    const char *word;
    const char *best; /* NULL: nothing is near; borrowed from suggest_try() */
    size_t distance;
};

/* Remembers `known` when it is nearer than what came before: a letter or two wrong, missing, too many or
 * swapped, or the word is its beginning. */
void suggest_try(struct suggestion *suggestion, const char *known);

#endif
