/* duration.c: what the benchmarks share; see duration.h. */
#include "duration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double clock_ms(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

struct duration now(const nst_context *context) {
    return (struct duration){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID) / context->work_items};
}

void keep_least(struct duration *best, struct duration start, struct duration end) {
    best->elapsed_ms = fmin(best->elapsed_ms, end.elapsed_ms - start.elapsed_ms);
    best->busy_ms = fmin(best->busy_ms, end.busy_ms - start.busy_ms);
}

void check(nst_status status, const nst_error *error) {
    if (status) {
        fprintf(stderr, "error: %s\n", error->message);
        exit(1);
    }
}

/* How the probe is launched: vectors and few long work-items on CPUs, many short ones on GPUs. */
struct probe {
    int width, rounds;
    struct work_size size;
};

static struct probe probe_for(const nst_context *context) {
    enum { GROUPS_PER_UNIT = 64 };
    size_t units = (size_t)context->work_items, group = context->work_group;
    return context->loops_in_kernel
               ? (struct probe){context->channel_block, 1 << 21, work_items(units)}
               : (struct probe){1, 1 << 13, {1, {GROUPS_PER_UNIT * units * group, 1, 1}, {group, 1, 1}}};
}

struct duration measure_peak(nst_context *context) {
    enum { CHAINS = 12, REPETITIONS = 8 };
    struct probe probe = probe_for(context);
    size_t results = probe.size.global[0] * (size_t)probe.width;
    nst_error error;
    cl_kernel kernel;
    cl_mem result;
    char options[64];
    snprintf(options, sizeof options, "-D WIDTH=%d -D CHAINS=%d", probe.width, CHAINS);
    check(kernel_create(context, "bench_probe.cl", options, "bench_fma", &kernel, &error), &error);
    check(buffer_create(context, results * sizeof(float), "result of the probe", &result, &error), &error);
    struct duration best = {INFINITY, INFINITY};
    for (int i = 0; i < REPETITIONS; ++i) {
        struct duration start = now(context);
        check(kernel_run(context, kernel, probe.size,
                         ARGUMENTS(arg_buffer(result), arg_float(0.5f), arg_float(1.0f), arg_int(probe.rounds)),
                         &error),
              &error);
        check(context_finish(context, &error), &error);
        keep_least(&best, start, now(context));
    }
    buffer_release(context, &result);
    kernel_release(&kernel);
    double gflop = 2.0 * probe.rounds * CHAINS * (double)results * 1e-9;
    return (struct duration){best.elapsed_ms / gflop, best.busy_ms / gflop};
}
