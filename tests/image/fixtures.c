/* fixtures.c: see fixtures.h. Failures of the fixtures themselves end the test by an assertion. */
#include "fixtures.h"
#include "corpus.h"
#include "image/picture.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>

/* ---- Files ----------------------------------------------------------------------------------------------------- */

static char folder[] = "image-test-XXXXXX";

int fixture_folder_create(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static bool is_file(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

int fixture_folder_remove(void **state) {
    (void)state;
    DIR *stream = opendir(folder);
    if (!stream)
        return -1;
    for (struct dirent *entry = readdir(stream); entry; entry = readdir(stream))
        if (is_file(entry))
            fixture_remove(entry->d_name);
    closedir(stream);
    return rmdir(folder);
}

const char *fixture_path(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

int fixture_count_files(void) {
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    int count = 0;
    for (struct dirent *entry = readdir(stream); entry; entry = readdir(stream))
        count += is_file(entry);
    closedir(stream);
    return count;
}

void fixture_remove(const char *name) {
    remove(fixture_path(name));
}

static FILE *open_file(const char *name, const char *mode) {
    FILE *stream = fopen(fixture_path(name), mode);
    assert_non_null(stream);
    return stream;
}

void fixture_write(const char *name, const void *data, size_t bytes) {
    FILE *stream = open_file(name, "wb");
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

unsigned char *fixture_read(const char *name, size_t *bytes) {
    FILE *stream = open_file(name, "rb");
    fseek(stream, 0, SEEK_END);
    *bytes = (size_t)ftell(stream);
    rewind(stream);
    unsigned char *data = malloc(*bytes);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, stream), *bytes);
    fclose(stream);
    return data;
}

static void put_number(unsigned char *to, uint32_t value, int bytes, bool big_endian) {
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> (8 * (big_endian ? bytes - 1 - i : i)));
}

static void insert(const char *name, size_t offset, const void *data, size_t bytes) {
    size_t old_bytes;
    unsigned char *old = fixture_read(name, &old_bytes);
    assert_true(offset <= old_bytes);
    FILE *stream = open_file(name, "wb");
    assert_int_equal(fwrite(old, 1, offset, stream), offset);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fwrite(old + offset, 1, old_bytes - offset, stream), old_bytes - offset);
    assert_int_equal(fclose(stream), 0);
    free(old);
}

/* ---- PNG ------------------------------------------------------------------------------------------------------- */

unsigned fixture_png_sample(size_t i, int depth_bits) {
    return (unsigned)(i * 40503u + i / 7 * 977u + 11u) % (1u << depth_bits);
}

void fixture_png_palette(int i, unsigned char entry[4]) {
    entry[0] = (unsigned char)(i * 17);
    entry[1] = (unsigned char)(255 - i);
    entry[2] = (unsigned char)(i * 5 + 3);
    entry[3] = (unsigned char)(i * 31);
}

static int samples_per_pixel(int color_type) {
    switch (color_type) {
    case PNG_COLOR_TYPE_RGB:
        return 3;
    case PNG_COLOR_TYPE_RGB_ALPHA:
        return 4;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
        return 2;
    default:
        return 1;
    }
}

static void set_palette(png_structp png, png_infop info, const struct fixture_png *kind) {
    png_color colors[256];
    png_byte alphas[256];
    int count = 1 << kind->depth_bits;
    for (int i = 0; i < count; i++) {
        unsigned char entry[4];
        fixture_png_palette(i, entry);
        colors[i] = (png_color){entry[0], entry[1], entry[2]};
        alphas[i] = entry[3];
    }
    png_set_PLTE(png, info, colors, count);
    if (kind->transparent)
        png_set_tRNS(png, info, alphas, count, NULL);
}

/* The first pixel's color is the transparent one. */
static void set_transparent_color(png_structp png, png_infop info, const struct fixture_png *kind) {
    png_color_16 color = {0};
    color.gray = color.red = (png_uint_16)fixture_png_sample(0, kind->depth_bits);
    color.green = (png_uint_16)fixture_png_sample(1, kind->depth_bits);
    color.blue = (png_uint_16)fixture_png_sample(2, kind->depth_bits);
    png_set_tRNS(png, info, NULL, 0, &color);
}

static void set_chunks(png_structp png, png_infop info, const struct fixture_png *kind) {
    if (kind->color_type == PNG_COLOR_TYPE_PALETTE)
        set_palette(png, info, kind);
    else if (kind->transparent)
        set_transparent_color(png, info, kind);
#ifdef PNG_eXIf_SUPPORTED
    if (kind->orientation) {
        unsigned char exif[64];
        size_t bytes = fixture_exif(kind->orientation, false, exif);
        png_set_eXIf_1(png, info, (png_uint_32)bytes, exif);
    }
#endif
}

/* The samples of one row, packed as PNG has them: most significant bits and bytes first. */
static void pack_row(const struct fixture_png *kind, size_t y, unsigned char *row) {
    size_t count = (size_t)kind->width * (size_t)samples_per_pixel(kind->color_type);
    size_t depth = (size_t)kind->depth_bits;
    memset(row, 0, (count * depth + 7) / 8);
    for (size_t i = 0; i < count; i++) {
        unsigned sample = fixture_png_sample(y * count + i, kind->depth_bits);
        if (depth == 16) {
            row[2 * i] = (unsigned char)(sample >> 8);
            row[2 * i + 1] = (unsigned char)sample;
        } else {
            row[i * depth / 8] |= (unsigned char)(sample << (8 - depth - i * depth % 8));
        }
    }
}

void fixture_write_png(const char *name, const struct fixture_png *kind) {
    FILE *stream = open_file(name, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_non_null(info);
    png_init_io(png, stream);
    png_set_IHDR(png, info, (png_uint_32)kind->width, (png_uint_32)kind->height, kind->depth_bits, kind->color_type,
                 kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    set_chunks(png, info, kind);
    png_write_info(png, info);
    unsigned char *row = malloc((size_t)kind->width * 8);
    assert_non_null(row);
    for (int passes = png_set_interlace_handling(png); passes > 0; passes--)
        for (size_t y = 0; y < (size_t)kind->height; y++) {
            pack_row(kind, y, row);
            png_write_row(png, row);
        }
    png_write_end(png, info);
    free(row);
    png_destroy_write_struct(&png, &info);
    assert_int_equal(fclose(stream), 0);
}

void fixture_write_png_header(const char *name, uint32_t width, uint32_t height) {
    FILE *stream = open_file(name, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_non_null(info);
    png_init_io(png, stream);
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    png_write_chunk(png, (png_const_bytep) "IDAT", (png_const_bytep) "\x78\x9c", 2);
    png_destroy_write_struct(&png, &info);
    assert_int_equal(fclose(stream), 0);
}

/* The checksum of PNG's chunks (PNG 1.2, section 3.4 and appendix 15). */
static uint32_t checksum(const unsigned char *data, size_t bytes) {
    uint32_t value = 0xffffffff;
    for (size_t i = 0; i < bytes; i++) {
        value ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? 0xedb88320 ^ value >> 1 : value >> 1;
    }
    return ~value;
}

void fixture_insert_chunk(const char *name, const char type[4], const void *data, size_t bytes) {
    const size_t signature_and_header = 8 + 4 + 4 + 13 + 4;
    unsigned char *chunk = malloc(bytes + 12);
    assert_non_null(chunk);
    put_number(chunk, (uint32_t)bytes, 4, true);
    memcpy(chunk + 4, type, 4);
    memcpy(chunk + 8, data, bytes);
    put_number(chunk + 8 + bytes, checksum(chunk + 4, bytes + 4), 4, true);
    insert(name, signature_and_header, chunk, bytes + 12);
    free(chunk);
}

/* ---- JPEG and EXIF --------------------------------------------------------------------------------------------- */

size_t fixture_exif(int orientation, bool big_endian, unsigned char data[64]) {
    memset(data, 0, 64);
    memcpy(data, big_endian ? "MM" : "II", 2);
    put_number(data + 2, 42, 2, big_endian);
    put_number(data + 4, 8, 4, big_endian);
    put_number(data + 8, 2, 2, big_endian);       /* two entries: */
    put_number(data + 10, 0x0100, 2, big_endian); /* width, a long */
    put_number(data + 12, 4, 2, big_endian);
    put_number(data + 14, 1, 4, big_endian);
    put_number(data + 18, 640, 4, big_endian);
    put_number(data + 22, 0x0112, 2, big_endian); /* orientation, a short */
    put_number(data + 24, 3, 2, big_endian);
    put_number(data + 26, 1, 4, big_endian);
    put_number(data + 30, (uint32_t)orientation, 2, big_endian);
    return 8 + 2 + 2 * 12 + 4;
}

static void write_exif_marker(struct jpeg_compress_struct *info, const struct fixture_jpeg *kind) {
    unsigned char data[6 + 64] = "Exif\0";
    size_t bytes = fixture_exif(kind->orientation, kind->big_endian, data + 6);
    jpeg_write_marker(info, JPEG_APP0 + 1, data, (unsigned)(6 + bytes));
}

void fixture_write_jpeg(const char *name, const struct fixture_jpeg *kind) {
    FILE *stream = open_file(name, "wb");
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct info = {.err = jpeg_std_error(&errors)};
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, stream);
    info.image_width = (JDIMENSION)kind->width;
    info.image_height = (JDIMENSION)kind->height;
    info.input_components = kind->components;
    info.in_color_space = (J_COLOR_SPACE)kind->color_space;
    jpeg_set_defaults(&info);
    jpeg_set_colorspace(&info, (J_COLOR_SPACE)kind->file_color_space);
    jpeg_set_quality(&info, 100, TRUE);
    for (int i = 0; i < info.num_components; i++)
        info.comp_info[i].h_samp_factor = info.comp_info[i].v_samp_factor = 1;
    if (kind->progressive)
        jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    if (kind->orientation)
        write_exif_marker(&info, kind);
    for (int y = 0; y < kind->height; y++) {
        JSAMPROW row = (JSAMPROW)(kind->samples + (size_t)y * (size_t)kind->width * (size_t)kind->components);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    assert_int_equal(fclose(stream), 0);
}

void fixture_insert_marker(const char *name, int marker, const void *data, size_t bytes) {
    unsigned char *segment = malloc(bytes + 4);
    assert_non_null(segment);
    put_number(segment, 0xff00 | (uint32_t)marker, 2, true);
    put_number(segment + 2, (uint32_t)bytes + 2, 2, true);
    memcpy(segment + 4, data, bytes);
    insert(name, 2, segment, bytes + 4); /* behind FF D8 */
    free(segment);
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

/* Reads the file, which must succeed; `note` is filled. */
static nst_picture read_with_note(const char *name, nst_note *note) {
    nst_picture picture;
    nst_error error = {0};
    corpus_keep(fixture_path(name));
    memset(note, 'x', sizeof *note); /* reading clears it */
    nst_status status = nst_picture_read(fixture_path(name), &picture, note, &error);
    if (status != NST_OK)
        fail_msg("%s", error.message);
    assert_non_null(picture.values);
    return picture;
}

nst_picture fixture_read_picture(const char *name) {
    nst_note note;
    nst_picture picture = read_with_note(name, &note);
    assert_string_equal(note.message, "");
    return picture;
}

nst_picture fixture_read_damaged(const char *name, const char *part) {
    nst_note note;
    nst_picture picture = read_with_note(name, &note);
    if (!strstr(note.message, part) || !strstr(note.message, name))
        fail_msg("\"%s\" and \"%s\" expected in: %s", part, name, note.message);
    assert_null(strchr(note.message, '\n'));
    return picture;
}

void fixture_expect_failure(const char *name, nst_status status, const char *part, const char *other_part) {
    nst_picture picture;
    nst_error error = {0};
    corpus_keep(fixture_path(name));
    assert_int_equal(nst_picture_read(fixture_path(name), &picture, NULL, &error), status);
    assert_null(picture.values);
    assert_int_equal(error.status, status);
    if (!strstr(error.message, part) || !strstr(error.message, other_part))
        fail_msg("\"%s\" and \"%s\" expected in: %s", part, other_part, error.message);
    assert_non_null(strstr(error.message, name));
    assert_null(strchr(error.message, '\n'));
}

static void expect_same_picture(const nst_picture *a, const nst_picture *b) {
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_memory_equal(a->values, b->values,
                        (size_t)a->width * (size_t)a->height * (size_t)a->channels * sizeof *a->values);
}

void fixture_expect_truncations_refused(const char *name, size_t end_bytes) {
    size_t bytes;
    unsigned char *data = fixture_read(name, &bytes);
    nst_picture whole = fixture_read_picture(name);
    for (size_t kept = 0; kept < bytes; kept += kept + 16 >= bytes ? 1 : kept + 64 + 16 < bytes ? 64 : 1) {
        fixture_write("truncated", data, kept);
        if (kept + end_bytes < bytes) {
            fixture_expect_failure("truncated", NST_ERROR_FORMAT, "", "");
        } else {
            nst_picture picture = fixture_read_damaged("truncated", "");
            expect_same_picture(&picture, &whole);
            nst_picture_free(&picture);
        }
    }
    fixture_remove("truncated");
    nst_picture_free(&whole);
    free(data);
}

void fixture_try_flipped_bytes(const char *name) {
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    size_t bytes;
    unsigned char *data = fixture_read(name, &bytes);
    size_t step = bytes / 400 + 1;
    for (size_t at = 0; at < bytes; at += step) {
        for (size_t i = 0; i < sizeof flips; i++) {
            nst_picture picture;
            data[at] ^= flips[i];
            fixture_write("flipped", data, bytes);
            data[at] ^= flips[i];
            nst_status status = nst_picture_read(fixture_path("flipped"), &picture, NULL, NULL);
            assert_true(status == NST_OK || status == NST_ERROR_FORMAT || status == NST_ERROR_MEMORY);
            assert_int_equal(status == NST_OK, picture.values != NULL);
            nst_picture_free(&picture);
        }
    }
    fixture_remove("flipped");
    free(data);
}

nst_picture fixture_picture(int width, int height, int channels, int max) {
    nst_picture picture;
    assert_int_equal(picture_create(width, height, channels, &picture, NULL), NST_OK);
    float *value = picture.values;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int channel = 0; channel < channels; channel++) {
                double wave = 0.5 + 0.4 * sin(0.21 * x + 0.13 * y * (channel + 1) + channel);
                *value++ = (float)(floor(wave * max) / max);
            }
    return picture;
}
