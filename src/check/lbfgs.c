/* lbfgs.c: steps of L-BFGS against the two-loop recursion in float64 on the host. */
#include "check/map.h"
#include "check/parts.h"
#include "optimizer/optimizer.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* Relative to the largest element of the step. */
static const double step_bound = 1e-3;

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
        check_keep_largest(&largest, fabs(step[i]));
        check_keep_largest(&largest_error, fabs(steps->x[k + 1][i] - steps->x[k][i] - step[i]));
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

/* The optimizer with its vector and gradient. */
struct minimizer {
    nst_context *context;
    struct optimizer *optimizer;
    struct optimizer_run *run;
    struct plan plan;
    int vector, gradient; /* plan entries */
};

static nst_status open_minimizer(struct minimizer *minimizer, size_t vector_bytes, nst_error *error) {
    struct optimizer_settings settings = {
        .kind = NST_LBFGS, .history = STEPS + 2, .learning_rate = 1, .first_matrix = 1};
    struct plan *plan = &minimizer->plan;
    minimizer->vector = plan_add_always(plan, vector_bytes, "vector");
    minimizer->gradient = plan_add_always(plan, vector_bytes, "gradient");
    nst_status status = optimizer_create(minimizer->context, &settings, &minimizer->optimizer, error);
    status = status ? status : optimizer_reserve(minimizer->optimizer, plan, COUNT, &minimizer->run, error);
    status = status ? status : plan_assign(plan, error);
    status = status ? status : plan_allocate(plan, minimizer->context, error);
    return status ? status : optimizer_begin(minimizer->run, (struct optimizer_shape){1, 1, COUNT}, error);
}

static void close_minimizer(struct minimizer *minimizer) {
    optimizer_run_free(minimizer->run);
    optimizer_destroy(minimizer->optimizer);
    plan_free(&minimizer->plan, minimizer->context);
}

static nst_status run_steps(struct minimizer *minimizer, struct steps *steps, double *found, nst_error *error) {
    nst_context *context = minimizer->context;
    cl_mem vector = plan_buffer(&minimizer->plan, minimizer->vector);
    cl_mem gradient = plan_buffer(&minimizer->plan, minimizer->gradient);
    nst_status status = write_vector(context, steps, steps->x[0], vector, error);
    *found = 0;
    for (int k = 0; !status && k < STEPS; ++k) {
        bool finite = true;
        bowl_gradient(steps->x[k], steps->gradient[k]);
        status = write_vector(context, steps, steps->gradient[k], gradient, error);
        status = status ? status
                        : optimizer_step(minimizer->run, vector_on_device(vector), vector_on_device(gradient), &finite,
                                         error);
        status = status ? status : buffer_read(context, vector, 0, steps->buffer, COUNT * sizeof(float), error);
        for (int i = 0; i < COUNT; ++i) {
            steps->x[k + 1][i] = steps->buffer[i];
        }
        check_keep_largest(found, !status && finite ? compare_step(steps, k) : INFINITY);
    }
    return status;
}

static nst_status run_and_compare(nst_context *context, struct steps *steps, double *found, nst_error *error) {
    struct minimizer minimizer = {.context = context};
    struct random_generator generator = random_from_seed(23);
    for (int i = 0; i < COUNT; ++i) {
        steps->x[0][i] = (float)(4 * check_noise(&generator));
    }
    nst_status status = open_minimizer(&minimizer, sizeof steps->buffer, error);
    status = status ? status : run_steps(&minimizer, steps, found, error);
    close_minimizer(&minimizer);
    return status;
}

nst_status check_lbfgs(nst_context *context, struct check_report *report, nst_error *error) {
    static const char name[] = "L-BFGS", detail[] = "6 steps of 1683 elements";
    struct steps *steps = calloc(1, sizeof *steps);
    double found = NAN;
    nst_error why;
    if (!steps) {
        return fail_memory(error, sizeof *steps, "a check");
    }
    nst_status status = run_and_compare(context, steps, &found, &why);
    free(steps);
    return status ? check_report_add_failure(report, name, detail, &why, error)
                  : check_report_add(report, name, detail, found, step_bound, error);
}
