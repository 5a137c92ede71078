/* similarity.c: how the self-similarity of a layer's features differs from the content's ("CFSD", Chung et al. 2024): a
 * distance to judge by, without a gradient.
 *
 *     value = weight * mean over positions i of KL(p*[i], p[i])       p[i] = softmax over j of s^2 F[i] . F[j] / channels
 *
 * F[i] is the vector of features at position i, s the option feature_scale, * marks the content. See cl/similarity.cl.
 */
#include "loss/kinds.h"

#include "support/error.h"

#include <stdio.h>

enum {
    GROUP_ROWS = 128, /* CPUs: rows that a work-item takes at a time */
    SIDE = 8,         /* GPUs: work-items along a side of a tile, */
    TILE = 32         /* and positions there */
};

struct similarity {
    cl_kernel pack, rows, sum;
};

/* Plan entries; -1 for none. CPUs have both maps packed. */
struct similarity_run {
    int target, packed, rows, divergence;
};

/* CPUs: ROWS x VECTORS sums in registers, of which there are 16 with 4 or 8 lanes (SSE, NEON, AVX2), 32 with 16. A panel
 * has a multiple of ROWS positions. */
struct tile_shape {
    int rows, vectors;
};
static struct tile_shape tile_shape_of(const nst_context *context) {
    int block = context->channel_block;
    return (struct tile_shape){block == 16 ? 8 : 4, block == 1 ? 4 : 2};
}
static int panel_width(const nst_context *context) {
    return tile_shape_of(context).vectors * context->channel_block;
}

static int divide_up(int a, int b) {
    return (a + b - 1) / b;
}

static nst_status create(struct loss *loss, nst_error *error) {
    struct similarity *similarity = loss->state;
    nst_context *context = loss->context;
    if (!context->loops_in_kernel && context->channel_block != 1) {
        return fail(error, NST_ERROR_ARGUMENT, "there are no self-similarities for GPUs with a channel block of %d",
                    context->channel_block);
    }
    const struct tile_shape tile = tile_shape_of(context);
    char options[128];
    int length =
        snprintf(options, sizeof options, "%s -D SIDE=%d", feature_map_option(model_has_half_maps(loss->model)), SIDE);
    if (context->loops_in_kernel) {
        snprintf(options + length, sizeof options - (size_t)length, " -D ROWS=%d -D VECTORS=%d -D GROUP=%d", tile.rows,
                 tile.vectors, GROUP_ROWS / panel_width(context));
    }
    nst_status status = kernel_create(context, "similarity.cl", options, "similarity_rows", &similarity->rows, error);
    if (!status && context->loops_in_kernel) {
        status = kernel_create(context, "similarity.cl", options, "similarity_pack", &similarity->pack, error);
    }
    return status ? status
                  : kernel_create(context, "similarity.cl", options, "similarity_sum", &similarity->sum, error);
}

static void destroy(struct loss *loss) {
    struct similarity *similarity = loss->state;
    kernel_release(&similarity->pack);
    kernel_release(&similarity->rows);
    kernel_release(&similarity->sum);
}

static uint64_t map_bytes(const struct loss *loss, struct image_size size) {
    return feature_map_bytes(loss->context, model_has_half_maps(loss->model), loss_channels(loss, 0), size.height,
                             size.width);
}

/* Floats for each position, and positions up to whole panels. */
static uint64_t packed_bytes(const struct loss *loss, struct image_size size) {
    const nst_context *context = loss->context;
    int channels = feature_map_blocks(context, loss_channels(loss, 0)) * context->channel_block;
    int width = panel_width(context), panels = divide_up(size.height * size.width, width);
    return (uint64_t)panels * (uint64_t)width * (uint64_t)channels * sizeof(float);
}

/* Five vectors for each row of a group, of each work-item. */
static uint64_t rows_bytes(const nst_context *context) {
    return (uint64_t)context->work_items * GROUP_ROWS * 5 * (uint64_t)context->channel_block * sizeof(float);
}

static nst_status reserve(struct loss_run *run, struct plan *plan, const struct image_size *sizes, int size_count,
                          nst_error *error) {
    (void)size_count;
    (void)error;
    struct similarity_run *own = run->state;
    const nst_context *context = run->loss->context;
    bool packs = context->loops_in_kernel;
    struct image_size size = loss_map_size(run->loss, 0, sizes[0]);
    uint64_t bytes = packs ? packed_bytes(run->loss, size) : map_bytes(run->loss, size);
    int stage = run->loss->stages[0], values = model_stage_count(run->loss->model);
    own->target = plan_add_always(plan, bytes, "similarity target %d", stage);
    own->packed = packs ? plan_add(plan, bytes, values, values, "packed map %d", stage) : -1;
    own->rows = packs ? plan_add(plan, rows_bytes(context), values, values, "similarities' sums %d", stage) : -1;
    own->divergence = plan_add(plan, (uint64_t)size.height * (uint64_t)size.width * sizeof(float), values, values,
                               "divergences %d", stage);
    return NST_OK;
}

static nst_status pack(const struct loss_run *run, const struct feature_map *map, int entry, nst_error *error) {
    const struct similarity *similarity = run->loss->state;
    nst_context *context = run->loss->context;
    int blocks = feature_map_blocks(context, map->channels), positions = map->height * map->width;
    size_t panels = (size_t)divide_up(positions, panel_width(context));
    return kernel_run(context, similarity->pack, work_range(context, panels * (size_t)blocks),
                      ARGUMENTS(arg_buffer(map->values), arg_buffer(plan_buffer(run->plan, entry)), arg_int(blocks),
                                arg_int(positions)),
                      error);
}

static nst_status target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                             nst_error *error) {
    (void)target;
    const struct similarity_run *own = run->state;
    struct image_size size = {at->map.height, at->map.width};
    if (run->loss->context->loops_in_kernel) {
        return pack(run, &at->map, own->target, error);
    }
    return buffer_copy(run->loss->context, at->map.values, plan_buffer(run->plan, own->target),
                       (size_t)map_bytes(run->loss, size), error);
}

/* So many groups of rows. */
static nst_status run_groups(const struct loss_run *run, const struct loss_map *at, int first, int count,
                             nst_error *error) {
    const struct similarity *similarity = run->loss->state;
    const struct similarity_run *own = run->state;
    nst_context *context = run->loss->context;
    cl_mem target = plan_buffer(run->plan, own->target), divergence = plan_buffer(run->plan, own->divergence);
    int positions = at->map.height * at->map.width, channels = at->map.channels;
    float scale = (float)(run->loss->options.feature_scale * run->loss->options.feature_scale / channels);
    if (context->loops_in_kernel) {
        int filled = feature_map_blocks(context, channels) * context->channel_block;
        return kernel_run(context, similarity->rows, work_range(context, (size_t)count),
                          ARGUMENTS(arg_buffer(plan_buffer(run->plan, own->packed)), arg_buffer(target),
                                    arg_buffer(plan_buffer(run->plan, own->rows)), arg_buffer(divergence),
                                    arg_int4(filled, positions, first, count), arg_float(scale)),
                          error);
    }
    struct work_size size = {2, {(size_t)count * SIDE, SIDE, 1}, {SIDE, SIDE, 1}};
    return kernel_run(context, similarity->rows, size,
                      ARGUMENTS(arg_buffer(at->map.values), arg_buffer(target), arg_buffer(divergence),
                                arg_int4(channels, positions, first, count), arg_float(scale)),
                      error);
}

/* The groups of rows in as many dispatches as the device wants. */
static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct similarity *similarity = run->loss->state;
    const struct similarity_run *own = run->state;
    nst_context *context = run->loss->context;
    int positions = at->map.height * at->map.width;
    int rows = context->loops_in_kernel ? GROUP_ROWS : TILE, groups = divide_up(positions, rows);
    double at_once = context->dispatch_flop / (4.0 * at->map.channels * positions * rows);
    int step = at_once >= groups ? groups : at_once < 1 ? 1 : (int)at_once;
    nst_status status = context->loops_in_kernel ? pack(run, &at->map, own->packed, error) : NST_OK;
    for (int first = 0; !status && first < groups; first += step) {
        status = run_groups(run, at, first, groups - first < step ? groups - first : step, error);
    }
    return status ? status
                  : kernel_run(context, similarity->sum, reduction_work(context),
                               ARGUMENTS(arg_buffer(plan_buffer(run->plan, own->divergence)), arg_int(positions),
                                         arg_buffer(loss_partials(run)), arg_int(run->slot),
                                         arg_float((float)(run->loss->weight / positions))),
                               error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    (void)at;
    (void)gradient;
    return fail(error, NST_ERROR_ARGUMENT, "the loss '%s' has no gradient", run->loss->methods->kind);
}

const struct loss_methods similarity_loss = {
    .kind = "self-similarity",
    .pictures = LOSS_CONTENT,
    .state_bytes = sizeof(struct similarity),
    .run_bytes = sizeof(struct similarity_run),
    .create = create,
    .destroy = destroy,
    .reserve = reserve,
    .target_add = target_add,
    .value = value,
    .add_gradient = add_gradient,
};
