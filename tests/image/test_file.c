/* test_file.c: which file is read and written how: wrong files get a telling message, and failures leave no trace. */
#include "fixtures.h"
#include "image/codec.h"
#include "image/picture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void other_files_are_named(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t bytes;
        const char *expected;
    } cases[] = {
        {"GIF89a....", 10, "is a GIF picture; convert it to PNG"},
        {"RIFF\x10\0\0\0WEBPVP8 ", 16, "WebP picture"},
        {"BM\x10\x20\0\0\0\0", 8, "is a BMP picture; convert"},
        {"II*\0\x08\0\0\0", 8, "TIFF picture"},
        {"MM\0*\0\0\0\x08", 8, "TIFF picture"},
        {"\0\0\0\x18"
         "ftypheic",
         12, "picture"},
        {"\0\0\0\x18"
         "ftypavif",
         12, "picture"},
        {"\0\0\0\x18"
         "ftyphevc",
         12, "picture"},
        {"\0\0\0\x18"
         "ftypmif1",
         12, "picture"},
        {"\xff\x0a\xff\x07", 4, "JPEG XL picture"},
        {"\0\0\0\x0cJXL \r\n", 10, "JPEG XL picture"},
        {"\0\0\0\x0cjP  \r\n", 10, "is a JPEG 2000 picture; convert"},
        {"8BPS\0\1", 6, "is a Photoshop picture; convert"},
        {"gimp xcf v011", 14, "is a GIMP picture; convert"},
        {"\x76\x2f\x31\x01\2\0\0\0", 8, "is a OpenEXR picture; convert"},
        {"#?RADIANCE\n", 11, "is a Radiance picture; convert"},
        {"\0\0\1\0\1\0", 6, "is a Windows icon; convert"},
        {"qoif\0\0\0\1", 8, "is a QOI picture; convert"},
        {"P5\n2 2\n255\n....", 15, "is a netpbm picture; convert"},
        {"P6\n1 1\n255\n...", 14, "is a netpbm picture; convert"},
        {"<svg xmlns=", 11, "is a SVG drawing; convert"},
        {"<?xml version=", 14, "is a SVG or XML file; convert"},
        {"%!PS-Adobe-3.0\n", 15, "is a PostScript document; convert"},
        {"%PDF-1.7\n", 9, "is a PDF document; convert"},
        {"hello, world\n", 13, "expected PNG"},
        {"\xff", 1, "expected PNG"},
        {"\xff\xd8\xff", 3, "is a damaged JPEG picture"},
        {"\x89PNG", 4, "is a damaged PNG picture"},
        {"\x89PNG\n\x1a\n", 7, "is a damaged PNG picture"},
        {"", 0, "is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_write("some.png", cases[i].data, cases[i].bytes);
        fixture_expect_failure("some.png", NST_ERROR_FORMAT, cases[i].expected, "");
    }
    fixture_remove("some.png");
}

static void folders_and_missing_files_are_refused(void **state) {
    (void)state;
    fixture_expect_failure("missing.png", NST_ERROR_FILE, "", "");
    assert_int_equal(mkdir(fixture_path("folder.png"), 0700), 0);
    nst_picture picture;
    nst_error error = {0};
    assert_true(nst_picture_read(fixture_path("folder.png"), &picture, NULL, &error) != NST_OK);
    assert_non_null(strstr(error.message, "folder"));
    assert_null(picture.values);
    rmdir(fixture_path("folder.png"));
}

/* The content decides, not the name. */
static void the_name_does_not_matter(void **state) {
    (void)state;
    nst_picture picture = fixture_picture(3, 5, 3, 255);
    nst_picture_format format = {.depth_bits = 8, .jpeg_quality = 90};
    assert_int_equal(nst_picture_write(&picture, fixture_path("a.PNG"), &format, NULL), NST_OK);
    char from[256];
    snprintf(from, sizeof from, "%s", fixture_path("a.PNG"));
    assert_int_equal(rename(from, fixture_path("b.jpg")), 0);
    nst_picture found = fixture_read_picture("b.jpg");
    assert_memory_equal(found.values, picture.values, 3 * 5 * 3 * sizeof(float));
    nst_picture_free(&found);
    nst_picture_free(&picture);
    fixture_remove("b.jpg");
}

/* As most are written. */
static const nst_picture_format plain = {.depth_bits = 8, .jpeg_quality = 90};

static void endings_are_checked(void **state) {
    (void)state;
    static const char *const good[] = {"a.png", "a.jpg", "a.jpeg", "A.PNG", "a.b.Jpg"};
    static const char *const bad[] = {"a.gif", "a", "png", "a.png ", "a.pn", ""};
    int files = fixture_count_files();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(nst_picture_check_writable(fixture_path(good[i]), &plain, NULL), NST_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nst_error error;
        nst_picture picture = fixture_picture(1, 1, 3, 255);
        nst_picture_format format = {.depth_bits = 8, .jpeg_quality = 90};
        assert_int_equal(nst_picture_check_writable(fixture_path(bad[i]), &plain, &error), NST_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, ".jpeg"));
        assert_int_equal(nst_picture_write(&picture, fixture_path(bad[i]), &format, &error), NST_ERROR_ARGUMENT);
        nst_picture_free(&picture);
    }
    assert_int_equal(fixture_count_files(), files);
}

static void unwritable_places_are_found(void **state) {
    (void)state;
    nst_error error;
    assert_int_equal(nst_picture_check_writable(fixture_path("no-such-folder/a.png"), &plain, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "a.png"));
    assert_int_equal(mkdir(fixture_path("folder.png"), 0700), 0);
    assert_int_equal(nst_picture_check_writable(fixture_path("folder.png"), &plain, &error), NST_ERROR_FILE);
    rmdir(fixture_path("folder.png"));
}

static void pictures_that_are_none_are_refused(void **state) {
    (void)state;
    float value[4] = {0};
    const nst_picture bad[] = {{1, 1, 3, NULL}, {0, 1, 3, value}, {1, -1, 3, value}, {1, 1, 2, value}};
    nst_picture_format format = {.depth_bits = 8};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(nst_picture_write(&bad[i], fixture_path("none.png"), &format, NULL), NST_ERROR_ARGUMENT);
    nst_picture picture;
    assert_int_equal(picture_create(0, 1, 3, &picture, NULL), NST_ERROR_ARGUMENT);
    assert_int_equal(picture_create(32768, 1, 3, &picture, NULL), NST_ERROR_ARGUMENT);
    assert_int_equal(picture_create(32767, 32767, 3, &picture, NULL), NST_ERROR_ARGUMENT);
    assert_int_equal(picture_create(1, 1, 5, &picture, NULL), NST_ERROR_ARGUMENT);
    nst_picture_free(NULL);
}

/* A disk that is full after 500 bytes, as near as a test comes to one: the limit on the size of files. */
static nst_status write_with_file_limit(const nst_picture *picture, const char *name, nst_error *error) {
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 500;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    nst_picture_format format = {.depth_bits = 16, .jpeg_quality = 100};
    nst_status status = nst_picture_write(picture, fixture_path(name), &format, error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    return status;
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    static const char *const names[] = {"old.png", "old.jpg"};
    /* The small one is buffered whole, so that it fails only when the file is finished. */
    static const int sides[] = {30, 300};
    for (size_t i = 0; i < 2; i++)
        for (size_t side = 0; side < 2; side++) {
            nst_picture picture = fixture_picture(sides[side], sides[side], 3, 65535);
            nst_error error = {0};
            for (size_t k = 0; k < (size_t)(picture.width * picture.height) * 3; k++)
                picture.values[k] = (float)(k * 40503u % 65536u) / 65535.0f; /* does not compress */
            fixture_write(names[i], "old", 3);
            int files = fixture_count_files();
            assert_int_equal(write_with_file_limit(&picture, names[i], &error), NST_ERROR_FILE);
            assert_non_null(strstr(error.message, names[i]));
            assert_int_equal(fixture_count_files(), files);
            size_t bytes;
            unsigned char *data = fixture_read(names[i], &bytes);
            assert_int_equal(bytes, 3);
            assert_memory_equal(data, "old", 3);
            free(data);
            nst_picture_free(&picture);
        }
}

/* ---- A format that only this file knows -------------------------------------------------------------------------- */

/* Of one gray pixel: "TOY" and its value as a digit. */
static nst_status read_toy(const struct picture_source *source, struct decoded *decoded, nst_error *error) {
    nst_status status = picture_create(1, 1, 3, &decoded->picture, error);
    for (int c = 0; !status && c < 3; c++)
        decoded->picture.values[c] = (float)(source->data[3] - '0') / 9.0f;
    return status;
}

static nst_status write_toy(const nst_picture *picture, const struct picture_target *target, nst_error *error) {
    (void)error;
    fprintf(target->stream, "TOY%u", picture_quantize(picture->values[0], 9));
    return NST_OK;
}

static const struct codec toy = {
    .name = "Toy", .endings = {".toy"}, .signatures = {{0, 3, "TOY"}}, .read = read_toy, .write = write_toy};
/* Which can only be written. */
static const struct codec page = {
    .name = "Page", .endings = {".page"}, .signatures = {{0, 1, "<"}}, .write = write_toy};

static void another_format_is_one_line(void **state) {
    (void)state;
    const struct codec *const codecs[] = {&codec_png, &codec_jpeg, &toy, &page, NULL}, *found = NULL;
    struct picture_source source = {.path = "a.png", .data = (const unsigned char *)"TOY9", .bytes = 4};
    nst_picture picture;
    nst_error error;
    assert_int_equal(codec_find_writer(codecs, "a.Toy", &found, &error), NST_OK);
    assert_ptr_equal(found, &toy);
    assert_int_equal(codec_find_writer(codecs, "a.page", &found, &error), NST_OK);
    assert_ptr_equal(found, &page);
    assert_int_equal(codec_find_writer(codecs, "a.txt", &found, &error), NST_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "expected .png, .jpg, .jpeg, .toy or .page"));
    assert_int_equal(codec_find_writer(codecs_built_in(), "a.toy", &found, &error), NST_ERROR_ARGUMENT);

    assert_int_equal(codec_decode(codecs, &source, &picture, NULL, &error), NST_OK);
    assert_true(picture.values[0] == 1);
    nst_picture_free(&picture);
    source.data = (const unsigned char *)"<html>";
    assert_int_equal(codec_decode(codecs, &source, &picture, NULL, &error), NST_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "expected PNG, JPEG or Toy"));
    source.data = (const unsigned char *)"TOY9";
    assert_int_equal(codec_decode(codecs_built_in(), &source, &picture, NULL, &error), NST_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "expected PNG"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(folders_and_missing_files_are_refused),
        cmocka_unit_test(the_name_does_not_matter),
        cmocka_unit_test(endings_are_checked),
        cmocka_unit_test(unwritable_places_are_found),
        cmocka_unit_test(pictures_that_are_none_are_refused),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(another_format_is_one_line),
    };
    return cmocka_run_group_tests_name("image.file", tests, fixture_folder_create, fixture_folder_remove);
}
