/* lbfgs_direction.c: the two-loop recursion of L-BFGS on inner products; see optimizer.h. */
#include "optimizer/optimizer.h"

#include <string.h>

/* Inner product of the basis vector `row` with sum factors[i] * basis[i]. */
static double product_with(const double *products, int size, int row, const double *factors) {
    double sum = 0;
    for (int i = 0; i < size; ++i) {
        if (factors[i] != 0) { /* products of unused slots may hold anything */
            sum += factors[i] * products[(size_t)row * (size_t)size + (size_t)i];
        }
    }
    return sum;
}

void lbfgs_direction(const double *products, int slots, const int *order, int order_count, double first_matrix,
                     double *factors) {
    int size = 2 * slots + 1, gradient = 2 * slots;
    memset(factors, 0, (size_t)size * sizeof *factors);
    factors[gradient] = -1;
    if (order_count == 0) {
        return;
    }
    double alpha[NST_MAX_HISTORY + 1]; /* of as many pairs as there may be slots, see lbfgs.c */
    for (int k = order_count - 1; k >= 0; --k) {
        int s = 2 * order[k], y = s + 1;
        alpha[k] = product_with(products, size, s, factors) / products[(size_t)s * (size_t)size + (size_t)y];
        factors[y] -= alpha[k];
    }
    int s = 2 * order[order_count - 1], y = s + 1;
    double scale =
        first_matrix * products[(size_t)s * (size_t)size + (size_t)y] / products[(size_t)y * (size_t)size + (size_t)y];
    for (int i = 0; i < size; ++i) {
        factors[i] *= scale;
    }
    for (int k = 0; k < order_count; ++k) {
        s = 2 * order[k], y = s + 1;
        double beta = product_with(products, size, y, factors) / products[(size_t)s * (size_t)size + (size_t)y];
        factors[s] += alpha[k] - beta;
    }
}
