/* layers.c: a row in detail: each convolution by itself with the engine that the device chooses, and the kernels of
 * whole iterations by the device's clock. */
#include "bench/bench_internal.h"

#include "device/profile.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

/* ---- Convolutions ------------------------------------------------------------------------------------------------ */

static void measure_layer(nst_context *context, const struct layer_work *work, double seconds,
                          struct bench_layer *result) {
    struct convolution_choice choice = convolution_choose(context, &work->shape, CONVOLUTION_AUTO);
    struct layer_run run;
    nst_error error;
    *result = (struct bench_layer){.pools = work->shape.unpools || work->shape.epilogue == EPILOGUE_RELU_POOL,
                                   .in_channels = work->shape.in_channels,
                                   .out_channels = work->shape.out_channels,
                                   .kernel_size = work->shape.kernel_size,
                                   .height = work->size.height,
                                   .width = work->size.width,
                                   .gflop = layer_work_gflop(work)};
    snprintf(result->name, sizeof result->name, "%s", work->name);
    snprintf(result->direction, sizeof result->direction, "%s", work->direction);
    convolution_choice_format(context, &choice, result->engine, sizeof result->engine);
    nst_status status = layer_run_create(context, work, &choice, &run, &error);
    if (!status) {
        status = timing_measure(layer_run_times, &run, seconds, &result->timing, &error);
        layer_run_release(&run);
    }
    if (status) {
        outcome_from_error(&result->outcome, &error);
    } else {
        result->gflops = result->gflop / (result->timing.median_ms * 1e-3);
    }
}

nst_status layers_measure(nst_context *context, const struct workload *workload, double seconds, struct bench_row *row,
                          nst_error *error) {
    struct layer_work *works;
    int count;
    nst_status status = layer_works_list(context, workload, row->size_px, &works, &count, error);
    if (status) {
        return status;
    }
    row->layers = calloc((size_t)count + 1, sizeof *row->layers);
    if (!row->layers) {
        free(works);
        return fail_memory(error, (size_t)count * sizeof *row->layers, "the layers of a benchmark");
    }
    for (; row->layer_count < count; ++row->layer_count) {
        measure_layer(context, &works[row->layer_count], seconds / count, &row->layers[row->layer_count]);
    }
    free(works);
    return NST_OK;
}

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */

static nst_status take_profile(nst_context *context, int iterations, struct bench_row *row, nst_error *error) {
    const struct profile_entry *table;
    size_t count;
    nst_status status = profile_table(context, &table, &count, error);
    if (status) {
        return status;
    }
    row->passes = calloc(count + 1, sizeof *row->passes);
    if (!row->passes) {
        return fail_memory(error, count * sizeof *row->passes, "the kernels of a benchmark");
    }
    double total_ms = 0;
    for (size_t i = 0; i < count; ++i) {
        total_ms += table[i].ms;
    }
    for (size_t i = 0; i < count; ++i) {
        struct bench_pass *pass = &row->passes[row->pass_count++];
        snprintf(pass->kernel, sizeof pass->kernel, "%s", table[i].name);
        pass->calls = (double)table[i].calls / iterations;
        pass->ms = table[i].ms / iterations;
        pass->share = total_ms > 0 ? table[i].ms / total_ms : 0;
    }
    return NST_OK;
}

nst_status passes_measure(const char *device, const struct workload *workload, bool no_cache, struct bench_row *row,
                          nst_error *error) {
    enum { WARM_UP = 2, ITERATIONS = 3 };
    nst_context_options options = {.device = device, .profiling = true, .no_cache = no_cache, .unchecked = true};
    nst_context *context = NULL;
    nst_job *job = NULL;
    nst_progress progress;
    nst_status status = nst_context_create(&options, &context, error);
    if (!status) {
        status = workload_job(context, workload, row->size_px, &job, error);
    }
    for (int i = 0; !status && i < WARM_UP + ITERATIONS; ++i) {
        if (i == WARM_UP) {
            status = profile_reset(context, error);
        }
        status = status ? status : nst_job_step(job, &progress, error);
    }
    if (!status) {
        status = take_profile(context, ITERATIONS, row, error);
    }
    nst_job_destroy(job);
    nst_context_destroy(context);
    return status;
}
