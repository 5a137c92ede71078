/* test_formats.c: the formats whose libraries may be missing. TIFF and WebP come back as they were written, and as other
 * writers of each kind say; AVIF and JPEG XL are read; what is damaged is refused. A format that was not built in has no
 * tests. */
#include "fixtures.h"
#include "image/codec.h"
#include "image/exif.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 37, HEIGHT = 29 };

#if defined(NST_TIFF) || defined(NST_WEBP) || defined(NST_HEIF) || defined(NST_JPEG_XL)
static void expect_picture(const char *name, const nst_picture *expected, double tolerance) {
    nst_picture found = fixture_read_picture(name);
    assert_int_equal(found.width, expected->width);
    assert_int_equal(found.height, expected->height);
    assert_int_equal(found.channels, expected->channels);
    for (int i = 0; i < found.width * found.height * found.channels; i++)
        if (!(fabs(found.values[i] - expected->values[i]) <= tolerance))
            fail_msg("%s, value %d: %f, not %f", name, i, found.values[i], expected->values[i]);
    nst_picture_free(&found);
}

#endif

#if defined(NST_TIFF) || defined(NST_WEBP)
static void write_file(const nst_picture *picture, const char *name, int depth_bits, int webp_quality,
                       const nst_picture_metadata *metadata) {
    nst_picture_format format = {
        .depth_bits = depth_bits, .webp_quality = webp_quality, .jpeg_quality = 90, .metadata = metadata};
    nst_error error;
    if (nst_picture_write(picture, fixture_path(name), &format, &error) != NST_OK)
        fail_msg("%s", error.message);
}

/* Orientation, and a directory of details with a text that does not fit into its entry. */
static unsigned char camera_exif[] = "II*\0\x08\0\0\0"
                                     "\x03\0\x0f\x01\x02\0\x06\0\0\0\x32\0\0\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0"
                                     "\x69\x87\x04\0\x01\0\0\0\x38\0\0\0\0\0\0\0"
                                     "Canon\0"
                                     "\x01\0\x03\x90\x02\0\x14\0\0\0\x4a\0\0\0\0\0\0\0"
                                     "2020:01:02 03:04:05";
static unsigned char xmp[] = "<x:xmpmeta>said of it</x:xmpmeta>", iptc[] = "\x1c\x02\x05\0\x04oaks";

/* What is kept, as far as the format has a place for it. */
static void check_metadata(const char *name, bool has_iptc) {
    const nst_picture_metadata metadata = {
        .exif = {camera_exif, sizeof camera_exif}, .xmp = {xmp, sizeof xmp - 1}, .iptc = {iptc, sizeof iptc - 1}};
    nst_picture picture = fixture_picture(WIDTH, HEIGHT, 3, 255), found;
    nst_picture_metadata told;
    nst_error error;
    write_file(&picture, name, 8, 0, &metadata);
    if (nst_picture_read_with_metadata(fixture_path(name), &found, &told, NULL, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_non_null(told.profile.data); /* of sRGB */
    assert_memory_equal(found.values, picture.values, (size_t)WIDTH * HEIGHT * 3 * sizeof(float));
    assert_int_equal(told.xmp.bytes, sizeof xmp - 1);
    assert_memory_equal(told.xmp.data, xmp, sizeof xmp - 1);
    if (has_iptc) {
        assert_true(told.iptc.bytes >= sizeof iptc - 1);
        assert_memory_equal(told.iptc.data, iptc, sizeof iptc - 1);
    }
    struct exif exif = exif_open(told.exif.data, told.exif.bytes);
    size_t first = exif_first_directory(&exif), maker = exif_find_entry(&exif, first, (enum exif_tag)0x010f);
    size_t details = exif_find_number(&exif, first, EXIF_DIRECTORY);
    size_t date = exif_find_entry(&exif, details, (enum exif_tag)0x9003);
    assert_true(maker > 0 && date > 0);
    assert_memory_equal(exif.data + exif_number(&exif, maker + 8, 4), "Canon", 6);
    assert_memory_equal(exif.data + exif_number(&exif, date + 8, 4), "2020:01:02 03:04:05", 20);
    nst_picture_metadata_free(&told);
    nst_picture_free(&found);
    nst_picture_free(&picture);
}

#endif

static void kinds_are_listed(void **state) {
    (void)state;
    nst_picture_kind kind;
    assert_true(nst_picture_kind_at(0, &kind));
    assert_string_equal(kind.name, "PNG");
    assert_true(kind.is_read && kind.is_written);
    int count = 0;
    while (nst_picture_kind_at(count, &kind))
        count++;
    assert_true(count >= 2 && !nst_picture_kind_at(-1, &kind));
    nst_picture_format format = {.kind = "Jpg", .depth_bits = 16};
    assert_int_equal(nst_picture_check_writable(NULL, &format, NULL), NST_OK);
    format.depth_bits = 32;
    assert_int_equal(nst_picture_check_writable(NULL, &format, NULL), NST_ERROR_ARGUMENT);
    format.kind = "gif";
    assert_int_equal(nst_picture_check_writable("a.png", &format, NULL), NST_ERROR_ARGUMENT);
    format.kind = NULL;
    assert_int_equal(nst_picture_check_writable(NULL, &format, NULL), NST_ERROR_ARGUMENT);
}

/* ---- TIFF ------------------------------------------------------------------------------------------------------ */

#ifdef NST_TIFF
#include <tiffio.h>

static void tiff_comes_back(void **state) {
    (void)state;
    static const int depths[] = {8, 16, 32};
    for (int channels = 3; channels <= 4; channels++)
        for (int i = 0; i < 3; i++) {
            nst_picture picture = fixture_picture(WIDTH, HEIGHT, channels, i == 0 ? 255 : 65535);
            write_file(&picture, "a.tiff", depths[i], 0, NULL);
            expect_picture("a.tiff", &picture, 0);
            nst_picture_free(&picture);
        }
    check_metadata("told.tif", true);
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
        expect_picture("kind.tif", &expected, 1e-5);
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
    check_metadata("flipped.tif", true); /* EXIF among TIFF's own directories */
    fixture_try_flipped_bytes("flipped.tif");
}
#endif

/* ---- WebP ------------------------------------------------------------------------------------------------------ */

#ifdef NST_WEBP
#include <webp/encode.h>
#include <webp/mux.h>

static void webp_comes_back(void **state) {
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        nst_picture picture = fixture_picture(WIDTH, HEIGHT, channels, 255);
        if (channels == 4)
            picture.values[3] = 0; /* its color stays */
        write_file(&picture, "a.webp", 8, 0, NULL);
        expect_picture("a.webp", &picture, 0);
        write_file(&picture, "a.webp", 8, 90, NULL);
        expect_picture("a.webp", &picture, 0.35); /* of another color beside */
        nst_picture_free(&picture);
    }
    check_metadata("told.webp", false);
    nst_picture wide;
    nst_error error;
    nst_picture_format format = {.webp_quality = 101};
    wide = fixture_picture(16384, 1, 3, 255);
    assert_int_equal(nst_picture_write(&wide, fixture_path("no.webp"), &format, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "quality 101"));
    format.webp_quality = 0;
    assert_int_equal(nst_picture_write(&wide, fixture_path("no.webp"), &format, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "16383"));
    nst_picture_free(&wide);
}

static void of_an_animation_the_first_picture_is_used(void **state) {
    (void)state;
    static uint8_t pixels[WIDTH * HEIGHT * 4];
    WebPAnimEncoder *encoder = WebPAnimEncoderNew(WIDTH, HEIGHT, NULL);
    assert_non_null(encoder);
    WebPConfig config;
    assert_true(WebPConfigInit(&config));
    config.lossless = config.exact = 1;
    for (int frame = 0; frame < 2; frame++) {
        WebPPicture picture;
        assert_true(WebPPictureInit(&picture));
        picture.use_argb = 1;
        picture.width = WIDTH;
        picture.height = HEIGHT;
        memset(pixels, frame ? 40 : 200, sizeof pixels);
        assert_true(WebPPictureImportRGBA(&picture, pixels, WIDTH * 4));
        assert_true(WebPAnimEncoderAdd(encoder, &picture, frame * 100, &config));
        WebPPictureFree(&picture);
    }
    WebPData file;
    assert_true(WebPAnimEncoderAdd(encoder, NULL, 200, NULL) && WebPAnimEncoderAssemble(encoder, &file));
    fixture_write("moving.webp", file.bytes, file.size);
    WebPDataClear(&file);
    WebPAnimEncoderDelete(encoder);
    nst_picture picture = fixture_read_damaged("moving.webp", "animation");
    assert_true(fabs(picture.values[0] - 200 / 255.0) < 1e-6);
    nst_picture_free(&picture);
    fixture_try_flipped_bytes("moving.webp");
}

static void damaged_webp_is_refused(void **state) {
    (void)state;
    for (int quality = 0; quality <= 90; quality += 90) {
        nst_picture picture = fixture_picture(WIDTH, HEIGHT, 4, 255);
        write_file(&picture, "damaged.webp", 8, quality, NULL);
        fixture_try_flipped_bytes("damaged.webp");
        size_t bytes;
        unsigned char *data = fixture_read("damaged.webp", &bytes);
        for (size_t kept = 12; kept < bytes; kept += 67) {
            fixture_write("cut.webp", data, kept);
            fixture_expect_failure("cut.webp", NST_ERROR_FORMAT, "damaged WebP picture", "");
        }
        free(data);
        nst_picture_free(&picture);
    }
}
#endif

/* ---- AVIF ------------------------------------------------------------------------------------------------------ */

#ifdef NST_HEIF
#include <libheif/heif.h>

/* False if libheif has no encoder for it. */
static bool write_heif_file(const char *name, enum heif_compression_format kind, const nst_picture *picture) {
    struct heif_context *context = heif_context_alloc();
    struct heif_encoder *encoder = NULL;
    struct heif_image *image = NULL;
    if (heif_context_get_encoder_for_format(context, kind, &encoder).code != heif_error_Ok) {
        heif_context_free(context);
        return false;
    }
    bool has_alpha = picture->channels == 4;
    enum heif_chroma chroma = has_alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB;
    assert_int_equal(heif_image_create(picture->width, picture->height, heif_colorspace_RGB, chroma, &image).code, 0);
    assert_int_equal(heif_image_add_plane(image, heif_channel_interleaved, picture->width, picture->height, 8).code, 0);
    int stride;
    uint8_t *plane = heif_image_get_plane(image, heif_channel_interleaved, &stride);
    for (int y = 0; y < picture->height; y++)
        for (int i = 0; i < picture->width * picture->channels; i++)
            plane[y * stride + i] =
                (uint8_t)picture_quantize(picture->values[y * picture->width * picture->channels + i], 255);
    heif_encoder_set_lossy_quality(encoder, 95);
    assert_int_equal(heif_context_encode_image(context, image, encoder, NULL, NULL).code, 0);
    assert_int_equal(heif_context_write_to_file(context, fixture_path(name)).code, 0);
    heif_image_release(image);
    heif_encoder_release(encoder);
    heif_context_free(context);
    return true;
}

/* Of one color with a slope, since its chroma is stored at half size. */
static nst_picture make_slope(int channels) {
    nst_picture picture = fixture_picture(64, 48, channels, 255);
    for (int i = 0; i < 64 * 48; i++)
        for (int c = 0; c < channels; c++)
            picture.values[i * channels + c] = (float)(c == 3 ? 255 - i % 64 : 60 + 40 * c + i / 64) / 255.0f;
    return picture;
}

static void avif_and_heif_are_read(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum heif_compression_format kind;
    } kinds[] = {{"a.avif", heif_compression_AV1}, {"a.heic", heif_compression_HEVC}};
    int read = 0;
    for (int i = 0; i < 2; i++)
        for (int channels = 3; channels <= 4; channels++) {
            nst_picture picture = make_slope(channels);
            if (write_heif_file(kinds[i].name, kinds[i].kind, &picture)) {
                expect_picture(kinds[i].name, &picture, 0.03);
                read++;
            }
            nst_picture_free(&picture);
        }
    if (read == 0)
        print_message("libheif has no encoder: nothing to read\n");
}

static void damaged_avif_is_refused(void **state) {
    (void)state;
    nst_picture picture = make_slope(3);
    if (write_heif_file("damaged.avif", heif_compression_AV1, &picture)) {
        size_t bytes;
        unsigned char *data = fixture_read("damaged.avif", &bytes);
        for (size_t kept = 12; kept < bytes; kept += 37) {
            fixture_write("cut.avif", data, kept);
            fixture_expect_failure("cut.avif", NST_ERROR_FORMAT, "AVIF", "");
        }
        free(data);
    }
    nst_picture_free(&picture);
}
#endif

/* ---- JPEG XL --------------------------------------------------------------------------------------------------- */

#ifdef NST_JPEG_XL
#include <jxl/encode.h>

/* Lossless, in the library's container if that is asked for. */
static void write_jxl_file(const char *name, const nst_picture *picture, bool in_container) {
    static uint8_t pixels[WIDTH * HEIGHT * 8], file[1 << 16];
    size_t count = (size_t)WIDTH * HEIGHT * (size_t)picture->channels;
    JxlEncoder *encoder = JxlEncoderCreate(NULL);
    assert_non_null(encoder);
    JxlEncoderUseContainer(encoder, in_container);
    JxlBasicInfo info;
    JxlEncoderInitBasicInfo(&info);
    info.xsize = WIDTH;
    info.ysize = HEIGHT;
    info.bits_per_sample = 16;
    info.num_extra_channels = picture->channels == 4;
    info.alpha_bits = picture->channels == 4 ? 16 : 0;
    info.uses_original_profile = JXL_TRUE;
    assert_int_equal(JxlEncoderSetBasicInfo(encoder, &info), JXL_ENC_SUCCESS);
    JxlColorEncoding colors;
    JxlColorEncodingSetToSRGB(&colors, JXL_FALSE);
    assert_int_equal(JxlEncoderSetColorEncoding(encoder, &colors), JXL_ENC_SUCCESS);
    JxlEncoderFrameSettings *settings = JxlEncoderFrameSettingsCreate(encoder, NULL);
    JxlEncoderSetFrameLossless(settings, JXL_TRUE);
    for (size_t i = 0; i < count; i++) {
        unsigned level = picture_quantize(picture->values[i], 65535);
        pixels[2 * i] = (uint8_t)(level & 0xff);
        pixels[2 * i + 1] = (uint8_t)(level >> 8);
    }
    const JxlPixelFormat format = {(uint32_t)picture->channels, JXL_TYPE_UINT16, JXL_LITTLE_ENDIAN, 0};
    assert_int_equal(JxlEncoderAddImageFrame(settings, &format, pixels, count * 2), JXL_ENC_SUCCESS);
    JxlEncoderCloseInput(encoder);
    uint8_t *next = file;
    size_t room = sizeof file;
    assert_int_equal(JxlEncoderProcessOutput(encoder, &next, &room), JXL_ENC_SUCCESS);
    fixture_write(name, file, (size_t)(next - file));
    JxlEncoderDestroy(encoder);
}

static void jpeg_xl_is_read(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        nst_picture picture = fixture_picture(WIDTH, HEIGHT, 3 + i % 2, 65535);
        write_jxl_file("a.jxl", &picture, i / 2);
        expect_picture("a.jxl", &picture, 1e-6);
        nst_picture_free(&picture);
    }
}

static void damaged_jpeg_xl_is_refused(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(WIDTH, HEIGHT, 3, 255);
    write_jxl_file("damaged.jxl", &picture, false);
    size_t bytes;
    unsigned char *data = fixture_read("damaged.jxl", &bytes);
    for (size_t kept = 12; kept + 8 < bytes; kept += 53) {
        fixture_write("cut.jxl", data, kept);
        fixture_expect_failure("cut.jxl", NST_ERROR_FORMAT, "damaged JPEG XL picture", "");
    }
    free(data);
    fixture_try_flipped_bytes("damaged.jxl");
    nst_picture_free(&picture);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_listed),
#ifdef NST_TIFF
        cmocka_unit_test(tiff_comes_back),         cmocka_unit_test(every_kind_of_tiff_is_read),
        cmocka_unit_test(tiff_is_turned),          cmocka_unit_test(other_kinds_of_tiff),
        cmocka_unit_test(several_pages_are_told),  cmocka_unit_test(damaged_tiff_is_refused),
#endif
#ifdef NST_WEBP
        cmocka_unit_test(webp_comes_back),         cmocka_unit_test(of_an_animation_the_first_picture_is_used),
        cmocka_unit_test(damaged_webp_is_refused),
#endif
#ifdef NST_HEIF
        cmocka_unit_test(avif_and_heif_are_read),  cmocka_unit_test(damaged_avif_is_refused),
#endif
#ifdef NST_JPEG_XL
        cmocka_unit_test(jpeg_xl_is_read),         cmocka_unit_test(damaged_jpeg_xl_is_refused),
#endif
    };
    return cmocka_run_group_tests_name("image.formats", tests, fixture_folder_create, fixture_folder_remove);
}
