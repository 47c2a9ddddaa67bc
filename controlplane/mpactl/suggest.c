/* SPDX-License-Identifier: BSD-3-Clause */
/* suggest.c — distance of two words by single letters (optimal string alignment). */
#include "controlplane/mpactl/suggest.h"

#include <string.h>

#define MAX_LETTERS 32u

static size_t least(size_t a, size_t b, size_t c)
{
    size_t n = a < b ? a : b;

    return n < c ? n : c;
}

static size_t distance(const char *left, const char *right)
{
    size_t n_left = strlen(left);
    size_t n_right = strlen(right);
    size_t rows[MAX_LETTERS + 1][MAX_LETTERS + 1];

    if (n_left > MAX_LETTERS || n_right > MAX_LETTERS)
        return MAX_LETTERS;
    for (size_t i = 0; i <= n_left; i++)
        rows[i][0] = i;
    for (size_t k = 0; k <= n_right; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= n_left; i++) {
        for (size_t k = 1; k <= n_right; k++) {
            size_t changed = left[i - 1] == right[k - 1] ? 0 : 1;

            rows[i][k] = least(rows[i - 1][k] + 1, rows[i][k - 1] + 1, rows[i - 1][k - 1] + changed);
            if (i > 1 && k > 1 && left[i - 1] == right[k - 2] && left[i - 2] == right[k - 1])
                rows[i][k] = least(rows[i][k], rows[i - 2][k - 2] + 1, rows[i][k]);
        }
    }
    return rows[n_left][n_right];
}

void suggest_try(struct suggestion *suggestion, const char *known)
{
    size_t length = strlen(suggestion->word);
    size_t limit = length < 4 ? 1 : 2;
    size_t n = distance(suggestion->word, known);

    if (length >= 2 && strncmp(known, suggestion->word, length) == 0)
        n = 1;
    if (n <= limit && (suggestion->best == NULL || n < suggestion->distance)) {
        suggestion->best = known;
        suggestion->distance = n;
    }
}
