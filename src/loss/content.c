/* content.c: the content loss, on the features of one layer (Gatys et al. 2016, section 2.1).
 *
 *     loss = a |F - P|^2        gradient = mask 2 a (F - P)
 *
 * F is the feature map, P that of the content; the gradient is with respect to what goes into the layer's ReLU, hence
 * the mask. a = weight / |P|^2 where the loss is relative, else weight / number of elements.
 */
#include "loss/kinds.h"

#include <math.h>

struct content {
    cl_kernel loss, value, sum_of_squares;
    cl_kernel weighted_loss, weighted_value, weighted_squares; /* if the loss weighs */
};

struct content_run {
    int target;    /* plan entry: of the map, or of the tile in hand */
    int all_tiles; /* in tiles, plan entry on the host: the whole target, from which the tile's part is taken */
    struct region_weights weights;
    double size; /* of the target: its squares, or elements */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct content *content = loss->state;
    bool half_maps = model_has_half_maps(loss->model);
    const char *option = feature_map_option(half_maps);
    nst_context *context = loss->context;
    nst_status status = kernel_create(context, "job.cl", option, "content_loss", &content->loss, error);
    status = status ? status : kernel_create(context, "job.cl", option, "content_value", &content->value, error);
    status =
        status ? status : kernel_create(context, "job.cl", option, "sum_of_squares", &content->sum_of_squares, error);
    if (status || !loss->weighs) {
        return status;
    }
    status = region_kernel_create(context, half_maps, "region_content", &content->weighted_loss, error);
    status = status ? status
                    : region_kernel_create(context, half_maps, "region_content_value", &content->weighted_value, error);
    return status ? status
                  : region_kernel_create(context, half_maps, "region_squares", &content->weighted_squares, error);
}

static void destroy(struct loss *loss) {
    struct content *content = loss->state;
    cl_kernel *kernels[] = {&content->loss,          &content->value,          &content->sum_of_squares,
                            &content->weighted_loss, &content->weighted_value, &content->weighted_squares};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        kernel_release(kernels[i]);
    }
}

static uint64_t map_bytes(const struct loss *loss, struct image_size size) {
    return feature_map_bytes(loss->context, model_has_half_maps(loss->model), loss_channels(loss, 0), size.height,
                             size.width);
}

/* The content has the size of the result. */
static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)size_count;
    (void)error;
    struct content_run *content = run->state;
    const struct loss *loss = run->loss;
    int stage = loss->stages[0], positions = 0;
    uint64_t most = 0;
    /* Of all that the map may be of, the content alone, if it is whole. */
    for (int i = 0; i < (run->in_tiles ? run->extents.count : 1); ++i) {
        struct image_size size = loss_map_size(loss, 0, run->extents.sizes[i]);
        most = map_bytes(loss, size) > most ? map_bytes(loss, size) : most;
        positions = size.height * size.width > positions ? size.height * size.width : positions;
    }
    content->weights.in_tiles = run->in_tiles;
    if (run->in_tiles) {
        content->target = plan_add(plan, most, model_stage_count(loss->model), model_backward_step(loss->model, stage),
                                   "content target %d of a tile", stage);
        content->all_tiles =
            plan_add_host(plan, map_bytes(loss, loss_map_size(loss, 0, sizes[0])), "content target %d", stage);
    } else {
        content->target = plan_add_always(plan, most, "content target %d", stage);
    }
    region_weights_reserve(&content->weights, plan, loss->weighs ? positions : 0, PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST,
                           "weights of positions");
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct content_run *content = run->state;
    region_weights_free(&content->weights);
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct content_run *content = run->state;
    return region_weights_set(run->loss->context, run->plan, region, loss_map_size(run->loss, 0, region->image),
                              &content->weights, error);
}

/* Between a tile's core in its map and in the whole one. */
static struct box core_box(const struct loss_run *run, const struct loss_map *at, enum loss_way way) {
    nst_context *context = run->loss->context;
    size_t vector = (size_t)context->channel_block * (model_has_half_maps(run->loss->model) ? 2 : sizeof(float));
    return loss_core_box(at, vector, (size_t)feature_map_blocks(context, at->map.channels), way);
}

static struct image_size size_of(const struct loss_map *at) {
    return (struct image_size){at->map.height, at->map.width};
}

static nst_status keep_target(const struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct content_run *content = run->state;
    nst_context *context = run->loss->context;
    if (!at->tile) {
        size_t bytes = (size_t)map_bytes(run->loss, size_of(at));
        return buffer_copy(context, at->map.values, plan_buffer(run->plan, content->target), bytes, error);
    }
    const struct box box = core_box(run, at, LOSS_FROM_TILE);
    return buffer_read_box(context, at->map.values, plan_host(run->plan, content->all_tiles), &box, error);
}

/* Puts the target of a tile there, zero around its core, as the map is; and the weights of its positions. */
static nst_status show_tile(const struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct content_run *content = run->state;
    nst_context *context = run->loss->context;
    if (!at->tile) {
        return NST_OK;
    }
    const struct box box = core_box(run, at, LOSS_TO_TILE);
    cl_mem target = plan_buffer(run->plan, content->target);
    nst_status status = buffer_fill_zero(context, target, (size_t)map_bytes(run->loss, size_of(at)), error);
    if (!status) {
        status = buffer_write_box(context, plan_host(run->plan, content->all_tiles), target, &box, error);
    }
    return status ? status : region_weights_show(context, run->plan, at->tile, size_of(at), &content->weights, error);
}

/* Adds the squares of a map to the size of the target; waits. */
static nst_status add_squares(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct content *kernels = run->loss->state;
    struct content_run *content = run->state;
    nst_context *context = run->loss->context;
    const struct feature_map *map = &at->map;
    cl_mem weights = region_weights_buffer(&content->weights, run->plan);
    double sum = 0;
    nst_status status = region_weights_show(context, run->plan, at->tile, size_of(at), &content->weights, error);
    if (!status && content->weights.is_weighted) {
        status = kernel_run(context, kernels->weighted_squares, reduction_work(context),
                            ARGUMENTS(arg_buffer(map->values), arg_buffer(weights), arg_buffer(loss_partials(run)),
                                      arg_int(run->slot), arg_int(map->height * map->width),
                                      arg_int(feature_map_vectors(context, map))),
                            error);
    } else if (!status) {
        status = kernel_run(context, kernels->sum_of_squares, reduction_work(context),
                            ARGUMENTS(arg_buffer(map->values), arg_buffer(loss_partials(run)), arg_int(run->slot),
                                      arg_int(feature_map_vectors(context, map))),
                            error);
    }
    status = status ? status : loss_read_sum(run, &sum, error);
    content->size += sum;
    return status;
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    (void)target;
    struct content_run *content = run->state;
    bool relative = run->loss->options.relative;
    if (loss_is_first(at)) {
        content->size = relative ? 0 : region_positions(&content->weights, loss_whole(at)) * at->map.channels;
    }
    nst_status status = keep_target(run, at, error);
    return status || !relative ? status : add_squares(run, at, error);
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    (void)error;
    const struct content_run *content = run->state;
    run->factor = run->loss->weight * loss_one_over(content->size);
    return NST_OK;
}

/* ---- Value and gradient ------------------------------------------------------------------------------------------ */

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct content *content = run->loss->state;
    const struct content_run *own = run->state;
    nst_context *context = run->loss->context;
    nst_status status = show_tile(run, at, error);
    if (status) {
        return status;
    }
    if (own->weights.is_weighted) {
        return kernel_run(context, content->weighted_value, reduction_work(context),
                          ARGUMENTS(arg_buffer(at->map.values), arg_buffer(plan_buffer(run->plan, own->target)),
                                    arg_buffer(region_weights_buffer(&own->weights, run->plan)),
                                    arg_buffer(loss_partials(run)), arg_int(run->slot),
                                    arg_int(at->map.height * at->map.width),
                                    arg_int(feature_map_vectors(context, &at->map)), arg_float((float)run->factor)),
                          error);
    }
    return kernel_run(context, content->value, reduction_work(context),
                      ARGUMENTS(arg_buffer(at->map.values), arg_buffer(plan_buffer(run->plan, own->target)),
                                arg_buffer(loss_partials(run)), arg_int(run->slot),
                                arg_int(feature_map_vectors(context, &at->map)), arg_float((float)run->factor)),
                      error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct content *content = run->loss->state;
    const struct content_run *own = run->state;
    nst_context *context = run->loss->context;
    nst_status status = show_tile(run, at, error);
    if (status) {
        return status;
    }
    if (own->weights.is_weighted) {
        return kernel_run(context, content->weighted_loss, reduction_work(context),
                          ARGUMENTS(arg_buffer(at->map.values), arg_buffer(plan_buffer(run->plan, own->target)),
                                    arg_buffer(region_weights_buffer(&own->weights, run->plan)), arg_buffer(gradient),
                                    arg_buffer(loss_partials(run)), arg_int(run->slot),
                                    arg_int(at->map.height * at->map.width),
                                    arg_int(feature_map_vectors(context, &at->map)), arg_float((float)run->factor),
                                    arg_int(gradient == at->map.values)),
                          error);
    }
    return kernel_run(context, content->loss, reduction_work(context),
                      ARGUMENTS(arg_buffer(at->map.values), arg_buffer(plan_buffer(run->plan, own->target)),
                                arg_buffer(gradient), arg_buffer(loss_partials(run)), arg_int(run->slot),
                                arg_int(feature_map_vectors(context, &at->map)), arg_float((float)run->factor),
                                arg_int(gradient == at->map.values)),
                      error);
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    int elements = in->channels * in->height * in->width;
    double sum = 0, squares = 0;
    for (int i = 0; i < elements; ++i) {
        sum += pow(in->map[i] - in->content[i], 2);
        squares += in->content[i] * in->content[i];
    }
    double factor = loss_one_over(options->relative ? squares : elements);
    for (int i = 0; i < elements; ++i) {
        gradient[i] = 2 * factor * (in->map[i] - in->content[i]);
    }
    return factor * sum;
}

const struct loss_methods content_loss = {
    .kind = "content",
    .pictures = LOSS_CONTENT,
    .value_with_gradient = true,
    .replaces_map = true,
    .takes_tiles = true,
    .state_bytes = sizeof(struct content),
    .run_bytes = sizeof(struct content_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .target_end = target_end,
    .value = value,
    .add_gradient = add_gradient,
    .reference = reference,
};
