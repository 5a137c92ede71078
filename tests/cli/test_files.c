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
    };
    return cmocka_run_group_tests_name("cli.files", tests, fixtures_create, fixtures_remove);
}
