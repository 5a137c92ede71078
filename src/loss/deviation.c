/* deviation.c: a style loss beside the Gram matrix's (Galerne, Raad, Lezama and Morel 2022, section 3.4): mean and
 * standard deviation of each channel of one layer.
 *
 *     loss = a sum over channels of (m - m*)^2 + (s - s*)^2         s = sqrt(mean of F^2 - m^2 + epsilon)
 *
 * m and s are the image's, * marks the styles', whose means of F and of F^2 are the sums over the pictures of share times
 * theirs. a = weight / sum over channels of m*^2 + s*^2 where the loss is relative, else weight / channels. Where positions
 * count differently, means are weighted means. The published program has no epsilon: where a channel is the same
 * everywhere, its gradient is not a number. See cl/deviation.cl.
 */
#include "loss/kinds.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>

struct deviation {
    cl_kernel sums, blend, value, gradient;
};

struct deviation_run {
    int sums, target, slope;            /* plan entries */
    struct region_weights image, style; /* of positions: where the loss counts, and of the style in hand */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct deviation *own = loss->state;
    const char *option = feature_map_option(model_has_half_maps(loss->model));
    const struct kernel_row kernels[] = {{"deviation_sums", &own->sums},
                                         {"deviation_blend", &own->blend},
                                         {"deviation_value", &own->value},
                                         {"deviation_gradient", &own->gradient}};
    return kernels_create(loss->context, "deviation.cl", option, kernels, sizeof kernels / sizeof *kernels, error);
}

static void destroy(struct loss *loss) {
    struct deviation *own = loss->state;
    kernel_release(&own->sums);
    kernel_release(&own->blend);
    kernel_release(&own->value);
    kernel_release(&own->gradient);
}

static int blocks_of(const struct loss *loss) {
    return feature_map_blocks(loss->context, loss_channels(loss, 0));
}

/* Of two vectors of channels. */
static size_t vector_pair_bytes(const struct loss *loss) {
    return 2 * (size_t)(blocks_of(loss) * loss->context->channel_block) * sizeof(float);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)sizes;
    (void)size_count;
    (void)error;
    const struct loss *loss = run->loss;
    const struct image_sizes *extents = &run->extents;
    struct deviation_run *own = run->state;
    int stage = loss->stages[0], values = model_stage_count(loss->model);
    int backward = model_backward_step(loss->model, stage);
    int of_image = loss_most_positions(loss, extents->sizes, run->in_tiles ? extents->count : 1);
    int of_all = loss_most_positions(loss, extents->sizes, extents->count);
    own->sums = plan_add(plan, vector_pair_bytes(loss), loss_first(run, values), loss_last(run, values),
                         "sums of channels %d", stage);
    own->slope = plan_add(plan, vector_pair_bytes(loss), loss_first(run, values), loss_last(run, backward),
                          "slope of deviations %d", stage);
    own->target = plan_add_always(plan, vector_pair_bytes(loss), "style means %d", stage);
    own->image.in_tiles = own->style.in_tiles = run->in_tiles;
    region_weights_reserve(&own->image, plan, of_image, PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST, "weights of positions");
    region_weights_reserve(&own->style, plan, of_all, values, values, "weights of style positions");
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct deviation_run *own = run->state;
    region_weights_free(&own->image);
    region_weights_free(&own->style);
}

/* ---- Statistics ---------------------------------------------------------------------------------------------------- */

/* The sums over a map, or, of a tile, added to those of the others. */
static nst_status gather_weighted(struct loss_run *run, const struct loss_map *at, struct region_weights *weights,
                                  nst_error *error) {
    const struct deviation *kernels = run->loss->state;
    const struct deviation_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct image_size size = {at->map.height, at->map.width};
    const size_t group = context->loops_in_kernel ? 1 : context->work_group;
    const struct work_size work = {1, {(size_t)blocks_of(run->loss) * group, 1, 1}, {group, 1, 1}};
    nst_status status = region_weights_show(context, run->plan, at->tile, size, weights, error);
    cl_mem of_positions = region_weights_buffer(weights, run->plan);
    return status ? status
                  : kernel_run(context, kernels->sums, work,
                               ARGUMENTS(arg_buffer(at->map.values), arg_buffer(of_positions),
                                         arg_int(of_positions != NULL), arg_buffer(plan_buffer(run->plan, own->sums)),
                                         arg_int(blocks_of(run->loss)), arg_int(size.height * size.width),
                                         arg_int(!loss_is_first(at))),
                               error);
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct deviation_run *own = run->state;
    return gather_weighted(run, at, &own->image, error);
}

/* The same numbers whatever the channels of a block. */
static int sums(const struct loss_run *run, struct loss_sum list[LOSS_MOST_SUMS]) {
    const struct deviation_run *own = run->state;
    size_t channels = (size_t)loss_channels(run->loss, 0);
    list[0] = (struct loss_sum){own->sums, 0, channels};
    list[1] = (struct loss_sum){own->sums, vector_pair_bytes(run->loss) / 2 / sizeof(float), channels};
    return 2;
}

/* ---- Targets ------------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct deviation_run *own = run->state;
    nst_context *context = run->loss->context;
    struct image_size size = loss_map_size(run->loss, 0, region->image);
    nst_status status = region_weights_set(context, run->plan, region, size, &own->image, error);
    return status ? status
                  : buffer_fill_zero(context, plan_buffer(run->plan, own->target), vector_pair_bytes(run->loss), error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    const struct deviation *kernels = run->loss->state;
    struct deviation_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct region seen = {.image = at->image, .weights = target->weights};
    const int count = 2 * blocks_of(run->loss);
    nst_status status = NST_OK;
    if (loss_is_first(at)) {
        status = region_weights_set(context, run->plan, &seen, loss_whole(at), &own->style, error);
    }
    status = status ? status : gather_weighted(run, at, &own->style, error);
    if (status || !loss_is_last(at)) {
        return status;
    }
    double share = target->share * loss_one_over(region_positions(&own->style, loss_whole(at)));
    return kernel_run(context, kernels->blend, work_range(context, (size_t)count),
                      ARGUMENTS(arg_buffer(plan_buffer(run->plan, own->sums)),
                                arg_buffer(plan_buffer(run->plan, own->target)), arg_int(count),
                                arg_float((float)share)),
                      error);
}

/* The sum over channels of m*^2 + s*^2, which is the mean of F*^2; waits. */
static nst_status measure_target(const struct loss_run *run, double *size, nst_error *error) {
    const struct deviation_run *own = run->state;
    const size_t bytes = vector_pair_bytes(run->loss), count = bytes / sizeof(float);
    float *vectors = malloc(bytes);
    if (!vectors) {
        return fail_memory(error, bytes, "means of channels");
    }
    nst_status status = buffer_read(run->loss->context, plan_buffer(run->plan, own->target), 0, vectors, bytes, error);
    *size = run->loss->options.epsilon * loss_channels(run->loss, 0);
    for (size_t i = count / 2; !status && i < count; ++i) {
        *size += vectors[i];
    }
    free(vectors);
    return status;
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    double divisor = loss_channels(run->loss, 0);
    nst_status status = run->loss->options.relative ? measure_target(run, &divisor, error) : NST_OK;
    run->factor = run->loss->weight * loss_one_over(divisor);
    return status;
}

/* ---- Value and gradient -------------------------------------------------------------------------------------------- */

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct deviation *kernels = run->loss->state;
    const struct deviation_run *own = run->state;
    nst_context *context = run->loss->context;
    double scale = loss_one_over(region_positions(&own->image, loss_whole(at)));
    return kernel_run(context, kernels->value, reduction_work(context),
                      ARGUMENTS(arg_buffer(plan_buffer(run->plan, own->sums)),
                                arg_buffer(plan_buffer(run->plan, own->target)),
                                arg_buffer(plan_buffer(run->plan, own->slope)), arg_buffer(loss_partials(run)),
                                arg_int(run->slot), arg_int(blocks_of(run->loss)), arg_float((float)scale),
                                arg_float((float)run->factor), arg_float((float)run->loss->options.epsilon)),
                      error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct deviation *kernels = run->loss->state;
    struct deviation_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct image_size size = {at->map.height, at->map.width};
    nst_status status = region_weights_show(context, run->plan, at->tile, size, &own->image, error);
    cl_mem of_positions = region_weights_buffer(&own->image, run->plan);
    size_t count = (size_t)blocks_of(run->loss) * (size_t)size.height * (size_t)size.width;
    return status ? status
                  : kernel_run(context, kernels->gradient, work_range(context, count),
                               ARGUMENTS(arg_buffer(at->map.values), arg_buffer(of_positions),
                                         arg_int(of_positions != NULL), arg_buffer(plan_buffer(run->plan, own->slope)),
                                         arg_buffer(at->map.mask), arg_int(at->map.mask != NULL), arg_buffer(gradient),
                                         arg_int(blocks_of(run->loss)), arg_int(size.height), arg_int(size.width)),
                               error);
}

/* ---- In double ----------------------------------------------------------------------------------------------------- */

struct statistics {
    double mean, deviation;
};

static struct statistics measure(const double *channel, int pixels, double epsilon) {
    double mean = 0, variance = 0;
    for (int p = 0; p < pixels; ++p) {
        mean += channel[p] / pixels;
    }
    for (int p = 0; p < pixels; ++p) {
        variance += (channel[p] - mean) * (channel[p] - mean) / pixels;
    }
    return (struct statistics){mean, sqrt(variance + epsilon)};
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    const int pixels = in->height * in->width;
    double loss = 0, size = 0;
    for (int c = 0; c < in->channels; ++c) {
        const double *channel = in->map + (size_t)c * (size_t)pixels;
        struct statistics own = measure(channel, pixels, options->epsilon);
        struct statistics style = measure(in->style + (size_t)c * (size_t)pixels, pixels, options->epsilon);
        double between = own.mean - style.mean, spread = own.deviation - style.deviation;
        loss += between * between + spread * spread;
        size += style.mean * style.mean + style.deviation * style.deviation;
        for (int p = 0; p < pixels; ++p) {
            gradient[c * pixels + p] = 2 * (between + spread * (channel[p] - own.mean) / own.deviation) / pixels;
        }
    }
    double factor = loss_one_over(options->relative ? size : in->channels);
    for (int i = 0; i < in->channels * pixels; ++i) {
        gradient[i] *= factor;
    }
    return factor * loss;
}

const struct loss_methods deviation_loss = {
    .kind = "mean and deviation",
    .pictures = LOSS_STYLE,
    .takes_tiles = true,
    .state_bytes = sizeof(struct deviation),
    .run_bytes = sizeof(struct deviation_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .target_end = target_end,
    .gather = gather,
    .sums = sums,
    .value = value,
    .add_gradient = add_gradient,
    .reference = reference,
    .rarely_used = true,
};
