/* error.h: how an error, or a note, is worded. Whoever detects it calls fail() once; callers only pass the status on. */
#ifndef SUPPORT_ERROR_H
#define SUPPORT_ERROR_H

#include "nst.h"

/* Writes the message (one line, no full stop: what was wrong, in which file, expected and found, what to do) into
 * `error`, which may be NULL, and returns `status`, so that a function can end with: return fail(error, NST_ERROR_...,
 * "..."). */
nst_status fail(nst_error *error, nst_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for an allocation on the host that failed; `what` says for what it was ("the style picture"). */
nst_status fail_memory(nst_error *error, size_t bytes, const char *what);

/* Writes the message into `note`, which may be NULL. What is there already stays: the first one counts. */
void remark(nst_note *note, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
