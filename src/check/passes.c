/* passes.c: what is neither a convolution nor a loss at a layer, against float64 on the host: pooling, total
 * variation, and steps of L-BFGS. */
#include "check/known.h"

#include "loss/loss.h"
#include "optimizer/optimizer.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative to the largest value, or to the value itself for a loss. */
static const double element_bound = 1e-5, step_bound = 1e-3;

/* ---- Pooling ----------------------------------------------------------------------------------------------------- */

struct pooling_run {
    nst_context *context;
    struct known_layout in, pooled;
    cl_mem input, output, mask, gradient;
    cl_kernel forward, backward;
};

static nst_status run_pooling(struct pooling_run *run, bool average, nst_error *error) {
    nst_context *context = run->context;
    int blocks = (run->in.channels + run->in.block - 1) / run->in.block;
    size_t tiles = known_mask_elements(&run->in) / (size_t)run->in.block;
    size_t pixels = known_map_elements(&run->pooled) / (size_t)run->in.block;
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
                double flows = 0, found = gradient[known_map_index(&run->in, c, y, x)];
                if (y / 2 < run->pooled.height && x / 2 < run->pooled.width) {
                    double most = -INFINITY, sum = 0;
                    int first = 0; /* of the largest */
                    for (int i = 0; i < 4; ++i) {
                        double value = input[known_map_index(&run->in, c, y / 2 * 2 + i / 2, x / 2 * 2 + i % 2)];
                        first = value > most ? i : first;
                        most = fmax(most, value);
                        sum += value;
                    }
                    double pooled = average ? sum / 4 : most;
                    known_keep_largest(&worst, fabs(output[known_map_index(&run->pooled, c, y / 2, x / 2)] - pooled));
                    bool chosen = average || y % 2 * 2 + x % 2 == first;
                    flows = chosen ? (average ? pooled / 4 : pooled) : 0;
                }
                known_keep_largest(&worst, fabs(found - flows));
            }
        }
    }
    return worst;
}

static nst_status check_pooling(struct pooling_run *run, bool average, double *found, nst_error *error) {
    nst_context *context = run->context;
    size_t elements = known_map_elements(&run->in), pooled = known_map_elements(&run->pooled);
    float *host = malloc((2 * elements + pooled) * sizeof *host);
    if (!host) {
        return fail_memory(error, (2 * elements + pooled) * sizeof *host, "a known answer");
    }
    float *output = host + elements, *gradient = output + pooled;
    const char *options = feature_map_option(run->in.half);
    struct random_generator generator = random_from_seed(13);
    for (size_t i = 0; i < elements; ++i) {
        host[i] = (float)known_noise(&generator);
    }
    nst_status status = known_map_create(context, &run->in, host, &run->input, error);
    status = status ? status : known_map_create(context, &run->pooled, NULL, &run->output, error);
    status = status ? status : known_map_create(context, &run->in, NULL, &run->gradient, error);
    status = status ? status : known_buffer(context, NULL, known_mask_elements(&run->in) * 2, &run->mask, error);
    status = status ? status
                    : kernel_create(context, "pooling.cl", options, average ? "pool_average" : "pool_maximum",
                                    &run->forward, error);
    status = status ? status : kernel_create(context, "pooling.cl", options, "pool_backward", &run->backward, error);
    status = status ? status : run_pooling(run, average, error);
    status = status ? status : known_map_read(context, &run->pooled, run->output, output, error);
    status = status ? status : known_map_read(context, &run->in, run->gradient, gradient, error);
    *found = status ? NAN : compare_pooling(run, host, output, gradient, average);
    free(host);
    return status;
}

static nst_status add_pooling(nst_context *context, bool half, bool average, struct known_answers *answers,
                              nst_error *error) {
    enum { CHANNELS = 64, HEIGHT = 37, WIDTH = 29 };
    const char *detail = half ? "64 channels, 29 x 37, 16 bits" : "64 channels, 29 x 37";
    const char *name = average ? "average pooling and back" : "maximum pooling and back";
    struct pooling_run run = {.context = context,
                              .in = known_layout(context, half, CHANNELS, HEIGHT, WIDTH),
                              .pooled = known_layout(context, half, CHANNELS, HEIGHT / 2, WIDTH / 2)};
    double found = NAN;
    nst_error why;
    nst_status status = check_pooling(&run, average, &found, &why);
    cl_mem *const buffers[] = {&run.input, &run.output, &run.mask, &run.gradient};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i) {
        buffer_release(context, buffers[i]);
    }
    kernel_release(&run.forward);
    kernel_release(&run.backward);
    return status ? known_add_failure(answers, name, detail, &why, error)
                  : known_add(answers, name, detail, found, known_map_bound(half, element_bound), error);
}

/* ---- Total variation --------------------------------------------------------------------------------------------- */

static double slope(double difference, int power) {
    return power == 2 ? 2 * difference : (difference > 0) - (difference < 0);
}

static double reference_tv(const float *image, struct image_size size, int power, double *gradient) {
    double loss = 0;
    for (int i = 0; i < 3 * size.height * size.width; ++i) {
        int x = i % size.width, y = i / size.width % size.height;
        const int steps[] = {x + 1 < size.width ? 1 : 0, y + 1 < size.height ? size.width : 0};
        for (int s = 0; s < 2; ++s) {
            double difference = (double)image[i + steps[s]] - image[i];
            loss += power == 2 ? difference * difference : fabs(difference);
            gradient[i + steps[s]] += slope(difference, power);
            gradient[i] -= slope(difference, power);
        }
    }
    return loss;
}

static nst_status check_tv(nst_context *context, int power, double *loss_error, double *gradient_error,
                           nst_error *error) {
    enum { HEIGHT = 61, WIDTH = 47, ELEMENTS = 3 * HEIGHT * WIDTH };
    const struct image_size size = {.height = HEIGHT, .width = WIDTH};
    float *image = malloc(ELEMENTS * sizeof *image), *found = malloc(ELEMENTS * sizeof *found);
    double *expected = calloc(ELEMENTS, sizeof *expected), loss = 0, largest = 0, largest_error = 0;
    struct tv_loss *tv = NULL;
    struct loss_output output = {0};
    cl_mem image_buffer = NULL, gradient = NULL;
    nst_status status =
        image && found && expected ? NST_OK : fail_memory(error, ELEMENTS * sizeof *image, "a known answer");
    struct random_generator generator = random_from_seed(17);
    for (int i = 0; !status && i < ELEMENTS; ++i) {
        image[i] = (float)(255 * random_uniform(&generator));
    }
    status = status ? status : known_buffer(context, image, ELEMENTS * sizeof *image, &image_buffer, error);
    status = status ? status : known_buffer(context, NULL, ELEMENTS * sizeof *image, &gradient, error);
    status = status ? status : known_buffer(context, NULL, reduction_bytes(context, 1), &output.partials, error);
    status = status ? status : tv_loss_create(context, power, &tv, error);
    status = status ? status : tv_loss_run(tv, image_buffer, size, 1, output, gradient, error);
    status = status ? status : reduction_read(context, output.partials, 0, &loss, error);
    status = status ? status : buffer_read(context, gradient, 0, found, ELEMENTS * sizeof *image, error);
    if (!status) {
        double wanted = reference_tv(image, size, power, expected);
        for (int i = 0; i < ELEMENTS; ++i) {
            known_keep_largest(&largest, fabs(expected[i]));
            known_keep_largest(&largest_error, fabs(found[i] - expected[i]));
        }
        *loss_error = fabs(loss - wanted) / wanted;
        *gradient_error = largest_error / largest;
    }
    tv_loss_destroy(tv);
    buffer_release(context, &image_buffer);
    buffer_release(context, &gradient);
    buffer_release(context, &output.partials);
    free(image);
    free(found);
    free(expected);
    return status;
}

static nst_status add_tv(nst_context *context, int power, struct known_answers *answers, nst_error *error) {
    char name[64], gradient_name[80];
    double loss_error = NAN, gradient_error = NAN;
    nst_error why;
    snprintf(name, sizeof name, "total variation, power %d", power);
    snprintf(gradient_name, sizeof gradient_name, "gradient of %s", name);
    if (check_tv(context, power, &loss_error, &gradient_error, &why)) {
        return known_add_failure(answers, name, "47 x 61", &why, error);
    }
    nst_status status = known_add(answers, name, "47 x 61", loss_error, element_bound, error);
    return status ? status : known_add(answers, gradient_name, "47 x 61", gradient_error, element_bound, error);
}

/* ---- L-BFGS ------------------------------------------------------------------------------------------------------ */

enum { STEPS = 6, COUNT = 3 * 33 * 17 };

/* Vectors, gradients and pairs as the reference sees them; after each step the vector is read back from the device,
 * so that errors do not add up. */
struct steps {
    double x[STEPS + 1][COUNT], gradient[STEPS + 1][COUNT];
    float buffer[(COUNT + 15) / 16 * 16];
};

static double dot(const double *a, const double *b) {
    double sum = 0;
    for (int i = 0; i < COUNT; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Of a bowl, steeper in some directions than in others; rounded, because the device gets it so. */
static void bowl_gradient(const double *x, double *gradient) {
    for (int i = 0; i < COUNT; ++i) {
        gradient[i] = (float)((1 + 9.0 * i / COUNT) * (x[i] - 1));
    }
}

static void difference(const double *later, const double *earlier, double *result) {
    for (int i = 0; i < COUNT; ++i) {
        result[i] = later[i] - earlier[i];
    }
}

static void add_scaled(double *target, double factor, const double *vector) {
    for (int i = 0; i < COUNT; ++i) {
        target[i] += factor * vector[i];
    }
}

/* The step from x[k] by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) on all pairs so far; the
 * first is min(1, 1 / |g|_1) times the negative gradient. */
static void reference_step(const struct steps *steps, int k, double *step) {
    double s[COUNT], y[COUNT], alpha[STEPS], absolute = 0;
    for (int i = 0; i < COUNT; ++i) {
        step[i] = -steps->gradient[k][i];
        absolute += fabs(step[i]);
    }
    for (int j = k - 1; j >= 0; --j) {
        difference(steps->x[j + 1], steps->x[j], s);
        difference(steps->gradient[j + 1], steps->gradient[j], y);
        alpha[j] = dot(s, step) / dot(s, y);
        add_scaled(step, -alpha[j], y);
    }
    double scale = absolute > 1 ? 1 / absolute : 1;
    if (k > 0) {
        difference(steps->x[k], steps->x[k - 1], s);
        difference(steps->gradient[k], steps->gradient[k - 1], y);
        scale = dot(s, y) / dot(y, y);
    }
    for (int i = 0; i < COUNT; ++i) {
        step[i] *= scale;
    }
    for (int j = 0; j < k; ++j) {
        difference(steps->x[j + 1], steps->x[j], s);
        difference(steps->gradient[j + 1], steps->gradient[j], y);
        add_scaled(step, alpha[j] - dot(y, step) / dot(s, y), s);
    }
}

/* The largest difference between the device's step and the reference's, relative to the largest step. */
static double compare_step(const struct steps *steps, int k) {
    double step[COUNT], largest = 0, largest_error = 0;
    reference_step(steps, k, step);
    for (int i = 0; i < COUNT; ++i) {
        known_keep_largest(&largest, fabs(step[i]));
        known_keep_largest(&largest_error, fabs(steps->x[k + 1][i] - steps->x[k][i] - step[i]));
    }
    return largest_error / largest;
}

static nst_status write_vector(nst_context *context, struct steps *steps, const double *values, cl_mem buffer,
                               nst_error *error) {
    for (int i = 0; i < COUNT; ++i) {
        steps->buffer[i] = (float)values[i];
    }
    return buffer_write(context, buffer, 0, steps->buffer, sizeof steps->buffer, error);
}

static nst_status run_steps(nst_context *context, struct optimizer *optimizer, const struct plan *plan, cl_mem vector,
                            cl_mem gradient, struct steps *steps, double *found, nst_error *error) {
    nst_status status = write_vector(context, steps, steps->x[0], vector, error);
    *found = 0;
    for (int k = 0; !status && k < STEPS; ++k) {
        bool finite = true;
        bowl_gradient(steps->x[k], steps->gradient[k]);
        status = write_vector(context, steps, steps->gradient[k], gradient, error);
        status = status ? status : optimizer_step(optimizer, plan, vector, gradient, &finite, error);
        status = status ? status : buffer_read(context, vector, 0, steps->buffer, COUNT * sizeof(float), error);
        for (int i = 0; i < COUNT; ++i) {
            steps->x[k + 1][i] = steps->buffer[i];
        }
        known_keep_largest(found, !status && finite ? compare_step(steps, k) : INFINITY);
    }
    return status;
}

static nst_status check_lbfgs(nst_context *context, struct steps *steps, double *found, nst_error *error) {
    struct optimizer_settings settings = {
        .kind = NST_LBFGS, .history = STEPS + 2, .learning_rate = 1, .first_matrix = 1};
    struct optimizer *optimizer = NULL;
    struct plan plan = {0};
    int vector = plan_add_always(&plan, sizeof steps->buffer, "vector");
    int gradient = plan_add_always(&plan, sizeof steps->buffer, "gradient");
    nst_status status = optimizer_create(context, &settings, &optimizer, error);
    if (!status) {
        optimizer_add_to_plan(optimizer, &plan, COUNT);
        status = plan_assign(&plan, error);
    }
    status = status ? status : plan_allocate(&plan, context, error);
    status = status ? status : optimizer_begin(optimizer, &plan, (struct optimizer_shape){1, 1, COUNT}, error);
    struct random_generator generator = random_from_seed(23);
    for (int i = 0; i < COUNT; ++i) {
        steps->x[0][i] = (float)(4 * known_noise(&generator));
    }
    status = status ? status
                    : run_steps(context, optimizer, &plan, plan_buffer(&plan, vector), plan_buffer(&plan, gradient),
                                steps, found, error);
    optimizer_destroy(optimizer);
    plan_free(&plan, context);
    return status;
}

static nst_status add_lbfgs(nst_context *context, struct known_answers *answers, nst_error *error) {
    static const char name[] = "L-BFGS", detail[] = "6 steps of 1683 elements";
    struct steps *steps = calloc(1, sizeof *steps);
    double found = NAN;
    nst_error why;
    if (!steps) {
        return fail_memory(error, sizeof *steps, "a known answer");
    }
    nst_status status = check_lbfgs(context, steps, &found, &why);
    free(steps);
    return status ? known_add_failure(answers, name, detail, &why, error)
                  : known_add(answers, name, detail, found, step_bound, error);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

/* What reads or writes feature maps. */
static nst_status add_map_passes(nst_context *context, bool half, struct known_answers *answers, nst_error *error) {
    const struct image_size large = {.height = 41, .width = 33}, small = {.height = 17, .width = 15};
    nst_status status = known_losses(context, half, 64, large, answers, error);
    status = status ? status : known_losses(context, half, 256, small, answers, error);
    status = status ? status : add_pooling(context, half, false, answers, error);
    return status ? status : add_pooling(context, half, true, answers, error);
}

nst_status known_passes(nst_context *context, bool brief, struct known_answers *answers, nst_error *error) {
    nst_status status;
    if (brief) {
        status = known_losses(context, false, 64, (struct image_size){.height = 17, .width = 15}, answers, error);
        status = status ? status : add_pooling(context, false, false, answers, error);
    } else {
        status = add_map_passes(context, false, answers, error);
        status = status ? status : add_map_passes(context, true, answers, error);
        status = status ? status : add_tv(context, 1, answers, error);
        status = status ? status : add_tv(context, 2, answers, error);
    }
    return status ? status : add_lbfgs(context, answers, error);
}
