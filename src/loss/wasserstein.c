/* wasserstein.c: the style loss of style-transfer-pytorch: the Wasserstein-2 distance between two normal distributions
 * that have mean and covariance of the features of one layer (Olkin and Pukelsheim 1982).
 *
 *     loss = a (|m - m*|^2 + tr(V + V* - 2 (R V R)^(1/2)))        R = V*^(1/2)
 *          = a (|m - m*|^2 + tr(V + V* - 2 (L V L^T)^(1/2)))      L^T L = R^2
 *     gradient = mask 2 a / N (D (F - m 1^T) + (m - m*) 1^T)      D = I - L^T (L V L^T)^(-1/2) L
 *
 * F is the feature map as a matrix, channels x N pixels; m its mean over the pixels, V = F F^T / N - m m^T + epsilon I;
 * * marks the style, whose means and second moments are the sums over the pictures of share times theirs. The gradient
 * is with respect to what goes into the layer's ReLU, hence the mask. a = weight / E|F*|^2, the mean squared length of
 * the style's features with epsilon, where the loss is relative; else weight / channels.
 *
 * Where positions count differently, sums over pixels are weighted sums, N is the sum of the weights, and the gradient is
 * weight times what stands there.
 *
 * Roots, and inverse ones for D, are what the program named makes of them: twelve steps of square_root.h, which small
 * eigenvalues have not converged by. So the gradient is not quite that of the value.
 */
#include "loss/kinds.h"

#include "loss/square_root.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 12 };

struct wasserstein {
    struct product *moments; /* F F^T */
    struct square_root root;
    struct convolution *gradient; /* 1x1 */
    cl_kernel mean, blend, accumulate, covariance, diagonal, value, slope;
    cl_kernel weigh, weighted_mean, weighted_bias; /* if the loss weighs */
};

enum { MATRICES = 4 };

/* Plan entries, -1 for none; and which buffer is which matrix since the value was computed. */
struct wasserstein_run {
    int moments, mean, variance, squares, matrix[MATRICES];
    int target_mean, target_variance;
    int lines, columns; /* L and L^T; until the targets are complete, L is the second moments */
    int weights, bias;
    int moments_scratch, root_scratch, gradient_scratch;
    int tile_moments, tile_mean, lost_moments, lost_mean; /* in tiles: of the one in hand, and what rounding loses */
    int no_bias;                                          /* where positions are weighted: zeros */
    struct square_root_matrices matrices;
    struct region_weights image, style; /* of positions: where the loss counts, and of the style in hand */
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status create_kernels(struct loss *loss, nst_error *error) {
    struct wasserstein *own = loss->state;
    nst_context *context = loss->context;
    const char *option = feature_map_option(model_has_half_maps(loss->model));
    const struct kernel_row kernels[] = {{"map_mean", &own->mean},
                                         {"covariance", &own->covariance},
                                         {"diagonal", &own->diagonal},
                                         {"wasserstein_value", &own->value},
                                         {"wasserstein_slope", &own->slope}};
    nst_status status = kernel_create(context, "job.cl", option, "gram_blend", &own->blend, error);
    status = status ? status : kernel_create(context, "job.cl", option, "accumulate", &own->accumulate, error);
    return status ? status
                  : kernels_create(context, "wasserstein.cl", option, kernels, sizeof kernels / sizeof *kernels, error);
}

static nst_status create_weighted_kernels(struct loss *loss, nst_error *error) {
    struct wasserstein *own = loss->state;
    bool half_maps = model_has_half_maps(loss->model);
    nst_status status = region_kernel_create(loss->context, half_maps, "region_weigh", &own->weigh, error);
    status =
        status ? status : region_kernel_create(loss->context, half_maps, "region_mean", &own->weighted_mean, error);
    return status ? status : region_kernel_create(loss->context, half_maps, "region_bias", &own->weighted_bias, error);
}

static nst_status create(struct loss *loss, nst_error *error) {
    struct wasserstein *own = loss->state;
    bool half_maps = model_has_half_maps(loss->model), in_place = model_gradient_in_place(loss->model, loss->stages[0]);
    int channels = loss_channels(loss, 0);
    const struct product_shape moments = {.kind = PRODUCT_GRAM, .rows = channels, .half_maps = half_maps};
    const struct convolution_shape shape = {.in_channels = channels,
                                            .out_channels = channels,
                                            .kernel_size = 1,
                                            .padding_mode = PADDING_ZERO,
                                            .epilogue = in_place ? EPILOGUE_MASK : EPILOGUE_MASK_ADD,
                                            .half_maps = half_maps,
                                            .in_place = in_place};
    nst_status status = product_create(loss->context, &moments, NULL, &own->moments, error);
    status = status ? status : square_root_create(loss->context, channels, &own->root, error);
    status = status ? status : create_kernels(loss, error);
    if (!status && loss->weighs) {
        status = create_weighted_kernels(loss, error);
    }
    return status ? status : convolution_create(loss->context, &shape, NULL, NULL, &own->gradient, error);
}

static void destroy(struct loss *loss) {
    struct wasserstein *own = loss->state;
    cl_kernel *kernels[] = {&own->accumulate, &own->mean,  &own->blend, &own->covariance,    &own->diagonal,
                            &own->value,      &own->slope, &own->weigh, &own->weighted_mean, &own->weighted_bias};
    convolution_destroy(own->gradient);
    square_root_release(&own->root);
    product_destroy(own->moments);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        kernel_release(kernels[i]);
    }
}

static size_t moments_elements(const struct loss *loss) {
    return (size_t)loss_channels(loss, 0) * (size_t)loss_channels(loss, 0);
}

/* Of one number for each channel, filled up to whole blocks. */
static size_t vector_bytes(const struct loss *loss) {
    nst_context *context = loss->context;
    return (size_t)(feature_map_blocks(context, loss_channels(loss, 0)) * context->channel_block) * sizeof(float);
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void reserve_scratch(struct loss_run *run, struct plan *plan) {
    const struct wasserstein *kernels = run->loss->state;
    struct wasserstein_run *own = run->state;
    uint64_t moments = 0, gradient = 0, root = square_root_scratch_bytes(&kernels->root);
    const struct image_sizes *extents = &run->extents;
    for (int i = 0; i < extents->count; ++i) {
        struct image_size size = loss_map_size(run->loss, 0, extents->sizes[i]);
        moments = larger(moments, product_scratch_bytes(kernels->moments, size.height * size.width));
        gradient = larger(gradient, convolution_scratch_bytes(kernels->gradient, size.height, size.width));
    }
    int stage = run->loss->stages[0], values = model_stage_count(run->loss->model);
    int backward = model_backward_step(run->loss->model, stage);
    own->image.in_tiles = own->style.in_tiles = run->in_tiles;
    region_weights_reserve(&own->image, plan,
                           loss_most_positions(run->loss, extents->sizes, run->in_tiles ? extents->count : 1),
                           PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST, "weights of positions");
    region_weights_reserve(&own->style, plan, loss_most_positions(run->loss, extents->sizes, extents->count), values,
                           values, "weights of style positions");
    own->no_bias =
        run->loss->weighs ? plan_add(plan, vector_bytes(run->loss), backward, backward, "no bias %d", stage) : -1;
    own->moments_scratch = moments ? plan_add(plan, moments, values, values, "second moments' sums %d", stage) : -1;
    own->root_scratch = root ? plan_add(plan, root, values, backward, "square root's scratch %d", stage) : -1;
    own->gradient_scratch =
        gradient ? plan_add(plan, gradient, backward, backward, "style gradient scratch %d", stage) : -1;
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)error;
    (void)sizes;
    (void)size_count;
    const struct loss *loss = run->loss;
    const struct wasserstein *kernels = loss->state;
    struct wasserstein_run *own = run->state;
    size_t matrix = square_root_matrix_bytes(&kernels->root), vector = vector_bytes(loss);
    size_t dense = moments_elements(loss) * sizeof(float);
    int stage = loss->stages[0];
    int values = model_stage_count(loss->model); /* losses are computed after the last forward step */
    int backward = model_backward_step(loss->model, stage), first = loss_first(run, values);
    int last = loss_last(run, backward), slope = loss_first(run, backward);
    own->moments = plan_add(plan, dense, first, loss_last(run, values), "second moments %d", stage);
    own->variance = plan_add(plan, vector, values, values, "variances %d", stage);
    own->mean = plan_add(plan, vector, first, last, "means %d", stage);
    own->squares = plan_add(plan, 2 * sizeof(float), first, last, "norms %d", stage);
    for (int i = 0; i < MATRICES; ++i) {
        own->matrix[i] = plan_add(plan, matrix, first, last, "matrix %d of %d", i + 1, stage);
    }
    own->weights = plan_add(plan, dense, slope, last, "style slope %d", stage);
    own->bias = plan_add(plan, vector, slope, last, "style slope's bias %d", stage);
    own->target_mean = plan_add_always(plan, vector, "style means %d", stage);
    own->target_variance = plan_add_always(plan, vector, "style variances %d", stage);
    own->lines = plan_add_always(plan, matrix, "style factor %d", stage);
    own->columns = plan_add_always(plan, matrix, "style factor, transposed %d", stage);
    own->tile_moments = own->tile_mean = own->lost_moments = own->lost_mean = -1;
    if (run->in_tiles) {
        own->tile_moments = plan_add(plan, dense, values, values, "second moments %d of a tile", stage);
        own->tile_mean = plan_add(plan, vector, values, values, "means %d of a tile", stage);
        own->lost_moments = plan_add_always(plan, dense, "lost by second moments %d", stage);
        own->lost_mean = plan_add_always(plan, vector, "lost by means %d", stage);
    }
    reserve_scratch(run, plan);
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct wasserstein_run *own = run->state;
    region_weights_free(&own->image);
    region_weights_free(&own->style);
}

/* ---- Statistics -------------------------------------------------------------------------------------------------- */

static cl_mem buffer_of(const struct loss_run *run, int entry) {
    return entry < 0 ? NULL : plan_buffer(run->plan, entry);
}

static struct square_root_matrices matrices_of(const struct loss_run *run) {
    const struct wasserstein_run *own = run->state;
    return (struct square_root_matrices){.y = buffer_of(run, own->matrix[0]),
                                         .z = buffer_of(run, own->matrix[1]),
                                         .t = buffer_of(run, own->matrix[2]),
                                         .spare = buffer_of(run, own->matrix[3]),
                                         .scratch = buffer_of(run, own->root_scratch),
                                         .squares = buffer_of(run, own->squares)};
}

/* The mean over the positions with weights. */
static nst_status run_mean(struct loss_run *run, const struct loss_map *at, const struct region_weights *weights,
                           cl_mem mean, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    nst_context *context = run->loss->context;
    int pixels = at->map.height * at->map.width;
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    size_t items = (size_t)feature_map_blocks(context, at->map.channels) * group;
    struct work_size size = {1, {items, 1, 1}, {group, 1, 1}};
    if (weights->is_weighted) {
        double total = weights->total > 0 ? weights->total : 1;
        return kernel_run(context, kernels->weighted_mean, size,
                          ARGUMENTS(arg_buffer(at->map.values), arg_buffer(region_weights_buffer(weights, run->plan)),
                                    arg_buffer(mean), arg_int(pixels), arg_float((float)total)),
                          error);
    }
    return kernel_run(context, kernels->mean, size,
                      ARGUMENTS(arg_buffer(at->map.values), arg_buffer(mean), arg_int(pixels)), error);
}

/* sum += scale * values */
static nst_status blend(const struct loss_run *run, cl_mem values, cl_mem sum, size_t count, double scale,
                        nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    return kernel_run(run->loss->context, kernels->blend, work_range(run->loss->context, count),
                      ARGUMENTS(arg_buffer(values), arg_buffer(sum), arg_int((int)count), arg_float((float)scale),
                                arg_float((float)(scale - (float)scale))),
                      error);
}

/* Sums of products, and means, over a map whose positions have these weights. */
static nst_status measure_map(struct loss_run *run, const struct loss_map *at, struct region_weights *weights,
                              nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    const struct wasserstein_run *own = run->state;
    nst_context *context = run->loss->context;
    struct image_size size = {at->map.height, at->map.width};
    struct product_call call = {.extent = size.height * size.width,
                                .a = weights->is_weighted ? at->scratch : at->map.values,
                                .c = buffer_of(run, at->tile ? own->tile_moments : own->moments),
                                .scratch = buffer_of(run, own->moments_scratch)};
    nst_status status = region_weights_show(context, run->plan, at->tile, size, weights, error);
    if (!status && weights->is_weighted) {
        status = region_weigh(context, kernels->weigh, &at->map, region_weights_buffer(weights, run->plan),
                              REGION_ROOTS, at->scratch, error);
    }
    status = status ? status : product_run(kernels->moments, &call, error);
    return status ? status : run_mean(run, at, weights, buffer_of(run, at->tile ? own->tile_mean : own->mean), error);
}

/* A sum over tiles: what it is made of, and entries of the plan. */
struct tile_sum {
    int values, sum, lost;
    size_t count;
    double scale;
};

static nst_status accumulate(const struct loss_run *run, const struct tile_sum *sum, bool begins, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    return kernel_run(run->loss->context, kernels->accumulate, work_range(run->loss->context, sum->count),
                      ARGUMENTS(arg_buffer(buffer_of(run, sum->values)), arg_buffer(buffer_of(run, sum->sum)),
                                arg_buffer(buffer_of(run, sum->lost)), arg_int((int)sum->count),
                                arg_float((float)sum->scale), arg_int(begins)),
                      error);
}

/* Adds a tile's sums to those of the others; behind the last one the mean is made of its sum. */
static nst_status add_tile(struct loss_run *run, const struct loss_map *at, const struct region_weights *weights,
                           nst_error *error) {
    const struct wasserstein_run *own = run->state;
    nst_context *context = run->loss->context;
    size_t channels = (size_t)loss_channels(run->loss, 0);
    /* What a tile's mean is a mean over. */
    double positions = region_positions(weights, (struct image_size){at->map.height, at->map.width});
    const struct tile_sum moments = {own->tile_moments, own->moments, own->lost_moments, moments_elements(run->loss),
                                     1};
    const struct tile_sum means = {own->tile_mean, own->mean, own->lost_mean, channels, positions};
    cl_mem mean = buffer_of(run, own->mean), tile_mean = buffer_of(run, own->tile_mean);
    nst_status status = accumulate(run, &moments, loss_is_first(at), error);
    status = status ? status : accumulate(run, &means, loss_is_first(at), error);
    if (status || !loss_is_last(at)) {
        return status;
    }
    double scale = loss_one_over(region_positions(weights, loss_whole(at)));
    status = buffer_fill_zero(context, tile_mean, vector_bytes(run->loss), error);
    status = status ? status : blend(run, mean, tile_mean, channels, scale, error);
    return status ? status : buffer_copy(context, tile_mean, mean, vector_bytes(run->loss), error);
}

/* Gathers mean and second moments of a map whose positions have these weights. */
static nst_status gather_weighted(struct loss_run *run, const struct loss_map *at, struct region_weights *weights,
                                  nst_error *error) {
    nst_status status = measure_map(run, at, weights, error);
    return status || !at->tile ? status : add_tile(run, at, weights, error);
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct wasserstein_run *own = run->state;
    return gather_weighted(run, at, &own->image, error);
}

/* The mean of a part is a sum over it, divided by the positions of the whole. */
static int sums(const struct loss_run *run, struct loss_sum list[LOSS_MOST_SUMS]) {
    const struct wasserstein_run *own = run->state;
    list[0] = (struct loss_sum){own->moments, 0, moments_elements(run->loss)};
    list[1] = (struct loss_sum){own->mean, 0, (size_t)loss_channels(run->loss, 0)};
    return 2;
}

/* The launch for a kernel with FOR_LINES over a matrix. */
static struct work_size over_matrix(const struct loss *loss) {
    size_t channels = (size_t)loss_channels(loss, 0);
    return work_range(loss->context, channels * (loss->context->loops_in_kernel ? 1 : channels));
}

/* matrix = scale moments - mean mean^T + epsilon I, and its diagonal. */
static nst_status make_covariance(const struct loss_run *run, cl_mem moments, cl_mem mean, double scale, cl_mem matrix,
                                  nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    int channels = loss_channels(run->loss, 0);
    float scale_rest = (float)(scale - (float)scale); /* what rounding to a float leaves */
    return kernel_run(run->loss->context, kernels->covariance, over_matrix(run->loss),
                      ARGUMENTS(arg_buffer(moments), arg_buffer(mean), arg_buffer(matrix), arg_int(channels),
                                arg_int(kernels->root.side), arg_float((float)scale), arg_float(scale_rest),
                                arg_float((float)run->loss->options.epsilon)),
                      error);
}

static nst_status copy_diagonal(const struct loss_run *run, cl_mem matrix, cl_mem diagonal, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    int channels = loss_channels(run->loss, 0);
    return kernel_run(
        run->loss->context, kernels->diagonal, work_range(run->loss->context, (size_t)channels),
        ARGUMENTS(arg_buffer(matrix), arg_buffer(diagonal), arg_int(channels), arg_int(kernels->root.side)), error);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    struct wasserstein_run *own = run->state;
    nst_context *context = run->loss->context;
    struct image_size size = loss_map_size(run->loss, 0, region->image);
    nst_status status = region_weights_set(context, run->plan, region, size, &own->image, error);
    status =
        status ? status
               : buffer_fill_zero(context, buffer_of(run, own->lines), square_root_matrix_bytes(&kernels->root), error);
    return status ? status
                  : buffer_fill_zero(context, buffer_of(run, own->target_mean), vector_bytes(run->loss), error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    struct wasserstein_run *own = run->state;
    const struct region seen = {.image = at->image, .weights = target->weights};
    nst_status status = NST_OK;
    if (loss_is_first(at)) {
        status = region_weights_set(run->loss->context, run->plan, &seen, loss_whole(at), &own->style, error);
    }
    status = status ? status : gather_weighted(run, at, &own->style, error);
    if (status || !loss_is_last(at)) {
        return status;
    }
    double share = target->share * loss_one_over(region_positions(&own->style, loss_whole(at)));
    status =
        blend(run, buffer_of(run, own->moments), buffer_of(run, own->lines), moments_elements(run->loss), share, error);
    return status ? status
                  : blend(run, buffer_of(run, own->mean), buffer_of(run, own->target_mean),
                          (size_t)loss_channels(run->loss, 0), target->share, error);
}

/* The mean squared length of the style's features: what is left of it in means and variances; waits. */
static nst_status measure_target(const struct loss_run *run, double *size, nst_error *error) {
    const struct wasserstein_run *own = run->state;
    size_t channels = (size_t)loss_channels(run->loss, 0), bytes = channels * sizeof(float);
    nst_context *context = run->loss->context;
    float *vectors = malloc(2 * bytes);
    if (!vectors) {
        return fail_memory(error, 2 * bytes, "means and variances");
    }
    nst_status status = buffer_read(context, buffer_of(run, own->target_mean), 0, vectors, bytes, error);
    status = status ? status
                    : buffer_read(context, buffer_of(run, own->target_variance), 0, vectors + channels, bytes, error);
    *size = 0;
    for (size_t i = 0; !status && i < channels; ++i) {
        *size += (double)vectors[i] * vectors[i] + vectors[channels + i];
    }
    free(vectors);
    return status;
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    const struct wasserstein_run *own = run->state;
    struct square_root_matrices m = matrices_of(run);
    /* Whoever made the moments has no more use for the variances of the map. */
    const struct square_root_factor factor = {.lines = buffer_of(run, own->lines),
                                              .transposed = buffer_of(run, own->columns),
                                              .left = buffer_of(run, own->variance),
                                              .least = run->loss->options.epsilon};
    double divisor = loss_channels(run->loss, 0);
    nst_status status = make_covariance(run, factor.lines, buffer_of(run, own->target_mean), 1, m.y, error);
    status = status ? status : copy_diagonal(run, m.y, buffer_of(run, own->target_variance), error);
    status = status ? status : square_root_factor(&kernels->root, &m, STEPS, &factor, error);
    if (!status && run->loss->options.relative) {
        status = measure_target(run, &divisor, error);
    }
    run->factor = run->loss->weight * loss_one_over(divisor);
    return status;
}

/* ---- Value and gradient ------------------------------------------------------------------------------------------ */

/* result = left matrix right, where one of them is the other transposed; `between` is overwritten. */
struct enclosing {
    cl_mem left, matrix, right, between, result;
};

static nst_status enclose(const struct loss_run *run, const struct enclosing *in, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    const struct wasserstein_run *own = run->state;
    cl_mem scratch = buffer_of(run, own->root_scratch);
    int channels = loss_channels(run->loss, 0);
    const struct product_call right = {
        .extent = channels, .a = in->matrix, .b = in->right, .c = in->between, .scratch = scratch};
    const struct product_call left = {
        .extent = channels, .a = in->left, .b = in->between, .c = in->result, .scratch = scratch, .symmetric = true};
    nst_status status = product_run(kernels->root.product, &right, error);
    return status ? status : product_run(kernels->root.product, &left, error);
}

/* Leaves the root of L V L^T for the gradient. */
static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    struct wasserstein_run *own = run->state;
    struct square_root_matrices *m = &own->matrices;
    nst_context *context = run->loss->context;
    double pixels = region_positions(&own->image, loss_whole(at));
    cl_mem mean = buffer_of(run, own->mean), variance = buffer_of(run, own->variance);
    *m = matrices_of(run);
    nst_status status = make_covariance(run, buffer_of(run, own->moments), mean, loss_one_over(pixels), m->z, error);
    status = status ? status : copy_diagonal(run, m->z, variance, error);
    const struct enclosing call = {buffer_of(run, own->lines), m->z, buffer_of(run, own->columns), m->t, m->y};
    status = status ? status : enclose(run, &call, error);
    status = status ? status : square_root_run(&kernels->root, m, STEPS, error);
    return status ? status
                  : kernel_run(context, kernels->value, reduction_work(context),
                               ARGUMENTS(arg_buffer(mean), arg_buffer(buffer_of(run, own->target_mean)),
                                         arg_buffer(variance), arg_buffer(buffer_of(run, own->target_variance)),
                                         arg_buffer(m->y), arg_buffer(m->squares), arg_buffer(loss_partials(run)),
                                         arg_int(run->slot), arg_int(loss_channels(run->loss, 0)),
                                         arg_int(kernels->root.side), arg_float((float)run->factor)),
                               error);
}

/* Weights and bias of the gradient's convolution. */
static nst_status make_slope(const struct loss_run *run, double pixels, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    const struct wasserstein_run *own = run->state;
    struct square_root_matrices m = own->matrices;
    nst_context *context = run->loss->context;
    int channels = loss_channels(run->loss, 0);
    m.slot = 1;
    nst_status status = square_root_inverse(&kernels->root, &m, STEPS, error);
    const struct enclosing call = {buffer_of(run, own->columns), m.z, buffer_of(run, own->lines), m.t, m.spare};
    status = status ? status : enclose(run, &call, error);
    return status
               ? status
               : kernel_run(context, kernels->slope, work_range(context, (size_t)channels),
                            ARGUMENTS(arg_buffer(m.spare), arg_buffer(m.squares), arg_buffer(buffer_of(run, own->mean)),
                                      arg_buffer(buffer_of(run, own->target_mean)),
                                      arg_buffer(buffer_of(run, own->weights)), arg_buffer(buffer_of(run, own->bias)),
                                      arg_int(channels), arg_int(kernels->root.side),
                                      arg_float((float)(2 * run->factor * loss_one_over(pixels)))),
                            error);
}

/* Adds what the bias makes of the gradient, which the convolution then has not; and copies the weighted map. */
static nst_status weigh_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    struct wasserstein_run *own = run->state;
    nst_context *context = run->loss->context;
    cl_mem weights = region_weights_buffer(&own->image, run->plan), bias = buffer_of(run, own->bias);
    int blocks = feature_map_blocks(context, at->map.channels), pixels = at->map.height * at->map.width;
    struct image_size size = {at->map.height, at->map.width};
    nst_status status = region_weights_show(context, run->plan, at->tile, size, &own->image, error);
    status = status ? status
                    : kernel_run(context, kernels->weighted_bias, work_range(context, (size_t)blocks * (size_t)pixels),
                                 ARGUMENTS(arg_buffer(weights), arg_buffer(bias), arg_buffer(at->map.mask),
                                           arg_int(at->map.mask != NULL), arg_buffer(gradient), arg_int(blocks),
                                           arg_int(at->map.height), arg_int(at->map.width)),
                                 error);
    status = status ? status : buffer_fill_zero(context, buffer_of(run, own->no_bias), vector_bytes(run->loss), error);
    return status ? status
                  : region_weigh(context, kernels->weigh, &at->map, weights, REGION_WEIGHTS, at->scratch, error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct wasserstein *kernels = run->loss->state;
    const struct wasserstein_run *own = run->state;
    bool weighs = own->image.is_weighted;
    nst_status status = NST_OK;
    if (loss_is_first(at)) {
        status = make_slope(run, region_positions(&own->image, loss_whole(at)), error);
    }
    if (!status && weighs) {
        status = weigh_gradient(run, at, gradient, error);
    }
    status = status ? status : convolution_set_weights(kernels->gradient, buffer_of(run, own->weights), error);
    status = status ? status
                    : convolution_set_bias(kernels->gradient, buffer_of(run, weighs ? own->no_bias : own->bias), error);
    if (status) {
        return status;
    }
    const struct convolution_call call = {.height = at->map.height,
                                          .width = at->map.width,
                                          .input = weighs ? at->scratch : at->map.values,
                                          .output = gradient,
                                          .mask = at->map.mask,
                                          .scratch = buffer_of(run, own->gradient_scratch)};
    return convolution_run(kernels->gradient, &call, error);
}

const struct loss_methods wasserstein_loss = {
    .kind = "wasserstein",
    .pictures = LOSS_STYLE,
    .copies_map = true,
    .takes_tiles = true,
    .state_bytes = sizeof(struct wasserstein),
    .run_bytes = sizeof(struct wasserstein_run),
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
    .reference = wasserstein_reference,
    .rarely_used = true,
};
