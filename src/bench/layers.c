/* layers.c: a row in detail: each convolution by itself with the engine that the device chooses, and the kernels of
 * whole iterations by the device's clock. */
#include "bench/parts.h"

#include "device/profile.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

/* ---- Convolutions ------------------------------------------------------------------------------------------------ */

static void measure_layer(nst_context *context, const struct layer_case *layer, double seconds,
                          struct bench_layer *result) {
    struct convolution_choice choice = convolution_choose(context, &layer->shape, NULL);
    struct layer_run run;
    nst_error error;
    *result = (struct bench_layer){.pools = layer->shape.unpools || layer->shape.epilogue == EPILOGUE_RELU_POOL,
                                   .in_channels = layer->shape.in_channels,
                                   .out_channels = layer->shape.out_channels,
                                   .kernel_size = layer->shape.kernel_size,
                                   .height = layer->size.height,
                                   .width = layer->size.width,
                                   .gflop = layer_case_gflop(layer)};
    snprintf(result->name, sizeof result->name, "%s", layer->name);
    snprintf(result->direction, sizeof result->direction, "%s", layer->direction);
    convolution_choice_format(&choice, result->engine, sizeof result->engine);
    nst_status status = layer_run_create(context, layer, &choice, &run, &error);
    if (!status) {
        status = timing_measure(layer_run_repeat, &run, seconds, &result->timing, &error);
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
    struct layer_case *cases;
    int count;
    nst_status status = layer_cases_list(context, workload, row->size_px, &cases, &count, error);
    if (status) {
        return status;
    }
    row->layers = calloc((size_t)count + 1, sizeof *row->layers);
    if (!row->layers) {
        free(cases);
        return fail_memory(error, (size_t)count * sizeof *row->layers, "the layers of a benchmark");
    }
    for (; row->layer_count < count; ++row->layer_count) {
        measure_layer(context, &cases[row->layer_count], seconds / count, &row->layers[row->layer_count]);
    }
    free(cases);
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
    row->kernels = calloc(count + 1, sizeof *row->kernels);
    if (!row->kernels) {
        return fail_memory(error, count * sizeof *row->kernels, "the kernels of a benchmark");
    }
    double total_ms = 0;
    for (size_t i = 0; i < count; ++i) {
        total_ms += table[i].ms;
    }
    for (size_t i = 0; i < count; ++i) {
        struct bench_kernel *kernel = &row->kernels[row->kernel_count++];
        snprintf(kernel->name, sizeof kernel->name, "%s", table[i].name);
        kernel->calls = (double)table[i].calls / iterations;
        kernel->ms = table[i].ms / iterations;
        kernel->share = total_ms > 0 ? table[i].ms / total_ms : 0;
    }
    return NST_OK;
}

nst_status kernels_measure(const char *device, const struct workload *workload, bool no_cache, struct bench_row *row,
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
