/* test_flo_file.c: .flo files: one that is right, and all that may be wrong with one. */
#include "fixture.h"
#include "nst.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "test.flo";

/* 3 x 2 pixels on a little-endian machine, as tests run on. */
struct file {
    char magic[4];
    int32_t width, height;
    float values[12];
};
static const struct file whole = {{'P', 'I', 'E', 'H'}, 3, 2, {1, -2, 3.5F, 0, 5, 6, 7, 8, 9, 10, 11, -12}};

static void write_file(const struct file *file, size_t bytes) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(file, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

static void a_file_is_read(void **state) {
    (void)state;
    nst_error error;
    nst_flow flow;
    write_file(&whole, sizeof whole);
    check(nst_flow_read(path, &flow, &error), &error);
    assert_int_equal(flow.width, 3);
    assert_int_equal(flow.height, 2);
    assert_memory_equal(flow.values, whole.values, sizeof whole.values);
    nst_flow_free(&flow);
}

static void check_refused(const struct file *file, size_t bytes, const char *message) {
    nst_error error;
    nst_flow flow;
    write_file(file, bytes);
    assert_int_equal(nst_flow_read(path, &flow, &error), NST_ERROR_FORMAT);
    assert_string_equal(error.message, message);
    assert_null(flow.values);
}

static void what_is_wrong_is_told(void **state) {
    (void)state;
    struct file file = whole;
    file.magic[0] = 'p';
    check_refused(&file, sizeof file, "test.flo: not an optical flow: expected a .flo file, which begins with PIEH");
    check_refused(&whole, 11, "test.flo: not an optical flow: expected a .flo file, which begins with PIEH");
    check_refused(&whole, sizeof whole - 4, "test.flo: expected 60 bytes for 3 x 2 pixels, found 56");
    file = whole;
    file.width = -3;
    check_refused(&file, sizeof file, "test.flo: expected sides of 1 to 32767 pixels, found 4294967293 x 2");
    file = whole;
    file.height = 1;
    check_refused(&file, sizeof file, "test.flo: expected 36 bytes for 3 x 1 pixels, found 60");
    file = whole;
    file.values[9] = NAN;
    check_refused(&file, sizeof file, "test.flo: expected the motion of every pixel, found nan at column 1, row 1");
    file.values[9] = 1.6666667e9F; /* as the benchmark marks what is unknown */
    check_refused(&file, sizeof file,
                  "test.flo: expected the motion of every pixel, found 1.66667e+09 at column 1, row 1");
    nst_error error;
    nst_flow flow;
    assert_int_equal(nst_flow_read("none.flo", &flow, &error), NST_ERROR_FILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
