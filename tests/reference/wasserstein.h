/* wasserstein.h: the float64 truth for the Wasserstein loss, by eigenvectors: every matrix of the iterations (see
 * loss/square_root.h) has those of the one that it begins with, so that only eigenvalues are iterated. */
#ifndef REFERENCE_WASSERSTEIN_H
#define REFERENCE_WASSERSTEIN_H

#include <stddef.h>

/* Mean and second moments of features, [channels] and [channels][channels]; those of several pictures can be added. */
struct reference_moments {
    int channels;
    double *mean, *products;
};
void reference_moments_add(struct reference_moments *moments, const double *map, size_t pixels, double share);

/* Eigenvalues of a symmetric matrix, and eigenvectors as the columns of `vectors`, by rotations (Jacobi 1846). */
void reference_eigen(int count, const double *matrix, double *values, double *vectors);

struct reference_wasserstein {
    double loss;   /* less its factor */
    double size;   /* mean squared length of the style's features, with epsilon */
    double *slope; /* the gradient less its factor, [channels][pixels], filled in */
};
/* `map` is [channels][pixels]. `steps` of each iteration; 0: as many as it takes, the true root. */
void reference_wasserstein(const double *map, size_t pixels, const struct reference_moments *style, double epsilon,
                           int steps, struct reference_wasserstein *result);

#endif
