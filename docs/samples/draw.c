/* draw.c: draws the two sample pictures, landscape.png and painting.png, into a folder. The same program draws the same
 * pictures: all chance in them comes from fixed seeds.
 *
 *     draw_samples FOLDER */
#include "canvas.h"

#include "image/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPERSAMPLING 2

static float encode_srgb(float value) {
    value = clamp01(value);
    return value <= 0.0031308f ? 12.92f * value : 1.055f * powf(value, 1 / 2.4f) - 0.055f;
}

/* The mean of the canvas's pixels that make up one of the picture, as sRGB. */
static void develop_pixel(const struct canvas *canvas, int x, int y, float rgb[3]) {
    struct color sum = {0, 0, 0};
    for (int row = 0; row < SUPERSAMPLING; row++)
        for (int column = 0; column < SUPERSAMPLING; column++)
            sum = color_add(sum, canvas->pixels[(size_t)(y * SUPERSAMPLING + row) * (size_t)canvas->width +
                                                (size_t)(x * SUPERSAMPLING + column)]);
    sum = color_scale(sum, 1.0f / (SUPERSAMPLING * SUPERSAMPLING));
    rgb[0] = encode_srgb(sum.red);
    rgb[1] = encode_srgb(sum.green);
    rgb[2] = encode_srgb(sum.blue);
}

/* Rounds to `levels` levels and hands the error on to the neighbors (Floyd and Steinberg 1976): it cannot be seen, and the
 * PNG file is half as large. */
static void reduce_levels(nst_picture *picture, float levels) {
    int row = picture->width * 3;
    for (int y = 0; y < picture->height; y++)
        for (int i = 0; i < row; i++) {
            float *value = picture->values + (size_t)y * (size_t)row + (size_t)i;
            float rounded = roundf(clamp01(*value) * (levels - 1)) / (levels - 1), error = *value - rounded;
            *value = rounded;
            if (i + 3 < row)
                value[3] += error * 7 / 16;
            if (y + 1 < picture->height) {
                value[row] += error * 5 / 16;
                if (i >= 3)
                    value[row - 3] += error * 3 / 16;
                if (i + 3 < row)
                    value[row + 3] += error / 16;
            }
        }
}

static nst_status draw(const char *folder, const char *name, int width, int height, bool (*paint)(struct canvas *),
                       nst_error *error) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    nst_picture picture = {0};
    struct canvas canvas = {width * SUPERSAMPLING, height * SUPERSAMPLING, NULL};
    canvas.pixels = calloc((size_t)canvas.width * (size_t)canvas.height, sizeof *canvas.pixels);
    nst_status status = picture_create(width, height, 3, &picture, error);
    if (status == NST_OK && (!canvas.pixels || !paint(&canvas))) {
        snprintf(error->message, sizeof error->message, "not enough memory");
        status = NST_ERROR_MEMORY;
    }
    if (status == NST_OK) {
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                develop_pixel(&canvas, x, y, picture.values + ((size_t)y * (size_t)width + (size_t)x) * 3);
        reduce_levels(&picture, 64);
        const nst_picture_format format = {.depth_bits = 8};
        status = nst_picture_write(&picture, path, &format, error);
    }
    nst_picture_free(&picture);
    free(canvas.pixels);
    return status;
}

int main(int argc, char **argv) {
    nst_error error = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: draw_samples FOLDER\n");
        return 2;
    }
    nst_status status = draw(argv[1], "landscape.png", 768, 512, draw_landscape, &error);
    if (status == NST_OK)
        status = draw(argv[1], "painting.png", 640, 512, draw_painting, &error);
    if (status != NST_OK)
        fprintf(stderr, "draw_samples: error: %s\n", error.message);
    return status == NST_OK ? 0 : 1;
}
