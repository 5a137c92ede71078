/* report.h: what `nst bench` measures: one struct, filled once, which every printer reads.
 *
 * A report has a block for each device: its description, its measured peaks, the time that it takes to start, and
 * whether its losses and gradients are right. Then follows a row for each picture size, and on request the single
 * layers. A failure is told in its place and stops nothing else.
 *
 * GFLOP are counted as for direct convolutions, so that engines which compute less can exceed the peak.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "check/gradient.h"
#include "device/tuning.h"
#include "measure/outcome.h"
#include "measure/timing.h"
#include "weights/network.h"

enum { BENCH_SCHEMA = 1, BENCH_MOST_SIZES = 16, BENCH_LONGEST_START_SECONDS = 30 };

/* One convolution in one direction. */
struct bench_layer {
    char name[LAYER_NAME_LENGTH], direction[12], engine[64]; /* with its parameters */
    bool pools; /* the pooling behind it, or its way back, is done along with it */
    int in_channels, out_channels, kernel_size, height, width; /* of what goes in */
    struct outcome outcome;
    struct timing timing;
    double gflop, gflops, share_of_peak;
};

/* One kernel, by the device's own clock, per iteration. */
struct bench_kernel {
    char name[64];
    double calls, ms, share; /* of the kernels' time */
};

/* One size: a square picture in one style of the same size, by the default recipe. */
struct bench_row {
    int size_px;
    char key[512];           /* the same for the same workload on the same device, whatever its driver */
    nst_precision precision; /* single or half: what it was measured in */
    struct outcome outcome;
    struct timing iteration; /* forward, losses, backward, optimizer step */
    double gflop, gflops, share_of_peak;
    uint64_t memory_bytes; /* peak of the buffers on the device */
    struct bench_layer *layers;
    int layer_count;
    struct bench_kernel *kernels;
    int kernel_count;
};

struct bench_device {
    nst_device_info info;
    struct outcome outcome;  /* of opening it and of the probes */
    nst_precision precision; /* that was asked for, and single where that was left to the program */
    double cold_seconds,
        warm_seconds; /* until the first loss is there; NAN: not known, INFINITY: longer than is waited for */
    double peak_gflops, bandwidth_gb_per_s;
    int peak_width, peak_chains; /* where the peak was reached */
    struct gradient_check check;
    struct tuning_table tuning; /* what `nst tune` found before, and this run used; empty if nothing */
    struct bench_row rows[BENCH_MOST_SIZES];
    int row_count;
};

struct bench_report {
    char version[32], date[32]; /* of the program; of the run, UTC */
    char network[64], sha256[65];
    bool made_up; /* a network with random weights */
    struct bench_device *devices;
    int device_count;
};

/* Accepts a report that is not complete. */
void bench_report_free(struct bench_report *report);

#endif
