/* bench.h: how fast devices are at what this program does. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "bench/report.h"

struct bench_options {
    int sizes[BENCH_MOST_SIZES];
    int size_count;
    bool layers, no_start, no_cache;
    double seconds; /* for all sizes of a device, about; the start, probes, check and layers come on top */
    nst_precision precision;
    const nst_network *network;                 /* NULL: one in the shape of VGG-19 with random weights */
    void (*tell)(const char *what, void *user); /* called before each part of the run; may be NULL */
    void *user;
    const volatile int *cancel; /* not 0: finish the iteration in hand, and skip the rest; may be NULL */
};

/* Measures devices given as P:D. What goes wrong on a device is told in the report; the only errors returned are
 * those of the host (NST_ERROR_MEMORY). Best called before the process has opened a device: the start is measured in
 * a child. Free with bench_report_free, also after a failure. */
nst_status bench_run(const char *const *devices, int device_count, const struct bench_options *options,
                     struct bench_report *report, nst_error *error);

#endif
