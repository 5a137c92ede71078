/* outcome.c: how a measurement or a check ended; see outcome.h. */
#include "measure/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *outcome_state_name(enum outcome_state state) {
    static const char *const names[] = {"ok", "wrong", "skipped", "error"};
    return names[state];
}

void outcome_set(struct outcome *outcome, enum outcome_state state, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    outcome->state = state;
    vsnprintf(outcome->reason, sizeof outcome->reason, format, arguments);
    va_end(arguments);
}

void outcome_from_error(struct outcome *outcome, const nst_error *error) {
    outcome_set(outcome, OUTCOME_FAILED, "%.*s", (int)strcspn(error->message, "\n"), error->message);
}
