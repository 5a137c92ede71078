/* bench.c: goes through the devices and sizes and fills in the report; see bench.h. */
#include "bench/bench.h"

#include "bench/parts.h"
#include "device/findings.h"
#include "device/select.h"
#include "support/clock.h"
#include "support/error.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- One device -------------------------------------------------------------------------------------------------- */

struct device_run {
    const char *name; /* P:D */
    const struct bench_options *options;
    struct workload workload;
    nst_context *context;
    struct bench_device *device;
    double end;               /* when its time is up */
    double seconds_per_gflop; /* of the last size, 0 before */
};

static void tell(const struct bench_options *options, const char *format, ...) {
    char text[160];
    va_list arguments;
    if (!options->tell) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    options->tell(text, options->user);
}

static bool is_stopped(const struct bench_options *options) {
    return options->cancel && *options->cancel;
}

struct stoppable_job {
    nst_job *job;
    const struct bench_options *options;
};

/* A timed_run. */
static nst_status run_stoppable(void *user, int count, nst_error *error) {
    struct stoppable_job *stoppable = user;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < count; ++i) {
        status = is_stopped(stoppable->options) ? fail(error, NST_CANCELED, "stopped")
                                                : workload_steps(stoppable->job, 1, error);
    }
    return status;
}

static nst_status time_iterations(struct device_run *run, double seconds, struct bench_row *row, nst_error *error) {
    struct stoppable_job stoppable = {.options = run->options};
    run->context->peak_bytes = run->context->allocated_bytes;
    nst_status status = workload_job(run->context, &run->workload, row->size_px, &stoppable.job, error);
    if (!status) {
        row->precision = nst_job_precision(stoppable.job);
        status = timing_measure(run_stoppable, &stoppable, seconds, &row->iteration, error);
    }
    row->memory_bytes = run->context->peak_bytes;
    nst_job_destroy(stoppable.job);
    return status;
}

/* Rows of the same device and workload have the same key, whatever the driver. */
static void set_key(const struct device_run *run, struct bench_row *row) {
    const nst_device_info *info = &run->device->info;
    snprintf(row->key, sizeof row->key, "%s | %s | %s%s | %d px", info->platform,
             *info->board ? info->board : info->name, nst_network_name(run->workload.network),
             row->precision == NST_PRECISION_HALF ? " in halves" : "", row->size_px);
}

static void measure_details(struct device_run *run, double seconds, struct bench_row *row) {
    nst_error error;
    tell(run->options, "%s: %d px, layer by layer", run->name, row->size_px);
    struct workload workload = {run->workload.network, row->precision};
    if (layers_measure(run->context, &workload, seconds, row, &error) ||
        kernels_measure(run->name, &workload, run->options->no_cache, row, &error)) {
        tell(run->options, "%s: %s", run->name, error.message);
    }
}

/* The part of the time for one size: as much as it has of the pixels of all sizes that are left. */
static double part_of(const struct bench_row *rows, int count) {
    double pixels = 0;
    for (int i = 0; i < count; ++i) {
        pixels += (double)rows[i].size_px * rows[i].size_px;
    }
    return (double)rows[0].size_px * rows[0].size_px / pixels;
}

/* For the choice of devices and for estimates, from the usual network at sizes that fill a device; that of the largest
 * remains. */
static void keep_speed(const struct device_run *run, const struct bench_row *row) {
    enum { LEAST_PX = 256 };
    if (run->context->keeps_findings && row->size_px >= LEAST_PX && row->precision != NST_PRECISION_HALF &&
        strncmp(nst_network_name(run->workload.network), "vgg19", 5) == 0) {
        findings_keep_speed(&run->device->info, row->gflops);
    }
}

/* One size, the first of `rows_left`. */
static void measure_row(struct device_run *run, int rows_left, struct bench_row *row) {
    enum { LEAST_RUNS = 5 }; /* warming up, and three samples */
    nst_error error;
    double left = run->end - seconds_now(), part = left * part_of(row, rows_left);
    row->gflop = workload_gflop(run->workload.network, row->size_px);
    set_key(run, row);
    double needed = LEAST_RUNS * row->gflop * run->seconds_per_gflop;
    if (needed > left && run->seconds_per_gflop > 0) {
        outcome_set(&row->outcome, OUTCOME_SKIPPED,
                    "would take about %.0f s, more than is left of the time (--seconds)", needed);
        return;
    }
    tell(run->options, "%s: %d px", run->name, row->size_px);
    /* The rest is for making the job and warming up. */
    nst_status status = time_iterations(run, 0.6 * part, row, &error);
    set_key(run, row); /* the job chose its precision */
    if (status) {
        outcome_from_error(&row->outcome, &error);
        row->outcome.state = error.status == NST_CANCELED ? OUTCOME_SKIPPED : OUTCOME_FAILED;
        return;
    }
    run->seconds_per_gflop = row->iteration.median_ms * 1e-3 / row->gflop;
    row->gflops = 1 / run->seconds_per_gflop;
    if (run->device->check.outcome.state != OUTCOME_OK) {
        row->outcome = run->device->check.outcome;
    } else {
        keep_speed(run, row);
    }
}

/* Last, so that it takes no time from the sizes. */
static void measure_all_details(struct device_run *run) {
    struct bench_device *device = run->device;
    for (int i = 0; i < device->row_count; ++i) {
        if (device->rows[i].outcome.state <= OUTCOME_WRONG && !is_stopped(run->options)) {
            measure_details(run, 0.5 * run->options->seconds / device->row_count, &device->rows[i]);
        }
    }
}

static int compare_sizes(const void *a, const void *b) {
    const struct bench_row *x = a, *y = b;
    return x->size_px - y->size_px;
}

/* From small to large, so that the time of the next can be foretold. */
static void list_sizes(struct device_run *run) {
    struct bench_device *device = run->device;
    device->row_count = run->options->size_count;
    for (int i = 0; i < device->row_count; ++i) {
        device->rows[i].size_px = run->options->sizes[i];
        device->rows[i].precision = device->precision;
    }
    qsort(device->rows, (size_t)device->row_count, sizeof *device->rows, compare_sizes);
}

static void fail_rows(struct device_run *run, const nst_error *error) {
    outcome_from_error(&run->device->outcome, error);
    run->device->outcome.state = error->status == NST_CANCELED ? OUTCOME_SKIPPED : OUTCOME_FAILED;
    for (int i = 0; i < run->device->row_count; ++i) {
        run->device->rows[i].outcome = run->device->outcome;
        set_key(run, &run->device->rows[i]);
    }
}

static void set_shares(struct bench_device *device) {
    for (int i = 0; i < device->row_count; ++i) {
        struct bench_row *row = &device->rows[i];
        row->share_of_peak = row->gflops / device->peak_gflops;
        for (int n = 0; n < row->layer_count; ++n) {
            row->layers[n].share_of_peak = row->layers[n].gflops / device->peak_gflops;
        }
    }
}

static nst_status copy_tuning(const struct tuning_table *from, struct tuning_table *to, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < from->count; ++i) {
        status = tuning_set(to, &from->rows[i], error);
    }
    return status;
}

static void measure_device(struct device_run *run) {
    enum { SLOW_GFLOPS = 20 };
    struct bench_device *device = run->device;
    nst_error error;
    nst_context_options options = {.device = run->name, .no_cache = run->options->no_cache, .unchecked = true};
    device->precision = run->workload.precision == NST_PRECISION_HALF ? NST_PRECISION_HALF : NST_PRECISION_SINGLE;
    list_sizes(run);
    nst_status status = NST_OK;
    if (is_stopped(run->options)) {
        status = fail(&error, NST_CANCELED, "stopped");
    } else {
        tell(run->options, "%s: peak and bandwidth", run->name);
        status = nst_context_create(&options, &run->context, &error);
    }
    if (!status) {
        device->info = run->context->info;
        status = copy_tuning(&run->context->tuning, &device->tuning, &error);
    }
    if (!status) {
        status = peak_measure(run->context, device, &error);
    }
    if (status) {
        select_parse_position(run->name, &device->info.platform_index, &device->info.device_index);
        fail_rows(run, &error);
    } else {
        tell(run->options, "%s: checking losses and gradient", run->name);
        double seconds;
        /* The plain engine reaches a small part of the peak: on emulations a larger picture would take minutes. */
        int check_px = device->peak_gflops < SLOW_GFLOPS ? 22 : 62;
        gradient_check_run(run->context, &run->workload, check_px, &device->check, &seconds);
        run->seconds_per_gflop = seconds / workload_gflop(run->workload.network, device->check.size_px);
        run->end = seconds_now() + run->options->seconds;
        for (int i = 0; i < device->row_count; ++i) {
            measure_row(run, device->row_count - i, &device->rows[i]);
        }
        if (run->options->layers) {
            measure_all_details(run);
        }
        /* What happened to be slow at the beginning, because of others on this machine, perhaps is not now. */
        if (!is_stopped(run->options)) {
            peak_measure_again(run->context, device, NULL);
        }
        set_shares(device);
    }
    nst_context_destroy(run->context);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static void begin_report(const nst_network *network, bool made_up, struct bench_report *report) {
    time_t now = time(NULL);
    struct tm *utc = gmtime(&now);
    snprintf(report->version, sizeof report->version, "%s", NST_VERSION);
    if (utc) {
        strftime(report->date, sizeof report->date, "%Y-%m-%dT%H:%M:%SZ", utc);
    }
    snprintf(report->network, sizeof report->network, "%s", nst_network_name(network));
    snprintf(report->sha256, sizeof report->sha256, "%s", nst_network_sha256(network));
    report->made_up = made_up;
}

nst_status bench_run(const char *const *devices, int device_count, const struct bench_options *options,
                     struct bench_report *report, nst_error *error) {
    nst_network *made = NULL;
    *report = (struct bench_report){0};
    if (!options->network) {
        nst_status status = workload_network(&made, error);
        if (status) {
            return status;
        }
    }
    const nst_network *network = made ? made : options->network;
    const struct workload workload = {network, options->precision};
    begin_report(network, made != NULL, report);
    report->devices = calloc((size_t)device_count + 1, sizeof *report->devices);
    if (!report->devices) {
        nst_network_destroy(made);
        return fail_memory(error, (size_t)device_count * sizeof *report->devices, "the devices of a benchmark");
    }
    report->device_count = device_count;
    /* Children first: this process must not have opened a device. */
    for (int i = 0; i < device_count; ++i) {
        report->devices[i].cold_seconds = report->devices[i].warm_seconds = NAN;
        if (!options->no_start && !is_stopped(options)) {
            tell(options, "%s: start with empty and with full caches", devices[i]);
            start_measure(devices[i], &workload, &report->devices[i].cold_seconds, &report->devices[i].warm_seconds);
        }
    }
    for (int i = 0; i < device_count; ++i) {
        struct device_run run = {
            .name = devices[i], .options = options, .workload = workload, .device = &report->devices[i]};
        measure_device(&run);
    }
    nst_network_destroy(made);
    return NST_OK;
}
