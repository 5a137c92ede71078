/* product_packed.c: Gram matrices on CPUs, in tiles of registers; see cl/gram_packed.cl. */
#include "network/feature_map.h"
#include "network/product_engine.h"

#include <stdio.h>

struct packed {
    int chunk; /* pixels that are taken at a time */
    cl_kernel partial, sum;
};

static bool supports(const nst_context *context, const struct product_shape *shape) {
    return shape->kind == PRODUCT_GRAM && context->loops_in_kernel && context->channel_block > 1;
}

/* Register tiles and cache blocks. ROWS x COLUMNS vectors are summed up in registers, of which there are 16 with 4 or 8
 * lanes (SSE, NEON, AVX2), 32 with 16 (AVX-512). A chunk's features take 128 KiB, half of a small L2, or less: a chunk
 * is summed up by itself, and long sums lose digits. */
static int choose_tiles(const struct product *product, char *options, size_t size) {
    enum { CHUNK_FLOATS = 128 * 1024 / sizeof(float), LEAST_CHUNK = 16, MOST_CHUNK = 256 };
    int block = product->context->channel_block, blocks = feature_map_blocks(product->context, product->shape.rows);
    int chunk = (int)CHUNK_FLOATS / (blocks * block);
    snprintf(options, size, "-D ROWS=%d -D COLUMNS=%d %s", block == 16 ? 8 : 4, blocks % 2 ? 1 : 2,
             feature_map_option(product->shape.half_maps));
    return chunk < LEAST_CHUNK ? LEAST_CHUNK : chunk > MOST_CHUNK ? MOST_CHUNK : chunk;
}

static nst_status create(struct product *product, nst_error *error) {
    struct packed *packed = product->state;
    char options[64];
    packed->chunk = choose_tiles(product, options, sizeof options);
    nst_status status =
        kernel_create(product->context, "gram_packed.cl", options, "gram_partial", &packed->partial, error);
    return status ? status
                  : kernel_create(product->context, "gram_packed.cl", options, "gram_sum", &packed->sum, error);
}

static void release(struct product *product) {
    struct packed *packed = product->state;
    kernel_release(&packed->partial);
    kernel_release(&packed->sum);
}

/* A matrix for each work-item, and of halves a chunk as floats. */
static uint64_t scratch_bytes(const struct product *product, int extent) {
    (void)extent;
    const struct packed *packed = product->state;
    const nst_context *context = product->context;
    uint64_t padded = (uint64_t)feature_map_blocks(context, product->shape.rows) * (uint64_t)context->channel_block;
    uint64_t floats = padded * (padded + (product->shape.half_maps ? (uint64_t)packed->chunk : 0));
    return (uint64_t)context->work_items * floats * sizeof(float);
}

static nst_status run(struct product *product, const struct product_call *call, nst_error *error) {
    const struct packed *packed = product->state;
    nst_context *context = product->context;
    int channels = product->shape.rows, items = context->work_items;
    nst_status status = kernel_run(context, packed->partial, work_items((size_t)items),
                                   ARGUMENTS(arg_buffer(call->a), arg_buffer(call->scratch), arg_int(channels),
                                             arg_int(call->extent), arg_int(packed->chunk)),
                                   error);
    return status ? status
                  : kernel_run(
                        context, packed->sum, work_range(context, (size_t)channels),
                        ARGUMENTS(arg_buffer(call->scratch), arg_buffer(call->c), arg_int(channels), arg_int(items)),
                        error);
}

const struct product_engine product_packed = {
    .name = "packed",
    .needs = "a channel block of 4 or more",
    .supports = supports,
    .state_bytes = sizeof(struct packed),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
