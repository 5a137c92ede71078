/* neighbors_reference.c: both losses of nearest neighbors in double, slowly, for the self-test; see neighbors.c and
 * layer_neighbors.c for the formulas. */
#include "loss/kinds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Vectors of features at positions, double [positions][channels]. */
struct vectors {
    int positions, channels;
    double *values;
    double *mean; /* [channels] */
};

static double *at(const struct vectors *vectors, int position) {
    return vectors->values + (size_t)position * (size_t)vectors->channels;
}

/* Where a position lies between two pixels of a side: it is (1 - share) of `first` and share of the next one. */
struct between {
    int first;
    double share;
};
static struct between aligned(int position, int count, int side) {
    double place = count > 1 ? (double)position * (side - 1) / (count - 1) : 0;
    int first = (int)place < side - 2 ? (int)place : side - 2;
    first = first < 0 ? 0 : first;
    return (struct between){first, place - first};
}

/* A grid of rows x columns positions on a map; as many as it has pixels: each pixel. */
struct grid {
    int rows, columns, height, width;
};

/* Weight of pixel (y, x) in a position of the grid, 0 for most. */
struct corner {
    int pixel;
    double weight;
};
static void corners_of(const struct grid *grid, int position, struct corner corners[4]) {
    struct between y = aligned(position / grid->columns, grid->rows, grid->height);
    struct between x = aligned(position % grid->columns, grid->columns, grid->width);
    for (int i = 0; i < 4; ++i) {
        int row = y.first + i / 2, column = x.first + i % 2;
        bool is_inside = row < grid->height && column < grid->width;
        corners[i].pixel = is_inside ? row * grid->width + column : 0;
        corners[i].weight = is_inside ? (i / 2 ? y.share : 1 - y.share) * (i % 2 ? x.share : 1 - x.share) : 0;
    }
}

/* False without memory. Free with free_vectors. */
static bool read_vectors(const struct grid *grid, const double *map, int channels, struct vectors *vectors) {
    int positions = grid->rows * grid->columns, pixels = grid->height * grid->width;
    *vectors =
        (struct vectors){positions, channels, calloc((size_t)positions * (size_t)channels, sizeof *vectors->values),
                         calloc((size_t)channels, sizeof *vectors->mean)};
    if (!vectors->values || !vectors->mean) {
        return false;
    }
    for (int p = 0; p < positions; ++p) {
        struct corner corners[4];
        corners_of(grid, p, corners);
        for (int c = 0; c < channels; ++c) {
            for (int i = 0; i < 4; ++i) {
                at(vectors, p)[c] += corners[i].weight * map[c * pixels + corners[i].pixel];
            }
        }
    }
    return true;
}

static void free_vectors(struct vectors *vectors) {
    free(vectors->values);
    free(vectors->mean);
}

static double dot(const double *a, const double *b, int count) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void scale(struct vectors *vectors, double factor) {
    for (int i = 0; i < vectors->positions * vectors->channels; ++i) {
        vectors->values[i] *= factor;
    }
}

static double mean_square(const struct vectors *vectors) {
    size_t count = (size_t)vectors->positions * (size_t)vectors->channels;
    return dot(vectors->values, vectors->values, (int)count) / vectors->positions;
}

static void subtract_mean(struct vectors *vectors) {
    memset(vectors->mean, 0, (size_t)vectors->channels * sizeof *vectors->mean);
    for (int p = 0; p < vectors->positions; ++p) {
        for (int c = 0; c < vectors->channels; ++c) {
            vectors->mean[c] += at(vectors, p)[c] / vectors->positions;
        }
    }
    for (int p = 0; p < vectors->positions; ++p) {
        for (int c = 0; c < vectors->channels; ++c) {
            at(vectors, p)[c] -= vectors->mean[c];
        }
    }
}

/* The style's vector nearest to one of the content, both centered. */
static int nearest(const struct vectors *style, const double *content) {
    int best = 0;
    double most = -INFINITY;
    for (int q = 0; q < style->positions; ++q) {
        double length = sqrt(dot(at(style, q), at(style, q), style->channels));
        double product = length > 0 ? dot(at(style, q), content, style->channels) / length : -INFINITY;
        best = product > most ? q : best;
        most = product > most ? product : most;
    }
    return best;
}

/* The distance of f from t, whose length does not matter, over `count` positions; `slope` is with respect to f. */
static double cosine_distance(const double *f, const double *t, int channels, int count, double *slope) {
    double square = dot(f, f, channels), length = sqrt(square), target = sqrt(dot(t, t, channels));
    if (!(length > 0) || !(target > 0)) {
        memset(slope, 0, (size_t)channels * sizeof *slope);
        return 1.0 / count;
    }
    double product = dot(f, t, channels) / target;
    for (int c = 0; c < channels; ++c) {
        slope[c] = -(t[c] / target - product * f[c] / square) / (length * count);
    }
    return (1 - product / length) / count;
}

static void add_back(const struct grid *grid, int position, const double *slope, int channels, double *gradient) {
    struct corner corners[4];
    corners_of(grid, position, corners);
    for (int c = 0; c < channels; ++c) {
        for (int i = 0; i < 4; ++i) {
            gradient[c * grid->height * grid->width + corners[i].pixel] += corners[i].weight * slope[c];
        }
    }
}

/* What both losses need: the style, what is matched with it, and the image in hand. */
struct sets {
    struct vectors style, matched, image;
    double *slope;
};

static bool read_sets(const struct grid *grid, const struct loss_reference *in, const double *matched,
                      struct sets *sets) {
    sets->slope = calloc((size_t)in->channels, sizeof *sets->slope);
    bool has_style = read_vectors(grid, in->style, in->channels, &sets->style);
    bool has_matched = read_vectors(grid, matched, in->channels, &sets->matched);
    bool has_image = read_vectors(grid, in->map, in->channels, &sets->image);
    return has_style && has_matched && has_image && sets->slope;
}

static void free_sets(struct sets *sets) {
    free_vectors(&sets->style);
    free_vectors(&sets->matched);
    free_vectors(&sets->image);
    free(sets->slope);
}

static int quarter(int side) {
    return side / 4 > 0 ? side / 4 : 1;
}

double neighbors_reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    (void)options;
    struct grid grid = {quarter(in->height), quarter(in->width), in->height, in->width};
    struct sets sets;
    double loss = NAN;
    memset(gradient, 0, (size_t)in->channels * (size_t)in->height * (size_t)in->width * sizeof *gradient);
    if (read_sets(&grid, in, in->content, &sets)) {
        double factor = 1 / sqrt(mean_square(&sets.style));
        scale(&sets.style, factor);
        scale(&sets.matched, factor);
        scale(&sets.image, factor);
        subtract_mean(&sets.style);
        subtract_mean(&sets.matched);
        loss = 0;
        for (int p = 0; p < sets.image.positions; ++p) {
            double *target = at(&sets.style, nearest(&sets.style, at(&sets.matched, p)));
            for (int c = 0; c < in->channels; ++c) { /* only matched while centered */
                target[c] += sets.style.mean[c];
            }
            loss += cosine_distance(at(&sets.image, p), target, in->channels, sets.image.positions, sets.slope);
            for (int c = 0; c < in->channels; ++c) {
                sets.slope[c] *= factor;
                target[c] -= sets.style.mean[c];
            }
            add_back(&grid, p, sets.slope, in->channels, gradient);
        }
    }
    free_sets(&sets);
    return loss;
}

/* Of maps up to 64 pixels, which are not strided; targets as they are found at the first evaluation. */
double layer_neighbors_reference(const struct loss_options *options, const struct loss_reference *in,
                                 double *gradient) {
    (void)options;
    struct grid grid = {in->height, in->width, in->height, in->width};
    struct sets sets;
    double loss = NAN;
    memset(gradient, 0, (size_t)in->channels * (size_t)in->height * (size_t)in->width * sizeof *gradient);
    if (read_sets(&grid, in, in->map, &sets)) {
        subtract_mean(&sets.style);
        subtract_mean(&sets.image);
        loss = 0;
        for (int p = 0; p < sets.image.positions; ++p) {
            double *own = at(&sets.image, p);
            const double *target = at(&sets.style, nearest(&sets.style, own));
            loss += cosine_distance(own, target, in->channels, sets.image.positions, sets.slope);
            memcpy(own, sets.slope, (size_t)in->channels * sizeof *own);
        }
        subtract_mean(&sets.image); /* of slopes: the transpose of the first one */
        for (int p = 0; p < sets.image.positions; ++p) {
            add_back(&grid, p, at(&sets.image, p), in->channels, gradient);
        }
    }
    free_sets(&sets);
    return loss;
}
