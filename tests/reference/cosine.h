/* cosine.h: cosine distances and nearest neighbors in float64. Vectors are the columns of matrices
 * [channels][positions]. */
#ifndef REFERENCE_COSINE_H
#define REFERENCE_COSINE_H

#include <stddef.h>

struct reference_vectors {
    const double *values;
    int channels, positions;
};

/* Mean over the positions of each channel. */
void reference_means(struct reference_vectors vectors, double *means);

/* Cosine of a - mean_a, vector i, and b - mean_b, vector j; 0 if either is zero. */
struct reference_pair {
    struct reference_vectors a, b;
    const double *mean_a, *mean_b; /* NULL: zeros */
};
double reference_cosine(const struct reference_pair *pair, int i, int j);

/* sum over p of weights[p] * (1 - cos(f(p) - mean, t(p))), where f is pair.a, t is pair.b. */
double reference_cosine_loss(const struct reference_pair *pair, const double *weights);

#endif
