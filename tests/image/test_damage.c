/* test_damage.c: JPEG files that are damaged: read with a note where every row is there, whatever libjpeg warns of;
 * refused where rows are missing; kinds that cannot be read are named, not called damaged. PNG: see test_png.c. */
#include "fixtures.h"

#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define SIDE 64 /* 8 x 8 blocks */

/* How a file is coded, besides 4:4:4 and quality 90. */
struct coding {
    bool restarts;       /* a restart marker behind each row of blocks */
    bool separate_scans; /* one for each component */
    bool progressive, arithmetic;
};

static void write_file(const char *name, const struct coding *coding) {
    static const jpeg_scan_info scans[] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    FILE *stream = fopen(fixture_path(name), "wb");
    assert_non_null(stream);
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct info = {.err = jpeg_std_error(&errors)};
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, stream);
    info.image_width = info.image_height = SIDE;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 90, TRUE);
    info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    info.restart_in_rows = coding->restarts;
    info.arith_code = coding->arithmetic;
    if (coding->progressive)
        jpeg_simple_progression(&info);
    if (coding->separate_scans) {
        info.scan_info = scans;
        info.num_scans = 3;
    }
    jpeg_start_compress(&info, TRUE);
    for (int y = 0; y < SIDE; y++) {
        JSAMPLE samples[SIDE * 3];
        JSAMPROW row = samples;
        for (int i = 0; i < SIDE * 3; i++)
            samples[i] = (JSAMPLE)((i * 7 + y * 11 + i * y) % 200 + 20);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    assert_int_equal(fclose(stream), 0);
}

/* ---- Changing files -------------------------------------------------------------------------------------------- */

/* The position of the marker number `index` of that kind. */
static size_t find_marker(const unsigned char *data, size_t bytes, int marker, int index) {
    for (size_t at = 0; at + 1 < bytes; at++)
        if (data[at] == 0xff && data[at + 1] == marker && index-- == 0)
            return at;
    fail_msg("no marker %02x", (unsigned)marker);
    return 0;
}

/* A copy of `from` in which the bytes from `start` to `end` are replaced. */
static void write_changed(const char *from, const char *to, const size_t range[2], const char *with,
                          size_t with_bytes) {
    size_t bytes;
    unsigned char *data = fixture_read(from, &bytes);
    unsigned char *changed = malloc(bytes + with_bytes);
    assert_non_null(changed);
    assert_true(range[0] <= range[1] && range[1] <= bytes);
    memcpy(changed, data, range[0]);
    memcpy(changed + range[0], with, with_bytes);
    memcpy(changed + range[0] + with_bytes, data + range[1], bytes - range[1]);
    fixture_write(to, changed, range[0] + with_bytes + bytes - range[1]);
    free(changed);
    free(data);
}

static void cut_from(const char *from, const char *to, size_t start, const char *with, size_t with_bytes) {
    size_t bytes;
    free(fixture_read(from, &bytes));
    write_changed(from, to, (size_t[]){start, bytes}, with, with_bytes);
}

static void assert_same_rows(const nst_picture *a, const nst_picture *b, int first, int end) {
    size_t row = SIDE * 3;
    assert_int_equal(a->width, SIDE);
    assert_int_equal(a->height, SIDE);
    assert_memory_equal(a->values + (size_t)first * row, b->values + (size_t)first * row,
                        (size_t)(end - first) * row * sizeof(float));
}

static bool same_rows(const nst_picture *a, const nst_picture *b, int first, int end) {
    size_t row = SIDE * 3;
    return memcmp(a->values + (size_t)first * row, b->values + (size_t)first * row,
                  (size_t)(end - first) * row * sizeof(float)) == 0;
}

/* ---- Ends ------------------------------------------------------------------------------------------------------ */

static void an_end_that_is_missing_is_noted(void **state) {
    (void)state;
    static const struct coding codings[] = {
        {0},
        {.restarts = true},
        {.separate_scans = true},
        {.progressive = true},
#ifdef C_ARITH_CODING_SUPPORTED
        {.arithmetic = true},
#endif
    };
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        size_t bytes;
        write_file("whole.jpg", &codings[i]);
        free(fixture_read("whole.jpg", &bytes));
        nst_picture whole = fixture_read_picture("whole.jpg");
        cut_from("whole.jpg", "cut.jpg", bytes - 2, "", 0);
        nst_picture picture = fixture_read_damaged("cut.jpg", "Premature end of JPEG file");
        assert_same_rows(&picture, &whole, 0, SIDE);
        nst_picture_free(&picture);
        cut_from("whole.jpg", "long.jpg", bytes - 2, "more than a decoder reads ahead\xff\xd9", 33);
        picture = fixture_read_damaged("long.jpg", "extraneous bytes");
        assert_same_rows(&picture, &whole, 0, SIDE);
        nst_picture_free(&picture);
        nst_picture_free(&whole);
    }
}

static void missing_rows_are_an_error(void **state) {
    (void)state;
    static const struct coding codings[] = {
        {0},
        {.restarts = true},
        {.separate_scans = true},
        {.progressive = true},
#ifdef C_ARITH_CODING_SUPPORTED
        {.arithmetic = true},
#endif
    };
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        size_t bytes;
        write_file("whole.jpg", &codings[i]);
        free(fixture_read("whole.jpg", &bytes));
        for (size_t kept = 0; kept < bytes * 3 / 4; kept += 37) {
            cut_from("whole.jpg", "cut.jpg", kept, "", 0);
            fixture_expect_failure("cut.jpg", NST_ERROR_FORMAT, "", "");
        }
    }
    /* The same with an end marker, which hides that the file is cut. */
    write_file("whole.jpg", &codings[0]);
    size_t bytes;
    free(fixture_read("whole.jpg", &bytes));
    cut_from("whole.jpg", "cut.jpg", bytes * 3 / 4, "\xff\xd9", 2);
    fixture_expect_failure("cut.jpg", NST_ERROR_FORMAT, "damaged JPEG", "premature end of data segment");
}

static void missing_scans_are_an_error(void **state) {
    (void)state;
    static const struct coding codings[] = {{.separate_scans = true}, {.progressive = true}};
    for (size_t i = 0; i < 2; i++) {
        write_file("whole.jpg", &codings[i]);
        size_t bytes;
        unsigned char *data = fixture_read("whole.jpg", &bytes);
        int scans = 0;
        for (size_t at = 0; at + 1 < bytes; at++)
            scans += data[at] == 0xff && data[at + 1] == 0xda;
        assert_true(scans >= 3);
        for (int scan = 1; scan < scans; scan++) {
            cut_from("whole.jpg", "cut.jpg", find_marker(data, bytes, 0xda, scan), "", 0);
            fixture_expect_failure("cut.jpg", NST_ERROR_FORMAT, "damaged JPEG", "Premature end");
        }
        free(data);
    }
}

/* An end marker within the last row of blocks: as some cameras write it. */
static void an_early_end_is_noted(void **state) {
    (void)state;
    write_file("whole.jpg", &(struct coding){0});
    nst_picture whole = fixture_read_picture("whole.jpg");
    size_t bytes;
    free(fixture_read("whole.jpg", &bytes));
    cut_from("whole.jpg", "early.jpg", bytes - 6, "\xff\xd9", 2);
    nst_picture picture = fixture_read_damaged("early.jpg", "premature end of data segment");
    assert_same_rows(&picture, &whole, 0, SIDE - 8);
    nst_picture_free(&picture);
    nst_picture_free(&whole);
}

/* ---- Data ------------------------------------------------------------------------------------------------------ */

/* With restart markers, damage stays in the row of blocks where it is: too few bytes there, wrong ones, a marker that
 * is missing. */
static void damaged_data_is_noted(void **state) {
    (void)state;
    write_file("whole.jpg", &(struct coding){.restarts = true});
    nst_picture whole = fixture_read_picture("whole.jpg");
    size_t bytes;
    unsigned char *data = fixture_read("whole.jpg", &bytes);
    size_t second = find_marker(data, bytes, 0xd0, 0) + 2, third = find_marker(data, bytes, 0xd1, 0);
    const struct {
        size_t range[2];
        const char *with, *expected;
        size_t with_bytes;
        int damaged_rows; /* of blocks, from the second on */
    } cases[] = {
        {{third - 20, third}, "", "premature end of data segment", 0, 1},
        {{third - 20, third - 12}, "\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe", "Corrupt JPEG data", 8, 1},
        {{third, third + 2}, "", "Corrupt JPEG data", 0, 2},
    };
    assert_true(second + 30 < third);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_changed("whole.jpg", "damaged.jpg", cases[i].range, cases[i].with, cases[i].with_bytes);
        nst_picture picture = fixture_read_damaged("damaged.jpg", cases[i].expected);
        int end = 8 + 8 * cases[i].damaged_rows;
        assert_same_rows(&picture, &whole, 0, 8);
        assert_false(same_rows(&picture, &whole, 8, end));
        assert_same_rows(&picture, &whole, end, SIDE);
        nst_picture_free(&picture);
    }
    nst_picture_free(&whole);
    free(data);
}

/* ---- Kinds ----------------------------------------------------------------------------------------------------- */

/* libjpeg-turbo 3 reads some of these. */
#if LIBJPEG_TURBO_VERSION_NUMBER < 3000000
#define LOSSLESS_IS_NAMED true
#else
#define LOSSLESS_IS_NAMED false
#endif

static void other_kinds_are_named(void **state) {
    (void)state;
    static const struct {
        unsigned char marker;
        const char *name;
        bool named;
    } kinds[] = {
        {0xc3, "is a lossless JPEG picture", LOSSLESS_IS_NAMED}, {0xc5, "is a hierarchical JPEG picture", true},
        {0xc6, "is a hierarchical JPEG picture", true},          {0xcb, "is a lossless JPEG picture", true},
        {0xde, "is a hierarchical JPEG picture", true},          {0xf7, "is a JPEG-LS picture", true},
    };
    write_file("whole.jpg", &(struct coding){0});
    size_t bytes;
    unsigned char *data = fixture_read("whole.jpg", &bytes);
    size_t frame = find_marker(data, bytes, 0xc0, 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].named) {
            data[frame + 1] = kinds[i].marker;
            fixture_write("other.jpg", data, bytes);
            fixture_expect_failure("other.jpg", NST_ERROR_FORMAT, kinds[i].name, "convert it to PNG");
        }
    data[frame + 1] = 0xc1;
    data[frame + 4] = 12; /* bits */
    fixture_write("other.jpg", data, bytes);
    fixture_expect_failure("other.jpg", NST_ERROR_FORMAT, "is a JPEG picture of 12 bits", "convert it to PNG");
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_is_missing_is_noted), cmocka_unit_test(missing_rows_are_an_error),
        cmocka_unit_test(missing_scans_are_an_error),      cmocka_unit_test(an_early_end_is_noted),
        cmocka_unit_test(damaged_data_is_noted),           cmocka_unit_test(other_kinds_are_named),
    };
    return cmocka_run_group_tests_name("image.damage", tests, fixture_folder_create, fixture_folder_remove);
}
