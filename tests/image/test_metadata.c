/* test_metadata.c: what a file says besides its pixels goes into another one, as far as it stays true. */
#include "fixtures.h"
#include "image/decoded.h"
#include "image/exif.h"
#include "image/metadata.h"

#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { WIDTH = 24, HEIGHT = 16 };

/* ---- Pieces ---------------------------------------------------------------------------------------------------- */

struct piece {
    unsigned char data[600];
    size_t bytes;
    bool big_endian;
};

static void put_at(struct piece *piece, size_t at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        piece->data[at + (size_t)i] = (unsigned char)(value >> (8 * (piece->big_endian ? bytes - 1 - i : i)));
}

static void add(struct piece *piece, uint32_t value, int bytes) {
    put_at(piece, piece->bytes, value, bytes);
    piece->bytes += (size_t)bytes;
}

static void add_entry(struct piece *piece, uint32_t tag, uint32_t type, uint32_t value) {
    add(piece, tag, 2);
    add(piece, type, 2);
    add(piece, 1, 4);
    add(piece, value, type == 3 ? 2 : 4);
    if (type == 3)
        add(piece, 0, 2);
}

enum { SHORT = 3, LONG = 4 };
static const char thumbnail[] = "the picture as it was before";

/* The data of a camera: orientation 6, sizes, Adobe RGB, a thumbnail at the end. */
static struct piece make_exif(bool big_endian) {
    struct piece piece = {.big_endian = big_endian};
    memcpy(piece.data, big_endian ? "MM" : "II", 2);
    piece.bytes = 2;
    add(&piece, 42, 2);
    add(&piece, 8, 4);
    add(&piece, 4, 2); /* the first directory, at 8 */
    add_entry(&piece, EXIF_WIDTH, LONG, 4000);
    add_entry(&piece, EXIF_HEIGHT, SHORT, 3000);
    add_entry(&piece, EXIF_ORIENTATION, SHORT, 6);
    add_entry(&piece, EXIF_DIRECTORY, LONG, 62);
    add(&piece, 134, 4);
    assert_int_equal(piece.bytes, 62);
    add(&piece, 4, 2);
    add_entry(&piece, EXIF_COLOR_SPACE, SHORT, 65535);
    add_entry(&piece, EXIF_PIXEL_WIDTH, LONG, 4000);
    add_entry(&piece, EXIF_PIXEL_HEIGHT, LONG, 3000);
    add_entry(&piece, EXIF_INTEROPERABILITY_DIRECTORY, LONG, 116);
    add(&piece, 0, 4);
    assert_int_equal(piece.bytes, 116);
    add(&piece, 1, 2);
    add(&piece, EXIF_INTEROPERABILITY_INDEX, 2);
    add(&piece, 2, 2);
    add(&piece, 4, 4);
    memcpy(piece.data + piece.bytes, "R03", 4);
    piece.bytes += 4;
    add(&piece, 0, 4);
    assert_int_equal(piece.bytes, 134);
    add(&piece, 2, 2);
    add_entry(&piece, EXIF_THUMBNAIL, LONG, 164);
    add_entry(&piece, EXIF_THUMBNAIL_BYTES, LONG, sizeof thumbnail);
    add(&piece, 0, 4);
    assert_int_equal(piece.bytes, 164);
    memcpy(piece.data + piece.bytes, thumbnail, sizeof thumbnail);
    piece.bytes += sizeof thumbnail;
    return piece;
}

static const char xmp[] =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF><rdf:Description tiff:Orientation=\"6\"/>"
    "<dc:title>Zwei B\xc3\xa4ume</dc:title><tiff:Orientation>6</tiff:Orientation></rdf:RDF></x:xmpmeta>";
static const char upright_xmp[] =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF><rdf:Description tiff:Orientation=\"1\"/>"
    "<dc:title>Zwei B\xc3\xa4ume</dc:title><tiff:Orientation>1</tiff:Orientation></rdf:RDF></x:xmpmeta>";
static const char iptc[] = "\x1c\x02\x05\0\x09Two trees\x1c\x02\x19\0\x03oak";

static void insert_with_header(const char *name, int marker, const char *header, size_t header_bytes, const void *data,
                               size_t bytes) {
    unsigned char segment[2000];
    memcpy(segment, header, header_bytes);
    memcpy(segment + header_bytes, data, bytes);
    fixture_insert_marker(name, marker, segment, header_bytes + bytes);
}

/* A JPEG file with all of them, IPTC behind another resource of odd length. */
static void write_camera_file(const char *name, const struct piece *exif) {
    static unsigned char samples[WIDTH * HEIGHT * 3];
    static const char resources[] = "Photoshop 3.0\0"
                                    "8BIM\x03\xed\3abc\0\0\0\3xyz\0"
                                    "8BIM\x04\x04\0\0\0\0\0\x16";
    struct fixture_jpeg kind = {.width = WIDTH,
                                .height = HEIGHT,
                                .components = 3,
                                .color_space = JCS_RGB,
                                .file_color_space = JCS_YCbCr,
                                .samples = samples};
    for (size_t i = 0; i < sizeof samples; i++)
        samples[i] = (unsigned char)(i % 3 * 60 + 40);
    fixture_write_jpeg(name, &kind);
    insert_with_header(name, 0xed, resources, sizeof resources - 1, iptc, sizeof iptc - 1);
    insert_with_header(name, 0xe1, "http://ns.adobe.com/xap/1.0/", 29, xmp, sizeof xmp - 1);
    insert_with_header(name, 0xe1, "Exif\0", 6, exif->data, exif->bytes);
}

static nst_picture read_with_metadata(const char *name, nst_picture_metadata *metadata) {
    nst_picture picture;
    nst_note note;
    nst_error error;
    if (nst_picture_read_with_metadata(fixture_path(name), &picture, metadata, &note, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_string_equal(note.message, "");
    return picture;
}

static void expect_bytes(const nst_bytes *found, const void *data, size_t bytes) {
    assert_int_equal(found->bytes, bytes);
    assert_memory_equal(found->data, data, bytes);
}

static bool holds(const nst_bytes *data, const char *text) {
    for (size_t at = 0; at + strlen(text) <= data->bytes; at++)
        if (memcmp(data->data + at, text, strlen(text)) == 0)
            return true;
    return false;
}

static int count_in_file(const char *name, const char *text) {
    size_t bytes;
    unsigned char *data = fixture_read(name, &bytes);
    int count = 0;
    for (size_t at = 0; at + strlen(text) <= bytes; at++)
        count += memcmp(data + at, text, strlen(text)) == 0;
    free(data);
    return count;
}

/* ---- Files ----------------------------------------------------------------------------------------------------- */

static void metadata_are_read_as_they_are(void **state) {
    (void)state;
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        struct piece exif = make_exif(big_endian);
        nst_picture_metadata metadata;
        write_camera_file("camera.jpg", &exif);
        nst_picture picture = read_with_metadata("camera.jpg", &metadata);
        assert_int_equal(picture.width, HEIGHT); /* turned */
        expect_bytes(&metadata.exif, exif.data, exif.bytes);
        expect_bytes(&metadata.xmp, xmp, sizeof xmp - 1);
        expect_bytes(&metadata.iptc, iptc, sizeof iptc - 1);
        assert_non_null(metadata.profile.data); /* Adobe RGB, by EXIF */
        nst_picture_free(&picture);
        nst_picture_metadata_free(&metadata);
        nst_picture_metadata_free(NULL);
    }
}

/* What the EXIF data of a result must say. */
static struct piece adapted_exif(bool big_endian, bool is_srgb) {
    struct piece piece = make_exif(big_endian);
    put_at(&piece, 10 + 8, 40, 4);
    put_at(&piece, 22 + 8, 30, 2);
    put_at(&piece, 34 + 8, 1, 2);
    put_at(&piece, 58, 0, 4); /* no thumbnail */
    put_at(&piece, 76 + 8, 40, 4);
    put_at(&piece, 88 + 8, 30, 4);
    piece.bytes -= sizeof thumbnail;
    if (is_srgb) {
        put_at(&piece, 64 + 8, 1, 2);
        memcpy(piece.data + 118 + 8, "R98", 4);
    }
    return piece;
}

static void results_keep_what_stays_true(void **state) {
    (void)state;
    static const char *const names[] = {"kept.png", "kept.jpg"};
    for (int i = 0; i < 8; i++) {
        bool big_endian = i & 1, keeps_profile = i & 2;
        const char *name = names[i / 4];
        struct piece exif = make_exif(big_endian), expected = adapted_exif(big_endian, !keeps_profile);
        nst_picture_metadata metadata, found;
        write_camera_file("camera.jpg", &exif);
        nst_picture content = read_with_metadata("camera.jpg", &metadata);
        nst_picture result = fixture_picture(40, 30, 3, 255);
        if (!keeps_profile) {
            free(metadata.profile.data);
            metadata.profile = (nst_bytes){0};
        }
        nst_picture_format format = {.depth_bits = 8, .jpeg_quality = 90, .metadata = &metadata};
        assert_int_equal(nst_picture_write(&result, fixture_path(name), &format, NULL), NST_OK);
        nst_picture_free(&content);
        content = read_with_metadata(name, &found);
        assert_int_equal(content.width, 40); /* upright */
        expect_bytes(&found.exif, expected.data, expected.bytes);
        expect_bytes(&found.xmp, upright_xmp, sizeof upright_xmp - 1);
        expect_bytes(&found.iptc, iptc, sizeof iptc - 1);
        assert_false(holds(&found.exif, thumbnail));
        assert_int_equal(count_in_file(name, "eXIf"), i < 4);
        nst_picture_metadata_free(&metadata);
        nst_picture_metadata_free(&found);
        nst_picture_free(&content);
        nst_picture_free(&result);
    }
}

static void without_metadata_nothing_is_written(void **state) {
    (void)state;
    static const char *const names[] = {"bare.png", "bare.jpg"};
    for (int i = 0; i < 2; i++) {
        nst_picture result = fixture_picture(40, 30, 3, 255);
        nst_picture_format format = {.depth_bits = 8, .jpeg_quality = 90};
        nst_picture_metadata found;
        assert_int_equal(nst_picture_write(&result, fixture_path(names[i]), &format, NULL), NST_OK);
        nst_picture_free(&result);
        result = read_with_metadata(names[i], &found);
        assert_null(found.exif.data);
        assert_null(found.xmp.data);
        assert_null(found.iptc.data);
        nst_picture_metadata_free(&found);
        nst_picture_free(&result);
    }
}

/* A marker of JPEG has 65533 bytes. */
static void what_has_no_room_is_left_out(void **state) {
    (void)state;
    struct piece exif = make_exif(false);
    nst_picture_metadata metadata = {.exif = {calloc(70000, 1), 70000}, .xmp = {calloc(65533, 1), 65533}}, found;
    assert_true(metadata.exif.data && metadata.xmp.data);
    memcpy(metadata.exif.data, exif.data, exif.bytes);
    memset(metadata.xmp.data, ' ', 65533);
    memcpy(metadata.xmp.data, "<x:xmpmeta", 10);
    nst_picture_format format = {.depth_bits = 8, .jpeg_quality = 90, .metadata = &metadata};
    nst_picture result = fixture_picture(4, 3, 3, 255);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "large.jpg" : "large.png";
        assert_int_equal(nst_picture_write(&result, fixture_path(name), &format, NULL), NST_OK);
        nst_picture picture = read_with_metadata(name, &found);
        assert_int_equal(found.exif.bytes, i ? 0 : 70000);
        assert_int_equal(found.xmp.bytes, i ? 0 : 65533);
        nst_picture_free(&picture);
        nst_picture_metadata_free(&found);
    }
    nst_picture_metadata_free(&metadata);
    nst_picture_free(&result);
}

/* ---- Damage ---------------------------------------------------------------------------------------------------- */

/* Whatever a byte says, nothing outside of the data is touched; the sanitizers watch. */
static void damaged_pieces_do_no_harm(void **state) {
    (void)state;
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    const struct exif_result result = {40, 30, true};
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        struct piece exif = make_exif(big_endian);
        for (size_t at = 0; at < exif.bytes; at++)
            for (size_t i = 0; i < sizeof values; i++)
                for (size_t bytes = exif.bytes; bytes > 0; bytes = at % 16 ? 0 : bytes / 2) {
                    unsigned char *data = malloc(bytes);
                    assert_non_null(data);
                    memcpy(data, exif.data, bytes);
                    data[at < bytes ? at : 0] = values[i];
                    struct decoded decoded = {0};
                    decoded_add_metadata(&decoded, data, bytes);
                    exif_is_adobe_rgb(data, bytes);
                    assert_true(exif_adapt(data, bytes, &result) <= bytes);
                    decoded_free(&decoded);
                    free(data);
                }
    }
}

static void damaged_resources_are_passed_over(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t bytes;
    } cases[] = {
        {"8BIM", 4},
        {"8BIM\x04\x04\0\0\0\0\0\x05\x1c\2\0\0", 16},
        {"8BIM\x04\x04\xff\0\0\0\0\x02\x1c\2", 14},
        {"8BIM\x03\xed\0\0\xff\xff\xff\xff\x1c\2", 14},
        {"Photoshop 3.0\0", 14},
        {"Exif\0\0", 6},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct decoded decoded = {0};
        decoded_add_metadata(&decoded, (const unsigned char *)cases[i].data, cases[i].bytes);
        assert_null(decoded.metadata.iptc.data);
        assert_null(decoded.metadata.exif.data);
        decoded_free(&decoded);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_are_read_as_they_are),       cmocka_unit_test(results_keep_what_stays_true),
        cmocka_unit_test(without_metadata_nothing_is_written), cmocka_unit_test(what_has_no_room_is_left_out),
        cmocka_unit_test(damaged_pieces_do_no_harm),           cmocka_unit_test(damaged_resources_are_passed_over),
    };
    return cmocka_run_group_tests_name("image.metadata", tests, fixture_folder_create, fixture_folder_remove);
}
