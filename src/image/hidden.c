/* hidden.c: colors for pixels that cannot be seen. A file may have any color under an alpha of 0. It must not count:
 * such a pixel gets a smooth continuation of the visible ones around it, by the pull-push algorithm of Gortler,
 * Grzeszczuk, Szeliski and Cohen 1996, "The Lumigraph", section 3.4: average the known pixels into ever smaller
 * pictures, then fill each picture's gaps with the next smaller one, enlarged bilinearly. */
#include "image/picture.h"
#include "support/error.h"

/* Halving the longest side there is leaves one pixel after fewer steps than this. */
#define MAX_LEVELS 16

static bool is_hidden(const float *pixel) {
    return !(pixel[3] > 0);
}

bool picture_is_opaque(const nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; picture->channels == 4 && i < pixels; i++) {
        if (picture->values[4 * i + 3] != 1) {
            return false;
        }
    }
    return true;
}

static size_t count_hidden(const nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height, count = 0;
    for (size_t i = 0; picture->channels == 4 && i < pixels; i++) {
        count += is_hidden(picture->values + 4 * i);
    }
    return count;
}

static float *pixel_at(const nst_picture *picture, int x, int y) {
    return picture->values + 4 * ((size_t)y * (size_t)picture->width + (size_t)x);
}

/* A picture of half the size (rounded up): each pixel is the mean of the 2 x 2 it covers, weighted by their alpha. Its
 * own alpha is the sum of theirs, at most 1: one fully visible pixel is enough to know a color. */
static nst_status halve(const nst_picture *fine, nst_picture *coarse, nst_error *error) {
    nst_status status = picture_create((fine->width + 1) / 2, (fine->height + 1) / 2, 4, coarse, error);
    if (status) {
        return status;
    }
    for (int y = 0; y < fine->height; y++) {
        for (int x = 0; x < fine->width; x++) {
            const float *from = pixel_at(fine, x, y);
            float *to = pixel_at(coarse, x / 2, y / 2), alpha = is_hidden(from) ? 0 : from[3];
            for (int channel = 0; channel < 3; channel++) {
                to[channel] += alpha * from[channel];
            }
            to[3] += alpha;
        }
    }
    size_t pixels = (size_t)coarse->width * (size_t)coarse->height;
    for (float *pixel = coarse->values; pixels > 0; pixels--, pixel += 4) {
        if (is_hidden(pixel)) {
            continue;
        }
        for (int channel = 0; channel < 3; channel++) {
            pixel[channel] /= pixel[3];
        }
        pixel[3] = pixel[3] < 1 ? pixel[3] : 1;
    }
    return NST_OK;
}

/* The coarse pixel that covers `fine`, and the one beside it on the nearer side (itself at the edge): their weights in
 * bilinear enlarging are 3/4 and 1/4. */
static void find_neighbors(int fine, int coarse_size, int neighbors[2]) {
    int nearest = fine / 2, other = fine % 2 == 0 ? nearest - 1 : nearest + 1;
    neighbors[0] = nearest;
    neighbors[1] = other < 0 || other >= coarse_size ? nearest : other;
}

/* The color of `coarse`, enlarged twice, at (x, y). */
static void enlarged_color(const nst_picture *coarse, int x, int y, float color[3]) {
    static const float weights[2] = {0.75f, 0.25f};
    int columns[2], rows[2];
    find_neighbors(x, coarse->width, columns);
    find_neighbors(y, coarse->height, rows);
    color[0] = color[1] = color[2] = 0;
    for (int i = 0; i < 4; i++) {
        const float *pixel = pixel_at(coarse, columns[i % 2], rows[i / 2]);
        for (int channel = 0; channel < 3; channel++) {
            color[channel] += weights[i % 2] * weights[i / 2] * pixel[channel];
        }
    }
}

/* What is missing of a pixel's alpha comes from the coarser level. */
static void fill_level(nst_picture *fine, const nst_picture *coarse) {
    for (int y = 0; y < fine->height; y++) {
        for (int x = 0; x < fine->width; x++) {
            float *pixel = pixel_at(fine, x, y), color[3];
            if (pixel[3] < 1) {
                enlarged_color(coarse, x, y, color);
                for (int channel = 0; channel < 3; channel++) {
                    pixel[channel] = pixel[3] * pixel[channel] + (1 - pixel[3]) * color[channel];
                }
            }
        }
    }
}

/* In the picture itself, only what is fully transparent is filled: the colors of all others are their own. */
static void fill_picture(nst_picture *picture, const nst_picture *coarse) {
    for (int y = 0; y < picture->height; y++) {
        for (int x = 0; x < picture->width; x++) {
            float *pixel = pixel_at(picture, x, y);
            if (is_hidden(pixel)) {
                enlarged_color(coarse, x, y, pixel);
            }
        }
    }
}

nst_status picture_fill_hidden(nst_picture *picture, const char *name, nst_error *error) {
    size_t hidden = count_hidden(picture);
    if (hidden == 0) {
        return NST_OK;
    }
    if (hidden == (size_t)picture->width * (size_t)picture->height) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "no pixel of the %s picture can be seen: all have an alpha of 0; choose another picture, or remove "
                    "its transparency",
                    name);
    }
    nst_picture levels[MAX_LEVELS] = {0}; /* level 0 is half as large as the picture */
    int count = 0;
    nst_status status = NST_OK;
    for (const nst_picture *fine = picture; !status && (fine->width > 1 || fine->height > 1); count++) {
        status = halve(fine, &levels[count], error);
        fine = &levels[count];
    }
    if (!status) {
        for (int level = count - 2; level >= 0; level--) {
            fill_level(&levels[level], &levels[level + 1]);
        }
        fill_picture(picture, &levels[0]);
    }
    for (int level = 0; level < count; level++) {
        nst_picture_free(&levels[level]);
    }
    return status;
}
