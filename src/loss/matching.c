/* matching.c: nearest neighbors on the device; see matching.h. */
#include "loss/matching.h"

#include "support/error.h"

#include <math.h>
#include <stdio.h>

enum {
    CHUNK = 1024,     /* style vectors that are taken at a time */
    GROUP_TILES = 32, /* CPUs: tiles of a group, enough for a panel to be read seldom, at most */
    TILE = 64,        /* GPUs: vectors along a side of a tile */
    SIDE = 8          /* GPUs: work-items there */
};

/* CPUs: ROWS x VECTORS sums in registers, of which there are 16 with 4 or 8 lanes (SSE, NEON, AVX2), 32 with 16. */
struct tile_shape {
    int rows, vectors;
};
static struct tile_shape tile_shape_of(const nst_context *context) {
    int block = context->channel_block;
    return (struct tile_shape){block == 16 ? 8 : block == 8 ? 6 : 4, 2};
}

static int ceiling_divide(int a, int b) {
    return (a + b - 1) / b;
}

nst_status matching_create(nst_context *context, struct matching *matching, nst_error *error) {
    *matching = (struct matching){0};
    if (!context->loops_in_kernel && context->channel_block != 1) {
        return fail(error, NST_ERROR_ARGUMENT, "there are no nearest neighbors for GPUs with a channel block of %d",
                    context->channel_block);
    }
    struct tile_shape tile = tile_shape_of(context);
    char options[64] = "";
    if (context->loops_in_kernel) {
        snprintf(options, sizeof options, "-D ROWS=%d -D VECTORS=%d", tile.rows, tile.vectors);
    } else {
        snprintf(options, sizeof options, "-D TILE=%d -D SIDE=%d", TILE, SIDE);
    }
    const struct kernel_row kernels[] = {{"matching_product", &matching->product},
                                         {"matching_begin", &matching->begin},
                                         {"matching_merge", &matching->merge},
                                         {"matching_gather", &matching->gather},
                                         {"matching_pack", &matching->pack}};
    size_t count = sizeof kernels / sizeof *kernels - (context->loops_in_kernel ? 0 : 1);
    return kernels_create(context, "matching.cl", options, kernels, count, error);
}

void matching_release(struct matching *matching) {
    kernel_release(&matching->pack);
    kernel_release(&matching->product);
    kernel_release(&matching->begin);
    kernel_release(&matching->merge);
    kernel_release(&matching->gather);
}

/* CPUs: as many groups for each work-item, none larger than need be. */
static int group_tiles(const nst_context *context, int positions) {
    int tiles = ceiling_divide(positions, tile_shape_of(context).rows), items = context->work_items;
    int rounds = ceiling_divide(tiles, GROUP_TILES * items);
    return ceiling_divide(tiles, rounds * items);
}

struct matching_bytes matching_scratch_bytes(const nst_context *context, int blocks, int positions,
                                             int style_positions) {
    int chunk = style_positions < CHUNK ? style_positions : CHUNK;
    struct matching_bytes bytes = {.candidates = (uint64_t)positions * sizeof(cl_int2)};
    if (!context->loops_in_kernel) {
        bytes.candidates *= (uint64_t)ceiling_divide(chunk, TILE);
        return bytes;
    }
    struct tile_shape tile = tile_shape_of(context);
    uint64_t vector_bytes = (uint64_t)context->channel_block * sizeof(float), vectors = (uint64_t)blocks;
    /* Fewer positions may make larger groups, as large as these at most. */
    int fair = ceiling_divide(ceiling_divide(positions, tile.rows), context->work_items);
    uint64_t tiles = (uint64_t)(context->work_items * (fair < GROUP_TILES ? fair : GROUP_TILES));
    int width = tile.vectors * context->channel_block;
    bytes.panels = (uint64_t)(ceiling_divide(chunk, width) * width) * vectors * vector_bytes;
    bytes.rows = tiles * (uint64_t)tile.rows * (vectors + 2) * vector_bytes; /* 2: the best products, their columns */
    return bytes;
}

nst_status matching_begin(nst_context *context, const struct matching *matching, const struct matching_best *best,
                          int positions, nst_error *error) {
    return kernel_run(context, matching->begin, work_range(context, (size_t)positions),
                      ARGUMENTS(arg_buffer(best->similarity), arg_buffer(best->index), arg_int(positions)), error);
}

/* Style vectors first ... first + count - 1. */
struct chunk {
    int first, count;
};

static nst_status multiply_on_cpu(nst_context *context, const struct matching *matching,
                                  const struct matching_part *part, const struct matching_scratch *scratch,
                                  struct chunk chunk, nst_error *error) {
    const struct matching_set *content = &part->content, *style = &part->style;
    int blocks = content->stack.blocks, width = tile_shape_of(context).vectors * context->channel_block;
    nst_status status = kernel_run(
        context, matching->pack, work_range(context, (size_t)ceiling_divide(chunk.count, width) * (size_t)blocks),
        ARGUMENTS(arg_buffer(style->stack.samples), arg_buffer(style->mean), arg_buffer(style->squares),
                  arg_buffer(scratch->panels), arg_int(style->stack.first_block), arg_int(blocks),
                  arg_int(style->stack.positions), arg_int(chunk.first), arg_int(chunk.count)),
        error);
    if (status) {
        return status;
    }
    return kernel_run(context, matching->product, work_items((size_t)context->work_items),
                      ARGUMENTS(arg_buffer(content->stack.samples), arg_buffer(content->mean),
                                arg_buffer(scratch->panels), arg_buffer(scratch->rows), arg_buffer(scratch->candidates),
                                arg_int(content->stack.first_block), arg_int(blocks), arg_int(content->stack.positions),
                                arg_int(group_tiles(context, content->stack.positions)), arg_int(chunk.first),
                                arg_int(chunk.count)),
                      error);
}

/* Dispatches of bounded work: some rows of tiles each. */
static nst_status multiply_on_gpu(nst_context *context, const struct matching *matching,
                                  const struct matching_part *part, const struct matching_scratch *scratch,
                                  struct chunk chunk, nst_error *error) {
    const struct matching_set *content = &part->content, *style = &part->style;
    int columns = ceiling_divide(chunk.count, TILE), rows = ceiling_divide(content->stack.positions, TILE);
    double row_flop = 2.0 * TILE * TILE * columns * content->stack.blocks;
    int at_once = row_flop < context->dispatch_flop ? (int)(context->dispatch_flop / row_flop) : 1;
    nst_status status = NST_OK;
    for (int first = 0; first < rows && !status; first += at_once) {
        int count = rows - first < at_once ? rows - first : at_once;
        struct work_size size = {2, {(size_t)columns * SIDE, (size_t)count * SIDE, 1}, {SIDE, SIDE, 1}};
        status = kernel_run(context, matching->product, size,
                            ARGUMENTS(arg_buffer(content->stack.samples), arg_buffer(content->mean),
                                      arg_buffer(style->stack.samples), arg_buffer(style->mean),
                                      arg_buffer(style->squares), arg_buffer(scratch->candidates),
                                      arg_int4(content->stack.first_block, content->stack.positions,
                                               style->stack.first_block, style->stack.positions),
                                      arg_int(content->stack.blocks), arg_int(first * TILE), arg_int(chunk.first)),
                            error);
    }
    return status;
}

nst_status matching_run(nst_context *context, const struct matching *matching, const struct matching_part *part,
                        const struct matching_scratch *scratch, const struct matching_best *best, nst_error *error) {
    int positions = part->content.stack.positions, style_positions = part->style.stack.positions;
    nst_status status = NST_OK;
    for (int first = 0; first < style_positions && !status; first += CHUNK) {
        int left = style_positions - first;
        struct chunk chunk = {first, left < CHUNK ? left : CHUNK};
        status = context->loops_in_kernel ? multiply_on_cpu(context, matching, part, scratch, chunk, error)
                                          : multiply_on_gpu(context, matching, part, scratch, chunk, error);
        if (!status) {
            int parts = context->loops_in_kernel ? 1 : ceiling_divide(chunk.count, TILE);
            status = kernel_run(context, matching->merge, work_range(context, (size_t)positions),
                                ARGUMENTS(arg_buffer(scratch->candidates), arg_int(parts),
                                          arg_buffer(part->content.squares), arg_buffer(part->allowed),
                                          arg_int(part->allowed != NULL), arg_buffer(best->similarity),
                                          arg_buffer(best->index), arg_int(positions), arg_int(part->first_index),
                                          arg_float((float)part->factor), arg_float((float)part->summand)),
                                error);
        }
    }
    return status;
}

nst_status matching_gather(nst_context *context, const struct matching *matching,
                           const struct matching_targets *targets, const struct matching_best *best, nst_error *error) {
    const struct sample_stack *to = &targets->targets, *from = &targets->style.stack;
    return kernel_run(context, matching->gather, work_range(context, (size_t)to->blocks * (size_t)to->positions),
                      ARGUMENTS(arg_buffer(from->samples), arg_buffer(targets->style.mean),
                                arg_int(targets->style.mean != NULL), arg_buffer(targets->style.squares),
                                arg_buffer(best->index), arg_buffer(to->samples), arg_int(from->first_block),
                                arg_int(to->first_block), arg_int(to->blocks), arg_int(to->positions),
                                arg_int(from->positions), arg_int(targets->first_index)),
                      error);
}
