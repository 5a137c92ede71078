/* square_root.h: square roots of symmetric matrices without negative eigenvalues on the device, and what their gradients
 * need, by so many steps of Newton and Schulz, which are products only (Higham 2008, section 6.7; Lin and Maji 2017):
 *
 *     Y = A / |A|, Z = I;  T = (3 I - Z Y) / 2, Y = Y T, Z = T Z;  ...        Y |A|^(1/2) is the root
 *
 * How fast that converges depends on the eigenvalues: in the directions of those below about |A| / 1.5^(2 steps) Y is
 * too small still. A loss that is defined by a number of steps is to have these, and no more.
 *
 * The gradient of the root R's trace with respect to A is half of R's inverse, by the steps with which the equation of
 * Lyapunov is solved, that hold when everything commutes:
 *
 *     a = R / |R|, q = I;  T = (3 I - a a) / 2, q = q T, a = a T;  ...        q / (2 |R|) is the gradient
 *
 * Matrices are float [side][side], see product.h. All of one iteration are polynomials of A: they are symmetric and
 * commute but for rounding, so of each product only one half is computed.
 *
 * Rounding to single precision is relative to the largest elements. Where A's small eigenvalues are spread over all
 * elements, it is larger than they are, and every step makes it half as large again: a sum of roots had errors of 1e-4.
 * So A is to be graded, with rows and columns that shrink towards the first: then each element's error is relative to
 * its own row and column, small eigenvalues keep their digits, and sums begin with their smallest terms. The product F
 * V F^T with a factor F whose lines shrink is graded, and its eigenvalues are those of R V R if F^T F = R^2.
 */
#ifndef LOSS_SQUARE_ROOT_H
#define LOSS_SQUARE_ROOT_H

#include "network/product.h"

struct square_root {
    nst_context *context;
    int count, side; /* rows that count, and with what they are filled up to */
    struct product *product;
    cl_kernel squares, begin, turn, factor, transpose;
};

/* Release with square_root_release, also after a failure. Errors: NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status square_root_create(nst_context *context, int count, struct square_root *root, nst_error *error);
void square_root_release(struct square_root *root);

/* Of one matrix, and of scratch, which may be 0. */
size_t square_root_matrix_bytes(const struct square_root *root);
uint64_t square_root_scratch_bytes(const struct square_root *root);

/* The four take turns: which buffer is which changes as they are written. */
struct square_root_matrices {
    cl_mem y, z, t, spare;
    cl_mem scratch;
    cl_mem squares; /* float [...]: |y|^2 as it was at the beginning is left at `slot` */
    int slot;
};

/* y: a matrix; becomes its root, less a factor |y|^(1/2). Enqueues it; does not wait. */
nst_status square_root_run(const struct square_root *root, struct square_root_matrices *matrices, int steps,
                           nst_error *error);
/* y: a root R, or a multiple of it; z becomes q. Enqueues it; does not wait. */
nst_status square_root_inverse(const struct square_root *root, struct square_root_matrices *matrices, int steps,
                               nst_error *error);

/* Of a covariance C: F with F^T F = R^2, where R is C's root by so many steps. */
struct square_root_factor {
    cl_mem lines, transposed; /* F, whose lines grow shorter from the last to the first, and F^T */
    cl_mem left;              /* float [side], overwritten */
    double least;             /* no eigenvalue of C is smaller than that */
};

/* y: C, overwritten like the others. Enqueues it; does not wait. */
nst_status square_root_factor(const struct square_root *root, struct square_root_matrices *matrices, int steps,
                              const struct square_root_factor *result, nst_error *error);

#endif
