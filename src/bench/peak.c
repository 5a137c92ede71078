/* peak.c: the peaks of a device, measured: fused multiply-adds per second, and bytes per second from and to memory.
 * The best of several runs and variants counts: it is what the other figures are a share of. */
#include "bench/parts.h"

#include "device/traits.h"
#include "support/clock.h"

#include <math.h>

/* ---- Multiply-adds ----------------------------------------------------------------------------------------------- */

struct fma_run {
    nst_context *context;
    cl_kernel kernel;
    cl_mem result;
    struct work_size size;
};

static nst_status run_fma(struct fma_run *run, int rounds, double *seconds, nst_error *error) {
    double start = seconds_now();
    /* factor and summand keep the sums near 2, far from zero and infinity. */
    nst_status status =
        kernel_run(run->context, run->kernel, run->size,
                   ARGUMENTS(arg_buffer(run->result), arg_float(0.5f), arg_float(1.0f), arg_int(rounds)), error);
    if (!status) {
        status = context_finish(run->context, error);
    }
    *seconds = seconds_now() - start;
    return status;
}

/* The least time for one round of all work-items. */
static nst_status time_round(struct fma_run *run, double *seconds_per_round, nst_error *error) {
    enum { FIRST_ROUNDS = 256, MOST_ROUNDS = 1 << 28, REPETITIONS = 15 };
    const double long_enough = 0.01; /* short runs: some of them are not disturbed by others on a CPU */
    int rounds = FIRST_ROUNDS;
    double seconds, best = INFINITY;
    nst_status status = run_fma(run, rounds, &seconds, error); /* builds */
    do {
        rounds *= 4;
        status = status ? status : run_fma(run, rounds, &seconds, error);
    } while (!status && seconds < long_enough && rounds < MOST_ROUNDS);
    for (int i = 0; !status && i < REPETITIONS; ++i) {
        status = run_fma(run, rounds, &seconds, error);
        best = fmin(best, seconds);
    }
    *seconds_per_round = best / rounds;
    return status;
}

static nst_status try_fma(nst_context *context, int width, int chains, struct bench_device *device, nst_error *error) {
    /* A CPU's work-item keeps a core busy; a GPU needs many groups on each unit. */
    enum { GROUPS_PER_UNIT = 32 };
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    size_t items = (size_t)context->work_items * (context->loops_in_kernel ? 1 : GROUPS_PER_UNIT * group);
    struct fma_run run = {.context = context, .size = {1, {items, 1, 1}, {group, 1, 1}}};
    char options[64];
    snprintf(options, sizeof options, "-D WIDTH=%d -D CHAINS=%d", width, chains);
    nst_status status = kernel_create(context, "bench_probe.cl", options, "bench_fma", &run.kernel, error);
    if (!status) {
        status =
            buffer_create(context, items * (size_t)width * sizeof(float), "result of the probe", &run.result, error);
    }
    double seconds_per_round = 0;
    if (!status) {
        status = time_round(&run, &seconds_per_round, error);
    }
    double gflops = status ? 0 : 2e-9 * (double)items * width * chains / seconds_per_round;
    if (gflops > device->peak_gflops) {
        device->peak_gflops = gflops;
        device->peak_width = width;
        device->peak_chains = chains;
    }
    buffer_release(context, &run.result);
    kernel_release(&run.kernel);
    return status;
}

static nst_status measure_peak(nst_context *context, struct bench_device *device, nst_error *error) {
    static const int cpu_chains[] = {8, 12, 16, 24}, gpu_chains[] = {4, 8, 16, 16};
    static const int gpu_widths[] = {4, 2, 1, 2};
    nst_status status = NST_OK;
    for (int i = 0; !status && i < 4; ++i) {
        bool on_cpu = context->loops_in_kernel;
        status = try_fma(context, on_cpu ? traits_vector_width(&context->info) : gpu_widths[i],
                         on_cpu ? cpu_chains[i] : gpu_chains[i], device, error);
    }
    return status;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

struct triad {
    nst_context *context;
    cl_kernel fill, triad;
    cl_mem buffers[3]; /* a, b, sum */
    size_t bytes;      /* of each */
    int width;
};

/* Much more than a cache holds, but not more than a part of a small device. */
static size_t stream_bytes(const nst_context *context) {
    uint64_t bytes = 256 << 20, most = context->info.memory_bytes / 16;
    most = most < context->info.largest_allocation_bytes ? most : context->info.largest_allocation_bytes;
    while (bytes > most && bytes > 1 << 20) {
        bytes /= 2;
    }
    return (size_t)bytes;
}

static nst_status prepare_triad(struct triad *triad, nst_error *error) {
    char options[64];
    int count = (int)(triad->bytes / sizeof(float));
    snprintf(options, sizeof options, "-D WIDTH=%d", triad->width);
    nst_status status = kernel_create(triad->context, "bench_probe.cl", options, "bench_triad", &triad->triad, error);
    if (!status) {
        status = kernel_create(triad->context, "bench_probe.cl", options, "bench_fill", &triad->fill, error);
    }
    for (int i = 0; !status && i < 3; ++i) {
        status = buffer_create(triad->context, triad->bytes, "streams of the probe", &triad->buffers[i], error);
        if (!status) {
            status = kernel_run(triad->context, triad->fill, work_range(triad->context, (size_t)count),
                                ARGUMENTS(arg_buffer(triad->buffers[i]), arg_int(i), arg_int(count)), error);
        }
    }
    return status;
}

static nst_status run_triad(struct triad *triad, double *seconds, nst_error *error) {
    int count = (int)(triad->bytes / sizeof(float)) / triad->width;
    double start = seconds_now();
    nst_status status = kernel_run(triad->context, triad->triad, work_range(triad->context, (size_t)count),
                                   ARGUMENTS(arg_buffer(triad->buffers[0]), arg_buffer(triad->buffers[1]),
                                             arg_buffer(triad->buffers[2]), arg_float(3.0f), arg_int(count)),
                                   error);
    if (!status) {
        status = context_finish(triad->context, error);
    }
    *seconds = seconds_now() - start;
    return status;
}

static nst_status measure_bandwidth(nst_context *context, struct bench_device *device, nst_error *error) {
    enum { REPETITIONS = 8 };
    struct triad triad = {.context = context,
                          .bytes = stream_bytes(context),
                          .width = context->loops_in_kernel ? traits_vector_width(&context->info) : 4};
    double seconds, best = INFINITY;
    nst_status status = prepare_triad(&triad, error);
    if (!status) {
        status = run_triad(&triad, &seconds, error); /* builds */
    }
    for (int i = 0; !status && i < REPETITIONS; ++i) {
        status = run_triad(&triad, &seconds, error);
        best = fmin(best, seconds);
    }
    device->bandwidth_gb_per_s = status ? 0 : 3e-9 * (double)triad.bytes / best;
    for (int i = 0; i < 3; ++i) {
        buffer_release(context, &triad.buffers[i]);
    }
    kernel_release(&triad.triad);
    kernel_release(&triad.fill);
    return status;
}

nst_status peak_measure_again(nst_context *context, struct bench_device *device, nst_error *error) {
    return try_fma(context, device->peak_width, device->peak_chains, device, error);
}

nst_status peak_measure(nst_context *context, struct bench_device *device, nst_error *error) {
    device->peak_gflops = 0;
    nst_status status = measure_peak(context, device, error);
    return status ? status : measure_bandwidth(context, device, error);
}
