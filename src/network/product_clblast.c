/* product_clblast.c: products of matrices by CLBlast, on GPUs; see device/blas.h. */
#include "device/blas.h"
#include "network/product_engine.h"

/* CLBlast copies nothing when its own tiles, of up to 128, divide the columns; up to 64 are filled up to 64, which
 * suits most devices. */
enum { TILE = 128, FEW_COLUMNS = 64 };

/* CLBlast reads maps itself, as floats. */
static bool supports(const nst_context *context, const struct product_shape *shape) {
    return context->channel_block == 1 && !shape->half_maps;
}

static struct product_layout layout(const struct product *product, int columns) {
    int rows = product->shape.rows, multiple = columns <= FEW_COLUMNS ? FEW_COLUMNS : TILE;
    if (product->shape.kind == PRODUCT_SQUARE) {
        return (struct product_layout){.rows = rows, .columns = rows, .parts = 1};
    }
    return (struct product_layout){.rows = rows, .columns = (columns + multiple - 1) / multiple * multiple, .parts = 1};
}

/* F F^T with F as it lies there: channels x pixels, row-major. */
static struct blas_product gram_product(const struct product *product, int pixels) {
    return (struct blas_product){.rows = (size_t)product->shape.rows,
                                 .columns = (size_t)product->shape.rows,
                                 .inner = (size_t)pixels,
                                 .transpose_b = true,
                                 .alpha = 1.0f};
}

/* A B, dense. */
static struct blas_product square_product(const struct product *product) {
    size_t rows = (size_t)product->shape.rows;
    return (struct blas_product){.rows = rows, .columns = rows, .inner = rows, .alpha = 1.0f};
}

/* For a batch CLBlast allocates memory of its own. */
static uint64_t scratch_bytes(const struct product *product, int extent) {
    if (product->shape.kind == PRODUCT_BATCHED) {
        return 0;
    }
    bool is_gram = product->shape.kind == PRODUCT_GRAM;
    struct blas_product blas = is_gram ? gram_product(product, extent) : square_product(product);
    return blas_scratch_bytes(product->context, &blas);
}

static nst_status run_gram(struct product *product, const struct product_call *call, nst_error *error) {
    struct blas_product blas = gram_product(product, call->extent);
    blas.a = blas.b = call->a;
    blas.c = call->c;
    blas.scratch = call->scratch;
    return blas_multiply(product->context, &blas, error);
}

static nst_status run_batch(struct product *product, const struct product_call *call, nst_error *error) {
    const struct product_shape *shape = &product->shape;
    nst_context *context = product->context;
    struct blas_product blas = {.rows = (size_t)shape->rows,
                                .columns = (size_t)call->extent,
                                .inner = (size_t)shape->inner,
                                .transpose_a = true,
                                .alpha = 1.0f,
                                .a = call->a};
    size_t c_start = call->c_start * sizeof(float);
    size_t c_bytes = (size_t)shape->batches * blas.rows * blas.columns * sizeof(float);
    nst_status status = buffer_part(context, call->c, 0, c_start, &blas.b, error);
    if (!status) {
        status = buffer_part(context, call->c, c_start, c_bytes, &blas.c, error);
    }
    if (!status) {
        status = blas_multiply_batched(context, &blas, (size_t)shape->batches, error);
    }
    buffer_release(context, &blas.b);
    buffer_release(context, &blas.c);
    return status;
}

static nst_status run_square(struct product *product, const struct product_call *call, nst_error *error) {
    struct blas_product blas = square_product(product);
    blas.a = call->a;
    blas.b = call->b;
    blas.c = call->c;
    blas.scratch = call->scratch;
    return blas_multiply(product->context, &blas, error);
}

static nst_status run(struct product *product, const struct product_call *call, nst_error *error) {
    switch (product->shape.kind) {
    case PRODUCT_GRAM:
        return run_gram(product, call, error);
    case PRODUCT_BATCHED:
        return run_batch(product, call, error);
    case PRODUCT_SQUARE:
        break;
    }
    return run_square(product, call, error);
}

const struct product_engine product_clblast = {
    .name = "clblast",
    .needs = "a channel block of 1, and single precision",
    .supports = supports,
    .scratch_bytes = scratch_bytes,
    .layout = layout,
    .run = run,
};
