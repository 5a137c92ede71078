/* check.c: are losses and gradient right? A small picture through the engines that the device would use, and through
 * the plain one, each with losses at the layers of the default recipe. It stands on the network's and the losses'
 * rooms alone, so that it needs no choice of engine in the objective. */
#include "bench/bench_internal.h"

#include "loss/loss.h"
#include "optimizer/optimizer.h"
#include "support/error.h"
#include "support/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Winograd's rounding alone makes 1e-5 of a convolution; a maximum or a ReLU that falls the other way for it moves
 * single elements of the gradient by much more, hence the two bounds. */
static const double most_loss_error = 1e-3, most_gradient_error = 0.02, most_largest_error = 0.2;

/* One way of computing them. */
struct side {
    nst_context *context;
    struct image_size size;
    struct model *model;
    struct style_loss *styles[NST_MAX_LAYERS];
    struct content_loss *contents[NST_MAX_LAYERS];
    int style_stages[NST_MAX_LAYERS], content_stages[NST_MAX_LAYERS];
    int style_count, content_count;
    struct plan plan;
    int image, image_gradient, partials; /* plan entries */
    bool has_weights;                    /* those of the other side: a wrong scale would cancel out against its own */
    struct style_loss_weights style_weights[NST_MAX_LAYERS];
    double content_weights[NST_MAX_LAYERS];
    double loss;
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

static nst_status create_losses(struct side *side, const nst_settings *settings, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < settings->style_layers.count; ++i, ++side->style_count) {
        side->style_stages[i] = model_find_stage(side->model, settings->style_layers.layers[i].name);
        status =
            style_loss_create(side->context, side->model, side->style_stages[i], PRODUCT_AUTO, &side->styles[i], error);
    }
    for (int i = 0; !status && i < settings->content_layers.count; ++i, ++side->content_count) {
        side->content_stages[i] = model_find_stage(side->model, settings->content_layers.layers[i].name);
        status = content_loss_create(side->context, side->model, side->content_stages[i], &side->contents[i], error);
    }
    return status;
}

static nst_status plan_side(struct side *side, nst_error *error) {
    struct plan *plan = &side->plan;
    size_t bytes = image_bytes(side);
    side->image = plan_add_always(plan, bytes, "image");
    side->image_gradient = plan_add_always(plan, bytes, "gradient of the image");
    side->partials =
        plan_add_always(plan, reduction_bytes(side->context, side->style_count + side->content_count), "losses");
    nst_status status = model_add_to_plan(side->model, plan, &side->size, 1, error);
    for (int i = 0; !status && i < side->style_count; ++i) {
        status = style_loss_add_to_plan(side->styles[i], plan, &side->size, 1);
    }
    for (int i = 0; !status && i < side->content_count; ++i) {
        status = content_loss_add_to_plan(side->contents[i], plan, &side->size, 1);
    }
    if (!status) {
        status = plan_assign(plan, error);
    }
    return status ? status : plan_allocate(plan, side->context, error);
}

static nst_status create_side(struct side *side, const nst_network *network, enum convolution_engine engine,
                              nst_error *error) {
    nst_settings settings;
    workload_settings(side->size.width, &settings);
    const char *taps[2 * NST_MAX_LAYERS];
    struct model_options options = {.taps = taps, .pooling = settings.pooling, .engine = engine};
    for (int i = 0; i < settings.style_layers.count; ++i) {
        taps[options.tap_count++] = settings.style_layers.layers[i].name;
    }
    for (int i = 0; i < settings.content_layers.count; ++i) {
        taps[options.tap_count++] = settings.content_layers.layers[i].name;
    }
    side->gradient = malloc(image_bytes(side));
    if (!side->gradient) {
        return fail_memory(error, image_bytes(side), "a gradient");
    }
    nst_status status = model_create(side->context, network, &options, &side->model, error);
    if (!status) {
        status = create_losses(side, &settings, error);
    }
    return status ? status : plan_side(side, error);
}

static void take_weights(struct side *side, const struct side *other) {
    memcpy(side->style_weights, other->style_weights, sizeof side->style_weights);
    memcpy(side->content_weights, other->content_weights, sizeof side->content_weights);
    side->has_weights = true;
}

static void release_side(struct side *side) {
    plan_free(&side->plan, side->context);
    for (int i = 0; i < NST_MAX_LAYERS; ++i) {
        style_loss_destroy(side->styles[i]);
        content_loss_destroy(side->contents[i]);
    }
    model_destroy(side->model);
    free(side->gradient);
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

/* Puts noise into the image and runs the network on it. */
static nst_status forward(struct side *side, uint64_t seed, nst_error *error) {
    size_t bytes = image_bytes(side);
    float *values = calloc(1, bytes);
    if (!values) {
        return fail_memory(error, bytes, "an image");
    }
    struct random_generator generator = random_from_seed(seed);
    for (size_t i = 0; i < image_elements(side); ++i) {
        values[i] = (float)(255 * random_uniform(&generator));
    }
    cl_mem image = plan_buffer(&side->plan, side->image);
    nst_status status = buffer_write(side->context, image, 0, values, bytes, error);
    if (!status) {
        status = context_finish(side->context, error);
    }
    free(values);
    return status ? status : model_forward(side->model, &side->plan, image, side->size, error);
}

static struct loss_output output_at(const struct side *side, int slot) {
    return (struct loss_output){.partials = plan_buffer(&side->plan, side->partials), .slot = slot};
}

static nst_status set_targets(struct side *side, nst_error *error) {
    double squares = 1;
    nst_status status = forward(side, 1, error);
    for (int i = 0; !status && i < side->style_count; ++i) {
        struct feature_map map = model_feature_map(side->model, &side->plan, side->style_stages[i]);
        double scale = 1.0 / ((double)map.height * map.width);
        status = style_loss_gram(side->styles[i], &side->plan, &map, error);
        status = status ? status : style_loss_clear_target(side->styles[i], &side->plan, error);
        status = status ? status : style_loss_add_to_target(side->styles[i], &side->plan, scale, error);
        status = status ? status : style_loss_target_size(side->styles[i], &side->plan, &squares, error);
        if (!side->has_weights) {
            side->style_weights[i] = (struct style_loss_weights){.weight = 1 / squares, .scale = scale};
        }
    }
    status = status ? status : forward(side, 2, error);
    for (int i = 0; !status && i < side->content_count; ++i) {
        struct feature_map map = model_feature_map(side->model, &side->plan, side->content_stages[i]);
        status = content_loss_set_target(side->contents[i], &side->plan, &map, error);
        status = status ? status
                        : content_loss_target_size(side->contents[i], &side->plan, &map,
                                                   output_at(side, side->style_count + i), &squares, error);
        if (!side->has_weights) {
            side->content_weights[i] = 1 / squares;
        }
    }
    side->has_weights = !status;
    return status;
}

/* The gradients of the losses that sit at a stage. */
static nst_status add_gradients(struct side *side, int stage, nst_error *error) {
    struct feature_map map = model_feature_map(side->model, &side->plan, stage);
    cl_mem gradient = model_gradient(side->model, &side->plan, stage);
    nst_status status = NST_OK;
    for (int i = 0; !status && i < side->style_count; ++i) {
        if (side->style_stages[i] == stage) {
            status = style_loss_add_gradient(side->styles[i], &side->plan, &map, gradient, error);
        }
    }
    for (int i = 0; !status && i < side->content_count; ++i) {
        if (side->content_stages[i] == stage) {
            status = content_loss_run(side->contents[i], &side->plan, &map, side->content_weights[i],
                                      output_at(side, side->style_count + i), gradient, error);
        }
    }
    return status;
}

static bool has_loss(const struct side *side, int stage) {
    bool found = false;
    for (int i = 0; i < side->style_count; ++i) {
        found = found || side->style_stages[i] == stage;
    }
    for (int i = 0; i < side->content_count; ++i) {
        found = found || side->content_stages[i] == stage;
    }
    return found;
}

static nst_status backward(struct side *side, nst_error *error) {
    int from = model_stage_count(side->model) - 1;
    nst_status status = model_backward_begin(side->model, &side->plan, error);
    status = status ? status : add_gradients(side, from, error);
    for (int stage = from - 1; !status && stage >= 0; --stage) {
        if (has_loss(side, stage)) {
            status = model_backward(side->model, &side->plan, from, stage, NULL, error);
            status = status ? status : add_gradients(side, stage, error);
            from = stage;
        }
    }
    cl_mem gradient = plan_buffer(&side->plan, side->image_gradient);
    status = status ? status : model_backward(side->model, &side->plan, from, -1, gradient, error);
    return status
               ? status
               : buffer_read(side->context, gradient, 0, side->gradient, image_elements(side) * sizeof(float), error);
}

/* Losses and gradient at a third image. */
static nst_status evaluate(struct side *side, nst_error *error) {
    nst_status status = set_targets(side, error);
    status = status ? status : forward(side, 3, error);
    for (int i = 0; !status && i < side->style_count; ++i) {
        struct feature_map map = model_feature_map(side->model, &side->plan, side->style_stages[i]);
        status = style_loss_gram(side->styles[i], &side->plan, &map, error);
        status =
            status ? status
                   : style_loss_value(side->styles[i], &side->plan, side->style_weights[i], output_at(side, i), error);
    }
    status = status ? status : backward(side, error);
    side->loss = 0;
    for (int i = 0; !status && i < side->style_count + side->content_count; ++i) {
        double loss = 0;
        status = reduction_read(side->context, plan_buffer(&side->plan, side->partials), i, &loss, error);
        side->loss += loss;
    }
    return status;
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

static void compare(const struct side *ours, const struct side *plain, struct bench_check *check) {
    double squares = 0, error_squares = 0, largest = 0, largest_error = 0;
    for (size_t i = 0; i < image_elements(ours); ++i) {
        double wanted = plain->gradient[i], difference = ours->gradient[i] - wanted;
        squares += wanted * wanted;
        error_squares += difference * difference;
        largest = fmax(largest, fabs(wanted));
        largest_error = fmax(largest_error, fabs(difference));
    }
    check->loss_error = fabs(ours->loss - plain->loss) / plain->loss;
    check->gradient_error = sqrt(error_squares / squares);
    check->largest_error = largest_error / largest;
    check->largest_bound = most_largest_error;
    /* Written so that what is not a number fails; fmax above passes over it, the sums do not. */
    if (!(check->loss_error <= most_loss_error && check->gradient_error <= most_gradient_error &&
          check->largest_error <= most_largest_error)) {
        outcome_set(&check->outcome, BENCH_WRONG,
                    "at %d x %d pixels the loss differs from the plain engine's by %.2g (bound %.2g), the gradient by "
                    "%.2g (bound %.2g)",
                    ours->size.width, ours->size.height, check->loss_error, most_loss_error, check->gradient_error,
                    most_gradient_error);
    }
}

/* Runs it once more, now that everything is built. An evaluation is three times forward and once backward, an iteration
 * once each. */
static nst_status time_iteration(struct side *side, double *seconds, nst_error *error) {
    double start = seconds_now();
    nst_status status = evaluate(side, error);
    *seconds = (seconds_now() - start) / 2;
    return status;
}

void check_measure(nst_context *context, const nst_network *network, int size_px, struct bench_check *check,
                   double *iteration_seconds) {
    /* Not square, and odd on the way, so that tiles at the borders are not whole. */
    struct image_size size = {.height = size_px - size_px / 5, .width = size_px};
    struct side ours = {.context = context, .size = size}, plain = ours;
    nst_error error = {0};
    *check = (struct bench_check){.size_px = size_px};
    *iteration_seconds = 0;
    nst_status status = create_side(&ours, network, CONVOLUTION_AUTO, &error);
    status = status ? status : evaluate(&ours, &error);
    status = status ? status : time_iteration(&ours, iteration_seconds, &error);
    take_weights(&plain, &ours);
    status = status ? status : create_side(&plain, network, CONVOLUTION_PLAIN, &error);
    status = status ? status : evaluate(&plain, &error);
    if (status) {
        outcome_from_error(&check->outcome, &error);
    } else {
        compare(&ours, &plain, check);
    }
    release_side(&ours);
    release_side(&plain);
}
