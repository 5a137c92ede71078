/* blas.c: matrix products by CLBlast; see blas.h. */
#include "device/blas.h"

#include "device/profile.h"
#include "support/error.h"

#include <clblast_c.h>
#include <stdio.h>

static size_t stride_or(size_t stride, size_t dense) {
    return stride ? stride : dense;
}

/* Leading dimensions of the three matrices as they lie in memory. */
static void strides_of(const struct blas_product *p, size_t *a, size_t *b, size_t *c) {
    *a = stride_or(p->a_stride, p->transpose_a ? p->rows : p->inner);
    *b = stride_or(p->b_stride, p->transpose_b ? p->inner : p->columns);
    *c = stride_or(p->c_stride, p->columns);
}

/* Row-major C = A B is column-major C^T = B^T A^T on the same bytes. CLBlast copies a row-major C to a transposed
 * temporary matrix before the product and back after it; column-major it writes in place. */
static CLBlastTranspose transpose(bool yes) {
    return yes ? CLBlastTransposeYes : CLBlastTransposeNo;
}

/* CLBlast passes OpenCL's codes on; its own, and those of clBLAS, lie below -1000. */
static nst_status fail_blas(nst_context *context, nst_error *error, const char *call, CLBlastStatusCode code) {
    if (code > -1000) {
        return fail_opencl(context, error, call, (cl_int)code);
    }
    return fail(error, NST_ERROR_OPENCL, "%s failed on %s: CLBlast's status %d", call, context->info.name, (int)code);
}

/* The event is that of the last kernel: mostly the product itself, else what copies its result. */
static nst_status finish(nst_context *context, const char *call, CLBlastStatusCode code, cl_event event,
                         nst_error *error) {
    if (code != CLBlastSuccess) {
        return fail_blas(context, error, call, code);
    }
    profile_record(context, "product by CLBlast", event);
    return NST_OK;
}

void blas_forget_programs(void) {
    CLBlastClearCache();
}

uint64_t blas_scratch_bytes(nst_context *context, const struct blas_product *p) {
    size_t a, b, c, bytes = 0;
    strides_of(p, &a, &b, &c);
    CLBlastStatusCode code = CLBlastSGemmTempBufferSize(
        CLBlastLayoutColMajor, transpose(p->transpose_b), transpose(p->transpose_a), p->columns, p->rows, p->inner,
        p->b_offset, b, p->a_offset, a, p->c_offset, c, &context->queue, &bytes);
    return code == CLBlastSuccess ? bytes : 0;
}

nst_status blas_multiply(nst_context *context, const struct blas_product *p, nst_error *error) {
    size_t a, b, c;
    strides_of(p, &a, &b, &c);
    cl_event event = NULL;
    CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutColMajor, transpose(p->transpose_b), transpose(p->transpose_a), p->columns, p->rows, p->inner,
        p->alpha, p->b, p->b_offset, b, p->a, p->a_offset, a, p->beta, p->c, p->c_offset, c, &context->queue,
        context->profile ? &event : NULL, p->scratch);
    return finish(context, "CLBlastSgemmWithTempBuffer", code, event, error);
}

nst_status blas_multiply_batched(nst_context *context, const struct blas_product *p, size_t batches, nst_error *error) {
    size_t a, b, c;
    strides_of(p, &a, &b, &c);
    cl_event event = NULL;
    CLBlastStatusCode code = CLBlastSgemmStridedBatched(
        CLBlastLayoutColMajor, transpose(p->transpose_b), transpose(p->transpose_a), p->columns, p->rows, p->inner,
        p->alpha, p->b, 0, b, p->inner * p->columns, p->a, 0, a, p->rows * p->inner, p->beta, p->c, 0, c,
        p->rows * p->columns, batches, &context->queue, context->profile ? &event : NULL);
    return finish(context, "CLBlastSgemmStridedBatched", code, event, error);
}

nst_status blas_set_parameters(nst_context *context, const char *text, nst_error *error) {
    enum { PARAMETERS = 16, NAME_LENGTH = 8 };
    char names[PARAMETERS][NAME_LENGTH];
    const char *pointers[PARAMETERS];
    size_t values[PARAMETERS], count = 0;
    int length = 0;
    for (; count < PARAMETERS && sscanf(text, " %7[A-Z]=%zu%n", names[count], &values[count], &length) == 2; ++count) {
        pointers[count] = names[count];
        text += length;
    }
    if (*text || count != PARAMETERS) {
        return fail(error, NST_ERROR_ARGUMENT, "CLBlast's parameters are not %d times NAME=NUMBER", (int)PARAMETERS);
    }
    CLBlastStatusCode code =
        CLBlastOverrideParameters(context->device, "Xgemm", CLBlastPrecisionSingle, count, pointers, values);
    return code == CLBlastSuccess ? NST_OK : fail_blas(context, error, "CLBlastOverrideParameters", code);
}
