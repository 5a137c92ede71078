/* test_files.c: what goes through the program besides and beyond 8 bits a channel, from the content's file into the
 * result's. */
#include "fixtures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JOB " style.png --network ./small.safetensors --size 48 --iterations 0 "

static void run_fine(const char *line) {
    const struct outcome *outcome = program_run(line, NULL);
    if (outcome->status != 0)
        fail_msg("nst %s\nended with %d and %s", line, outcome->status, outcome->err);
}

static nst_picture read_picture(const char *path, nst_picture_metadata *metadata) {
    nst_picture picture;
    nst_error error;
    if (nst_picture_read_with_metadata(path, &picture, metadata, NULL, &error) != NST_OK)
        fail_msg("%s", error.message);
    return picture;
}

static void write_picture(const nst_picture *picture, const char *path, const nst_picture_metadata *metadata) {
    nst_picture_format format = {.depth_bits = 16, .jpeg_quality = 100, .metadata = metadata};
    nst_error error;
    if (nst_picture_write(picture, path, &format, &error) != NST_OK)
        fail_msg("%s", error.message);
}

/* Of 48 x 36 pixels, whose values need all of 16 bits. */
static nst_picture make_deep_picture(int channels) {
    nst_picture picture = {48, 36, channels, malloc((size_t)48 * 36 * (size_t)channels * sizeof(float))};
    assert_non_null(picture.values);
    for (size_t i = 0; i < (size_t)48 * 36 * (size_t)channels; i++)
        picture.values[i] = (float)(i * 40503u % 65535u + 1) / 65535.0f;
    return picture;
}

static void expect_within(const nst_picture *found, const nst_picture *expected, double tolerance) {
    assert_int_equal(found->width, expected->width);
    assert_int_equal(found->height, expected->height);
    assert_int_equal(found->channels, expected->channels);
    size_t count = (size_t)found->width * (size_t)found->height * (size_t)found->channels;
    for (size_t i = 0; i < count; i++)
        if (fabs(found->values[i] - expected->values[i]) > tolerance)
            fail_msg("value %zu: %f, not %f", i, found->values[i], expected->values[i]);
}

static void sixteen_bits_come_through(void **state) {
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        nst_picture deep = make_deep_picture(channels);
        write_picture(&deep, "deep.png", NULL);
        run_fine("deep.png" JOB "--depth 16 -o through.png");
        nst_picture found = read_picture("through.png", NULL);
        expect_within(&found, &deep, 1.001 / 65535);
        nst_picture_free(&found);
        nst_picture_free(&deep);
    }
}

/* A file with EXIF, XMP and IPTC data. */
static nst_picture_metadata make_metadata(void) {
    static unsigned char exif[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0";
    static unsigned char xmp[] = "<x:xmpmeta>said of the picture</x:xmpmeta>", iptc[] = "\x1c\x02\x05\0\x04oaks";
    return (nst_picture_metadata){
        .exif = {exif, sizeof exif - 1}, .xmp = {xmp, sizeof xmp - 1}, .iptc = {iptc, sizeof iptc - 1}};
}

static void metadata_are_kept_unless_stripped(void **state) {
    (void)state;
    nst_picture deep = make_deep_picture(3);
    nst_picture_metadata metadata = make_metadata(), found;
    write_picture(&deep, "told.png", &metadata);
    run_fine("told.png" JOB "-o kept.jpg");
    nst_picture picture = read_picture("kept.jpg", &found);
    assert_int_equal(found.exif.bytes, metadata.exif.bytes);
    assert_int_equal(found.xmp.bytes, metadata.xmp.bytes);
    assert_int_equal(found.iptc.bytes, metadata.iptc.bytes);
    assert_memory_equal(found.xmp.data, metadata.xmp.data, found.xmp.bytes);
    nst_picture_free(&picture);
    nst_picture_metadata_free(&found);
    run_fine("told.png" JOB "-o stripped.jpg --strip");
    picture = read_picture("stripped.jpg", &found);
    assert_true(!found.exif.data && !found.xmp.data && !found.iptc.data && found.profile.data);
    nst_picture_free(&picture);
    nst_picture_metadata_free(&found);
    nst_picture_free(&deep);
}

/* The profile of a JPEG file by nst is sRGB's: it serves as that of a content. */
static void profiles_are_kept_when_asked_for(void **state) {
    (void)state;
    nst_picture deep = make_deep_picture(3), found;
    nst_picture_metadata metadata, kept;
    write_picture(&deep, "srgb.jpg", NULL);
    nst_picture_free(&deep);
    deep = read_picture("srgb.jpg", &metadata);
    assert_non_null(metadata.profile.data);
    metadata.profile.data[24 + 1] ^= 1; /* another date: another profile, of the same colors */
    write_picture(&deep, "other.png", &metadata);
    for (int keep = 0; keep < 2; keep++) {
        run_fine(keep ? "other.png" JOB "-o own.png --depth 16 --keep-profile --strip"
                      : "other.png" JOB "-o own.png --depth 16");
        found = read_picture("own.png", &kept);
        expect_within(&found, &deep, 1e-4);
        assert_int_equal(kept.profile.bytes, keep ? metadata.profile.bytes : 0);
        if (keep)
            assert_memory_equal(kept.profile.data, metadata.profile.data, kept.profile.bytes);
        nst_picture_free(&found);
        nst_picture_metadata_free(&kept);
    }
    nst_picture_free(&deep);
    nst_picture_metadata_free(&metadata);
}

/* ---- Streams, folders, names ----------------------------------------------------------------------------------- */

static void run_shell(const char *command) {
    int status = system(command);
    if (status != 0)
        fail_msg("%s\nended with %d", command, status);
}

static void expect_same_pixels(const char *a, const char *b) {
    nst_picture first = read_picture(a, NULL), second = read_picture(b, NULL);
    expect_within(&first, &second, 0);
    nst_picture_free(&first);
    nst_picture_free(&second);
}

/* The bytes of a result, and no others, go to standard output; each picture can come from standard input. */
static void streams_take_the_place_of_files(void **state) {
    (void)state;
    run_fine("content.png" JOB "-o file.png");
    run_shell(NST_PROGRAM " -" JOB "-o - --format png <content.png >stream.png 2>stream.txt");
    expect_same_pixels("stream.png", "file.png");
    size_t bytes;
    char *told = fixture_read_file("stream.txt", &bytes);
    assert_non_null(strstr(told, "standard output: 48 x 36 pixels"));
    free(told);
    run_shell(NST_PROGRAM " content.png -"
                          " --network ./small.safetensors --size 48 --iterations 0 -q "
                          "-o - --format jpg <style.png >stream.jpg 2>stream.txt");
    nst_picture picture = read_picture("stream.jpg", NULL);
    assert_int_equal(picture.width, 48);
    nst_picture_free(&picture);
    free(fixture_read_file("stream.txt", &bytes));
    assert_int_equal(bytes, 0);
    run_shell("cat content.png | " NST_PROGRAM " content.png" JOB "--init - -q -o init.png");
    expect_same_pixels("init.png", "file.png");
}

static void a_full_stream_is_an_error(void **state) {
    (void)state;
    if (system("test -c /dev/full") != 0)
        skip();
    assert_int_not_equal(system(NST_PROGRAM " content.png" JOB "-o - --format png -q >/dev/full 2>full.txt"), 0);
    size_t bytes;
    char *told = fixture_read_file("full.txt", &bytes);
    assert_one_error_line("-o - >/dev/full", told);
    assert_non_null(strstr(told, "standard output"));
    free(told);
}

static void in_a_folder_the_content_names_the_result(void **state) {
    (void)state;
    run_shell("mkdir results");
    run_fine("content.png" JOB "-o results");
    run_fine("./content.png" JOB "-o results/ --format jpg -q");
    run_fine("content.png" JOB "-o named --format png -q");
    expect_same_pixels("results/content-nst.png", "named");
    nst_picture picture = read_picture("results/content-nst.jpg", NULL);
    nst_picture_free(&picture);
    run_shell("rm -r results named");
}

static void names_may_have_any_bytes(void **state) {
    (void)state;
    static const char *const names[] = {"\xff\xfe.png", "B\xc3\xa4ume.png", "$(true)\".png", "%s%n.png", "-odd.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char input[64], line[256];
        snprintf(input, sizeof input, "in%s", names[i]);
        size_t bytes;
        char *content = fixture_read_file("content.png", &bytes);
        fixture_write_file(input, content, bytes);
        free(content);
        snprintf(line, sizeof line, "%s" JOB "-o ./%s", input, names[i]);
        run_fine(line);
        expect_same_pixels(names[i], input);
    }
}

static void a_job_without_iterations_tells_no_loss(void **state) {
    (void)state;
    run_fine("content.png" JOB "-o none.png --log none.jsonl --save-every 1");
    size_t bytes;
    char *log = fixture_read_file("none.jsonl", &bytes);
    assert_non_null(log);
    assert_int_equal(bytes, 0);
    free(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bits_come_through),
        cmocka_unit_test(metadata_are_kept_unless_stripped),
        cmocka_unit_test(profiles_are_kept_when_asked_for),
        cmocka_unit_test(a_job_without_iterations_tells_no_loss),
        cmocka_unit_test(streams_take_the_place_of_files),
        cmocka_unit_test(a_full_stream_is_an_error),
        cmocka_unit_test(in_a_folder_the_content_names_the_result),
        cmocka_unit_test(names_may_have_any_bytes),
    };
    return cmocka_run_group_tests_name("cli.files", tests, fixtures_create, fixtures_remove);
}
