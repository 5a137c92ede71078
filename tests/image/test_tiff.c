/* test_tiff.c: TIFF files come back as they were written, and every kind that libtiff writes is read; what is damaged is
 * refused. */
#include "fixtures.h"
#include "format_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

enum { WIDTH = FORMAT_WIDTH, HEIGHT = FORMAT_HEIGHT };

static void tiff_comes_back(void **state) {
    (void)state;
    static const int depths[] = {8, 16, 32};
    for (int channels = 3; channels <= 4; channels++)
        for (int i = 0; i < 3; i++) {
            nst_picture picture = fixture_picture(WIDTH, HEIGHT, channels, i == 0 ? 255 : 65535);
            format_write(&picture, "a.tiff", depths[i], 0, NULL);
            format_expect("a.tiff", &picture, 0);
            nst_picture_free(&picture);
        }
    format_check_metadata("told.tif", true);
    nst_picture picture = fixture_picture(2, 2, 3, 255);
    nst_picture_format format = {.depth_bits = 12};
    assert_int_equal(nst_picture_write(&picture, fixture_path("no.tif"), &format, NULL), NST_ERROR_ARGUMENT);
    nst_picture_free(&picture);
}

/* A TIFF file by libtiff. Sample s of pixel i is tiff_sample(i, s) of 255, in whatever depth. */
struct tiff_kind {
    const char *mode;
    int photometric, bits, format, samples, planar;
    int tile;  /* side, or 0 for strips */
    int extra; /* EXTRASAMPLE_..., or -1 */
    int orientation;
};

static double tiff_sample(int pixel, int sample) {
    return (pixel * 89 + sample * 53 + pixel / 5) % 256 / 255.0;
}

static size_t put_sample(unsigned char *at, const struct tiff_kind *kind, double value) {
    bool is_float = kind->format == SAMPLEFORMAT_IEEEFP;
    uint16_t half = (uint16_t)lrint(value * 65535);
    uint32_t word = (uint32_t)llrint(value * 4294967295.0);
    float single = (float)value;
    if (kind->bits == 8)
        *at = (unsigned char)lrint(value * 255);
    else if (kind->bits == 16)
        memcpy(at, &half, 2);
    else if (kind->bits == 64)
        memcpy(at, &value, 8);
    else
        memcpy(at, is_float ? (const void *)&single : &word, 4);
    return (size_t)kind->bits / 8;
}

/* A block of pixels from (x0, y0) on: all samples, or one plane. */
static tmsize_t fill_block(unsigned char *block, const struct tiff_kind *kind, int x0, int y0, int width, int height,
                           int plane) {
    unsigned char *at = block;
    for (int y = y0; y < y0 + height; y++)
        for (int x = x0; x < x0 + width; x++)
            for (int s = plane < 0 ? 0 : plane; s < (plane < 0 ? kind->samples : plane + 1); s++)
                at += put_sample(at, kind, x < WIDTH && y < HEIGHT ? tiff_sample(y * WIDTH + x, s) : 0);
    return at - block;
}

static void write_tiff_file(const char *name, const struct tiff_kind *kind) {
    static unsigned char block[64 * 64 * 5 * 8];
    TIFF *tiff = TIFFOpen(fixture_path(name), kind->mode);
    assert_non_null(tiff);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, WIDTH);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, HEIGHT);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, kind->samples);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, kind->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, kind->format);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, kind->photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, kind->planar);
    if (kind->orientation)
        TIFFSetField(tiff, TIFFTAG_ORIENTATION, kind->orientation);
    uint16_t extra = (uint16_t)kind->extra;
    if (kind->extra >= 0)
        TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &extra);
    int width = kind->tile ? kind->tile : WIDTH, height = kind->tile ? kind->tile : 7;
    if (kind->tile) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, width);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, height);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, height);
    }
    bool is_contiguous = kind->planar == PLANARCONFIG_CONTIG;
    for (int plane = 0; plane < (is_contiguous ? 1 : kind->samples); plane++)
        for (int y = 0; y < HEIGHT; y += height)
            for (int x = 0; x < WIDTH; x += width) {
                int rows = kind->tile || y + height <= HEIGHT ? height : HEIGHT - y;
                tmsize_t bytes = fill_block(block, kind, x, y, width, rows, is_contiguous ? -1 : plane);
                uint16_t p = (uint16_t)plane;
                uint32_t ux = (uint32_t)x, uy = (uint32_t)y;
                if (kind->tile)
                    assert_int_equal(TIFFWriteEncodedTile(tiff, TIFFComputeTile(tiff, ux, uy, 0, p), block, bytes),
                                     bytes);
                else
                    assert_int_equal(TIFFWriteEncodedStrip(tiff, TIFFComputeStrip(tiff, uy, p), block, bytes), bytes);
            }
    TIFFClose(tiff);
}

/* What a kind's pixel is. */
static void expected_pixel(const struct tiff_kind *kind, int i, float *pixel) {
    double s[5] = {0};
    for (int k = 0; k < kind->samples; k++)
        s[k] = tiff_sample(i, k);
    int colors = kind->photometric == PHOTOMETRIC_RGB ? 3 : kind->photometric == PHOTOMETRIC_SEPARATED ? 4 : 1;
    for (int c = 0; c < 3; c++) {
        double value = colors == 1 ? s[0] : colors == 3 ? s[c] : (1 - s[c]) * (1 - s[3]);
        if (kind->photometric == PHOTOMETRIC_MINISWHITE)
            value = 1 - value;
        if (kind->extra == EXTRASAMPLE_ASSOCALPHA)
            value = fmin(s[colors] > 0 ? value / s[colors] : value, 1);
        pixel[c] = (float)value;
    }
    if (kind->extra == EXTRASAMPLE_ASSOCALPHA || kind->extra == EXTRASAMPLE_UNASSALPHA)
        pixel[3] = (float)s[colors];
}

static void every_kind_of_tiff_is_read(void **state) {
    (void)state;
    enum { BLACK = PHOTOMETRIC_MINISBLACK, WHITE = PHOTOMETRIC_MINISWHITE, RGB = PHOTOMETRIC_RGB };
    enum { INKS = PHOTOMETRIC_SEPARATED, WHOLE = SAMPLEFORMAT_UINT, REAL = SAMPLEFORMAT_IEEEFP };
    enum { TOGETHER = PLANARCONFIG_CONTIG, APART = PLANARCONFIG_SEPARATE };
    static const struct tiff_kind kinds[] = {
        {"wl", RGB, 8, WHOLE, 3, TOGETHER, 0, -1, 0},
        {"wb", RGB, 16, WHOLE, 3, TOGETHER, 0, -1, 0},
        {"wl8", RGB, 16, WHOLE, 3, TOGETHER, 0, -1, 0}, /* BigTIFF */
        {"wb", RGB, 32, WHOLE, 3, TOGETHER, 0, -1, 0},
        {"wl", RGB, 32, REAL, 3, TOGETHER, 16, -1, 0},
        {"wb", RGB, 32, REAL, 3, APART, 0, -1, 0},
        {"wl", RGB, 64, REAL, 3, TOGETHER, 0, -1, 0},
        {"wl", RGB, 8, WHOLE, 4, TOGETHER, 16, EXTRASAMPLE_UNASSALPHA, 0},
        {"wl", RGB, 16, WHOLE, 4, APART, 16, EXTRASAMPLE_UNASSALPHA, 0},
        {"wl", RGB, 16, WHOLE, 4, TOGETHER, 0, EXTRASAMPLE_ASSOCALPHA, 0},
        {"wl", RGB, 8, WHOLE, 4, TOGETHER, 0, EXTRASAMPLE_UNSPECIFIED, 0},
        {"wl", BLACK, 8, WHOLE, 1, TOGETHER, 0, -1, 0},
        {"wl", WHITE, 16, WHOLE, 1, TOGETHER, 16, -1, 0},
        {"wl", BLACK, 32, REAL, 1, TOGETHER, 0, -1, 0},
        {"wl", BLACK, 8, WHOLE, 2, TOGETHER, 0, EXTRASAMPLE_UNASSALPHA, 0},
        {"wl", INKS, 8, WHOLE, 4, TOGETHER, 0, -1, 0},
        {"wl", INKS, 16, WHOLE, 4, APART, 0, -1, 0},
        {"wl", INKS, 8, WHOLE, 5, TOGETHER, 0, EXTRASAMPLE_UNASSALPHA, 0},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct tiff_kind *kind = &kinds[k];
        bool is_ink = kind->photometric == INKS;
        bool has_alpha = !is_ink && kind->extra > 0;
        nst_picture expected = fixture_picture(WIDTH, HEIGHT, has_alpha ? 4 : 3, 255);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            struct tiff_kind shown = *kind;
            shown.extra = has_alpha ? kind->extra : -1;
            expected_pixel(&shown, i, expected.values + i * expected.channels);
        }
        write_tiff_file("kind.tif", kind);
        format_expect("kind.tif", &expected, 1e-5);
        nst_picture_free(&expected);
    }
}

static void tiff_is_turned(void **state) {
    (void)state;
    static const int corners[9][2] = {
        {0},    {0, 0},          {WIDTH - 1, 0},          {WIDTH - 1, HEIGHT - 1}, {0, HEIGHT - 1},
        {0, 0}, {0, HEIGHT - 1}, {WIDTH - 1, HEIGHT - 1}, {WIDTH - 1, 0}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        struct tiff_kind kind = {"wl", PHOTOMETRIC_RGB, 8, SAMPLEFORMAT_UINT, 3, PLANARCONFIG_CONTIG, 0,
                                 -1,   orientation};
        write_tiff_file("turned.tif", &kind);
        nst_picture picture = fixture_read_picture("turned.tif");
        assert_int_equal(picture.width, orientation < 5 ? WIDTH : HEIGHT);
        int pixel = corners[orientation][1] * WIDTH + corners[orientation][0];
        assert_true(fabs(picture.values[1] - tiff_sample(pixel, 1)) < 1e-6);
        nst_picture_free(&picture);
    }
}

/* Palettes and Lab are left to libtiff; what it does not know is named. */
static void other_kinds_of_tiff(void **state) {
    (void)state;
    struct tiff_kind lab = {"wl", PHOTOMETRIC_CIELAB, 8, SAMPLEFORMAT_UINT, 3, PLANARCONFIG_CONTIG, 0, -1, 0};
    write_tiff_file("lab.tif", &lab);
    nst_picture picture = fixture_read_picture("lab.tif");
    assert_int_equal(picture.channels, 3);
    nst_picture_free(&picture);
    struct tiff_kind whole = {"wl", PHOTOMETRIC_RGB, 64, SAMPLEFORMAT_UINT, 3, PLANARCONFIG_CONTIG, 0, -1, 0};
    write_tiff_file("whole.tif", &whole);
    fixture_expect_failure("whole.tif", NST_ERROR_FORMAT, "64 bits", "convert");
    static uint16_t red[256], green[256], blue[256];
    TIFF *tiff = TIFFOpen(fixture_path("palette.tif"), "w");
    assert_non_null(tiff);
    for (int i = 0; i < 256; i++)
        red[i] = (uint16_t)(i * 257), green[i] = (uint16_t)((255 - i) * 257), blue[i] = (uint16_t)(i / 2 * 257);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 256);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_PALETTE);
    TIFFSetField(tiff, TIFFTAG_COLORMAP, red, green, blue);
    unsigned char row[256];
    for (int i = 0; i < 256; i++)
        row[i] = (unsigned char)i;
    assert_int_equal(TIFFWriteScanline(tiff, row, 0, 0), 1);
    TIFFClose(tiff);
    picture = fixture_read_picture("palette.tif");
    for (int i = 0; i < 256; i++) {
        const double expected[3] = {i / 255.0, (255 - i) / 255.0, i / 2 / 255.0};
        for (int c = 0; c < 3; c++)
            assert_true(fabs(picture.values[3 * i + c] - expected[c]) < 1e-6);
    }
    nst_picture_free(&picture);
}

static void several_pages_are_told(void **state) {
    (void)state;
    struct tiff_kind kind = {"wl", PHOTOMETRIC_RGB, 8, SAMPLEFORMAT_UINT, 3, PLANARCONFIG_CONTIG, 0, -1, 0};
    write_tiff_file("pages.tif", &kind);
    kind.mode = "a";
    write_tiff_file("pages.tif", &kind);
    nst_picture picture = fixture_read_damaged("pages.tif", "several pages");
    nst_picture_free(&picture);
}

static void damaged_tiff_is_refused(void **state) {
    (void)state;
    struct tiff_kind kinds[] = {{"wl", PHOTOMETRIC_RGB, 8, SAMPLEFORMAT_UINT, 3, PLANARCONFIG_CONTIG, 0, -1, 6},
                                {"wb", PHOTOMETRIC_RGB, 16, SAMPLEFORMAT_UINT, 3, PLANARCONFIG_SEPARATE, 16, -1, 0}};
    for (int i = 0; i < 2; i++) {
        write_tiff_file("damaged.tif", &kinds[i]);
        fixture_try_flipped_bytes("damaged.tif");
    }
    size_t bytes;
    unsigned char *data = fixture_read("damaged.tif", &bytes);
    for (size_t kept = 4; kept < bytes; kept += 101) {
        fixture_write("cut.tif", data, kept);
        fixture_expect_failure("cut.tif", NST_ERROR_FORMAT, "TIFF picture", "");
    }
    free(data);
    format_check_metadata("flipped.tif", true); /* EXIF among TIFF's own directories */
    fixture_try_flipped_bytes("flipped.tif");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiff_comes_back),        cmocka_unit_test(every_kind_of_tiff_is_read),
        cmocka_unit_test(tiff_is_turned),         cmocka_unit_test(other_kinds_of_tiff),
        cmocka_unit_test(several_pages_are_told), cmocka_unit_test(damaged_tiff_is_refused),
    };
    return cmocka_run_group_tests_name("image.tiff", tests, fixture_folder_create, fixture_folder_remove);
}
