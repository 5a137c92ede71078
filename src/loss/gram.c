/* gram.c: the style loss, on the Gram matrix of the features of one layer (Gatys et al. 2016, section 2.2).
 *
 *     loss = a |s F F^T - A|^2        gradient = mask 4 a s (s F F^T - A) F
 *
 * F is the feature map as a matrix, channels x pixels; A the sum over the style pictures of share * s F F^T; the
 * gradient is with respect to what goes into the layer's ReLU, hence the mask. s = 1 / pixels, or 1 / (channels *
 * pixels). a = weight / |A|^2 where the loss is relative, else weight / channels^2.
 *
 * Where positions count differently, by weights w(p) of a region, F F^T is the sum over p of w(p) F(p) F(p)^T, pixels are
 * the sum of w, and the gradient is w(p) times what stands there: all of it by copies of the map.
 */
#include "loss/kinds.h"

#include "network/product.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

struct gram {
    struct product *product;
    struct convolution *gradient;                   /* 1x1, weights: the difference of the Gram matrices */
    cl_kernel blend, difference, accumulate, weigh; /* the last one only if the loss weighs */
};

/* Plan entries, -1 for none. */
struct gram_run {
    int gram, target, difference;
    int sum, lost; /* in tiles: the sum of their matrices, and what its rounding loses */
    int product_scratch, gradient_scratch;
    struct region_weights image, style; /* of positions: where the loss counts, and of the style in hand */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct gram *gram = loss->state;
    bool half_maps = model_has_half_maps(loss->model), in_place = model_gradient_in_place(loss->model, loss->stages[0]);
    int channels = loss_channels(loss, 0);
    struct product_shape product = {.kind = PRODUCT_GRAM, .rows = channels, .half_maps = half_maps};
    struct convolution_shape shape = {.in_channels = channels,
                                      .out_channels = channels,
                                      .kernel_size = 1,
                                      .padding_mode = PADDING_ZERO,
                                      .epilogue = in_place ? EPILOGUE_MASK : EPILOGUE_MASK_ADD,
                                      .half_maps = half_maps,
                                      .in_place = in_place};
    const char *option = feature_map_option(half_maps); /* of the program that the model has anyway */
    nst_status status = product_create(loss->context, &product, NULL, &gram->product, error);
    if (!status) {
        status = kernel_create(loss->context, "job.cl", option, "gram_blend", &gram->blend, error);
    }
    if (!status) {
        status = kernel_create(loss->context, "job.cl", option, "gram_difference", &gram->difference, error);
    }
    if (!status) {
        status = kernel_create(loss->context, "job.cl", option, "accumulate", &gram->accumulate, error);
    }
    if (!status && loss->weighs) {
        status = region_kernel_create(loss->context, half_maps, "region_weigh", &gram->weigh, error);
    }
    return status ? status : convolution_create(loss->context, &shape, NULL, NULL, &gram->gradient, error);
}

static void destroy(struct loss *loss) {
    struct gram *gram = loss->state;
    convolution_destroy(gram->gradient);
    product_destroy(gram->product);
    kernel_release(&gram->blend);
    kernel_release(&gram->difference);
    kernel_release(&gram->accumulate);
    kernel_release(&gram->weigh);
}

static size_t matrix_elements(const struct loss *loss) {
    return (size_t)loss_channels(loss, 0) * (size_t)loss_channels(loss, 0);
}
static size_t matrix_bytes(const struct loss *loss) {
    return matrix_elements(loss) * sizeof(float);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)error;
    (void)sizes;
    (void)size_count;
    const struct loss *loss = run->loss;
    const struct gram *gram = loss->state;
    struct gram_run *own = run->state;
    const struct image_sizes *extents = &run->extents;
    uint64_t product = 0, scratch = 0;
    for (int i = 0; i < extents->count; ++i) {
        struct image_size size = loss_map_size(loss, 0, extents->sizes[i]);
        uint64_t product_bytes = product_scratch_bytes(gram->product, size.height * size.width);
        uint64_t convolution_bytes = convolution_scratch_bytes(gram->gradient, size.height, size.width);
        product = product_bytes > product ? product_bytes : product;
        scratch = convolution_bytes > scratch ? convolution_bytes : scratch;
    }
    int stage = loss->stages[0];
    int values = model_stage_count(loss->model); /* losses are computed after the last forward step */
    int backward = model_backward_step(loss->model, stage);
    own->gram = plan_add(plan, matrix_bytes(loss), values, values, "Gram matrix %d", stage);
    own->difference = plan_add(plan, matrix_bytes(loss), loss_first(run, values), loss_last(run, backward),
                               "Gram difference %d", stage);
    own->sum = own->lost = -1;
    if (run->in_tiles) {
        own->sum = plan_add_always(plan, matrix_bytes(loss), "Gram matrix %d of all tiles", stage);
        own->lost = plan_add_always(plan, matrix_bytes(loss), "lost by Gram matrix %d", stage);
    }
    own->target = plan_add_always(plan, matrix_bytes(loss), "style target %d", stage);
    own->product_scratch = product ? plan_add(plan, product, values, values, "Gram products %d", stage) : -1;
    own->gradient_scratch =
        scratch ? plan_add(plan, scratch, backward, backward, "style gradient scratch %d", stage) : -1;
    own->image.in_tiles = own->style.in_tiles = run->in_tiles;
    region_weights_reserve(&own->image, plan,
                           loss_most_positions(loss, extents->sizes, run->in_tiles ? extents->count : 1),
                           PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST, "weights of positions");
    region_weights_reserve(&own->style, plan, loss_most_positions(loss, extents->sizes, extents->count), values, values,
                           "weights of style positions");
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct gram_run *own = run->state;
    region_weights_free(&own->image);
    region_weights_free(&own->style);
}

static cl_mem buffer_of(const struct loss_run *run, int entry) {
    return entry < 0 ? NULL : plan_buffer(run->plan, entry);
}

/* How the Gram matrix of a map is scaled: s. */
static double scale_of(const struct loss_options *options, int channels, double pixels) {
    return 1 / (pixels * (options->gram_by_channels ? channels : 1));
}
/* What rounding to a float leaves. */
static float rest_of(double scale) {
    return (float)(scale - (float)scale);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct gram_run *own = run->state;
    nst_context *context = run->loss->context;
    struct image_size size = loss_map_size(run->loss, 0, region->image);
    nst_status status = region_weights_set(context, run->plan, region, size, &own->image, error);
    return status ? status : buffer_fill_zero(context, buffer_of(run, own->target), matrix_bytes(run->loss), error);
}

/* Gathers the Gram matrix of a map whose positions have these weights. */
static nst_status gather_weighted(struct loss_run *run, const struct loss_map *at, struct region_weights *weights,
                                  nst_error *error) {
    const struct gram *gram = run->loss->state;
    const struct gram_run *own = run->state;
    nst_context *context = run->loss->context;
    struct image_size size = {at->map.height, at->map.width};
    struct product_call call = {.extent = at->map.height * at->map.width,
                                .a = weights->is_weighted ? at->scratch : at->map.values,
                                .c = buffer_of(run, own->gram),
                                .scratch = buffer_of(run, own->product_scratch)};
    nst_status status = region_weights_show(context, run->plan, at->tile, size, weights, error);
    if (!status && weights->is_weighted) {
        status = region_weigh(context, gram->weigh, &at->map, region_weights_buffer(weights, run->plan), REGION_ROOTS,
                              at->scratch, error);
    }
    status = status ? status : product_run(gram->product, &call, error);
    if (status || !at->tile) {
        return status;
    }
    size_t elements = matrix_elements(run->loss);
    return kernel_run(context, gram->accumulate, work_range(context, elements),
                      ARGUMENTS(arg_buffer(buffer_of(run, own->gram)), arg_buffer(buffer_of(run, own->sum)),
                                arg_buffer(buffer_of(run, own->lost)), arg_int((int)elements), arg_float(1),
                                arg_int(loss_is_first(at))),
                      error);
}

/* What was gathered. */
static cl_mem whole_gram(const struct loss_run *run) {
    const struct gram_run *own = run->state;
    return buffer_of(run, run->in_tiles ? own->sum : own->gram);
}

static nst_status gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct gram_run *own = run->state;
    return gather_weighted(run, at, &own->image, error);
}

static int sums(const struct loss_run *run, struct loss_sum list[LOSS_MOST_SUMS]) {
    const struct gram_run *own = run->state;
    list[0] = (struct loss_sum){own->sum, 0, matrix_elements(run->loss)};
    return 1;
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    const struct gram *gram = run->loss->state;
    struct gram_run *own = run->state;
    nst_context *context = run->loss->context;
    const struct region seen = {.image = at->image, .weights = target->weights};
    nst_status status = NST_OK;
    if (loss_is_first(at)) {
        status = region_weights_set(context, run->plan, &seen, loss_whole(at), &own->style, error);
    }
    status = status ? status : gather_weighted(run, at, &own->style, error);
    if (status || !loss_is_last(at)) {
        return status;
    }
    size_t elements = matrix_elements(run->loss);
    double pixels = region_positions(&own->style, loss_whole(at));
    double scale = pixels > 0 ? target->share * scale_of(&run->loss->options, at->map.channels, pixels) : 0;
    return kernel_run(context, gram->blend, work_range(context, elements),
                      ARGUMENTS(arg_buffer(whole_gram(run)), arg_buffer(buffer_of(run, own->target)),
                                arg_int((int)elements), arg_float((float)scale), arg_float(rest_of(scale))),
                      error);
}

/* |A|^2; waits. */
static nst_status measure_target(const struct loss_run *run, double *squares, nst_error *error) {
    const struct gram_run *own = run->state;
    size_t bytes = matrix_bytes(run->loss);
    float *target = malloc(bytes);
    if (!target) {
        return fail_memory(error, bytes, "a Gram matrix");
    }
    nst_status status = buffer_read(run->loss->context, buffer_of(run, own->target), 0, target, bytes, error);
    *squares = 0;
    for (size_t i = 0; !status && i < matrix_elements(run->loss); ++i) {
        *squares += (double)target[i] * target[i];
    }
    free(target);
    return status;
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    double divisor = (double)matrix_elements(run->loss);
    nst_status status = run->loss->options.relative ? measure_target(run, &divisor, error) : NST_OK;
    run->factor = run->loss->weight * loss_one_over(divisor);
    return status;
}

/* ---- Value and gradient ------------------------------------------------------------------------------------------ */

/* Also makes the matrix 4 a s (s G - A) for the gradient. */
static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct gram *gram = run->loss->state;
    const struct gram_run *own = run->state;
    nst_context *context = run->loss->context;
    double pixels = region_positions(&own->image, loss_whole(at));
    double scale = pixels > 0 ? scale_of(&run->loss->options, at->map.channels, pixels) : 0;
    return kernel_run(context, gram->difference, reduction_work(context),
                      ARGUMENTS(arg_buffer(whole_gram(run)), arg_buffer(buffer_of(run, own->target)),
                                arg_buffer(buffer_of(run, own->difference)), arg_buffer(loss_partials(run)),
                                arg_int(run->slot), arg_int((int)matrix_elements(run->loss)),
                                arg_float((float)run->factor), arg_float((float)scale), arg_float(rest_of(scale))),
                      error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct gram *gram = run->loss->state;
    struct gram_run *own = run->state;
    struct image_size size = {at->map.height, at->map.width};
    /* The matrix is symmetric. */
    nst_status status = convolution_set_weights(gram->gradient, buffer_of(run, own->difference), error);
    if (status) {
        return status;
    }
    status = region_weights_show(run->loss->context, run->plan, at->tile, size, &own->image, error);
    if (!status && own->image.is_weighted) {
        status = region_weigh(run->loss->context, gram->weigh, &at->map, region_weights_buffer(&own->image, run->plan),
                              REGION_WEIGHTS, at->scratch, error);
    }
    if (status) {
        return status;
    }
    struct convolution_call call = {
        .height = at->map.height,
        .width = at->map.width,
        .input = own->image.is_weighted ? at->scratch : at->map.values,
        .output = gradient,
        .mask = at->map.mask,
        .scratch = buffer_of(run, own->gradient_scratch),
    };
    return convolution_run(gram->gradient, &call, error);
}

/* ---- In double --------------------------------------------------------------------------------------------------- */

static void reference_gram(const struct loss_reference *in, const double *map, double scale, double *gram) {
    int channels = in->channels, pixels = in->height * in->width;
    for (int row = 0; row < channels; ++row) {
        for (int column = 0; column <= row; ++column) {
            double sum = 0;
            for (int p = 0; p < pixels; ++p) {
                sum += map[row * pixels + p] * map[column * pixels + p];
            }
            gram[row * channels + column] = gram[column * channels + row] = scale * sum;
        }
    }
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    int channels = in->channels, pixels = in->height * in->width, elements = channels * channels;
    double scale = scale_of(options, channels, pixels), loss = 0, squares = 0;
    double *gram = calloc(2 * (size_t)elements, sizeof *gram), *target = gram + elements;
    if (!gram) {
        return NAN;
    }
    reference_gram(in, in->map, scale, gram);
    reference_gram(in, in->style, scale, target);
    for (int i = 0; i < elements; ++i) {
        squares += target[i] * target[i];
        gram[i] -= target[i];
        loss += gram[i] * gram[i];
    }
    double factor = loss_one_over(options->relative ? squares : elements);
    for (int c = 0; c < channels; ++c) {
        for (int p = 0; p < pixels; ++p) {
            double sum = 0;
            for (int k = 0; k < channels; ++k) {
                sum += gram[c * channels + k] * in->map[k * pixels + p];
            }
            gradient[c * pixels + p] = 4 * factor * scale * sum;
        }
    }
    free(gram);
    return factor * loss;
}

const struct loss_methods gram_loss = {
    .kind = "gram",
    .pictures = LOSS_STYLE,
    .copies_map = true,
    .replaces_map = true,
    .takes_tiles = true,
    .state_bytes = sizeof(struct gram),
    .run_bytes = sizeof(struct gram_run),
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
};
