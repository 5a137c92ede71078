/* outcome.h: how a measurement or a check ended. */
#ifndef MEASURE_OUTCOME_H
#define MEASURE_OUTCOME_H

#include "nst.h"

enum { BENCH_REASON_LENGTH = 256 };

enum bench_state {
    BENCH_OK,
    BENCH_WRONG,   /* measured, but its results are not right: its speed does not count */
    BENCH_SKIPPED, /* would take too long */
    BENCH_FAILED
};

struct bench_outcome {
    enum bench_state state;
    char reason[BENCH_REASON_LENGTH]; /* "" if ok */
};

const char *bench_state_name(enum bench_state state); /* ok, wrong, skipped, error */

/* Words an outcome. */
void outcome_set(struct bench_outcome *outcome, enum bench_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An error becomes an outcome, on one line. */
void outcome_from_error(struct bench_outcome *outcome, const nst_error *error);

#endif
