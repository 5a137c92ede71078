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
    int target; /* plan entry */
    struct region_weights weights;
    double elements;
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
    struct image_size size = loss_map_size(run->loss, 0, sizes[0]);
    content->target = plan_add_always(plan, map_bytes(run->loss, size), "content target %d", run->loss->stages[0]);
    region_weights_reserve(&content->weights, plan, run->loss->weighs ? size.height * size.width : 0, PLAN_ALWAYS_FIRST,
                           PLAN_ALWAYS_LAST, "weights of positions");
    return NST_OK;
}

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    struct content_run *content = run->state;
    return region_weights_set(run->loss->context, run->plan, region, loss_map_size(run->loss, 0, region->image),
                              &content->weights, error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    (void)target;
    struct content_run *content = run->state;
    const struct feature_map *map = &at->map;
    content->elements = region_positions(&content->weights, map) * map->channels;
    size_t bytes = (size_t)map_bytes(run->loss, (struct image_size){map->height, map->width});
    nst_context *context = run->loss->context;
    cl_mem kept = plan_buffer(run->plan, content->target);
    nst_status status = buffer_copy(context, map->values, kept, bytes, error);
    if (status || !run->loss->options.relative) {
        return status;
    }
    const struct content *kernels = run->loss->state;
    if (content->weights.is_weighted) {
        return kernel_run(context, kernels->weighted_squares, reduction_work(context),
                          ARGUMENTS(arg_buffer(kept), arg_buffer(region_weights_buffer(&content->weights, run->plan)),
                                    arg_buffer(loss_partials(run)), arg_int(run->slot),
                                    arg_int(map->height * map->width), arg_int(feature_map_vectors(context, map))),
                          error);
    }
    return kernel_run(context, kernels->sum_of_squares, reduction_work(context),
                      ARGUMENTS(arg_buffer(kept), arg_buffer(loss_partials(run)), arg_int(run->slot),
                                arg_int(feature_map_vectors(context, map))),
                      error);
}

static nst_status target_end(struct loss_run *run, nst_error *error) {
    const struct content_run *content = run->state;
    double divisor = content->elements;
    nst_status status = run->loss->options.relative ? loss_read_sum(run, &divisor, error) : NST_OK;
    run->factor = run->loss->weight * loss_one_over(divisor);
    return status;
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct content *content = run->loss->state;
    const struct content_run *own = run->state;
    nst_context *context = run->loss->context;
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
    .state_bytes = sizeof(struct content),
    .run_bytes = sizeof(struct content_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .target_begin = target_begin,
    .target_add = target_add,
    .target_end = target_end,
    .value = value,
    .add_gradient = add_gradient,
    .reference = reference,
};
