/* resize.c: resizing as PIL does it: each side on its own, each value of the result a weighted mean of the values under
 * a filter, which is as wide as the filter when enlarging and wider by the scale when reducing (no aliasing). */
#include "image/picture.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Filters --------------------------------------------------------------------------------------------------- */

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double sinc(double x) {
    const double pi = 3.14159265358979323846;
    return x == 0 ? 1 : sin(pi * x) / (pi * x);
}

static double lanczos3(double x) {
    return fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static const struct {
    double (*function)(double x);
    double support; /* the function is zero from there on */
} filters[] = {[RESIZE_TRIANGLE] = {triangle, 1}, [RESIZE_CUBIC] = {cubic, 2}, [RESIZE_LANCZOS3] = {lanczos3, 3}};

/* How one side is resized: result[i] = sum over k < counts[i] of weights[i * taps + k] * source[firsts[i] + k]. */
struct kernel {
    int size; /* of the result */
    int taps; /* the most that any i has */
    int *firsts, *counts;
    float *weights;
};

static void kernel_free(struct kernel *kernel) {
    free(kernel->firsts);
    free(kernel->counts);
    free(kernel->weights);
}

/* Weights of the result's value i; at the edges the filter is cut off and what is left of it normalized. */
static void compute_weights(struct kernel *kernel, int i, int source_size, enum resize_filter filter) {
    double (*function)(double) = filters[filter].function;
    double scale = (double)source_size / kernel->size, filter_scale = scale > 1 ? scale : 1;
    double support = filters[filter].support * filter_scale;
    double center = (i + 0.5) * scale;
    int first = (int)fmax(0, floor(center - support + 0.5));
    int end = (int)fmin(source_size, floor(center + support + 0.5));
    int count = end - first < kernel->taps ? end - first : kernel->taps;
    float *weights = kernel->weights + (size_t)i * (size_t)kernel->taps;
    double sum = 0;
    for (int k = 0; k < count; k++) {
        sum += function((first + k + 0.5 - center) / filter_scale);
    }
    for (int k = 0; k < count; k++) {
        weights[k] = (float)(function((first + k + 0.5 - center) / filter_scale) / sum);
    }
    kernel->firsts[i] = first;
    kernel->counts[i] = count;
}

static nst_status kernel_create(int source_size, int size, enum resize_filter filter, struct kernel *kernel,
                                nst_error *error) {
    double scale = (double)source_size / size;
    double support = filters[filter].support * (scale > 1 ? scale : 1);
    size_t count = (size_t)size;
    kernel->size = size;
    kernel->taps = 2 * (int)ceil(support) + 1;
    kernel->firsts = malloc(count * sizeof *kernel->firsts);
    kernel->counts = malloc(count * sizeof *kernel->counts);
    kernel->weights = malloc(count * (size_t)kernel->taps * sizeof *kernel->weights);
    if (!kernel->firsts || !kernel->counts || !kernel->weights) {
        return fail_memory(error, count * (size_t)kernel->taps * sizeof *kernel->weights, "resizing a picture");
    }
    for (int i = 0; i < size; i++) {
        compute_weights(kernel, i, source_size, filter);
    }
    return NST_OK;
}

/* ---- The two directions ---------------------------------------------------------------------------------------- */

/* One pixel of the result; with the number of channels known, the sums stay in registers. */
static inline void sum_taps(const float *pixel, const float *weights, int count, int channels, float *to) {
    float sums[4] = {0};
    for (int k = 0; k < count; k++, pixel += channels) {
        for (int channel = 0; channel < channels; channel++) {
            sums[channel] += weights[k] * pixel[channel];
        }
    }
    for (int channel = 0; channel < channels; channel++) {
        to[channel] = sums[channel];
    }
}

static void resize_columns(const nst_picture *source, const struct kernel *kernel, nst_picture *result) {
    size_t channels = (size_t)source->channels;
    for (size_t y = 0; y < (size_t)source->height; y++) {
        const float *from = source->values + y * (size_t)source->width * channels;
        float *to = result->values + y * (size_t)result->width * channels;
        for (int x = 0; x < kernel->size; x++, to += channels) {
            const float *weights = kernel->weights + (size_t)x * (size_t)kernel->taps;
            const float *pixel = from + (size_t)kernel->firsts[x] * channels;
            if (channels == 3) {
                sum_taps(pixel, weights, kernel->counts[x], 3, to);
            } else {
                sum_taps(pixel, weights, kernel->counts[x], 4, to);
            }
        }
    }
}

static void resize_rows(const nst_picture *source, const struct kernel *kernel, nst_picture *result) {
    size_t row_values = (size_t)source->width * (size_t)source->channels;
    for (int y = 0; y < kernel->size; y++) {
        const float *weights = kernel->weights + (size_t)y * (size_t)kernel->taps;
        const float *from = source->values + (size_t)kernel->firsts[y] * row_values;
        float *to = result->values + (size_t)y * row_values;
        for (int k = 0; k < kernel->counts[y]; k++, from += row_values) {
            for (size_t i = 0; i < row_values; i++) {
                to[i] += weights[k] * from[i];
            }
        }
    }
}

/* Resizes the side that leaves less to do for the other first: with both pictures within the limits of picture_create,
 * the one in between then is too. */
static nst_status resize_both(const nst_picture *source, int width, int height, enum resize_filter filter,
                              nst_picture *result, nst_error *error) {
    struct kernel columns = {0}, rows = {0};
    nst_picture between = {0};
    nst_status status = kernel_create(source->width, width, filter, &columns, error);
    if (!status) {
        status = kernel_create(source->height, height, filter, &rows, error);
    }
    if (status) {
        goto cleanup;
    }
    bool columns_first = (int64_t)width * source->height <= (int64_t)source->width * height;
    status = columns_first ? picture_create(width, source->height, source->channels, &between, error)
                           : picture_create(source->width, height, source->channels, &between, error);
    if (!status) {
        status = picture_create(width, height, source->channels, result, error);
    }
    if (status) {
        goto cleanup;
    }
    if (columns_first) {
        resize_columns(source, &columns, &between);
        resize_rows(&between, &rows, result);
    } else {
        resize_rows(source, &rows, &between);
        resize_columns(&between, &columns, result);
    }
cleanup:
    kernel_free(&columns);
    kernel_free(&rows);
    nst_picture_free(&between);
    return status;
}

/* ---- Alpha and range ------------------------------------------------------------------------------------------- */

static void multiply_by_alpha(nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (float *value = picture->values; pixels > 0; pixels--, value += 4) {
        for (int channel = 0; channel < 3; channel++) {
            value[channel] *= value[3];
        }
    }
}

static float largest_alpha(const nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    float largest = 0;
    for (const float *value = picture->values; pixels > 0; pixels--, value += 4) {
        largest = value[3] > largest ? value[3] : largest;
    }
    return largest;
}

/* Where next to nothing is left of a pixel (less than half a level of 8 bits, if one pixel at least is opaque), the
 * quotient is noise: such a pixel becomes hidden. */
static void divide_by_alpha(nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    float least = largest_alpha(picture) / 510;
    for (float *value = picture->values; pixels > 0; pixels--, value += 4) {
        bool hidden = !(value[3] > least);
        for (int channel = 0; channel < 3; channel++) {
            value[channel] = hidden ? 0 : value[channel] / value[3];
        }
        value[3] = hidden ? 0 : value[3];
    }
}

static void set_opaque(nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; picture->channels == 4 && i < pixels; i++) {
        picture->values[4 * i + 3] = 1;
    }
}

static void clamp_values(nst_picture *picture) {
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    for (size_t i = 0; i < count; i++) {
        float value = picture->values[i];
        picture->values[i] = !(value > 0) ? 0 : value > 1 ? 1 : value;
    }
}

static nst_status copy_picture(const nst_picture *source, nst_picture *result, nst_error *error) {
    nst_status status = picture_create(source->width, source->height, source->channels, result, error);
    if (!status) {
        memcpy(result->values, source->values,
               (size_t)source->width * (size_t)source->height * (size_t)source->channels * sizeof *source->values);
    }
    return status;
}

/* The colors are weighted by alpha, and those of pixels that are hidden in the result are filled. */
static nst_status resize_with_alpha(const nst_picture *source, int width, int height, enum resize_filter filter,
                                    nst_picture *result, nst_error *error) {
    nst_picture premultiplied;
    nst_status status = copy_picture(source, &premultiplied, error);
    if (status) {
        return status;
    }
    multiply_by_alpha(&premultiplied);
    status = resize_both(&premultiplied, width, height, filter, result, error);
    nst_picture_free(&premultiplied);
    if (status) {
        return status;
    }
    divide_by_alpha(result);
    status = largest_alpha(result) > 0 ? picture_fill_hidden(result, "resized", error) : NST_OK;
    if (status) {
        nst_picture_free(result);
    }
    return status;
}

nst_status picture_resize(const nst_picture *source, int width, int height, enum resize_filter filter,
                          nst_picture *result, nst_error *error) {
    memset(result, 0, sizeof *result);
    bool opaque = picture_is_opaque(source);
    nst_status status;
    if (width == source->width && height == source->height) {
        status = copy_picture(source, result, error);
    } else if (width < 1 || height < 1) {
        return fail(error, NST_ERROR_ARGUMENT, "a picture cannot be resized to %d x %d pixels", width, height);
    } else if (!opaque) {
        status = resize_with_alpha(source, width, height, filter, result, error);
    } else {
        status = resize_both(source, width, height, filter, result, error);
    }
    if (status) {
        return status;
    }
    if (opaque) {
        set_opaque(result); /* the sum of its weights need not be 1 to the last bit */
    }
    clamp_values(result);
    return NST_OK;
}

nst_status nst_picture_resize(const nst_picture *picture, int width, int height, nst_picture *resized,
                              nst_error *error) {
    *resized = (nst_picture){0};
    return picture_resize(picture, width, height, RESIZE_LANCZOS3, resized, error);
}
