/* losses.c: content, style and total variation loss in float64; see losses.h. */
#include "reference/losses.h"

#include <math.h>
#include <stdlib.h>

double reference_content_loss(const double *map, const double *target, size_t count, double weight, double *gradient) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        double difference = map[i] - target[i];
        sum += difference * difference;
        if (gradient) {
            gradient[i] += 2 * weight * difference;
        }
    }
    return weight * sum;
}

void reference_gram(const double *map, int channels, size_t pixels, double *gram) {
    for (int i = 0; i < channels; ++i) {
        for (int j = 0; j < channels; ++j) {
            double sum = 0;
            for (size_t p = 0; p < pixels; ++p) {
                sum += map[(size_t)i * pixels + p] * map[(size_t)j * pixels + p];
            }
            gram[i * channels + j] = sum;
        }
    }
}

double reference_style_loss(const double *map, const double *target, int channels, size_t pixels, double weight,
                            double scale, double *gradient) {
    double *gram = malloc((size_t)channels * (size_t)channels * sizeof *gram), sum = 0;
    if (!gram) {
        abort();
    }
    reference_gram(map, channels, pixels, gram);
    for (int i = 0; i < channels; ++i) {
        for (int j = 0; j < channels; ++j) {
            double difference = scale * gram[i * channels + j] - target[i * channels + j];
            sum += difference * difference;
            /* gram[i][j] depends on F[i] and on F[j]: twice, so that the factor is 2 and not 4 here. */
            for (size_t p = 0; gradient && p < pixels; ++p) {
                gradient[(size_t)i * pixels + p] += 2 * weight * scale * difference * map[(size_t)j * pixels + p];
                gradient[(size_t)j * pixels + p] += 2 * weight * scale * difference * map[(size_t)i * pixels + p];
            }
        }
    }
    free(gram);
    return weight * sum;
}

/* One pair of neighbors. */
static double pair_loss(const double *image, size_t here, size_t next, int power, double weight, double *gradient) {
    double difference = image[next] - image[here];
    double sign = (difference > 0) - (difference < 0), slope = weight * (power == 1 ? sign : 2 * difference);
    if (gradient) {
        gradient[next] += slope;
        gradient[here] -= slope;
    }
    return weight * (power == 1 ? fabs(difference) : difference * difference);
}

double reference_tv_loss(const double *image, int planes, int height, int width, int power, double weight,
                         double *gradient) {
    double sum = 0;
    for (int row = 0; row < planes * height; ++row) {
        for (int x = 0; x < width; ++x) {
            size_t here = (size_t)row * (size_t)width + (size_t)x;
            if (x + 1 < width) {
                sum += pair_loss(image, here, here + 1, power, weight, gradient);
            }
            if (row % height + 1 < height) {
                sum += pair_loss(image, here, here + (size_t)width, power, weight, gradient);
            }
        }
    }
    return sum;
}

double reference_squares(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        sum += values[i] * values[i];
    }
    return sum;
}

static double framed(const double *plane, int height, int width, int y, int x) {
    y = y < 0 ? 0 : y < height ? y : height - 1;
    x = x < 0 ? 0 : x < width ? x : width - 1;
    return plane[(size_t)y * (size_t)width + (size_t)x];
}

double reference_tv_nine_loss(const double *image, int height, int width, double weight) {
    double along = 0, across = 0;
    for (int plane = 0; plane < 3; ++plane) {
        const double *values = image + (size_t)plane * (size_t)height * (size_t)width;
        for (int y = -1; y < height; ++y) {
            for (int x = -1; x < width; ++x) {
                double here = framed(values, height, width, y, x), right = framed(values, height, width, y, x + 1);
                double below = framed(values, height, width, y + 1, x),
                       corner = framed(values, height, width, y + 1, x + 1);
                along += y < 0 || x < 0 ? 0 : (right - here) * (right - here) + (below - here) * (below - here);
                across += (corner - here) * (corner - here) + (below - right) * (below - right);
            }
        }
    }
    return weight * (2.0 / 3 * along / (3.0 * height * width) + across / 6 / (3.0 * (height + 1) * (width + 1)));
}
