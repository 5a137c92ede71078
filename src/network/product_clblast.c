/* product_clblast.c: products of matrices by CLBlast, on GPUs; see device/blas.h. */
#include "device/blas.h"
#include "network/product_engine.h"

/* CLBlast reads the map itself, as floats. */
static bool supports(const nst_context *context, const struct product_shape *shape) {
    return context->channel_block == 1 && !shape->half_maps;
}

static nst_status create(struct product *product, nst_error *error) {
    (void)product, (void)error;
    return NST_OK;
}

static void destroy(struct product *product) {
    (void)product;
}

/* F F^T with F as it lies there: channels x pixels, row-major. */
static struct blas_product gram_product(const struct product *product, int pixels) {
    return (struct blas_product){.rows = (size_t)product->shape.rows,
                                 .columns = (size_t)product->shape.rows,
                                 .inner = (size_t)pixels,
                                 .transpose_b = true,
                                 .alpha = 1.0f};
}

static uint64_t scratch_bytes(const struct product *product, int extent) {
    struct blas_product blas = gram_product(product, extent);
    return blas_scratch_bytes(product->context, &blas);
}

static nst_status run(struct product *product, const struct product_call *call, nst_error *error) {
    struct blas_product blas = gram_product(product, call->extent);
    blas.a = blas.b = call->a;
    blas.c = call->c;
    blas.scratch = call->scratch;
    return blas_multiply(product->context, &blas, error);
}

const struct product_engine product_clblast = {
    .name = "clblast",
    .needs = "a channel block of 1, and single precision",
    .supports = supports,
    .create = create,
    .destroy = destroy,
    .scratch_bytes = scratch_bytes,
    .run = run,
};
