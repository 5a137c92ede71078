/* test_orientation.c: a picture is turned as its file says, in whatever way files say it: EXIF with an integer of any
 * type, XMP, ImageMagick's texts, in JPEG and in PNG; EXIF goes before XMP. */
#include "fixtures.h"
#include "image/decoded.h"

#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

enum { TURNED = 6 }; /* what the files below tell: width and height are exchanged */

/* ---- Pieces of metadata ---------------------------------------------------------------------------------------- */

struct piece {
    unsigned char data[256];
    size_t bytes;
};

static void add_number(struct piece *piece, uint64_t value, int bytes, bool big_endian) {
    for (int i = 0; i < bytes; i++)
        piece->data[piece->bytes++] = (unsigned char)(value >> (8 * (big_endian ? bytes - 1 - i : i)));
}

static void add_text(struct piece *piece, const char *text) {
    memcpy(piece->data + piece->bytes, text, strlen(text));
    piece->bytes += strlen(text);
}

/* EXIF data of one entry: `count` values of a type of `value_bytes`, the first of them `orientation`. */
static struct piece make_exif(int type, int value_bytes, uint32_t count, uint32_t orientation, bool big_endian) {
    struct piece piece = {{0}, 0};
    add_text(&piece, big_endian ? "MM" : "II");
    add_number(&piece, 42, 2, big_endian);
    add_number(&piece, 8, 4, big_endian);
    add_number(&piece, 1, 2, big_endian);
    add_number(&piece, 0x0112, 2, big_endian);
    add_number(&piece, (uint32_t)type, 2, big_endian);
    add_number(&piece, count, 4, big_endian);
    size_t values = piece.bytes;
    if (count * (uint32_t)value_bytes > 4) {
        add_number(&piece, (uint32_t)piece.bytes + 8, 4, big_endian); /* behind the next directory's offset */
        add_number(&piece, 0, 4, big_endian);
        values = piece.bytes;
    }
    for (uint32_t i = 0; i < count && i < 8; i++)
        add_number(&piece, i == 0 ? orientation : 1, value_bytes, big_endian);
    while (piece.bytes < values + 8)
        add_number(&piece, 0, 1, big_endian);
    return piece;
}

static struct piece with_prefix(const char *prefix, size_t prefix_bytes, const struct piece *piece) {
    struct piece result = {{0}, prefix_bytes + piece->bytes};
    memcpy(result.data, prefix, prefix_bytes);
    memcpy(result.data + prefix_bytes, piece->data, piece->bytes);
    return result;
}

static struct piece with_exif_prefix(const struct piece *piece) {
    return with_prefix("Exif\0\0", 6, piece);
}

static struct piece make_xmp(const char *property) {
    struct piece piece = {{0}, 0};
    add_text(&piece, "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description ");
    add_text(&piece, property);
    add_text(&piece, "</rdf:Description></rdf:RDF></x:xmpmeta>");
    return piece;
}

static struct piece with_xmp_prefix(const struct piece *piece) {
    static const char prefix[] = "http://ns.adobe.com/xap/1.0/";
    return with_prefix(prefix, sizeof prefix, piece);
}

/* A text as ImageMagick writes it: name, count of bytes, lines of 72 digits. Into a static buffer. */
static char *make_raw_profile(const char *name, const struct piece *piece) {
    static char text[1024];
    int used = snprintf(text, sizeof text, "\n%s\n%8zu\n", name, piece->bytes);
    for (size_t i = 0; i < piece->bytes; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%02x%s", piece->data[i], i % 36 == 35 ? "\n" : "");
    snprintf(text + used, sizeof text - (size_t)used, "\n");
    return text;
}

static int told_orientation(const struct piece *piece) {
    struct orientation told = {0};
    orientation_add(&told, piece->data, piece->bytes);
    assert_true(told.exif == 0 || told.xmp == 0);
    return told.exif + told.xmp;
}

/* ---- What a piece tells ---------------------------------------------------------------------------------------- */

/* BYTE, SHORT, LONG and their signed kinds, one value or several, in the entry and elsewhere. */
static void exif_of_every_integer_type_is_read(void **state) {
    (void)state;
    static const int types[][2] = {{1, 1}, {3, 2}, {4, 4}, {6, 1}, {8, 2}, {9, 4}};
    static const uint32_t counts[] = {1, 2, 3, 5, 8};
    for (size_t type = 0; type < sizeof types / sizeof *types; type++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (uint32_t orientation = 1; orientation <= 8; orientation++)
                for (int big_endian = 0; big_endian < 2; big_endian++) {
                    struct piece piece = make_exif(types[type][0], types[type][1], counts[i], orientation, big_endian);
                    struct piece prefixed = with_exif_prefix(&piece);
                    assert_int_equal(told_orientation(&piece), orientation);
                    assert_int_equal(told_orientation(&prefixed), orientation);
                }
}

static void exif_that_makes_no_sense_is_ignored(void **state) {
    (void)state;
    static const struct {
        int type, bytes;
        uint32_t count, orientation;
    } cases[] = {{3, 2, 1, 0},  {3, 2, 1, 9}, {4, 4, 1, 0x10006}, {4, 4, 1, 0xffffffff}, {2, 1, 2, 6}, {5, 8, 1, 6},
                 {12, 8, 1, 6}, {0, 2, 1, 6}, {3, 2, 0, 6},       {4, 4, 0x80000000, 0}, {99, 2, 1, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int big_endian = 0; big_endian < 2; big_endian++) {
            struct piece piece =
                make_exif(cases[i].type, cases[i].bytes, cases[i].count, cases[i].orientation, big_endian);
            assert_int_equal(told_orientation(&piece), 0);
        }
}

/* Data cut off or changed anywhere is ignored or read, and nothing outside of it is looked at (sanitizers see). */
static void try_broken(const struct piece *piece, size_t least_bytes) {
    for (size_t kept = 0; kept <= piece->bytes; kept++) {
        unsigned char *copy = malloc(kept + 1); /* one byte too many only where malloc(0) would be asked for */
        assert_non_null(copy);
        unsigned char *start = copy + 1;
        memcpy(start, piece->data, kept);
        struct orientation told = {0};
        orientation_add(&told, start, kept);
        assert_int_equal(told.exif + told.xmp, kept < least_bytes ? 0 : TURNED);
        for (size_t at = 0; at < kept; at++)
            for (int bit = 0; bit < 8; bit++) {
                start[at] ^= (unsigned char)(1 << bit);
                told = (struct orientation){0};
                orientation_add(&told, start, kept);
                assert_in_range(told.exif, 0, 8);
                assert_in_range(told.xmp, 0, 8);
                start[at] ^= (unsigned char)(1 << bit);
            }
        free(copy);
    }
}

static void broken_pieces_are_ignored(void **state) {
    (void)state;
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        struct piece exif = make_exif(3, 2, 1, TURNED, big_endian), many = make_exif(4, 4, 2, TURNED, big_endian);
        try_broken(&exif, 22);
        try_broken(&many, 30);
    }
    static const char property[] = "tiff:Orientation=\"6";
    struct piece xmp = make_xmp("tiff:Orientation=\"6\">");
    size_t end = 0;
    while (memcmp(xmp.data + end, property, sizeof property - 1) != 0)
        end++;
    try_broken(&xmp, end + sizeof property - 1);
}

static void xmp_is_read_in_both_forms(void **state) {
    (void)state;
    static const struct {
        const char *property;
        int orientation;
    } cases[] = {
        {"tiff:Orientation=\"6\">", 6},
        {"a:b='1' tiff:Orientation = '3' c:d='2'>", 3},
        {"><tiff:Orientation>8</tiff:Orientation>", 8},
        {"><tiff:Orientation>\n 5 </tiff:Orientation>", 5},
        {"tiff:OrientationOther=\"2\" tiff:Orientation=\"7\">", 7},
        {"tiff:Orientation=\"0\">", 0},
        {"tiff:Orientation=\"9\">", 0},
        {"tiff:Orientation=\"66\">", 0},
        {"tiff:Orientation=\"6th\">", 6},
        {"tiff:Orientation=\"\">", 0},
        {"tiff:Orientation>", 0},
        {"tiff:Orientation:\"6\">", 0},
        {"exif:Orientation=\"6\">", 0},
        {">", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct piece piece = make_xmp(cases[i].property), prefixed = with_xmp_prefix(&piece);
        assert_int_equal(told_orientation(&piece), cases[i].orientation);
        assert_int_equal(told_orientation(&prefixed), cases[i].orientation);
    }
}

static void raw_profiles_are_read(void **state) {
    (void)state;
    struct piece exif = make_exif(3, 2, 1, TURNED, false), xmp = make_xmp("tiff:Orientation=\"3\">");
    struct piece prefixed = with_exif_prefix(&exif), prefixed_xmp = with_xmp_prefix(&xmp);
    const struct piece *const pieces[] = {&exif, &prefixed, &xmp, &prefixed_xmp};
    for (size_t i = 0; i < 4; i++) {
        struct decoded told = {0};
        decoded_add_raw_profile(&told, make_raw_profile("exif", pieces[i]));
        assert_int_equal(told.orientation.exif, i < 2 ? TURNED : 0);
        assert_int_equal(told.orientation.xmp, i < 2 ? 0 : 3);
        decoded_free(&told);
    }
    static const char *const nothing[] = {"",    "\n", "\nexif", "exif 4", "exif 4 zz", "exif 40 4578696600004949",
                                          "\n\n"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        struct decoded told = {0};
        char *text = strdup(nothing[i]);
        assert_non_null(text);
        decoded_add_raw_profile(&told, text);
        assert_int_equal(told.orientation.exif + told.orientation.xmp, 0);
        decoded_free(&told);
        free(text);
    }
}

/* ---- What a file tells ----------------------------------------------------------------------------------------- */

static void write_flat(const char *name) {
    static const unsigned char samples[16 * 8 * 3];
    size_t length = strlen(name);
    if (strcmp(name + length - 4, ".png") == 0) {
        struct fixture_png kind = {16, 8, PNG_COLOR_TYPE_RGB, 8, false, false, 0};
        fixture_write_png(name, &kind);
    } else {
        struct fixture_jpeg kind = {16, 8, 3, JCS_RGB, JCS_YCbCr, false, samples, 0, false};
        fixture_write_jpeg(name, &kind);
    }
}

static void assert_turned(const char *name, bool turned) {
    nst_picture picture = fixture_read_picture(name);
    assert_int_equal(picture.width, turned ? 8 : 16);
    assert_int_equal(picture.height, turned ? 16 : 8);
    nst_picture_free(&picture);
}

static void insert_app1(const char *name, struct piece piece) {
    fixture_insert_marker(name, JPEG_APP0 + 1, piece.data, piece.bytes);
}

/* A text chunk, uncompressed: keyword and text, in iTXt with the flags and languages between. */
static void insert_text(const char *name, const char *type, const char *keyword, const char *text) {
    static unsigned char data[4096];
    size_t at = strlen(keyword) + 1;
    memset(data, 0, sizeof data);
    memcpy(data, keyword, at);
    at += strcmp(type, "iTXt") == 0 ? 4 : 0;
    memcpy(data + at, text, strlen(text));
    fixture_insert_chunk(name, type, data, at + strlen(text));
}

static void jpeg_files_are_turned(void **state) {
    (void)state;
    struct piece exif = make_exif(4, 4, 1, TURNED, true), upright = make_exif(3, 2, 1, 1, false);
    struct piece none = make_exif(3, 2, 0, 0, false), xmp = make_xmp("tiff:Orientation=\"6\">");
    write_flat("a.jpg");
    assert_turned("a.jpg", false);
    insert_app1("a.jpg", with_exif_prefix(&exif));
    assert_turned("a.jpg", true);
    insert_app1("a.jpg", with_exif_prefix(&none)); /* now the first of two, and without the tag */
    assert_turned("a.jpg", true);
    insert_app1("a.jpg", with_exif_prefix(&upright)); /* the first that tells it counts */
    assert_turned("a.jpg", false);

    write_flat("b.jpg");
    insert_app1("b.jpg", with_xmp_prefix(&xmp));
    assert_turned("b.jpg", true);
    insert_app1("b.jpg", with_exif_prefix(&none));
    assert_turned("b.jpg", true);
    insert_app1("b.jpg", with_exif_prefix(&upright)); /* EXIF goes before XMP, wherever it stands */
    assert_turned("b.jpg", false);
    write_flat("b.jpg");
    insert_app1("b.jpg", with_exif_prefix(&upright));
    insert_app1("b.jpg", with_xmp_prefix(&xmp));
    assert_turned("b.jpg", false);
}

static void png_files_are_turned(void **state) {
    (void)state;
    struct piece exif = make_exif(4, 4, 1, TURNED, false), upright = make_exif(3, 2, 1, 1, false);
    struct piece prefixed = with_exif_prefix(&exif), xmp = make_xmp("><tiff:Orientation>6</tiff:Orientation>");
    xmp.data[xmp.bytes] = '\0';
    const struct piece *const pieces[] = {&exif, &prefixed};
    for (size_t i = 0; i < 2; i++) {
        write_flat("a.png");
        assert_turned("a.png", false);
        fixture_insert_chunk("a.png", "eXIf", pieces[i]->data, pieces[i]->bytes);
        assert_turned("a.png", true);
    }
    write_flat("b.png");
    insert_text("b.png", "iTXt", "XML:com.adobe.xmp", (const char *)xmp.data);
    assert_turned("b.png", true);
    fixture_insert_chunk("b.png", "eXIf", upright.data, upright.bytes);
    assert_turned("b.png", false);
    write_flat("c.png");
    insert_text("c.png", "tEXt", "Raw profile type exif", make_raw_profile("exif", &prefixed));
    assert_turned("c.png", true);
    write_flat("c.png");
    insert_text("c.png", "tEXt", "Raw profile type APP1", make_raw_profile("generic", &prefixed));
    assert_turned("c.png", true);
    write_flat("c.png");
    insert_text("c.png", "tEXt", "Comment", "tiff:Orientation=\"6\"");
    assert_turned("c.png", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exif_of_every_integer_type_is_read),
        cmocka_unit_test(exif_that_makes_no_sense_is_ignored),
        cmocka_unit_test(broken_pieces_are_ignored),
        cmocka_unit_test(xmp_is_read_in_both_forms),
        cmocka_unit_test(raw_profiles_are_read),
        cmocka_unit_test(jpeg_files_are_turned),
        cmocka_unit_test(png_files_are_turned),
    };
    return cmocka_run_group_tests_name("image.orientation", tests, fixture_folder_create, fixture_folder_remove);
}
