/* convolution_clblast.c: 1x1 convolutions on GPUs as one product of matrices by CLBlast; see cl/product_epilogue.cl.
 *
 * Large maps are done in parts, so that scratch memory and the time of a dispatch stay bounded. Weights lie as
 * [in_channels][out_channels]: then, and with as many columns as CLBlast's tiles divide, it copies nothing.
 */
#include "device/blas.h"
#include "network/convolution_engine.h"

#include <math.h>

/* Bounds the sums of one product. */
static const uint64_t most_sums_bytes = 128 << 20;

struct clblast {
    cl_kernel epilogue;
};

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* CLBlast reads the map itself, as floats. */
static bool supports(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape) {
    (void)engine, (void)context;
    return shape->kernel_size == 1 && !shape->half_maps;
}

static nst_status create(struct convolution *convolution, const float *weights, nst_error *error) {
    struct clblast *clblast = convolution->state;
    convolution->panel_width = convolution->shape.out_channels;
    convolution->taps = 1;
    nst_status status =
        convolution_kernel(convolution, "product_epilogue.cl", "", "product_epilogue", &clblast->epilogue, error);
    return status ? status : convolution_pack_weights(convolution, weights, error);
}

static void release(struct convolution *convolution) {
    struct clblast *clblast = convolution->state;
    kernel_release(&clblast->epilogue);
}

/* Pixels that are multiplied at once, as far as rows can be divided so. */
static double most_pixels(const struct convolution *convolution) {
    const struct convolution_shape *shape = &convolution->shape;
    double in_memory = (double)most_sums_bytes / ((double)sizeof(float) * shape->out_channels);
    double in_time = convolution->dispatch_flop / (2.0 * shape->in_channels * shape->out_channels);
    return in_memory < in_time ? in_memory : in_time;
}

/* The rows that are multiplied at once, a multiple of 4 so that no tile of a mask is divided. */
static int rows_at_once(const struct convolution *convolution, int height, int width) {
    double rows = 4 * floor(most_pixels(convolution) / (4.0 * width));
    return rows >= height ? height : rows > 4 ? (int)rows : smaller(height, 4);
}

static struct blas_product product_of_rows(const struct convolution *convolution, int height, int width, int first_row,
                                           int rows) {
    return (struct blas_product){.rows = (size_t)convolution->shape.out_channels,
                                 .columns = (size_t)rows * (size_t)width,
                                 .inner = (size_t)convolution->shape.in_channels,
                                 .transpose_a = true,
                                 .alpha = 1.0f,
                                 .a = convolution->weights,
                                 .b_offset = (size_t)first_row * (size_t)width,
                                 .b_stride = (size_t)height * (size_t)width};
}

static uint64_t sums_bytes(const struct convolution *convolution, uint64_t pixels) {
    return round_up(pixels * (uint64_t)convolution->shape.out_channels * sizeof(float), BUFFER_PART_ALIGNMENT);
}

/* Of CLBlast's temporary memory, which lies behind the sums. */
static uint64_t temporary_bytes(const struct convolution *convolution, int height, int width) {
    int at_once = rows_at_once(convolution, height, width);
    uint64_t most = 0;
    for (int first = 0; first < height; first += at_once) {
        int rows = smaller(at_once, height - first);
        struct blas_product product = product_of_rows(convolution, height, width, first, rows);
        uint64_t bytes = blas_scratch_bytes(convolution->context, &product);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* The most that this map or a smaller one takes, since a plan is made for the largest: as many pixels at once as may
 * be, in matrices so placed that CLBlast copies both of them. */
static uint64_t scratch_bytes(const struct convolution *convolution, int height, int width) {
    double pixels = (double)height * width, most = most_pixels(convolution), least = 4.0 * width;
    most = most > least ? most : least;
    struct blas_product product = product_of_rows(convolution, height, width, 0, height);
    product.columns = (size_t)(pixels < most ? pixels : most);
    product.b_offset = product.c_offset = 1;
    return sums_bytes(convolution, product.columns) + blas_scratch_bytes(convolution->context, &product);
}

/* Of the scratch buffer. */
struct parts {
    cl_mem sums, temporary;
};

/* One kernel may not use a buffer and a part of it. The first four bytes are written for the sake of buffer_part. */
static nst_status divide_scratch(nst_context *context, cl_mem scratch, uint64_t sums_bytes, uint64_t temporary_bytes,
                                 struct parts *parts, nst_error *error) {
    nst_status status = buffer_fill_zero(context, scratch, sizeof(cl_float), error);
    if (!status) {
        status = buffer_part(context, scratch, 0, (size_t)sums_bytes, &parts->sums, error);
    }
    return status
               ? status
               : buffer_part(context, scratch, (size_t)sums_bytes, (size_t)temporary_bytes, &parts->temporary, error);
}

static nst_status run(struct convolution *convolution, const struct convolution_call *call, nst_error *error) {
    const struct clblast *clblast = convolution->state;
    const struct convolution_shape *shape = &convolution->shape;
    nst_context *context = convolution->context;
    int at_once = rows_at_once(convolution, call->height, call->width);
    uint64_t bytes = temporary_bytes(convolution, call->height, call->width);
    struct parts parts = {NULL, NULL};
    nst_status status = NST_OK;
    if (bytes) {
        status =
            divide_scratch(context, call->scratch, sums_bytes(convolution, (uint64_t)at_once * (uint64_t)call->width),
                           bytes, &parts, error);
    }
    for (int first = 0; !status && first < call->height; first += at_once) {
        int rows = smaller(at_once, call->height - first);
        struct blas_product product = product_of_rows(convolution, call->height, call->width, first, rows);
        product.b = call->input;
        product.c = parts.sums ? parts.sums : call->scratch;
        product.scratch = parts.temporary;
        status = blas_multiply(context, &product, error);
        if (!status) {
            size_t tiles = (size_t)((rows + 3) / 4) * (size_t)((call->width + 3) / 4);
            status = kernel_run(context, clblast->epilogue, work_range(context, product.rows * tiles),
                                ARGUMENTS(arg_buffer(product.c), arg_buffer(call->output), arg_buffer(call->mask),
                                          arg_buffer(convolution->bias), arg_int(shape->out_channels),
                                          arg_int(call->height), arg_int(call->width), arg_int(first), arg_int(rows)),
                                error);
        }
    }
    buffer_release(context, &parts.sums);
    buffer_release(context, &parts.temporary);
    return status;
}

const struct convolution_engine convolution_clblast = {
    .word = "clblast",
    .name = "clblast",
    .device = GPUS,
    .supports = supports,
    .state_bytes = sizeof(struct clblast),
    .create = create,
    .release = release,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
