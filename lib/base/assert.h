/* SPDX-License-Identifier: BSD-3-Clause */
/* assert.h — mpa_assert(): our own bug, always on. Data of a peer or of the wire never reaches one. */
#ifndef MPA_BASE_ASSERT_H
#define MPA_BASE_ASSERT_H

/* Logs the expression with its place and aborts. */
_Noreturn void mpa_assert_failed(const char *expression, const char *file, int line);

#define mpa_assert(expression)                                                                               \
    (__builtin_expect(!!(expression), 1) ? (void)0 : mpa_assert_failed(#expression, __FILE__, __LINE__))

#define MPA_WARN_UNUSED __attribute__((warn_unused_result))
#define MPA_PRINTF(format_idx, first_idx) __attribute__((format(printf, format_idx, first_idx)))

#endif
