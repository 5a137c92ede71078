/* color_moments.c: mean and covariance of colors, and maps between them; see color_moments.h. */
#include "image/color_moments.h"

#include <math.h>
#include <string.h>

/* ---- Moments ----------------------------------------------------------------------------------------------------- */

static double weight_of(const nst_picture *picture, const float *pixel) {
    return picture->channels == 4 && !(pixel[3] > 0) ? 0 : picture->channels == 4 ? pixel[3] : 1;
}

struct color_moments color_moments_of(const nst_picture *picture) {
    struct color_moments moments = {0};
    size_t channels = (size_t)picture->channels, end = (size_t)picture->width * (size_t)picture->height * channels;
    double sum = 0;
    for (size_t i = 0; i < end; i += channels) {
        const float *pixel = picture->values + i;
        double weight = weight_of(picture, pixel);
        sum += weight;
        for (int c = 0; c < 3 && weight > 0; ++c) {
            moments.mean[c] += weight * pixel[c];
        }
    }
    if (!(sum > 0)) {
        return (struct color_moments){0};
    }
    for (int c = 0; c < 3; ++c) {
        moments.mean[c] /= sum;
    }
    for (size_t i = 0; i < end; i += channels) {
        const float *pixel = picture->values + i;
        double weight = weight_of(picture, pixel) / sum;
        for (int c = 0; c < 9 && weight > 0; ++c) {
            int row = c / 3, column = c % 3;
            moments.covariance[row][column] +=
                weight * (pixel[row] - moments.mean[row]) * (pixel[column] - moments.mean[column]);
        }
    }
    return moments;
}

struct color_moments color_moments_mix(const struct color_moments *moments, const double *shares, int count) {
    struct color_moments mixed = {0};
    for (int i = 0; i < count; ++i) {
        for (int c = 0; c < 3; ++c) {
            mixed.mean[c] += shares[i] * moments[i].mean[c];
        }
    }
    for (int i = 0; i < count; ++i) {
        for (int c = 0; c < 9; ++c) {
            int row = c / 3, column = c % 3;
            double between = (moments[i].mean[row] - mixed.mean[row]) * (moments[i].mean[column] - mixed.mean[column]);
            mixed.covariance[row][column] += shares[i] * (moments[i].covariance[row][column] + between);
        }
    }
    return mixed;
}

/* ---- Symmetric matrices ------------------------------------------------------------------------------------------ */

typedef double matrix3[3][3];

static void multiply(matrix3 a, matrix3 b, matrix3 result) {
    matrix3 product = {{0}};
    for (int i = 0; i < 27; ++i) {
        int row = i / 9, column = i / 3 % 3, k = i % 3;
        product[row][column] += a[row][k] * b[k][column];
    }
    memcpy(result, product, sizeof product);
}

/* Turns the axes p and q so that values[p][q] becomes 0; the columns of `vectors` follow. */
static void rotate(matrix3 values, matrix3 vectors, int p, int q) {
    if (values[p][q] == 0) {
        return;
    }
    double angle = 0.5 * atan2(2 * values[p][q], values[q][q] - values[p][p]), c = cos(angle), s = sin(angle);
    matrix3 turn = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, back;
    turn[p][p] = turn[q][q] = c;
    turn[p][q] = s;
    turn[q][p] = -s;
    for (int i = 0; i < 9; ++i) {
        back[i / 3][i % 3] = turn[i % 3][i / 3];
    }
    multiply(values, turn, values);
    multiply(back, values, values);
    multiply(vectors, turn, vectors);
}

/* The power of a symmetric matrix without negative eigenvalues, those below `least` taken as `least`; by Jacobi's
 * rotations. */
static void matrix_power(matrix3 symmetric, double power, double least, matrix3 result) {
    enum { SWEEPS = 12 }; /* they converge quadratically: 5 are enough */
    matrix3 values, vectors = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, sum = {{0}};
    memcpy(values, symmetric, sizeof values);
    for (int i = 0; i < SWEEPS; ++i) {
        rotate(values, vectors, 0, 1);
        rotate(values, vectors, 0, 2);
        rotate(values, vectors, 1, 2);
    }
    for (int i = 0; i < 27; ++i) {
        int row = i / 9, column = i / 3 % 3, k = i % 3;
        sum[row][column] += vectors[row][k] * pow(fmax(values[k][k], least), power) * vectors[column][k];
    }
    memcpy(result, sum, sizeof sum);
}

/* ---- Maps -------------------------------------------------------------------------------------------------------- */

struct color_map color_map_between(const struct color_moments *from, const struct color_moments *to) {
    const double least = 1.0 / 255 / 255;
    struct color_map map;
    matrix3 source, wanted, root, inverse_root, middle;
    memcpy(source, from->covariance, sizeof source);
    memcpy(wanted, to->covariance, sizeof wanted);
    memcpy(map.from, from->mean, sizeof map.from);
    memcpy(map.to, to->mean, sizeof map.to);
    matrix_power(source, 0.5, least, root);
    matrix_power(source, -0.5, least, inverse_root);
    multiply(root, wanted, middle);
    multiply(middle, root, middle);
    matrix_power(middle, 0.5, 0, middle);
    multiply(inverse_root, middle, map.matrix);
    multiply(map.matrix, inverse_root, map.matrix);
    return map;
}

void color_map_apply(const struct color_map *map, const float color[3], float result[3]) {
    double mapped[3];
    for (int row = 0; row < 3; ++row) {
        mapped[row] = map->to[row];
        for (int column = 0; column < 3; ++column) {
            mapped[row] += map->matrix[row][column] * (color[column] - map->from[column]);
        }
    }
    for (int c = 0; c < 3; ++c) {
        result[c] = (float)mapped[c];
    }
}

void picture_map_colors(nst_picture *picture, const struct color_map *map) {
    size_t channels = (size_t)picture->channels, end = (size_t)picture->width * (size_t)picture->height * channels;
    for (float *pixel = picture->values; pixel < picture->values + end; pixel += channels) {
        color_map_apply(map, pixel, pixel);
        for (int c = 0; c < 3; ++c) {
            pixel[c] = fminf(fmaxf(pixel[c], 0), 1);
        }
    }
}
