/* blas.h: single-precision matrix products by CLBlast, with temporary buffers that the memory plan knows. */
#ifndef DEVICE_BLAS_H
#define DEVICE_BLAS_H

#include "device/context.h"

/* C = alpha op(A) op(B) + beta C, row-major, dense unless a leading dimension is given; op(A) is rows x inner, op(B) is
 * inner x columns. */
struct blas_product {
    size_t rows, columns, inner;
    bool transpose_a, transpose_b;
    float alpha, beta;
    cl_mem a, b, c;
    size_t a_offset, b_offset, c_offset; /* in elements */
    size_t a_stride, b_stride, c_stride; /* leading dimensions in elements, 0: dense */
    cl_mem scratch;                      /* at least blas_scratch_bytes */
};

/* Bytes of temporary memory that the product takes on this device (0 if none). Buffers need not be set. */
uint64_t blas_scratch_bytes(nst_context *context, const struct blas_product *product);

/* Enqueues the product. CLBlast compiles its kernels at the first call for a device, which can take seconds. */
nst_status blas_multiply(nst_context *context, const struct blas_product *product, nst_error *error);

/* `batches` products of the same shape, matrices packed one behind the other: A[i] at i * rows * inner, and so on.
 * CLBlast allocates temporary memory of its own for these. */
nst_status blas_multiply_batched(nst_context *context, const struct blas_product *product, size_t batches,
                                 nst_error *error);

/* The row of the tuner's table (device/tuning.h) for the parameters of CLBlast's kernel Xgemm. */
#define BLAS_KEY "CLBlast Xgemm"

/* Replaces these parameters on this device, for the rest of the process: a text "MWG=64 NWG=64 ..." with all of
 * them. Errors: NST_ERROR_ARGUMENT (not such a text), NST_ERROR_OPENCL. */
nst_status blas_set_parameters(nst_context *context, const char *text, nst_error *error);

/* Drops the compiled programs that CLBlast keeps, for all devices: each holds on to its context, and would be taken for
 * another context's that gets the same address. */
void blas_forget_programs(void);

#endif
