/* temporal.c: the temporal loss of films (Ruder et al. 2016, section 4.2): what this frame shares with the one before
 * should look alike.
 *
 *     loss = a sum over pixels and colors of w (x - t)^2,    a = weight / elements
 *
 * x is the image in 0..1, t the target: the result before, moved to where its things are now. The weights w of its
 * pixels say where that can be relied on. Without a target the loss is 0. Where only a part of the image counts at all, the
 * mean is over that part; what lies outside does not change anyway.
 */
#include "loss/kinds.h"

struct temporal {
    cl_kernel kernel;
};

struct temporal_run {
    int target;    /* plan entry: the whole, or the part of the tile in hand */
    int all_tiles; /* in tiles, plan entry on the host: the whole target */
    struct region_weights weights;
    bool has_target;
    double part; /* of the image's pixels that counts */
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct temporal *temporal = loss->state;
    return kernel_create(loss->context, "temporal.cl", "", "temporal", &temporal->kernel, error);
}

static void destroy(struct loss *loss) {
    struct temporal *temporal = loss->state;
    kernel_release(&temporal->kernel);
}

static size_t image_bytes(struct image_size size) {
    return 3 * (size_t)size.height * (size_t)size.width * sizeof(float);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)size_count;
    (void)error;
    struct temporal_run *temporal = run->state;
    size_t most = 0;
    for (int i = 0; i < (run->in_tiles ? run->extents.count : 1); ++i) {
        size_t bytes = image_bytes(run->extents.sizes[i]);
        most = bytes > most ? bytes : most;
    }
    temporal->target = plan_add_always(plan, most, "temporal target");
    temporal->all_tiles = run->in_tiles ? plan_add_host(plan, image_bytes(sizes[0]), "temporal target") : -1;
    temporal->weights.in_tiles = run->in_tiles;
    region_weights_reserve(&temporal->weights, plan, (int)(most / image_bytes((struct image_size){1, 1})),
                           PLAN_ALWAYS_FIRST, PLAN_ALWAYS_LAST, "weights of the temporal target");
    return NST_OK;
}

static void run_free(struct loss_run *run) {
    struct temporal_run *temporal = run->state;
    region_weights_free(&temporal->weights);
}

/* ---- Target ------------------------------------------------------------------------------------------------------ */

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    (void)error;
    struct temporal_run *temporal = run->state;
    temporal->has_target = false;
    temporal->part = region_part(region);
    return NST_OK;
}

static struct image_size size_of(const struct loss_map *at) {
    return (struct image_size){at->map.height, at->map.width};
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    struct temporal_run *temporal = run->state;
    nst_context *context = run->loss->context;
    const struct region region = {.image = loss_whole(at), .weights = target->weights};
    nst_status status = NST_OK;
    if (loss_is_first(at)) {
        status = region_weights_set(context, run->plan, &region, region.image, &temporal->weights, error);
    }
    temporal->has_target = true;
    if (status) {
        return status;
    }
    if (!at->tile) {
        return buffer_copy(context, at->map.values, plan_buffer(run->plan, temporal->target), image_bytes(size_of(at)),
                           error);
    }
    const struct box box = loss_core_box(at, sizeof(float), 3, LOSS_FROM_TILE);
    return buffer_read_box(context, at->map.values, plan_host(run->plan, temporal->all_tiles), &box, error);
}

/* Puts the part of a tile there, and its weights. The image shows what surrounds the tile's core, which is not to count:
 * there the weights are 0, or else, in the target, the image itself is. */
static nst_status show_tile(const struct loss_run *run, const struct loss_map *at, nst_error *error) {
    struct temporal_run *temporal = run->state;
    nst_context *context = run->loss->context;
    if (!at->tile) {
        return NST_OK;
    }
    const struct box box = loss_core_box(at, sizeof(float), 3, LOSS_TO_TILE);
    cl_mem target = plan_buffer(run->plan, temporal->target);
    nst_status status = buffer_copy(context, at->map.values, target, image_bytes(size_of(at)), error);
    if (!status) {
        status = buffer_write_box(context, plan_host(run->plan, temporal->all_tiles), target, &box, error);
    }
    return status ? status : region_weights_show(context, run->plan, at->tile, size_of(at), &temporal->weights, error);
}

/* ---- Value and gradient ------------------------------------------------------------------------------------------ */

/* `gradient` NULL: the value alone. */
static nst_status run_kernel(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct temporal *kernels = run->loss->state;
    const struct temporal_run *temporal = run->state;
    struct image_size whole = loss_whole(at);
    double elements = temporal->part * 3 * whole.height * whole.width * 255 * 255;
    int lines = temporal->has_target ? 3 * at->map.height : 0;
    nst_status status = temporal->has_target ? show_tile(run, at, error) : NST_OK;
    return status
               ? status
               : kernel_run(run->loss->context, kernels->kernel, reduction_work(run->loss->context),
                            ARGUMENTS(arg_buffer(at->map.values), arg_buffer(plan_buffer(run->plan, temporal->target)),
                                      arg_buffer(region_weights_buffer(&temporal->weights, run->plan)),
                                      arg_int(temporal->weights.is_weighted), arg_buffer(gradient),
                                      arg_int(gradient != NULL), arg_buffer(loss_partials(run)), arg_int(run->slot),
                                      arg_int4(lines, at->map.height, at->map.width, 0),
                                      arg_float((float)(run->factor * loss_one_over(elements)))),
                            error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    return run_kernel(run, at, NULL, error);
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    (void)options;
    int elements = in->channels * in->height * in->width;
    double loss = 0;
    for (int i = 0; i < elements; ++i) {
        double difference = (in->map[i] - in->content[i]) / 255;
        loss += difference * difference / elements;
        gradient[i] = 2 * difference / 255 / elements;
    }
    return loss;
}

const struct loss_methods temporal_loss = {
    .kind = "temporal",
    .pictures = LOSS_PREVIOUS,
    .on_image = true,
    .value_with_gradient = true,
    .takes_tiles = true,
    .state_bytes = sizeof(struct temporal),
    .run_bytes = sizeof(struct temporal_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .run_free = run_free,
    .target_begin = target_begin,
    .target_add = target_add,
    .value = value,
    .add_gradient = run_kernel,
    .reference = reference,
};
