/* test_jpeg.c: every kind of JPEG file is read as what it shows, the right way up; damaged files are refused. */
#include "fixtures.h"
#include "image/codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define WIDTH  40
#define HEIGHT 24

static double red(int x, int y) {
    return 0.2 + 0.6 * x / WIDTH + 0.1 * y / HEIGHT;
}
static double green(int x, int y) {
    return 0.9 - 0.5 * x / WIDTH - 0.2 * y / HEIGHT;
}
static double blue(int x, int y) {
    return 0.3 + 0.02 * x / WIDTH + 0.4 * y / HEIGHT;
}

/* The test picture's values, and as samples of a color space. */
static void expected_pixel(int components, int x, int y, double rgb[3]) {
    rgb[0] = red(x, y), rgb[1] = green(x, y), rgb[2] = blue(x, y);
    if (components == 1)
        rgb[1] = rgb[2] = rgb[0];
}

/* In CMYK as Adobe has it: 1 - C and so on, with a quarter of the black already taken out. */
static void make_samples(int components, unsigned char *samples) {
    const double key = 0.95;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            double rgb[3];
            expected_pixel(components, x, y, rgb);
            for (int i = 0; i < components; i++) {
                double value = components == 4 ? (i == 3 ? key : rgb[i] / key) : rgb[i];
                *samples++ = (unsigned char)(value * 255 + 0.5);
            }
        }
}

static void write_kind(const char *name, int color_space, int file_color_space, bool progressive) {
    static unsigned char samples[WIDTH * HEIGHT * 4];
    int components = color_space == JCS_GRAYSCALE ? 1 : color_space == JCS_CMYK ? 4 : 3;
    make_samples(components, samples);
    struct fixture_jpeg kind = {WIDTH,       HEIGHT,  components, color_space, file_color_space,
                                progressive, samples, 0,          false};
    fixture_write_jpeg(name, &kind);
}

static void check_pixels(const char *name, int components) {
    nst_picture picture = fixture_read_picture(name);
    assert_int_equal(picture.width, WIDTH);
    assert_int_equal(picture.height, HEIGHT);
    assert_int_equal(picture.channels, 3);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            double rgb[3];
            expected_pixel(components, x, y, rgb);
            for (int channel = 0; channel < 3; channel++)
                assert_true(fabs(picture.values[(y * WIDTH + x) * 3 + channel] - rgb[channel]) < 0.016);
        }
    nst_picture_free(&picture);
}

static void reads_every_kind(void **state) {
    (void)state;
    static const int kinds[][3] = {{1, JCS_GRAYSCALE, JCS_GRAYSCALE},
                                   {3, JCS_RGB, JCS_YCbCr},
                                   {3, JCS_RGB, JCS_RGB},
                                   {4, JCS_CMYK, JCS_CMYK},
                                   {4, JCS_CMYK, JCS_YCCK}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int progressive = 0; progressive < 2; progressive++) {
            write_kind("kind.jpg", kinds[i][1], kinds[i][2], progressive);
            check_pixels("kind.jpg", kinds[i][0]);
        }
}

/* The ends of the range, which no rounding blurs. In Adobe's CMYK 255 is no ink. */
static void white_and_black_are_exact(void **state) {
    (void)state;
    static const int spaces[][3] = {
        {1, JCS_GRAYSCALE, JCS_GRAYSCALE}, {3, JCS_RGB, JCS_YCbCr}, {4, JCS_CMYK, JCS_CMYK}};
    static unsigned char samples[WIDTH * HEIGHT * 4];
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        for (int white = 0; white < 2; white++) {
            memset(samples, white ? 255 : 0, sizeof samples);
            struct fixture_jpeg kind = {WIDTH,   HEIGHT, spaces[i][0], spaces[i][1], spaces[i][2], false,
                                        samples, 0,      false};
            fixture_write_jpeg("flat.jpg", &kind);
            nst_picture picture = fixture_read_picture("flat.jpg");
            for (int j = 0; j < WIDTH * HEIGHT * 3; j++)
                assert_true(picture.values[j] == (float)white);
            nst_picture_free(&picture);
        }
    }
    fixture_remove("flat.jpg");
}

/* Without Adobe's marker, CMYK samples are the inks themselves: the same samples then show the opposite. */
static void reads_cmyk_without_adobe_marker(void **state) {
    (void)state;
    write_kind("kind.jpg", JCS_CMYK, JCS_CMYK, false);
    size_t bytes;
    unsigned char *data = fixture_read("kind.jpg", &bytes);
    size_t marker = 0;
    while (memcmp(data + marker, "\xff\xee", 2) != 0)
        marker++;
    size_t length = 2 + (size_t)(data[marker + 2] << 8 | data[marker + 3]);
    memmove(data + marker, data + marker + length, bytes - marker - length);
    fixture_write("inks.jpg", data, bytes - length);
    free(data);

    nst_picture picture = fixture_read_picture("inks.jpg");
    double expected = (1 - red(0, 0) / 0.95) * (1 - 0.95);
    assert_true(fabs(picture.values[0] - expected) < 0.016);
    nst_picture_free(&picture);
}

/* Orientation k: where the upright picture's top left and top right pixels are in the file (EXIF 2.32, table of tag
 * 274): which row is at the top, which column at the left. */
static void orientations_are_applied(void **state) {
    (void)state;
    static unsigned char samples[WIDTH * HEIGHT * 3];
    make_samples(3, samples);
    /* x, y in the file of the upright picture's top left pixel, and the step in the file for one pixel to the right. */
    static const int places[9][4] = {{0},
                                     {0, 0, 1, 0},
                                     {WIDTH - 1, 0, -1, 0},
                                     {WIDTH - 1, HEIGHT - 1, -1, 0},
                                     {0, HEIGHT - 1, 1, 0},
                                     {0, 0, 0, 1},
                                     {0, HEIGHT - 1, 0, -1},
                                     {WIDTH - 1, HEIGHT - 1, 0, -1},
                                     {WIDTH - 1, 0, 0, 1}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        const int *place = places[orientation];
        struct fixture_jpeg kind = {
            WIDTH, HEIGHT, 3, JCS_RGB, JCS_YCbCr, false, samples, orientation, orientation % 2 == 0};
        fixture_write_jpeg("turned.jpg", &kind);
        nst_picture picture = fixture_read_picture("turned.jpg");
        assert_int_equal(picture.width, orientation < 5 ? WIDTH : HEIGHT);
        assert_int_equal(picture.height, orientation < 5 ? HEIGHT : WIDTH);
        for (int right = 0; right < picture.width; right++) {
            int x = place[0] + right * place[2], y = place[1] + right * place[3];
            assert_true(fabs(picture.values[right * 3] - red(x, y)) < 0.016);
            assert_true(fabs(picture.values[right * 3 + 1] - green(x, y)) < 0.016);
            assert_true(fabs(picture.values[right * 3 + 2] - blue(x, y)) < 0.016);
        }
        nst_picture_free(&picture);
    }
}

static void written_pictures_come_back(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {3, 5}, {17, 31}};
    for (size_t size = 0; size < 3; size++)
        for (int channels = 3; channels <= 4; channels++) {
            nst_picture picture = fixture_picture(sizes[size][0], sizes[size][1], channels, 255);
            nst_picture_format format = {.jpeg_quality = 98};
            assert_int_equal(nst_picture_write(&picture, fixture_path("a.jpeg"), &format, NULL), NST_OK);
            nst_picture found = fixture_read_picture("a.jpeg");
            assert_int_equal(found.width, picture.width);
            assert_int_equal(found.height, picture.height);
            assert_int_equal(found.channels, 3);
            for (int i = 0; i < found.width * found.height; i++)
                for (int channel = 0; channel < 3; channel++)
                    assert_true(fabsf(found.values[i * 3 + channel] - picture.values[i * channels + channel]) < 0.05f);
            nst_picture_free(&found);
            nst_picture_free(&picture);
        }
}

/* The luma sampling factors in the file's frame header: 0x11 is 4:4:4, 0x22 is 4:2:0. */
static int luma_sampling(const char *name) {
    size_t bytes;
    unsigned char *data = fixture_read(name, &bytes);
    size_t marker = 0;
    while (memcmp(data + marker, "\xff\xc0", 2) != 0)
        marker++;
    int sampling = data[marker + 11];
    free(data);
    return sampling;
}

static void quality_chooses_sampling(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(17, 31, 3, 255);
    nst_picture_format format = {.jpeg_quality = 90};
    assert_int_equal(nst_picture_write(&picture, fixture_path("q.jpg"), &format, NULL), NST_OK);
    assert_int_equal(luma_sampling("q.jpg"), 0x11);
    format.jpeg_quality = 89;
    assert_int_equal(nst_picture_write(&picture, fixture_path("q.jpg"), &format, NULL), NST_OK);
    assert_int_equal(luma_sampling("q.jpg"), 0x22);
    format.jpeg_quality = 0;
    nst_error error;
    assert_int_equal(nst_picture_write(&picture, fixture_path("q.jpg"), &format, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "1 to 100"));
    assert_int_equal(luma_sampling("q.jpg"), 0x22); /* untouched */
    nst_picture_free(&picture);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        write_kind("sound.jpg", JCS_RGB, JCS_YCbCr, progressive);
        fixture_expect_truncations_refused("sound.jpg", 2); /* the end marker */
        fixture_try_flipped_bytes("sound.jpg");
    }
    write_kind("sound.jpg", JCS_CMYK, JCS_YCCK, false);
    fixture_try_flipped_bytes("sound.jpg");

    size_t bytes;
    unsigned char *data = fixture_read("sound.jpg", &bytes);
    fixture_write("cut.jpg", data, bytes / 2);
    fixture_expect_failure("cut.jpg", NST_ERROR_FORMAT, "damaged JPEG", "Premature end");
    free(data);
}

static void huge_headers_are_refused(void **state) {
    (void)state;
    write_kind("huge.jpg", JCS_RGB, JCS_YCbCr, false);
    size_t bytes;
    unsigned char *data = fixture_read("huge.jpg", &bytes);
    size_t marker = 0;
    while (memcmp(data + marker, "\xff\xc0", 2) != 0)
        marker++;
    data[marker + 5] = data[marker + 7] = 60000 >> 8;
    data[marker + 6] = data[marker + 8] = 60000 & 0xff;
    fixture_write("huge.jpg", data, bytes);
    free(data);
    fixture_expect_failure("huge.jpg", NST_ERROR_MEMORY, "60000 x 60000", "32767");
}

static void failed_writes_are_noticed(void **state) {
    (void)state;
    FILE *full = fopen("/dev/full", "wb");
    if (!full)
        skip();
    nst_picture picture = fixture_picture(500, 500, 3, 255);
    nst_picture_format format = {.jpeg_quality = 100};
    struct picture_target target = {.path = "out.jpg", .stream = full, .format = &format};
    nst_error error;
    assert_int_equal(codec_write(&codec_jpeg, &picture, &target, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "No space left on device"));
    fclose(full);
    nst_picture_free(&picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(white_and_black_are_exact),
        cmocka_unit_test(reads_cmyk_without_adobe_marker),
        cmocka_unit_test(orientations_are_applied),
        cmocka_unit_test(written_pictures_come_back),
        cmocka_unit_test(quality_chooses_sampling),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(huge_headers_are_refused),
        cmocka_unit_test(failed_writes_are_noticed),
    };
    return cmocka_run_group_tests_name("image.jpeg", tests, fixture_folder_create, fixture_folder_remove);
}
