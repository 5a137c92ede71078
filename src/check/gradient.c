/* gradient.c: are losses and gradient right? A small picture through the engines that the device would use, and through
 * the plain one, each with the losses of the default recipe. */
#include "check/gradient.h"

#include "device/context.h"
#include "evaluate/evaluation.h"
#include "optimizer/optimizer.h"
#include "stylize/recipe.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/random.h"

#include <math.h>
#include <stdlib.h>

/* Winograd's rounding alone makes 1e-5 of a convolution; a maximum or a ReLU that falls the other way for it moves
 * single elements of the gradient by much more, hence the two bounds. */
struct bounds {
    double loss, gradient, largest;
};
static const struct bounds single_bounds = {1e-3, 0.02, 0.2};
/* Maps are rounded to 8 bits: far more of them fall the other way, and in a network of few channels each counts. */
static const struct bounds half_bounds = {5e-2, 0.5, 1.5};

/* One way of computing them. */
struct side {
    nst_context *context;
    struct image_size size;
    struct objective *objective;
    struct plan plan;
    struct evaluation *evaluation;
    float *gradient; /* [3][height][width] */
};

static size_t image_elements(const struct side *side) {
    return 3 * (size_t)side->size.height * (size_t)side->size.width;
}

/* Of its buffer. */
static size_t image_bytes(const struct side *side) {
    return optimizer_padded(image_elements(side)) * sizeof(float);
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status create_side(struct side *side, const struct workload *workload,
                              const struct convolution_engine *engine, nst_error *error) {
    side->gradient = malloc(image_bytes(side));
    if (!side->gradient) {
        return fail_memory(error, image_bytes(side), "a gradient");
    }
    nst_settings settings;
    workload_settings(side->size.width, &settings);
    settings.precision = workload->precision;
    const struct recipe_use use = {.engine = engine};
    nst_status status =
        recipe_create_objective(side->context, workload->network, &settings, &use, &side->objective, error);
    if (!status) {
        status = evaluation_reserve(side->objective, &side->plan, &side->size, 1, &side->evaluation, error);
    }
    if (!status) {
        status = plan_assign(&side->plan, error);
    }
    return status ? status : plan_allocate(&side->plan, side->context, error);
}

static void release_side(struct side *side) {
    evaluation_free(side->evaluation);
    plan_free(&side->plan, side->context);
    objective_destroy(side->objective);
    free(side->gradient);
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

/* Fills the image with noise. */
static nst_status make_noise(struct side *side, uint64_t seed, nst_error *error) {
    size_t bytes = image_bytes(side);
    float *values = calloc(1, bytes);
    if (!values) {
        return fail_memory(error, bytes, "an image");
    }
    struct random_generator generator = random_from_seed(seed);
    for (size_t i = 0; i < image_elements(side); ++i) {
        values[i] = (float)(255 * random_uniform(&generator));
    }
    nst_status status = buffer_write(side->context, evaluation_image(side->evaluation), 0, values, bytes, error);
    free(values);
    return status;
}

/* One noise is the style, another the content. */
static nst_status set_targets(struct side *side, nst_error *error) {
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE, .share = 1};
    nst_status status = evaluation_begin_targets(side->evaluation, 0, NULL, error);
    status = status ? status : make_noise(side, 1, error);
    status = status ? status : evaluation_add_target(side->evaluation, &style, side->size, error);
    status = status ? status : make_noise(side, 2, error);
    status = status ? status : evaluation_add_target(side->evaluation, &content, side->size, error);
    return status ? status : evaluation_end_targets(side->evaluation, error);
}

/* Losses and gradient at a third. */
static nst_status evaluate(struct side *side, nst_error *error) {
    size_t bytes = image_elements(side) * sizeof(float);
    nst_status status = make_noise(side, 3, error);
    status = status ? status : evaluation_run(side->evaluation, EVALUATE_GRADIENT, error);
    return status ? status
                  : buffer_read(side->context, evaluation_gradient(side->evaluation), 0, side->gradient, bytes, error);
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

static void compare(const struct side *ours, const struct side *plain, const struct bounds *bounds,
                    struct gradient_check *check) {
    double squares = 0, error_squares = 0, largest = 0, largest_error = 0;
    for (size_t i = 0; i < image_elements(ours); ++i) {
        double wanted = plain->gradient[i], difference = ours->gradient[i] - wanted;
        squares += wanted * wanted;
        error_squares += difference * difference;
        largest = fmax(largest, fabs(wanted));
        largest_error = fmax(largest_error, fabs(difference));
    }
    double our_loss = evaluation_total(ours->evaluation), plain_loss = evaluation_total(plain->evaluation);
    check->loss_error = fabs(our_loss - plain_loss) / plain_loss;
    check->gradient_error = sqrt(error_squares / squares);
    check->largest_error = largest_error / largest;
    check->largest_bound = bounds->largest;
    /* Written so that what is not a number fails; fmax above passes over it, the sums do not. */
    if (!(check->loss_error <= bounds->loss && check->gradient_error <= bounds->gradient &&
          check->largest_error <= bounds->largest)) {
        outcome_set(&check->outcome, OUTCOME_WRONG,
                    "at %d x %d pixels the loss differs from the plain engine's by %.2g (bound %.2g), the gradient by "
                    "%.2g (bound %.2g)",
                    ours->size.width, ours->size.height, check->loss_error, bounds->loss, check->gradient_error,
                    bounds->gradient);
    }
}

/* Evaluates once more, now that everything is built. */
static nst_status time_iteration(struct side *side, double *seconds, nst_error *error) {
    double start = seconds_now();
    nst_status status = evaluate(side, error);
    *seconds = seconds_now() - start;
    return status;
}

void gradient_check_run(nst_context *context, const struct workload *workload, int size_px,
                        struct gradient_check *check, double *iteration_seconds) {
    /* Not square, and odd on the way, so that tiles at the borders are not whole. */
    struct image_size size = {.height = size_px - size_px / 5, .width = size_px};
    struct workload single = {workload->network, NST_PRECISION_SINGLE};
    struct side ours = {.context = context, .size = size}, plain = ours;
    nst_error error = {0};
    *check = (struct gradient_check){.size_px = size_px};
    *iteration_seconds = 0;
    nst_status status = create_side(&ours, workload, NULL, &error);
    status = status ? status : set_targets(&ours, &error);
    status = status ? status : evaluate(&ours, &error);
    status = status ? status : time_iteration(&ours, iteration_seconds, &error);
    status = status ? status : create_side(&plain, &single, convolution_reference_engine(context), &error);
    status = status ? status : set_targets(&plain, &error);
    if (!status) {
        evaluation_copy_factors(plain.evaluation, ours.evaluation);
        status = evaluate(&plain, &error);
    }
    if (status) {
        outcome_from_error(&check->outcome, &error);
    } else {
        compare(&ours, &plain, workload->precision == NST_PRECISION_HALF ? &half_bounds : &single_bounds, check);
    }
    release_side(&ours);
    release_side(&plain);
}
