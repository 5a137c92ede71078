/* convolution_clblast.c: 1x1 convolutions on GPUs as one product of matrices by CLBlast; see cl/product_epilogue.cl.
 *
 * Large maps are done in parts, so that scratch memory and the time of a dispatch stay bounded. Weights lie as
 * [in_channels][out_channels]: then, and with as many columns as CLBlast's tiles divide, it copies nothing.
 */
#include "device/blas.h"
#include "network/convolution_engine.h"

/* Bounds the scratch memory of one convolution, CLBlast's own apart. */
static const uint64_t most_scratch_bytes = 256 << 20;

static uint64_t round_up(uint64_t count, uint64_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}
static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* CLBlast reads the map itself, as floats. */
static bool supports(const nst_context *context, const struct convolution_shape *shape) {
    return !context->loops_in_kernel && context->channel_block == 1 && shape->kernel_size == 1 && !shape->half_maps;
}

static nst_status create(nst_context *context, struct convolution *convolution, const float *weights,
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

static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    uint64_t sums, temporary;
    product_bytes(convolution, height, width, &sums, &temporary);
    return sums + temporary;
}

static nst_status run(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                      nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    uint64_t sums_bytes, temporary_bytes;
    product_bytes(convolution, call->height, call->width, &sums_bytes, &temporary_bytes);
    cl_mem sums = call->scratch, temporary = NULL;
    nst_status status = NST_OK;
    if (temporary_bytes) {
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
    buffer_release(context, &temporary);
    return status;
}

const struct convolution_methods convolution_clblast = {
    .name = "clblast",
    .supports = supports,
    .create = create,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
