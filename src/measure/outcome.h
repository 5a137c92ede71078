/* outcome.h: how a measurement or a check ended. */
#ifndef MEASURE_OUTCOME_H
#define MEASURE_OUTCOME_H

#include "nst.h"

enum { OUTCOME_REASON_LENGTH = 256 };

enum outcome_state {
    OUTCOME_OK,
    OUTCOME_WRONG,   /* measured, but its results are not right: its speed does not count */
    OUTCOME_SKIPPED, /* would take too long */
    OUTCOME_FAILED
};

struct outcome {
    enum outcome_state state;
    char reason[OUTCOME_REASON_LENGTH]; /* "" if ok */
};

const char *outcome_state_name(enum outcome_state state); /* ok, wrong, skipped, error */

/* Sets the state, and words the reason. */
void outcome_set(struct outcome *outcome, enum outcome_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The outcome of an error: its first line is the reason. */
void outcome_from_error(struct outcome *outcome, const nst_error *error);

#endif
