/* product_square.c: products of square matrices on CPUs, in tiles of registers; see cl/matrix_product.cl. */
#include "network/feature_map.h"
#include "network/product_engine.h"

#include <stdio.h>

enum { GROUP = 32 }; /* rows of a work-item */

struct square {
    cl_kernel kernel;
};

static bool supports(const nst_context *context, const struct product_shape *shape) {
    return shape->kind == PRODUCT_SQUARE && context->loops_in_kernel && context->channel_block > 1;
}

/* An odd number of vectors from one line to the next: with a power of two the elements of a column would share a few
 * lines of the cache. */
static int blocks_of(const struct product *product) {
    return feature_map_blocks(product->context, product->shape.rows) | 1;
}

/* There are 16 vector registers with 4 or 8 lanes, 32 with 16. */
static nst_status create(struct product *product, nst_error *error) {
    struct square *square = product->state;
    char options[64];
    int rows = product->context->channel_block == 16 ? 8 : 4;
    snprintf(options, sizeof options, "-D GROUP=%d -D ROWS=%d -D COLUMNS=2", GROUP, rows);
    return kernel_create(product->context, "matrix_product.cl", options, "matrix_product", &square->kernel, error);
}

static void release(struct product *product) {
    struct square *square = product->state;
    kernel_release(&square->kernel);
}

static struct product_layout layout(const struct product *product, int columns) {
    (void)columns;
    int side = blocks_of(product) * product->context->channel_block;
    return (struct product_layout){.rows = side, .columns = side, .parts = 1};
}

static nst_status run(struct product *product, const struct product_call *call, nst_error *error) {
    const struct square *square = product->state;
    int count = product->shape.rows;
    return kernel_run(product->context, square->kernel, work_items((size_t)(count + GROUP - 1) / GROUP),
                      ARGUMENTS(arg_buffer(call->a), arg_buffer(call->b), arg_buffer(call->c), arg_int(count),
                                arg_int(blocks_of(product)), arg_int(call->symmetric)),
                      error);
}

const struct product_engine product_square = {
    .name = "square",
    .needs = "a channel block of 4 or more",
    .supports = supports,
    .state_bytes = sizeof(struct square),
    .create = create,
    .release = release,
    .layout = layout,
    .run = run,
};
