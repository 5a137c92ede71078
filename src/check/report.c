/* report.c: what the checks of a device found; see report.h. */
#include "check/report.h"

#include "support/error.h"

#include <stdlib.h>

static struct check_line *add_line(struct check_report *report, const char *name, const char *detail,
                                   nst_error *error) {
    if (report->count == report->capacity) {
        int capacity = report->capacity ? 2 * report->capacity : 64;
        struct check_line *larger = realloc(report->lines, (size_t)capacity * sizeof *larger);
        if (!larger) {
            fail_memory(error, (size_t)capacity * sizeof *larger, "the report of a check");
            return NULL;
        }
        report->lines = larger;
        report->capacity = capacity;
    }
    struct check_line *line = &report->lines[report->count++];
    *line = (struct check_line){.outcome = {.state = OUTCOME_OK}};
    snprintf(line->name, sizeof line->name, "%s", name);
    snprintf(line->detail, sizeof line->detail, "%s", detail);
    return line;
}

nst_status check_report_add(struct check_report *report, const char *name, const char *detail, double error_found,
                            double bound, nst_error *error) {
    struct check_line *line = add_line(report, name, detail, error);
    if (!line) {
        return NST_ERROR_MEMORY;
    }
    line->error = error_found;
    line->bound = bound;
    if (!(error_found <= bound)) {
        outcome_set(&line->outcome, OUTCOME_WRONG, "the error is above its bound");
    }
    return NST_OK;
}

nst_status check_report_add_failure(struct check_report *report, const char *name, const char *detail,
                                    const nst_error *why, nst_error *error) {
    struct check_line *line = add_line(report, name, detail, error);
    if (!line) {
        return NST_ERROR_MEMORY;
    }
    outcome_from_error(&line->outcome, why);
    return NST_OK;
}

const struct check_line *check_report_find_wrong(const struct check_report *report) {
    for (int i = 0; i < report->count; ++i) {
        if (report->lines[i].outcome.state != OUTCOME_OK) {
            return &report->lines[i];
        }
    }
    return NULL;
}

bool check_report_is_right(const struct check_report *report) {
    return report->outcome.state == OUTCOME_OK && report->count > 0 && !check_report_find_wrong(report);
}

void check_report_free(struct check_report *report) {
    free(report->lines);
    *report = (struct check_report){0};
}
