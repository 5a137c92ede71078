/* format_case.c: see format_case.h. */
#include "format_case.h"
#include "fixtures.h"
#include "image/exif.h"

#include <math.h>

void format_expect(const char *name, const nst_picture *expected, double tolerance) {
    nst_picture found = fixture_read_picture(name);
    assert_int_equal(found.width, expected->width);
    assert_int_equal(found.height, expected->height);
    assert_int_equal(found.channels, expected->channels);
    for (int i = 0; i < found.width * found.height * found.channels; i++)
        if (!(fabs(found.values[i] - expected->values[i]) <= tolerance))
            fail_msg("%s, value %d: %f, not %f", name, i, found.values[i], expected->values[i]);
    nst_picture_free(&found);
}

void format_write(const nst_picture *picture, const char *name, int depth_bits, int webp_quality,
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

void format_check_metadata(const char *name, bool has_iptc) {
    const nst_picture_metadata metadata = {
        .exif = {camera_exif, sizeof camera_exif}, .xmp = {xmp, sizeof xmp - 1}, .iptc = {iptc, sizeof iptc - 1}};
    nst_picture picture = fixture_picture(FORMAT_WIDTH, FORMAT_HEIGHT, 3, 255), found;
    nst_picture_metadata told;
    nst_error error;
    format_write(&picture, name, 8, 0, &metadata);
    if (nst_picture_read_with_metadata(fixture_path(name), &found, &told, NULL, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_non_null(told.profile.data); /* of sRGB */
    assert_memory_equal(found.values, picture.values, (size_t)FORMAT_WIDTH * FORMAT_HEIGHT * 3 * sizeof(float));
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
