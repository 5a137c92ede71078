/* report.c: frees a report of `nst bench`; see report.h. */
#include "bench/report.h"

#include <stdlib.h>

void bench_report_free(struct bench_report *report) {
    for (int i = 0; i < report->device_count; ++i) {
        tuning_free(&report->devices[i].tuning);
        for (int row = 0; row < report->devices[i].row_count; ++row) {
            free(report->devices[i].rows[row].layers);
            free(report->devices[i].rows[row].kernels);
        }
    }
    free(report->devices);
    *report = (struct bench_report){0};
}
