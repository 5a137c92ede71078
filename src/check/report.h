/* report.h: what the checks of a device found: one line for each kernel or engine at one size. */
#ifndef CHECK_REPORT_H
#define CHECK_REPORT_H

#include "measure/outcome.h"

/* One kernel or engine at one size against float64 on the host. */
struct check_line {
    char name[64], detail[64]; /* "convolution 3x3, ReLU", "winograd, 64 to 64, 33 x 17" */
    struct outcome outcome;
    double error, bound; /* relative to the largest value, or to the value itself for a loss */
};

struct check_report {
    nst_device_info info;
    struct outcome outcome; /* of opening the device */
    struct check_line *lines;
    int count, capacity;
};

/* Adds a line. An error that is not a number, or above the bound, is wrong. */
nst_status check_report_add(struct check_report *report, const char *name, const char *detail, double error_found,
                            double bound, nst_error *error);
/* Adds a line for what could not be run. */
nst_status check_report_add_failure(struct check_report *report, const char *name, const char *detail,
                                    const nst_error *why, nst_error *error);

/* The first line that is not right, or NULL. */
const struct check_line *check_report_find_wrong(const struct check_report *report);
/* True if everything ran and every error is within its bound. */
bool check_report_is_right(const struct check_report *report);

void check_report_free(struct check_report *report);

#endif
