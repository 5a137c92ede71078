/* hypercolumns_reference.c: the losses on hypercolumns in double, slowly, for the self-test: of one layer as large as the
 * image, with a single style of up to 5000 pixels. See self_distance.c, earth_mover.c, moments.c and palette.c for the
 * formulas. */
#include "loss/hypercolumns.h"
#include "loss/kinds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Vectors, double [count][channels]. */
struct vectors {
    int count, channels;
    double *values;
};

static double *at(const struct vectors *vectors, int i) {
    return vectors->values + (size_t)i * (size_t)vectors->channels;
}

static double dot(const double *a, const double *b, int count) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* 1 / length, or 0 of a vector without direction. */
static double inverse_length(const double *vector, int channels) {
    double square = dot(vector, vector, channels);
    return square > 1e-12 ? 1 / sqrt(square) : 0;
}

/* What all losses need: the image's, content's and style's vectors, and room. */
struct problem {
    const struct loss_reference *in;
    struct pixel pixels[HYPERCOLUMN_POSITIONS];
    int count;
    struct vectors image, content, style, slope; /* slope: zeros, like the image's */
};

static bool create_vectors(struct vectors *vectors, int count, int channels) {
    *vectors = (struct vectors){count, channels, calloc((size_t)count * (size_t)channels, sizeof *vectors->values)};
    return vectors->values != NULL;
}

static void read_vectors(struct vectors *vectors, const double *map, int pixels, int i, int pixel, double scale,
                         double shift) {
    for (int c = 0; c < vectors->channels; ++c) {
        at(vectors, i)[c] = scale * map[c * pixels + pixel] + shift;
    }
}

/* Values are scaled and shifted as an image's are. False without memory; free_problem after that too. */
static bool create_problem(struct problem *problem, const struct loss_options *options, const struct loss_reference *in,
                           bool is_image) {
    const struct region region = {.image = {in->height, in->width}};
    const int pixels = in->height * in->width;
    const double scale = is_image ? 1.0 / 255 : 1, shift = is_image ? -0.5 : 0;
    memset(problem, 0, sizeof *problem);
    problem->in = in;
    bool fine = !pixels_draw_first(options->seed, &region, problem->pixels, &problem->count, NULL);
    fine = fine && create_vectors(&problem->image, problem->count, in->channels);
    fine = fine && create_vectors(&problem->content, problem->count, in->channels);
    fine = fine && create_vectors(&problem->slope, problem->count, in->channels);
    fine = fine && create_vectors(&problem->style, pixels, in->channels);
    for (int i = 0; fine && i < problem->count; ++i) {
        int pixel = problem->pixels[i].row * in->width + problem->pixels[i].column;
        read_vectors(&problem->image, in->map, pixels, i, pixel, scale, shift);
        if (in->content) {
            read_vectors(&problem->content, in->content, pixels, i, pixel, scale, shift);
        }
    }
    for (int i = 0; fine && i < pixels; ++i) {
        read_vectors(&problem->style, in->style, pixels, i, i, scale, shift);
    }
    return fine;
}

static void free_problem(struct problem *problem) {
    free(problem->image.values);
    free(problem->content.values);
    free(problem->style.values);
    free(problem->slope.values);
}

/* The slope of the samples times a factor becomes the gradient. */
static void write_gradient(const struct problem *problem, double factor, double *gradient) {
    const struct loss_reference *in = problem->in;
    const int pixels = in->height * in->width;
    memset(gradient, 0, (size_t)in->channels * (size_t)pixels * sizeof *gradient);
    for (int i = 0; i < problem->count; ++i) {
        int pixel = problem->pixels[i].row * in->width + problem->pixels[i].column;
        for (int c = 0; c < in->channels; ++c) {
            gradient[c * pixels + pixel] += factor * at(&problem->slope, i)[c];
        }
    }
}

/* ---- Relaxed earth mover's distance -------------------------------------------------------------------------------- */

typedef double distance(const double *a, const double *b, int channels);
/* slope += weight * d distance / d a */
typedef void add_slope(const double *a, const double *b, int channels, double weight, double *slope);

static double cosine_distance(const double *a, const double *b, int channels) {
    return 1 - dot(a, b, channels) * inverse_length(a, channels) * inverse_length(b, channels);
}

static void add_cosine_slope(const double *a, const double *b, int channels, double weight, double *slope) {
    double length = inverse_length(a, channels), other = inverse_length(b, channels);
    double cosine = dot(a, b, channels) * length * other;
    for (int c = 0; c < channels; ++c) {
        slope[c] += weight * length * (cosine * length * a[c] - other * b[c]);
    }
}

/* Pairs of the nearest; the sum of their distances over their number. */
static double nearest_of_all(const struct vectors *from, const struct vectors *to, distance *measure, int *nearest) {
    double sum = 0;
    for (int i = 0; i < from->count; ++i) {
        double least = INFINITY;
        for (int j = 0; j < to->count; ++j) {
            double here = measure(at(from, i), at(to, j), from->channels);
            nearest[i] = here < least ? j : nearest[i];
            least = fmin(least, here);
        }
        sum += least;
    }
    return sum / from->count;
}

static double move_earth(struct problem *problem, distance *measure, add_slope *add) {
    const struct vectors *image = &problem->image, *style = &problem->style;
    int *nearest = calloc((size_t)(image->count + style->count), sizeof *nearest);
    if (!nearest) {
        return NAN;
    }
    int *nearest_of_style = nearest + image->count;
    double there = nearest_of_all(image, style, measure, nearest);
    double back = nearest_of_all(style, image, measure, nearest_of_style);
    for (int i = 0; there > back && i < image->count; ++i) {
        add(at(image, i), at(style, nearest[i]), image->channels, 1.0 / image->count, at(&problem->slope, i));
    }
    for (int j = 0; there <= back && j < style->count; ++j) {
        int i = nearest_of_style[j];
        add(at(image, i), at(style, j), image->channels, 1.0 / style->count, at(&problem->slope, i));
    }
    free(nearest);
    return fmax(there, back);
}

double earth_mover_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    struct problem problem;
    double loss = NAN;
    if (create_problem(&problem, options, in, false)) {
        loss = move_earth(&problem, cosine_distance, add_cosine_slope);
        write_gradient(&problem, 1, gradient);
    }
    free_problem(&problem);
    return loss;
}

/* ---- Colors -------------------------------------------------------------------------------------------------------- */

static const double axes[3][3] = {
    {0.577350, 0.577350, 0.577350}, {-0.577350, 0.788675, -0.211325}, {-0.577350, -0.211325, 0.788675}};

static void turn(struct vectors *colors, bool back) {
    for (int i = 0; i < colors->count; ++i) {
        double *color = at(colors, i), turned[3];
        for (int c = 0; c < 3; ++c) {
            turned[c] = 0;
            for (int d = 0; d < 3; ++d) {
                turned[c] += (back ? axes[d][c] : axes[c][d]) * color[d];
            }
        }
        memcpy(color, turned, sizeof turned);
    }
}

static double square_between(const double *a, const double *b) {
    double sum = 0;
    for (int c = 0; c < 3; ++c) {
        sum += (a[c] - b[c]) * (a[c] - b[c]);
    }
    return sum;
}

static double color_distance(const double *a, const double *b, int channels) {
    return cosine_distance(a, b, channels) + sqrt(fmin(fmax(square_between(a, b), 1e-5), 1e5) / 3);
}

static void add_color_slope(const double *a, const double *b, int channels, double weight, double *slope) {
    double square = square_between(a, b);
    add_cosine_slope(a, b, channels, weight, slope);
    for (int c = 0; square > 1e-5 && square < 1e5 && c < channels; ++c) {
        slope[c] += weight * (a[c] - b[c]) / (3 * sqrt(square / 3));
    }
}

double palette_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    struct problem problem;
    double loss = NAN;
    if (create_problem(&problem, options, in, true)) {
        turn(&problem.image, false);
        turn(&problem.style, false);
        loss = move_earth(&problem, color_distance, add_color_slope);
        turn(&problem.slope, true);
        write_gradient(&problem, 1.0 / 255, gradient);
    }
    free_problem(&problem);
    return loss;
}

/* ---- Moments ------------------------------------------------------------------------------------------------------- */

static double sign_of(double x) {
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

/* Centers the vectors; mean [channels], covariance [channels][channels]. */
static void measure_moments(struct vectors *vectors, double *mean, double *covariance) {
    const int channels = vectors->channels;
    for (int c = 0; c < channels; ++c) {
        mean[c] = 0;
        for (int i = 0; i < vectors->count; ++i) {
            mean[c] += at(vectors, i)[c] / vectors->count;
        }
    }
    memset(covariance, 0, (size_t)channels * (size_t)channels * sizeof *covariance);
    for (int i = 0; i < vectors->count; ++i) {
        double *vector = at(vectors, i);
        for (int c = 0; c < channels; ++c) {
            vector[c] -= mean[c];
        }
        for (int c = 0; c < channels; ++c) {
            for (int d = 0; d < channels; ++d) {
                covariance[c * channels + d] += vector[c] * vector[d] / vectors->count;
            }
        }
    }
}

/* numbers: of image and style each a mean and a covariance. */
static double compare_moments(struct problem *problem, double *numbers) {
    const int channels = problem->image.channels, count = problem->image.count, each = channels * (channels + 1);
    double *mean = numbers, *covariance = numbers + channels, *target = numbers + each, loss = 0;
    measure_moments(&problem->image, mean, covariance);
    measure_moments(&problem->style, target, target + channels);
    for (int i = 0; i < each; ++i) {
        double share = i < channels ? 1.0 / channels : 1.0 / ((double)channels * channels);
        double difference = numbers[i] - target[i];
        loss += share * fabs(difference);
        numbers[i] = share * sign_of(difference);
    }
    for (int i = 0; i < count; ++i) {
        for (int c = 0; c < channels; ++c) {
            double sum = dot(covariance + c * channels, at(&problem->image, i), channels);
            at(&problem->slope, i)[c] = (2 * sum + mean[c]) / count;
        }
    }
    return loss;
}

double moments_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    struct problem problem;
    size_t each = (size_t)in->channels * ((size_t)in->channels + 1);
    double loss = NAN, *numbers = malloc(2 * each * sizeof *numbers);
    if (create_problem(&problem, options, in, false) && numbers) {
        loss = compare_moments(&problem, numbers);
        write_gradient(&problem, 1, gradient);
    }
    free_problem(&problem);
    free(numbers);
    return loss;
}

/* ---- Distances within a picture ------------------------------------------------------------------------------------ */

/* distances [count][count] between the vectors, which get length 1; inverse sums of its columns; lengths may be NULL. */
static void measure_distances(struct vectors *vectors, double *distances, double *inverses, double *lengths) {
    const int count = vectors->count, channels = vectors->channels;
    for (int i = 0; i < count; ++i) {
        double inverse = inverse_length(at(vectors, i), channels);
        for (int c = 0; c < channels; ++c) {
            at(vectors, i)[c] *= inverse;
        }
        lengths[i] = inverse;
    }
    for (int i = 0; i < count; ++i) {
        double sum = 1e-6 * count;
        for (int j = 0; j < count; ++j) {
            distances[i * count + j] = i == j ? 0 : 1 - dot(at(vectors, i), at(vectors, j), channels);
            sum += distances[i * count + j];
        }
        inverses[i] = 1 / sum;
    }
}

/* d loss / d distance, column j of it, into `slopes`; the loss of the column. */
static double compare_column(const double *own, const double *target, double inverse, double target_inverse, int count,
                             double *slopes) {
    double loss = 0, mean = 0;
    for (int i = 0; i < count; ++i) {
        double difference = inverse * own[i] - target_inverse * target[i];
        loss += fabs(difference) / count;
        slopes[i] = sign_of(difference) / count;
        mean += slopes[i] * inverse * own[i];
    }
    for (int i = 0; i < count; ++i) {
        slopes[i] = inverse * (slopes[i] - mean);
    }
    return loss;
}

/* numbers: three matrices [count][count], four lines [count]. */
static double compare_distances(struct problem *problem, double *numbers) {
    const int count = problem->count, channels = problem->image.channels;
    const size_t matrix = (size_t)count * (size_t)count;
    double *own = numbers, *target = own + matrix, *slopes = target + matrix, *inverses = slopes + matrix;
    double *target_inverses = inverses + count, *lengths = target_inverses + count, loss = 0;
    measure_distances(&problem->content, target, target_inverses, lengths);
    measure_distances(&problem->image, own, inverses, lengths);
    for (int j = 0; j < count; ++j) {
        const size_t column = (size_t)j * (size_t)count;
        loss += compare_column(own + column, target + column, inverses[j], target_inverses[j], count, slopes + column);
    }
    for (int i = 0; i < count; ++i) {
        const double *vector = at(&problem->image, i);
        double *slope = at(&problem->slope, i);
        for (int j = 0; j < count; ++j) {
            double factor =
                slopes[(size_t)i * (size_t)count + (size_t)j] + slopes[(size_t)j * (size_t)count + (size_t)i];
            for (int c = 0; c < channels && i != j; ++c) {
                slope[c] -= factor * at(&problem->image, j)[c];
            }
        }
        double along = dot(slope, vector, channels);
        for (int c = 0; c < channels; ++c) {
            slope[c] = lengths[i] * (slope[c] - along * vector[c]);
        }
    }
    return loss;
}

double self_distance_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    struct problem problem;
    double loss = NAN, *numbers = NULL;
    if (create_problem(&problem, options, in, false)) {
        size_t count = (size_t)problem.count;
        numbers = malloc((3 * count * count + 4 * count) * sizeof *numbers);
        loss = numbers ? compare_distances(&problem, numbers) : NAN;
        write_gradient(&problem, 1, gradient);
    }
    free_problem(&problem);
    free(numbers);
    return loss;
}
