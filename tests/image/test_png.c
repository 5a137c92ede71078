/* test_png.c: every kind of PNG file is read as what it says; what is written comes back; damaged files are refused. */
#include "fixtures.h"
#include "image/codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <png.h>

static const int sizes[][2] = {{1, 1}, {3, 5}, {17, 31}};
#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

/* What pixel number i of a fixture is as red, green, blue, alpha in 0..1. */
static void expected_pixel(const struct fixture_png *kind, size_t i, double rgba[4]) {
    double max = (1 << kind->depth_bits) - 1;
    unsigned char entry[4];
    bool first = true;
    rgba[3] = 1;
    switch (kind->color_type) {
    case PNG_COLOR_TYPE_PALETTE:
        fixture_png_palette((int)fixture_png_sample(i, kind->depth_bits), entry);
        for (int channel = 0; channel < (kind->transparent ? 4 : 3); channel++)
            rgba[channel] = entry[channel] / 255.0;
        return;
    case PNG_COLOR_TYPE_GRAY:
    case PNG_COLOR_TYPE_GRAY_ALPHA: {
        size_t step = kind->color_type == PNG_COLOR_TYPE_GRAY ? 1 : 2;
        unsigned gray = fixture_png_sample(i * step, kind->depth_bits);
        rgba[0] = rgba[1] = rgba[2] = gray / max;
        if (step == 2)
            rgba[3] = fixture_png_sample(i * step + 1, kind->depth_bits) / max;
        first = gray == fixture_png_sample(0, kind->depth_bits);
        break;
    }
    default: {
        size_t step = kind->color_type == PNG_COLOR_TYPE_RGB ? 3 : 4;
        for (size_t channel = 0; channel < step; channel++) {
            unsigned sample = fixture_png_sample(i * step + channel, kind->depth_bits);
            rgba[channel] = sample / max;
            first = first && (channel == 3 || sample == fixture_png_sample(channel, kind->depth_bits));
        }
    }
    }
    if (kind->transparent)
        rgba[3] = first ? 0 : 1;
}

static void check_kind(const struct fixture_png *kind) {
    fixture_write_png("kind.png", kind);
    nst_picture picture = fixture_read_picture("kind.png");
    bool has_alpha = kind->transparent || (kind->color_type & PNG_COLOR_MASK_ALPHA);
    assert_int_equal(picture.width, kind->width);
    assert_int_equal(picture.height, kind->height);
    assert_int_equal(picture.channels, has_alpha ? 4 : 3);
    for (size_t i = 0; i < (size_t)kind->width * (size_t)kind->height; i++) {
        double rgba[4];
        expected_pixel(kind, i, rgba);
        for (int channel = 0; channel < picture.channels; channel++) {
            double found = picture.values[i * (size_t)picture.channels + (size_t)channel];
            if (fabs(found - rgba[channel]) > 1e-6)
                fail_msg("color type %d, %d bits, interlaced %d, transparent %d, pixel %zu, channel %d: %f, not %f",
                         kind->color_type, kind->depth_bits, kind->interlaced, kind->transparent, i, channel, found,
                         rgba[channel]);
        }
    }
    nst_picture_free(&picture);
}

static void reads_every_kind(void **state) {
    (void)state;
    static const int kinds[][2] = {
        {PNG_COLOR_TYPE_GRAY, 1},        {PNG_COLOR_TYPE_GRAY, 2},      {PNG_COLOR_TYPE_GRAY, 4},
        {PNG_COLOR_TYPE_GRAY, 8},        {PNG_COLOR_TYPE_GRAY, 16},     {PNG_COLOR_TYPE_RGB, 8},
        {PNG_COLOR_TYPE_RGB, 16},        {PNG_COLOR_TYPE_PALETTE, 1},   {PNG_COLOR_TYPE_PALETTE, 2},
        {PNG_COLOR_TYPE_PALETTE, 4},     {PNG_COLOR_TYPE_PALETTE, 8},   {PNG_COLOR_TYPE_GRAY_ALPHA, 8},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 16}, {PNG_COLOR_TYPE_RGB_ALPHA, 8}, {PNG_COLOR_TYPE_RGB_ALPHA, 16},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t size = 0; size < SIZE_COUNT; size++)
            for (int variant = 0; variant < 4; variant++) {
                struct fixture_png kind = {sizes[size][0],
                                           sizes[size][1],
                                           kinds[i][0],
                                           kinds[i][1],
                                           (variant & 1) != 0,
                                           (variant & 2) != 0,
                                           0};
                if (kind.transparent && (kind.color_type & PNG_COLOR_MASK_ALPHA))
                    continue;
                check_kind(&kind);
            }
}

static void written_pictures_come_back(void **state) {
    (void)state;
    for (size_t size = 0; size < SIZE_COUNT; size++)
        for (int channels = 3; channels <= 4; channels++)
            for (int depth_bits = 8; depth_bits <= 16; depth_bits += 8) {
                nst_picture_format format = {.depth_bits = depth_bits};
                nst_picture picture = fixture_picture(sizes[size][0], sizes[size][1], channels, (1 << depth_bits) - 1);
                assert_int_equal(nst_picture_write(&picture, fixture_path("a.png"), &format, NULL), NST_OK);
                nst_picture found = fixture_read_picture("a.png");
                assert_int_equal(found.width, picture.width);
                assert_int_equal(found.height, picture.height);
                assert_int_equal(found.channels, channels);
                for (size_t i = 0; i < (size_t)(found.width * found.height * channels); i++)
                    assert_true(fabsf(found.values[i] - picture.values[i]) < 1e-6f);
                nst_picture_free(&found);
                nst_picture_free(&picture);
            }
}

static void values_are_clamped_and_rounded(void **state) {
    (void)state;
    float values[6] = {-1, 2, NAN, 0.4999f / 255, 0.5001f / 255, INFINITY};
    static const float expected[6] = {0, 1, 0, 0, 1 / 255.0f, 1};
    nst_picture picture = {2, 1, 3, values};
    nst_picture_format format = {.depth_bits = 8};
    assert_int_equal(nst_picture_write(&picture, fixture_path("clamped.png"), &format, NULL), NST_OK);
    nst_picture found = fixture_read_picture("clamped.png");
    for (int i = 0; i < 6; i++)
        assert_true(found.values[i] == expected[i]);
    nst_picture_free(&found);
}

static void texts_are_kept(void **state) {
    (void)state;
    static const nst_picture_text texts[] = {{"Software", "nst"},
                                             {"Title", "Gr\xc3\xbc\xc3\x9f"
                                                       "e \xe2\x98\x83 \xdf\xbf"},
                                             {"Comment", "name in Latin-1: \xfc.jpg"},
                                             {"x", "the shortest keyword"}};
    nst_picture picture = fixture_picture(3, 5, 3, 255);
    nst_picture_format format = {.depth_bits = 8, .texts = texts, .text_count = 4};
    assert_int_equal(nst_picture_write(&picture, fixture_path("texts.png"), &format, NULL), NST_OK);
    nst_picture_free(&picture);

    FILE *stream = fopen(fixture_path("texts.png"), "rb");
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, stream);
    png_read_info(png, info);
    png_textp found;
    assert_int_equal(png_get_text(png, info, &found, NULL), 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(found[i].key, texts[i].keyword);
        assert_string_equal(found[i].text, texts[i].value);
        assert_int_equal(found[i].compression, i == 1 ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE);
    }
    int intent;
    assert_int_equal(png_get_sRGB(png, info, &intent), PNG_INFO_sRGB);
    png_destroy_read_struct(&png, &info, NULL);
    fclose(stream);
}

static void wrong_formats_are_refused(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(3, 5, 3, 255);
    nst_error error;
    nst_picture_format format = {.depth_bits = 12};
    int files = fixture_count_files();
    assert_int_equal(nst_picture_write(&picture, fixture_path("new.png"), &format, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "12"));
    char longest[81];
    memset(longest, 'k', 80);
    longest[80] = '\0';
    const nst_picture_text texts[] = {{"", "value"}, {longest, "value"}, {"\xc3\xa9", "value"}};
    for (size_t i = 0; i < 3; i++) {
        format = (nst_picture_format){.depth_bits = 8, .texts = &texts[i], .text_count = 1};
        assert_int_equal(nst_picture_write(&picture, fixture_path("new.png"), &format, &error), NST_ERROR_ARGUMENT);
    }
    assert_int_equal(fixture_count_files(), files);
    nst_picture_free(&picture);
}

static void orientation_is_applied(void **state) {
    (void)state;
#ifdef PNG_eXIf_SUPPORTED
    struct fixture_png kind = {3, 5, PNG_COLOR_TYPE_RGB, 8, false, false, 6};
    fixture_write_png("turned.png", &kind);
    nst_picture picture = fixture_read_picture("turned.png");
    assert_int_equal(picture.width, 5);
    assert_int_equal(picture.height, 3);
    /* Turned clockwise: the bottom left pixel becomes the top left one. */
    assert_true(fabs(picture.values[0] - fixture_png_sample(4 * 3 * 3, 8) / 255.0) < 1e-6);
    nst_picture_free(&picture);
#else
    skip();
#endif
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    struct fixture_png kind = {57, 43, PNG_COLOR_TYPE_RGB_ALPHA, 8, false, false, 0};
    fixture_write_png("sound.png", &kind);
    fixture_expect_truncations_refused("sound.png", 12); /* IEND */
    fixture_try_flipped_bytes("sound.png");
    kind = (struct fixture_png){57, 43, PNG_COLOR_TYPE_PALETTE, 4, true, true, 6};
    fixture_write_png("sound.png", &kind);
    fixture_try_flipped_bytes("sound.png");
    kind.orientation = 0; /* libpng may write it behind the picture's data */
    fixture_write_png("sound.png", &kind);
    fixture_expect_truncations_refused("sound.png", 12);

    size_t bytes;
    unsigned char *data = fixture_read("sound.png", &bytes);
    size_t chunk = 0;
    while (memcmp(data + chunk, "IDAT", 4) != 0)
        chunk++;
    data[chunk + 40] ^= 0x10;
    fixture_write("damaged.png", data, bytes);
    fixture_expect_failure("damaged.png", NST_ERROR_FORMAT, "damaged PNG", "IDAT");
    data[chunk + 40] ^= 0x10;
    data[bytes - 12 - 1] ^= 0x10; /* the last byte of its checksum */
    fixture_write("damaged.png", data, bytes);
    fixture_expect_failure("damaged.png", NST_ERROR_FORMAT, "damaged PNG", "IDAT: CRC error");
    free(data);
}

/* All rows are there; what is wrong is behind them: the checksum of IEND, or something else than IEND. */
static void damage_behind_the_last_row_is_noted(void **state) {
    (void)state;
    struct fixture_png kind = {57, 43, PNG_COLOR_TYPE_RGB_ALPHA, 16, true, false, 6};
    fixture_write_png("sound.png", &kind);
    nst_picture sound = fixture_read_picture("sound.png");
    size_t bytes;
    unsigned char *data = fixture_read("sound.png", &bytes);
    for (size_t at = bytes - 12; at < bytes; at++) {
        data[at] ^= 0x5a;
        fixture_write("damaged.png", data, bytes);
        data[at] ^= 0x5a;
        nst_picture picture = fixture_read_damaged("damaged.png", "behind its last row");
        assert_memory_equal(picture.values, sound.values, 57 * 43 * 4 * sizeof(float));
        nst_picture_free(&picture);
    }
    data[bytes - 1] ^= 0x5a;
    fixture_write("damaged.png", data, bytes);
    nst_picture picture = fixture_read_damaged("damaged.png", "IEND: CRC error");
    nst_picture_free(&picture);
    nst_picture_free(&sound);
    free(data);
}

static void apples_variant_is_named(void **state) {
    (void)state;
    struct fixture_png kind = {3, 5, PNG_COLOR_TYPE_RGB, 8, false, false, 0};
    fixture_write_png("phone.png", &kind);
    fixture_insert_chunk("phone.png", "CgBI", "\x50\0\x20\x02", 4);
    fixture_expect_failure("phone.png", NST_ERROR_FORMAT, "CgBI", "convert it");
}

static void huge_headers_are_refused(void **state) {
    (void)state;
    fixture_write_png_header("huge.png", 60000, 60000);
    fixture_expect_failure("huge.png", NST_ERROR_MEMORY, "60000 x 60000", "32767");
    fixture_write_png_header("huge.png", 32767, 8193);
    fixture_expect_failure("huge.png", NST_ERROR_MEMORY, "32767 x 8193", "268435456");
    fixture_write_png_header("huge.png", 1, 32768);
    fixture_expect_failure("huge.png", NST_ERROR_MEMORY, "1 x 32768", "32767");
}

static long peak_memory_kib(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* A chunk that promises a gigabyte is refused before memory for it is filled with zeros. */
static void huge_chunks_are_refused(void **state) {
    (void)state;
    static const char *const types[] = {"eXIf", "sPLT", "iTXt", "iCCP"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct fixture_png kind = {3, 5, PNG_COLOR_TYPE_RGB, 8, false, false, 0};
        fixture_write_png("huge.png", &kind);
        fixture_insert_chunk("huge.png", types[i], "abc", 3);
        size_t bytes;
        unsigned char *data = fixture_read("huge.png", &bytes);
        data[8 + 25] = 0x40; /* the first byte of its length, behind signature and header */
        fixture_write("huge.png", data, bytes);
        free(data);
        long before = peak_memory_kib();
        fixture_expect_failure("huge.png", NST_ERROR_FORMAT, "damaged PNG", "the file ends too early");
        assert_true(peak_memory_kib() - before < 100 * 1024);
    }
}

static void failed_writes_are_noticed(void **state) {
    (void)state;
    FILE *full = fopen("/dev/full", "wb");
    if (!full)
        skip();
    nst_picture picture = fixture_picture(200, 200, 3, 65535);
    nst_picture_format format = {.depth_bits = 16};
    struct picture_target target = {.path = "out.png", .stream = full, .format = &format};
    nst_error error;
    assert_int_equal(codec_write(&codec_png, &picture, &target, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "No space left on device"));
    fclose(full);
    nst_picture_free(&picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(written_pictures_come_back),
        cmocka_unit_test(values_are_clamped_and_rounded),
        cmocka_unit_test(texts_are_kept),
        cmocka_unit_test(wrong_formats_are_refused),
        cmocka_unit_test(orientation_is_applied),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(damage_behind_the_last_row_is_noted),
        cmocka_unit_test(apples_variant_is_named),
        cmocka_unit_test(huge_headers_are_refused),
        cmocka_unit_test(huge_chunks_are_refused),
        cmocka_unit_test(failed_writes_are_noticed),
    };
    return cmocka_run_group_tests_name("image.png", tests, fixture_folder_create, fixture_folder_remove);
}
