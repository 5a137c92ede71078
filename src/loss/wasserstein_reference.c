/* wasserstein_reference.c: the loss of wasserstein.c in double on the host, for the self-test. */
#include "loss/kinds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 12, MATRICES = 8 };

/* Square matrices of so many rows, in one allocation. */
struct matrices {
    int count;
    double *root, *target, *y, *z, *t, *spare, *mean, *target_mean;
};

static void multiply(int count, const double *a, const double *b, double *product) {
    memset(product, 0, (size_t)count * (size_t)count * sizeof *product);
    for (int i = 0; i < count; ++i) {
        for (int k = 0; k < count; ++k) {
            for (int j = 0; j < count; ++j) {
                product[i * count + j] += a[i * count + k] * b[k * count + j];
            }
        }
    }
}

static double norm(int count, const double *matrix) {
    double sum = 0;
    for (int i = 0; i < count * count; ++i) {
        sum += matrix[i] * matrix[i];
    }
    return sqrt(sum);
}

/* Mean, and covariance plus epsilon I. */
static void statistics(const struct loss_reference *in, const double *map, double epsilon, double *mean,
                       double *covariance) {
    int count = in->channels, pixels = in->height * in->width;
    for (int c = 0; c < count; ++c) {
        mean[c] = 0;
        for (int p = 0; p < pixels; ++p) {
            mean[c] += map[c * pixels + p] / pixels;
        }
    }
    for (int i = 0; i < count; ++i) {
        for (int j = 0; j < count; ++j) {
            double sum = 0;
            for (int p = 0; p < pixels; ++p) {
                sum += (map[i * pixels + p] - mean[i]) * (map[j * pixels + p] - mean[j]);
            }
            covariance[i * count + j] = sum / pixels + (i == j ? epsilon : 0);
        }
    }
}

/* As square_root.h says: of y, with (3 I - left y) / 2, where `left` is z or y itself. Returns |y|. */
static double iterate(struct matrices *m, bool left_is_z) {
    int count = m->count;
    size_t bytes = (size_t)count * (size_t)count * sizeof *m->y;
    double size = norm(count, m->y);
    for (int i = 0; i < count * count; ++i) {
        m->y[i] /= size;
        m->z[i] = i % (count + 1) == 0;
    }
    for (int step = 0; step < STEPS; ++step) {
        multiply(count, left_is_z ? m->z : m->y, m->y, m->t);
        for (int i = 0; i < count * count; ++i) {
            m->t[i] = (i % (count + 1) == 0 ? 1.5 : 0) - m->t[i] / 2;
        }
        multiply(count, m->y, m->t, m->spare);
        memcpy(m->y, m->spare, bytes);
        multiply(count, m->t, m->z, m->spare);
        memcpy(m->z, m->spare, bytes);
    }
    return size;
}

/* matrix = root matrix root */
static void enclose(struct matrices *m, double *matrix) {
    multiply(m->count, m->root, matrix, m->t);
    multiply(m->count, m->t, m->root, matrix);
}

/* The root of the style's covariance in m->root; the distance to the map, of which all but the root's trace is added up
 * here, and half of that root in m->y and its norm. */
static double distance(const struct loss_options *options, const struct loss_reference *in, struct matrices *m,
                       double *target_size, double *root_norm) {
    int count = m->count;
    double sum = 0;
    *target_size = 0;
    statistics(in, in->style, options->epsilon, m->target_mean, m->target);
    memcpy(m->y, m->target, (size_t)count * (size_t)count * sizeof *m->y);
    double size = iterate(m, true);
    for (int i = 0; i < count * count; ++i) {
        m->root[i] = sqrt(size) * m->y[i];
    }
    statistics(in, in->map, options->epsilon, m->mean, m->y);
    for (int c = 0; c < count; ++c) {
        double target = m->target[c * (count + 1)];
        sum += pow(m->mean[c] - m->target_mean[c], 2) + m->y[c * (count + 1)] + target;
        *target_size += m->target_mean[c] * m->target_mean[c] + target;
    }
    enclose(m, m->y);
    size = iterate(m, true);
    for (int c = 0; c < count; ++c) {
        sum -= 2 * sqrt(size) * m->y[c * (count + 1)];
    }
    *root_norm = sqrt(size) * norm(count, m->y);
    return sum;
}

static void write_gradient(const struct loss_reference *in, const struct matrices *m, const double *inverse,
                           double factor, double *gradient) {
    int count = m->count, pixels = in->height * in->width;
    for (int c = 0; c < count; ++c) {
        for (int p = 0; p < pixels; ++p) {
            double sum = m->mean[c] - m->target_mean[c];
            for (int k = 0; k < count; ++k) {
                double slope = (k == c) - inverse[c * count + k];
                sum += slope * (in->map[k * pixels + p] - m->mean[k]);
            }
            gradient[c * pixels + p] = 2 * factor / pixels * sum;
        }
    }
}

double wasserstein_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    int count = in->channels;
    size_t elements = (size_t)count * (size_t)count;
    double *memory = malloc(MATRICES * elements * sizeof *memory), target_size, root_norm;
    if (!memory) {
        return NAN;
    }
    struct matrices m = {.count = count,
                         .root = memory,
                         .target = memory + elements,
                         .y = memory + 2 * elements,
                         .z = memory + 3 * elements,
                         .t = memory + 4 * elements,
                         .spare = memory + 5 * elements,
                         .mean = memory + 6 * elements,
                         .target_mean = memory + 7 * elements};
    double sum = distance(options, in, &m, &target_size, &root_norm);
    double factor = loss_one_over(options->relative ? target_size : count);
    iterate(&m, false);
    enclose(&m, m.z);
    for (size_t i = 0; i < elements; ++i) {
        m.z[i] /= root_norm;
    }
    write_gradient(in, &m, m.z, factor, gradient);
    free(memory);
    return factor * sum;
}
