/* convolution_clblast.c: convolutions on GPUs around CLBlast's products of matrices: 3x3 by Winograd's F(4x4, 3x3) and
 * 36 products at once, 1x1 as one product. See cl/winograd_transform.cl and cl/product_epilogue.cl.
 *
 * Large maps are done in parts, so that scratch memory and the time of a dispatch stay bounded. Weights lie as
 * [in_channels][out_channels]: then, and with as many columns as CLBlast's tiles divide, it copies nothing.
 */
#include "device/blas.h"
#include "network/convolution_engine.h"
#include "network/winograd_weights.h"
#include "support/error.h"

#include <stdlib.h>

/* Columns of a product are filled up to multiples of this: all of CLBlast's tiles divide it. Maps of up to 64 tiles are
 * filled up to 64, which suits most devices. */
enum { COLUMNS = 128, FEW_COLUMNS = 64 };

/* Bounds the scratch memory of one convolution, CLBlast's own apart. */
static const uint64_t most_scratch_bytes = 256 << 20;

static uint64_t round_up(uint64_t count, uint64_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}
static int smaller(int a, int b) {
    return a < b ? a : b;
}

static bool is_gpu(const nst_context *context) {
    return !context->loops_in_kernel && context->channel_block == 1;
}

/* ---- 3x3: Winograd ----------------------------------------------------------------------------------------------- */

static bool winograd_supports(const nst_context *context, const struct convolution_shape *shape) {
    return is_gpu(context) && shape->kernel_size == 3;
}

static nst_status upload_transformed(nst_context *context, struct convolution *convolution, const float *weights,
                                     nst_error *error) {
    size_t in = (size_t)convolution->shape.in_channels, out = (size_t)convolution->shape.out_channels;
    size_t count = WINOGRAD_SLICES * in * out;
    float *u = malloc(count * sizeof *u);
    if (!u) {
        return fail_memory(error, count * sizeof *u, "the transformed weights of a convolution");
    }
    for (size_t o = 0; o < out; ++o) {
        for (size_t i = 0; i < in; ++i) {
            double transformed[WINOGRAD_SLICES];
            winograd_transform_filter(weights + (o * in + i) * 9, transformed);
            for (size_t s = 0; s < WINOGRAD_SLICES; ++s) {
                u[(s * in + i) * out + o] = (float)transformed[s];
            }
        }
    }
    nst_status status = convolution_upload_weights(context, convolution, u, count, error);
    free(u);
    return status;
}

static nst_status winograd_create(nst_context *context, struct convolution *convolution, const float *weights,
                                  nst_error *error) {
    convolution->panel_width = convolution->shape.out_channels;
    convolution->taps = WINOGRAD_SLICES;
    nst_status status = convolution_kernel(context, convolution, "winograd_transform.cl", "", "winograd_input",
                                           &convolution->input_kernel, error);
    if (!status) {
        status = convolution_kernel(context, convolution, "winograd_transform.cl", "", "winograd_output",
                                    &convolution->kernel, error);
    }
    return status ? status : upload_transformed(context, convolution, weights, error);
}

/* How the tiles of a map are divided, and where V and M lie in the scratch buffer. */
struct batches {
    int tiles, batch_tiles;
    uint64_t v_bytes, m_bytes;
};

static struct batches divide_tiles(const struct convolution *convolution, int height, int width) {
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width;
    convolution_output_size(shape, height, width, &out_height, &out_width);
    uint64_t v_tile = WINOGRAD_SLICES * sizeof(float) * (uint64_t)shape->in_channels;
    uint64_t m_tile = WINOGRAD_SLICES * sizeof(float) * (uint64_t)shape->out_channels;
    double tile_flop = 2.0 * WINOGRAD_SLICES * shape->in_channels * shape->out_channels;
    int most = (int)(most_scratch_bytes / (v_tile + m_tile) / COLUMNS * COLUMNS);
    most = smaller(most < COLUMNS ? COLUMNS : most, convolution_dispatch_units(convolution, tile_flop, COLUMNS));
    struct batches batches = {.tiles = ((out_height + 3) / 4) * ((out_width + 3) / 4)};
    int count = (batches.tiles + most - 1) / most, tiles = (batches.tiles + count - 1) / count;
    batches.batch_tiles = (int)round_up((uint64_t)tiles, tiles <= FEW_COLUMNS ? FEW_COLUMNS : COLUMNS);
    batches.v_bytes = round_up(v_tile * (uint64_t)batches.batch_tiles, BUFFER_PART_ALIGNMENT);
    batches.m_bytes = m_tile * (uint64_t)batches.batch_tiles;
    return batches;
}

static uint64_t winograd_scratch_bytes(const struct convolution *convolution, int height, int width) {
    struct batches batches = divide_tiles(convolution, height, width);
    return batches.v_bytes + batches.m_bytes;
}

static nst_status run_batch(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                            const struct blas_product *product, int first, nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    int out_height, out_width, batch_tiles = (int)product->columns;
    convolution_output_size(shape, call->height, call->width, &out_height, &out_width);
    nst_status status =
        kernel_run(context, convolution->input_kernel, work_range(context, product->inner * product->columns),
                   ARGUMENTS(arg_buffer(call->input), arg_buffer(product->b), arg_int(shape->in_channels),
                             arg_int(call->height), arg_int(call->width), arg_int(shape->padding),
                             arg_int(shape->padding_mode), arg_int(first), arg_int(batch_tiles)),
                   error);
    if (!status) {
        status = blas_multiply_batched(context, product, WINOGRAD_SLICES, error);
    }
    if (!status) {
        status = kernel_run(context, convolution->kernel, work_range(context, product->rows * product->columns),
                            ARGUMENTS(arg_buffer(product->c), arg_buffer(call->output), arg_buffer(call->mask),
                                      arg_buffer(convolution->bias), arg_int(shape->out_channels), arg_int(out_height),
                                      arg_int(out_width), arg_int(first), arg_int(batch_tiles)),
                            error);
    }
    return status;
}

static nst_status winograd_run(nst_context *context, struct convolution *convolution,
                               const struct convolution_call *call, nst_error *error) {
    struct batches batches = divide_tiles(convolution, call->height, call->width);
    struct blas_product product = {.rows = (size_t)convolution->shape.out_channels,
                                   .columns = (size_t)batches.batch_tiles,
                                   .inner = (size_t)convolution->shape.in_channels,
                                   .transpose_a = true,
                                   .alpha = 1.0f,
                                   .a = convolution->weights};
    nst_status status = buffer_part(context, call->scratch, 0, (size_t)batches.v_bytes, &product.b, error);
    if (!status) {
        status =
            buffer_part(context, call->scratch, (size_t)batches.v_bytes, (size_t)batches.m_bytes, &product.c, error);
    }
    for (int first = 0; !status && first < batches.tiles; first += batches.batch_tiles) {
        status = run_batch(context, convolution, call, &product, first, error);
    }
    buffer_release(context, &product.b);
    buffer_release(context, &product.c);
    return status;
}

const struct convolution_methods convolution_winograd_clblast = {
    .name = "winograd F(4x4)",
    .supports = winograd_supports,
    .create = winograd_create,
    .scratch_bytes = winograd_scratch_bytes,
    .run = winograd_run,
};

/* ---- 1x1: one product -------------------------------------------------------------------------------------------- */

/* CLBlast reads the map itself, as floats. */
static bool product_supports(const nst_context *context, const struct convolution_shape *shape) {
    return is_gpu(context) && shape->kernel_size == 1 && !shape->half_maps;
}

static nst_status product_create(nst_context *context, struct convolution *convolution, const float *weights,
                                 nst_error *error) {
    convolution->context = context;
    convolution->panel_width = convolution->shape.out_channels;
    convolution->taps = 1;
    nst_status status = convolution_kernel(context, convolution, "product_epilogue.cl", "", "product_epilogue",
                                           &convolution->kernel, error);
    return status ? status : convolution_pack_weights(context, convolution, weights, error);
}

/* The rows that are multiplied at once, a multiple of 4 so that no tile of a mask is divided. */
static int rows_at_once(const struct convolution *convolution, int height, int width) {
    const struct convolution_shape *shape = &convolution->shape;
    double row_flop = 2.0 * 4 * width * shape->in_channels * shape->out_channels;
    uint64_t row_bytes = (uint64_t)width * (uint64_t)shape->out_channels * sizeof(float);
    uint64_t rows = most_scratch_bytes / 2 / row_bytes / 4 * 4;
    uint64_t most = 4 * (uint64_t)convolution_dispatch_units(convolution, row_flop, 1);
    rows = rows < most ? rows : most;
    return rows >= (uint64_t)height ? height : rows > 4 ? (int)rows : 4;
}

static struct blas_product product_of_rows(const struct convolution *convolution, int width, int first_row, int rows) {
    return (struct blas_product){.rows = (size_t)convolution->shape.out_channels,
                                 .columns = (size_t)rows * (size_t)width,
                                 .inner = (size_t)convolution->shape.in_channels,
                                 .transpose_a = true,
                                 .alpha = 1.0f,
                                 .a = convolution->weights,
                                 .b_offset = (size_t)first_row * (size_t)width};
}

/* Bytes of the sums, and of CLBlast's temporary memory behind them. */
static void product_bytes(const struct convolution *convolution, int height, int width, uint64_t *sums,
                          uint64_t *temporary) {
    int rows = smaller(height, rows_at_once(convolution, height, width));
    *sums = round_up((uint64_t)rows * (uint64_t)width * (uint64_t)convolution->shape.out_channels * sizeof(float),
                     BUFFER_PART_ALIGNMENT);
    *temporary = 0;
    for (int first = 0; first < height; first += rows) {
        struct blas_product product = product_of_rows(convolution, width, first, smaller(rows, height - first));
        product.b_stride = (size_t)height * (size_t)width;
        uint64_t bytes = blas_scratch_bytes(convolution->context, &product);
        *temporary = bytes > *temporary ? bytes : *temporary;
    }
}

static uint64_t product_scratch_bytes(const struct convolution *convolution, int height, int width) {
    uint64_t sums, temporary;
    product_bytes(convolution, height, width, &sums, &temporary);
    return sums + temporary;
}

static nst_status product_run(nst_context *context, struct convolution *convolution,
                              const struct convolution_call *call, nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    uint64_t sums_bytes, temporary_bytes;
    product_bytes(convolution, call->height, call->width, &sums_bytes, &temporary_bytes);
    cl_mem sums = NULL, temporary = NULL;
    nst_status status = buffer_part(context, call->scratch, 0, (size_t)sums_bytes, &sums, error);
    if (!status && temporary_bytes) {
        status = buffer_part(context, call->scratch, (size_t)sums_bytes, (size_t)temporary_bytes, &temporary, error);
    }
    int at_once = rows_at_once(convolution, call->height, call->width);
    for (int first = 0; !status && first < call->height; first += at_once) {
        int rows = smaller(at_once, call->height - first);
        struct blas_product product = product_of_rows(convolution, call->width, first, rows);
        product.b = call->input;
        product.b_stride = (size_t)call->height * (size_t)call->width;
        product.c = sums;
        product.scratch = temporary;
        status = blas_multiply(context, &product, error);
        if (!status) {
            size_t tiles = (size_t)((rows + 3) / 4) * (size_t)((call->width + 3) / 4);
            status = kernel_run(context, convolution->kernel, work_range(context, product.rows * tiles),
                                ARGUMENTS(arg_buffer(sums), arg_buffer(call->output), arg_buffer(call->mask),
                                          arg_buffer(convolution->bias), arg_int(shape->out_channels),
                                          arg_int(call->height), arg_int(call->width), arg_int(first), arg_int(rows)),
                                error);
        }
    }
    buffer_release(context, &sums);
    buffer_release(context, &temporary);
    return status;
}

const struct convolution_methods convolution_clblast = {
    .name = "clblast",
    .supports = product_supports,
    .create = product_create,
    .scratch_bytes = product_scratch_bytes,
    .run = product_run,
};
