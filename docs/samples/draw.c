/* draw.c: draws the two sample pictures, landscape.png and painting.png, into a folder. The same program draws the same
 * pictures: all chance in them comes from fixed seeds.
 *
 *     draw_samples FOLDER */
#include "canvas.h"

#include "image/codec.h"
#include "image/picture.h"
#include "support/error.h"
#include "support/file.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#define SUPERSAMPLING 2
#define LEVELS        48 /* of each color, in the files: fewer make them smaller */

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

/* Rounds to LEVELS levels, which makes the PNG file half as large. Where the picture is smooth, the error is handed on
 * to the neighbors (Floyd and Steinberg 1976), so that no steps show; where it is rough, they do not show anyway. (The
 * outermost pixels are left alone.) */
static void reduce_levels(nst_picture *picture) {
    const float rough = 0.03f, levels = LEVELS;
    int row = picture->width * 3;
    for (int y = 0; y + 1 < picture->height; y++)
        for (int i = 3; i + 3 < row; i++) {
            float *value = picture->values + (size_t)y * (size_t)row + (size_t)i;
            float rounded = roundf(clamp01(*value) * (levels - 1)) / (levels - 1), error = *value - rounded;
            bool smooth = fabsf(value[3] - *value) < rough && fabsf(value[row] - *value) < rough;
            *value = rounded;
            if (smooth) {
                value[3] += error * 7 / 16;
                value[row - 3] += error * 3 / 16;
                value[row] += error * 5 / 16;
                value[row + 3] += error / 16;
            }
        }
}

/* Writes the file without PNG's filters, which suits few levels best. On an error libpng says what it is and aborts. */
static bool write_png(const nst_picture *picture, FILE *stream) {
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    size_t row_values = (size_t)picture->width * 3;
    unsigned char *row = malloc(row_values);
    if (row && info) {
        png_init_io(png, stream);
        png_set_compression_level(png, 9);
        png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
        png_set_IHDR(png, info, (png_uint_32)picture->width, (png_uint_32)picture->height, 8, PNG_COLOR_TYPE_RGB,
                     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
        png_write_info(png, info);
        for (size_t y = 0; y < (size_t)picture->height; y++) {
            for (size_t i = 0; i < row_values; i++)
                row[i] = (unsigned char)picture_quantize(picture->values[y * row_values + i], 255);
            png_write_row(png, row);
        }
        png_write_end(png, info);
    }
    bool written = row && info;
    png_destroy_write_struct(&png, &info);
    free(row);
    return written;
}

/* The picture that `paint` draws, at SUPERSAMPLING times its size and then reduced. */
static nst_status make_picture(bool (*paint)(struct canvas *), nst_picture *picture, nst_error *error) {
    struct canvas canvas = {picture->width * SUPERSAMPLING, picture->height * SUPERSAMPLING, NULL};
    size_t bytes = (size_t)canvas.width * (size_t)canvas.height * sizeof *canvas.pixels;
    canvas.pixels = calloc(bytes, 1);
    if (!canvas.pixels || !paint(&canvas)) {
        free(canvas.pixels);
        return fail_memory(error, bytes, "the canvas");
    }
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++)
            develop_pixel(&canvas, x, y, picture->values + ((size_t)y * (size_t)picture->width + (size_t)x) * 3);
    free(canvas.pixels);
    reduce_levels(picture);
    return NST_OK;
}

static nst_status draw(const char *folder, const char *name, int width, int height, bool (*paint)(struct canvas *),
                       nst_error *error) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    nst_picture picture;
    struct file_replacement replacement = {0};
    nst_status status = picture_create(width, height, 3, &picture, error);
    if (status == NST_OK)
        status = make_picture(paint, &picture, error);
    if (status == NST_OK)
        status = file_replacement_begin(&replacement, path, error);
    if (status == NST_OK && !write_png(&picture, replacement.stream))
        status = fail(error, NST_ERROR_MEMORY, "not enough memory to write %s", path);
    if (status == NST_OK)
        status = file_replacement_commit(&replacement, error);
    file_replacement_abort(&replacement);
    nst_picture_free(&picture);
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
