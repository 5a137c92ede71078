/* pooling.c: maximum and average pooling, and their backward pass, against float64 on the host. */
#include "check/map.h"
#include "check/parts.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* Relative to the largest value, which is up to 1. */
static const double element_bound = 1e-5;

struct pooling_run {
    nst_context *context;
    struct check_layout in, pooled;
    cl_mem input, output, mask, gradient;
    cl_kernel forward, backward;
};

static nst_status run_pooling(struct pooling_run *run, bool average, nst_error *error) {
    nst_context *context = run->context;
    int blocks = (run->in.channels + run->in.block - 1) / run->in.block;
    size_t tiles = check_mask_elements(&run->in) / (size_t)run->in.block;
    size_t pixels = check_map_elements(&run->pooled) / (size_t)run->in.block;
    nst_status status =
        average ? kernel_run(context, run->forward, work_range(context, pixels),
                             ARGUMENTS(arg_buffer(run->input), arg_buffer(run->output), arg_int(blocks),
                                       arg_int(run->in.height), arg_int(run->in.width)),
                             error)
                : kernel_run(context, run->forward, work_range(context, tiles),
                             ARGUMENTS(arg_buffer(run->input), arg_buffer(run->output), arg_buffer(run->mask),
                                       arg_int(blocks), arg_int(run->in.height), arg_int(run->in.width), arg_int(0)),
                             error);
    /* What flows back is the pooled map itself. */
    return status ? status
                  : kernel_run(context, run->backward, work_range(context, tiles),
                               ARGUMENTS(arg_buffer(run->output), arg_buffer(average ? NULL : run->mask),
                                         arg_buffer(run->gradient), arg_int(blocks), arg_int(run->in.height),
                                         arg_int(run->in.width), arg_int(!average), arg_float(average ? 0.25f : 1.0f)),
                               error);
}

/* The largest error of pooled values and of what flows back, values being up to 1. */
static double compare_pooling(const struct pooling_run *run, const float *input, const float *output,
                              const float *gradient, bool average) {
    double worst = 0;
    for (int c = 0; c < run->in.channels; ++c) {
        for (int y = 0; y < run->in.height; ++y) {
            for (int x = 0; x < run->in.width; ++x) {
                double flows = 0, found = gradient[check_map_index(&run->in, c, y, x)];
                if (y / 2 < run->pooled.height && x / 2 < run->pooled.width) {
                    double most = -INFINITY, sum = 0;
                    int first = 0; /* of the largest */
                    for (int i = 0; i < 4; ++i) {
                        double value = input[check_map_index(&run->in, c, y / 2 * 2 + i / 2, x / 2 * 2 + i % 2)];
                        first = value > most ? i : first;
                        most = fmax(most, value);
                        sum += value;
                    }
                    double pooled = average ? sum / 4 : most;
                    check_keep_largest(&worst, fabs(output[check_map_index(&run->pooled, c, y / 2, x / 2)] - pooled));
                    bool chosen = average || y % 2 * 2 + x % 2 == first;
                    flows = chosen ? (average ? pooled / 4 : pooled) : 0;
                }
                check_keep_largest(&worst, fabs(found - flows));
            }
        }
    }
    return worst;
}

static nst_status run_and_compare(struct pooling_run *run, bool average, double *found, nst_error *error) {
    nst_context *context = run->context;
    size_t elements = check_map_elements(&run->in), pooled = check_map_elements(&run->pooled);
    float *host = malloc((2 * elements + pooled) * sizeof *host);
    if (!host) {
        return fail_memory(error, (2 * elements + pooled) * sizeof *host, "a check");
    }
    float *output = host + elements, *gradient = output + pooled;
    const char *options = feature_map_option(run->in.half);
    struct random_generator generator = random_from_seed(13);
    for (size_t i = 0; i < elements; ++i) {
        host[i] = (float)check_noise(&generator);
    }
    nst_status status = check_map_create(context, &run->in, host, &run->input, error);
    status = status ? status : check_map_create(context, &run->pooled, NULL, &run->output, error);
    status = status ? status : check_map_create(context, &run->in, NULL, &run->gradient, error);
    status = status ? status : check_buffer(context, NULL, check_mask_elements(&run->in) * 2, &run->mask, error);
    status = status ? status
                    : kernel_create(context, "pooling.cl", options, average ? "pool_average" : "pool_maximum",
                                    &run->forward, error);
    status = status ? status : kernel_create(context, "pooling.cl", options, "pool_backward", &run->backward, error);
    status = status ? status : run_pooling(run, average, error);
    status = status ? status : check_map_read(context, &run->pooled, run->output, output, error);
    status = status ? status : check_map_read(context, &run->in, run->gradient, gradient, error);
    *found = status ? NAN : compare_pooling(run, host, output, gradient, average);
    free(host);
    return status;
}

nst_status check_pooling(nst_context *context, bool half, bool average, struct check_report *report, nst_error *error) {
    enum { CHANNELS = 64, HEIGHT = 37, WIDTH = 29 };
    const char *detail = half ? "64 channels, 29 x 37, 16 bits" : "64 channels, 29 x 37";
    const char *name = average ? "average pooling and back" : "maximum pooling and back";
    struct pooling_run run = {.context = context,
                              .in = check_layout(context, half, CHANNELS, HEIGHT, WIDTH),
                              .pooled = check_layout(context, half, CHANNELS, HEIGHT / 2, WIDTH / 2)};
    double found = NAN;
    nst_error why;
    nst_status status = run_and_compare(&run, average, &found, &why);
    cl_mem *const buffers[] = {&run.input, &run.output, &run.mask, &run.gradient};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i) {
        buffer_release(context, buffers[i]);
    }
    kernel_release(&run.forward);
    kernel_release(&run.backward);
    return status ? check_report_add_failure(report, name, detail, &why, error)
                  : check_report_add(report, name, detail, found, check_map_bound(half, element_bound), error);
}
