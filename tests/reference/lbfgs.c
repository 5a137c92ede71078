/* lbfgs.c: L-BFGS in float64 by the book; see lbfgs.h. */
#include "reference/lbfgs.h"

#include <stdlib.h>
#include <string.h>

static double dot(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void add(double *target, double factor, const double *vector, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        target[i] += factor * vector[i];
    }
}

void reference_two_loop(size_t count, int pairs, double *const *s, double *const *y, const double *gradient,
                        double *direction) {
    double alpha[REFERENCE_LBFGS_PAIRS];
    memcpy(direction, gradient, count * sizeof *direction);
    for (int k = pairs - 1; k >= 0; --k) {
        alpha[k] = dot(s[k], direction, count) / dot(s[k], y[k], count);
        add(direction, -alpha[k], y[k], count);
    }
    double scale = pairs ? dot(s[pairs - 1], y[pairs - 1], count) / dot(y[pairs - 1], y[pairs - 1], count) : 1;
    for (size_t i = 0; i < count; ++i) {
        direction[i] *= scale;
    }
    for (int k = 0; k < pairs; ++k) {
        double beta = dot(y[k], direction, count) / dot(s[k], y[k], count);
        add(direction, alpha[k] - beta, s[k], count);
    }
    for (size_t i = 0; i < count; ++i) {
        direction[i] = -direction[i];
    }
}

static double *zeros(size_t count) {
    double *values = calloc(count, sizeof *values);
    if (!values) {
        abort();
    }
    return values;
}

void reference_lbfgs_init(struct reference_lbfgs *lbfgs, size_t count, int history) {
    *lbfgs = (struct reference_lbfgs){.count = count, .history = history};
    for (int k = 0; k <= history; ++k) {
        lbfgs->s[k] = zeros(count);
        lbfgs->y[k] = zeros(count);
    }
    lbfgs->last_vector = zeros(count);
    lbfgs->last_gradient = zeros(count);
}

void reference_lbfgs_free(struct reference_lbfgs *lbfgs) {
    for (int k = 0; k <= lbfgs->history; ++k) {
        free(lbfgs->s[k]);
        free(lbfgs->y[k]);
    }
    free(lbfgs->last_vector);
    free(lbfgs->last_gradient);
}

bool reference_lbfgs_is_held(const struct reference_lbfgs *lbfgs, double value, double gradient) {
    return lbfgs->bounded && ((value <= lbfgs->low && gradient > 0) || (value >= lbfgs->high && gradient < 0));
}

/* The place behind the newest pair is free; with a full history the oldest moves there. */
static void take_pair(struct reference_lbfgs *lbfgs, const double *vector, const double *gradient) {
    double *s = lbfgs->s[lbfgs->pairs], *y = lbfgs->y[lbfgs->pairs];
    for (size_t i = 0; i < lbfgs->count; ++i) {
        s[i] = vector[i] - lbfgs->last_vector[i];
        y[i] = gradient[i] - lbfgs->last_gradient[i];
    }
    if (dot(s, y, lbfgs->count) <= 1e-10) {
        lbfgs->rejected++;
        return;
    }
    if (lbfgs->pairs++ < lbfgs->history) {
        return;
    }
    double *oldest_s = lbfgs->s[0], *oldest_y = lbfgs->y[0];
    memmove(lbfgs->s, lbfgs->s + 1, (size_t)lbfgs->history * sizeof *lbfgs->s);
    memmove(lbfgs->y, lbfgs->y + 1, (size_t)lbfgs->history * sizeof *lbfgs->y);
    lbfgs->s[lbfgs->history] = oldest_s;
    lbfgs->y[lbfgs->history] = oldest_y;
    lbfgs->pairs = lbfgs->history;
}

void reference_lbfgs_direction(struct reference_lbfgs *lbfgs, const double *vector, const double *gradient,
                               double *direction) {
    if (lbfgs->has_last) {
        take_pair(lbfgs, vector, gradient);
    }
    lbfgs->has_last = true;
    memcpy(lbfgs->last_vector, vector, lbfgs->count * sizeof *vector);
    memcpy(lbfgs->last_gradient, gradient, lbfgs->count * sizeof *gradient);
    double *projected = zeros(lbfgs->count);
    for (size_t i = 0; i < lbfgs->count; ++i) {
        projected[i] = reference_lbfgs_is_held(lbfgs, vector[i], gradient[i]) ? 0 : gradient[i];
    }
    reference_two_loop(lbfgs->count, lbfgs->pairs, lbfgs->s, lbfgs->y, projected, direction);
    free(projected);
}
