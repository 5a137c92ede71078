/* subspace.h: the few dimensions in which most of a set of vectors lies, and vectors in them: inner products with the set
 * are nearly kept, and take less. The formulas are in cl/subspace.cl. */
#ifndef LOSS_SUBSPACE_H
#define LOSS_SUBSPACE_H

#include "device/context.h"
#include "loss/samples.h"

struct subspace {
    cl_kernel sketch, project;
};

/* Release with subspace_release, also after a failure. Errors: NST_ERROR_OPENCL. */
nst_status subspace_create(nst_context *context, struct subspace *subspace, nst_error *error);
void subspace_release(struct subspace *subspace);

/* For vectors of so many blocks: the basis, float [blocks * B][dimensions], and scratch memory for finding it, of the
 * same size. Dimensions are a multiple of 16. */
uint64_t subspace_basis_bytes(const nst_context *context, int blocks, int dimensions);

struct subspace_buffers {
    cl_mem basis, sketch;
    int dimensions;
};

/* Finds an orthonormal basis of nearly the best subspace for the vectors of the stack less their mean. Where these have
 * fewer dimensions, the rest of the basis is zero. Waits. */
nst_status subspace_find(nst_context *context, const struct subspace *subspace, const struct sample_stack *stack,
                         cl_mem mean, const struct subspace_buffers *buffers, nst_error *error);

/* projected = the stack's vectors in that basis; it has as many positions, and the basis's dimensions from its first
 * block on. A mean is a stack of one position. Enqueues. */
nst_status subspace_project(nst_context *context, const struct subspace *subspace, const struct sample_stack *stack,
                            const struct subspace_buffers *buffers, cl_mem projected, nst_error *error);

#endif
