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
 * Matrices are float [side][side], see product.h. All are polynomials of A: they are symmetric and commute but for
 * rounding. Yet neither can half of each product be computed and mirrored, nor T Z be exchanged for Z T: what rounding
 * makes of small eigenvalues grows then (with condition numbers of 1e5, errors of 1e-2 instead of 1e-5 in single
 * precision).
 */
#ifndef LOSS_SQUARE_ROOT_H
#define LOSS_SQUARE_ROOT_H

#include "network/product.h"

struct square_root {
    nst_context *context;
    int count, side; /* rows that count, and with what they are filled up to */
    struct product *product;
    cl_kernel squares, begin, turn;
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

#endif
