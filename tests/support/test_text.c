/* test_text.c: names and numbers as people type them. */
#include "support/text.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void nearest_suggests_near_names_only(void **state) {
    (void)state;
    static const char *const names[] = {
        "--content-weight", "--style-weight", "--size", "--seed", "vgg19", "vgg16", "--o", "tv"};
    static const struct {
        const char *given, *expected;
    } cases[] = {
        {"--contnet-weight", "--content-weight"},
        {"--style-wieght", "--style-weight"},
        {"--siez", "--size"},
        {"--Seed", "--seed"},
        {"VGG16", "vgg16"},
        {"vt", "tv"}, /* one exchange, where two errors are too many */
        {"vgg", NULL},
        {"alexnet", NULL},
        {"", NULL},
        {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *found = text_nearest(cases[i].given, names, sizeof names / sizeof *names);
        if (cases[i].expected) {
            assert_non_null(found);
            assert_string_equal(found, cases[i].expected);
        } else {
            assert_null(found);
        }
    }
    assert_null(text_nearest("x", NULL, 0));
}

/* Longer ones are not compared. */
static void nearest_looks_at_64_characters(void **state) {
    (void)state;
    char given[66], name[66];
    const char *const names[] = {name};
    memset(given, 'a', sizeof given);
    memset(name, 'a', sizeof name);
    given[0] = 'b';
    given[64] = name[64] = 0;
    assert_ptr_equal(text_nearest(given, names, 1), name);
    given[64] = 'a';
    given[65] = 0;
    assert_null(text_nearest(given, names, 1));
    given[64] = 0;
    name[64] = 'a';
    name[65] = 0;
    assert_null(text_nearest(given, names, 1));
}

static void integers(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "-", "+", "1x", "x1", " 1", "1 ", "1.0", "1e3", "0x10", "9223372036854775808", "--1"};
    long long value;
    assert_true(text_to_integer("0", &value) && value == 0);
    assert_true(text_to_integer("-17", &value) && value == -17);
    assert_true(text_to_integer("+08", &value) && value == 8);
    assert_true(text_to_integer("9223372036854775807", &value) && value == 9223372036854775807);
    value = 5;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        assert_false(text_to_integer(wrong[i], &value));
        assert_int_equal(value, 5);
    }
}

static void expect_reals(void) {
    static const struct {
        const char *text;
        double value;
    } right[] = {{"0", 0},      {"-1.5", -1.5},   {".5", 0.5},    {"5.", 5},
                 {"1e3", 1000}, {"2.5E-1", 0.25}, {"+1e+2", 100}, {"-0.125", -0.125}};
    static const char *const wrong[] = {"",         ".",   "-",   "e1",    "1e", "1e+", "nan",   "inf", "-inf",
                                        "infinity", "1,5", "0x1", "1.2.3", "1 ", " 1",  "1e999", "1f"};
    double value;
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        assert_true(text_to_real(right[i].text, &value));
        assert_true(value == right[i].value);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        assert_false(text_to_real(wrong[i], &value));
    }
}

static void reals(void **state) {
    (void)state;
    expect_reals();
}

static void reals_have_112_characters_at_most(void **state) {
    (void)state;
    char text[114];
    double value = 0;
    memset(text, '0', sizeof text);
    text[111] = '7';
    text[112] = 0;
    assert_true(text_to_real(text, &value));
    assert_true(value == 7);
    text[112] = '7';
    text[113] = 0;
    assert_false(text_to_real(text, &value));
}

static void reals_in_a_locale_with_a_comma(void **state) {
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof locales / sizeof *locales && !found; ++i) {
        found = setlocale(LC_ALL, locales[i]);
    }
    if (!found) {
        skip();
    }
    expect_reals();
    char text[32];
    assert_string_equal(text_bytes(1536, text, sizeof text), "1.5 KiB");
    setlocale(LC_ALL, "C");
}

static void bytes(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 bytes"},       {12, "12 bytes"},        {1023, "1023 bytes"},          {1024, "1 KiB"},
        {1536, "1.5 KiB"},    {320 * 1024, "320 KiB"}, {1024 * 1024 - 1, "1023 KiB"}, {(uint64_t)3 << 29, "1.5 GiB"},
        {102297, "99.8 KiB"}, {102912, "100 KiB"},     {UINT64_MAX, "15.9 EiB"}};
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_string_equal(text_bytes(cases[i].bytes, text, sizeof text), cases[i].text);
    }
    assert_string_equal(text_bytes(320 * 1024, text, 4), "320");
}

static void bytes_are_two_digits_each(void **state) {
    (void)state;
    static const unsigned char bytes[] = {0x00, 0x9a, 0xff, 0x10};
    char text[2 * sizeof bytes + 1] = "untouched";
    text_hexadecimal(bytes, sizeof bytes, text);
    assert_string_equal(text, "009aff10");
    text_hexadecimal(bytes, 0, text);
    assert_string_equal(text, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_suggests_near_names_only),
        cmocka_unit_test(bytes_are_two_digits_each),
        cmocka_unit_test(nearest_looks_at_64_characters),
        cmocka_unit_test(integers),
        cmocka_unit_test(reals),
        cmocka_unit_test(reals_have_112_characters_at_most),
        cmocka_unit_test(reals_in_a_locale_with_a_comma),
        cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
