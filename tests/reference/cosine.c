/* cosine.c: cosine distances in float64; see cosine.h. */
#include "reference/cosine.h"

#include <math.h>

void reference_means(struct reference_vectors vectors, double *means) {
    for (int c = 0; c < vectors.channels; ++c) {
        means[c] = 0;
        for (int p = 0; p < vectors.positions; ++p) {
            means[c] += vectors.values[c * vectors.positions + p] / vectors.positions;
        }
    }
}

double reference_cosine(const struct reference_pair *pair, int i, int j) {
    double dot = 0, square_a = 0, square_b = 0;
    for (int c = 0; c < pair->a.channels; ++c) {
        double a = pair->a.values[c * pair->a.positions + i] - (pair->mean_a ? pair->mean_a[c] : 0);
        double b = pair->b.values[c * pair->b.positions + j] - (pair->mean_b ? pair->mean_b[c] : 0);
        dot += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    return square_a > 0 && square_b > 0 ? dot / sqrt(square_a * square_b) : 0;
}

double reference_cosine_loss(const struct reference_pair *pair, const double *weights) {
    double loss = 0;
    for (int p = 0; p < pair->a.positions; ++p) {
        loss += weights[p] * (1 - reference_cosine(pair, p, p));
    }
    return loss;
}
