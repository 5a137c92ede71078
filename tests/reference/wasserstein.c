/* wasserstein.c: the Wasserstein loss in float64 by eigenvectors; see wasserstein.h. */
#include "reference/wasserstein.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *allocate(size_t count) {
    double *values = calloc(count, sizeof *values);
    if (!values) {
        abort();
    }
    return values;
}

void reference_moments_add(struct reference_moments *moments, const double *map, size_t pixels, double share) {
    size_t count = (size_t)moments->channels;
    for (size_t i = 0; i < count; ++i) {
        for (size_t p = 0; p < pixels; ++p) {
            moments->mean[i] += share / (double)pixels * map[i * pixels + p];
        }
        for (size_t j = 0; j < count; ++j) {
            for (size_t p = 0; p < pixels; ++p) {
                moments->products[i * count + j] += share / (double)pixels * map[i * pixels + p] * map[j * pixels + p];
            }
        }
    }
}

/* Turns rows and columns i and j of the matrix, and the columns of `vectors`, so that its element there is zero. */
static void rotate(int count, double *matrix, double *vectors, int i, int j) {
    double off = matrix[i * count + j];
    if (off == 0) {
        return;
    }
    double theta = (matrix[j * count + j] - matrix[i * count + i]) / (2 * off);
    double tangent = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double cosine = 1 / sqrt(tangent * tangent + 1), sine = tangent * cosine;
    for (int k = 0; k < count; ++k) {
        double a = matrix[k * count + i], b = matrix[k * count + j];
        matrix[k * count + i] = cosine * a - sine * b;
        matrix[k * count + j] = sine * a + cosine * b;
        a = vectors[k * count + i], b = vectors[k * count + j];
        vectors[k * count + i] = cosine * a - sine * b;
        vectors[k * count + j] = sine * a + cosine * b;
    }
    for (int k = 0; k < count; ++k) {
        double a = matrix[i * count + k], b = matrix[j * count + k];
        matrix[i * count + k] = cosine * a - sine * b;
        matrix[j * count + k] = sine * a + cosine * b;
    }
}

void reference_eigen(int count, const double *matrix, double *values, double *vectors) {
    enum { SWEEPS = 14 };
    double *turned = allocate((size_t)count * (size_t)count);
    memcpy(turned, matrix, (size_t)count * (size_t)count * sizeof *turned);
    for (int i = 0; i < count * count; ++i) {
        vectors[i] = i % (count + 1) == 0;
    }
    for (int sweep = 0; sweep < SWEEPS; ++sweep) {
        for (int i = 0; i < count; ++i) {
            for (int j = i + 1; j < count; ++j) {
                rotate(count, turned, vectors, i, j);
            }
        }
    }
    for (int i = 0; i < count; ++i) {
        values[i] = fmax(turned[i * (count + 1)], 0);
    }
    free(turned);
}

static double norm(int count, const double *values) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += values[i] * values[i];
    }
    return sqrt(sum);
}

/* What the iteration of Newton and Schulz makes of eigenvalues: roots, in place. */
static void take_roots(int count, double *values, int steps) {
    double size = norm(count, values);
    for (int i = 0; i < count; ++i) {
        double y = values[i] / size, z = 1;
        for (int step = 0; step < steps; ++step) {
            double t = (3 - z * y) / 2;
            y *= t;
            z *= t;
        }
        values[i] = steps ? y * sqrt(size) : sqrt(values[i]);
    }
}

/* And of roots: their inverses, for the gradient. */
static void invert_roots(int count, double *roots, int steps) {
    double size = norm(count, roots);
    for (int i = 0; i < count; ++i) {
        double a = roots[i] / size, q = 1;
        for (int step = 0; step < steps; ++step) {
            double t = (3 - a * a) / 2;
            a *= t;
            q *= t;
        }
        roots[i] = steps ? q / size : 1 / roots[i];
    }
}

/* vectors diag(values) vectors^T */
static void assemble(int count, const double *values, const double *vectors, double *matrix) {
    for (int i = 0; i < count; ++i) {
        for (int j = 0; j < count; ++j) {
            double sum = 0;
            for (int k = 0; k < count; ++k) {
                sum += vectors[i * count + k] * values[k] * vectors[j * count + k];
            }
            matrix[i * count + j] = sum;
        }
    }
}

/* root matrix root, in place. */
static void enclose(int count, const double *root, double *matrix) {
    double *between = allocate((size_t)count * (size_t)count);
    for (int turn = 0; turn < 2; ++turn) { /* between = (matrix root)^T, twice */
        for (int i = 0; i < count; ++i) {
            for (int j = 0; j < count; ++j) {
                double sum = 0;
                for (int k = 0; k < count; ++k) {
                    sum += matrix[i * count + k] * root[k * count + j];
                }
                between[j * count + i] = sum;
            }
        }
        memcpy(matrix, between, (size_t)count * (size_t)count * sizeof *matrix);
    }
    free(between);
}

/* Returns the trace. */
static double make_covariance(const struct reference_moments *moments, double epsilon, double *matrix) {
    int count = moments->channels;
    double trace = 0;
    for (int i = 0; i < count; ++i) {
        for (int j = 0; j < count; ++j) {
            matrix[i * count + j] = moments->products[i * count + j] - moments->mean[i] * moments->mean[j];
        }
        matrix[i * (count + 1)] += epsilon;
        trace += matrix[i * (count + 1)];
    }
    return trace;
}

static void write_slope(const double *map, size_t pixels, const struct reference_moments *own,
                        const struct reference_moments *style, const double *inverse, double *slope) {
    size_t count = (size_t)own->channels;
    for (size_t c = 0; c < count; ++c) {
        for (size_t p = 0; p < pixels; ++p) {
            double sum = own->mean[c] - style->mean[c];
            for (size_t k = 0; k < count; ++k) {
                sum += ((k == c) - inverse[c * count + k]) * (map[k * pixels + p] - own->mean[k]);
            }
            slope[c * pixels + p] = 2 / (double)pixels * sum;
        }
    }
}

void reference_wasserstein(const double *map, size_t pixels, const struct reference_moments *style, double epsilon,
                           int steps, struct reference_wasserstein *result) {
    int count = style->channels;
    size_t elements = (size_t)count * (size_t)count;
    double *root = allocate(elements), *matrix = allocate(elements), *vectors = allocate(elements);
    double *values = allocate((size_t)count);
    struct reference_moments own = {count, allocate((size_t)count), allocate(elements)};
    reference_moments_add(&own, map, pixels, 1);
    double target_trace = make_covariance(style, epsilon, matrix);
    reference_eigen(count, matrix, values, vectors);
    take_roots(count, values, steps);
    assemble(count, values, vectors, root);
    result->loss = target_trace + make_covariance(&own, epsilon, matrix);
    result->size = target_trace;
    enclose(count, root, matrix);
    reference_eigen(count, matrix, values, vectors);
    take_roots(count, values, steps);
    for (int c = 0; c < count; ++c) {
        double difference = own.mean[c] - style->mean[c];
        result->loss += difference * difference - 2 * values[c];
        result->size += style->mean[c] * style->mean[c];
    }
    invert_roots(count, values, steps);
    assemble(count, values, vectors, matrix);
    enclose(count, root, matrix);
    write_slope(map, pixels, &own, style, matrix, result->slope);
    free(own.mean);
    free(own.products);
    free(root);
    free(matrix);
    free(vectors);
    free(values);
}
