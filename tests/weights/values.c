/* Suite weights.values: 16-bit types and codebooks, the arithmetic of storing weights in fewer bits; texts of
 * files in messages. */
#include "files.h"
#include "support/random.h"
#include "weights/codebook.h"
#include "weights/half.h"
#include "weights/tensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Texts of files, as they are shown in messages. */
static void test_printable(void **state) {
    static const struct {
        const char *text, *shown;
    } cases[] = {{"", ""},
                 {"abc", "abc"},
                 {"a\x1b[2J\n\x7f", "a?[2J??"},
                 {"seven77", "seven77"},
                 {"\xc3\xa9", "\xc3\xa9"},
                 {"eight888", "eigh..."},
                 {"as long as it likes", "as l..."}};
    char buffer[10];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(buffer, '#', sizeof buffer);
        assert_ptr_equal(printable(cases[i].text, strlen(cases[i].text), buffer + 1, 8), buffer + 1);
        assert_string_equal(buffer + 1, cases[i].shown);
        assert_true(buffer[0] == '#' && buffer[9] == '#');
    }
    printable("abc", 3, buffer, 3);
    assert_string_equal(buffer, "ab");
}

/* Every value of a 16-bit type is kept, and what lies between two goes to the nearer, or to the even one. */
static void check_rounding(float (*to_float)(uint16_t), uint16_t (*from_float)(float), uint16_t infinity) {
    for (uint16_t bits = 0; bits < infinity; bits++) {
        float value = to_float(bits), next = to_float((uint16_t)(bits + 1));
        assert_int_equal(from_float(value), bits);
        assert_int_equal(from_float(-value), bits | 0x8000);
        assert_true(to_float(bits | 0x8000) == -value);
        if (bits + 1 == infinity)
            break;
        float middle = (value + next) / 2;
        if (middle <= value || middle >= next)
            continue; /* below what a float can hold */
        assert_int_equal(from_float(middle), bits + bits % 2);
        assert_int_equal(from_float(nextafterf(middle, value)), bits);
        assert_int_equal(from_float(nextafterf(middle, next)), bits + 1);
    }
    assert_true(isinf(to_float(infinity)) && isnan(to_float((uint16_t)(infinity + 1))));
    assert_int_equal(from_float(INFINITY), infinity);
    assert_int_equal(from_float(-INFINITY), infinity | 0x8000);
    assert_true(isnan(to_float(from_float(NAN))));
}

static void test_half(void **state) {
    (void)state;
    check_rounding(half_to_float, half_from_float, 0x7c00);
    assert_true(half_to_float(0x3c00) == 1 && half_to_float(0x7bff) == 65504 && half_to_float(1) == 0x1p-24f);
    assert_int_equal(half_from_float(65519.996f), 0x7bff);
    assert_int_equal(half_from_float(65520), 0x7c00);
    assert_int_equal(half_from_float(0x1p-25f), 0);
}

static void test_bfloat16(void **state) {
    (void)state;
    check_rounding(bfloat16_to_float, bfloat16_from_float, 0x7f80);
    assert_true(bfloat16_to_float(0x3f80) == 1 && bfloat16_to_float(0x4049) == 3.140625f);
}

/* The sum of squared errors when values are coded by `steps` equal steps over their range. */
static double uniform_error(const float *values, size_t count, int steps) {
    float least = values[0], most = values[0];
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        least = fminf(least, values[i]);
        most = fmaxf(most, values[i]);
    }
    double step = ((double)most - (double)least) / (steps - 1);
    for (size_t i = 0; i < count; i++)
        error += pow((double)values[i] - (double)least - step * rint(((double)values[i] - (double)least) / step), 2);
    return error;
}

/* What k-means promises: each value has the nearest code, each entry is the mean of its values; and it is worth it. */
static void check_fit(const float *values, size_t count, double share_of_uniform) {
    unsigned char *codes = malloc(count);
    float codebook[CODEBOOK_MAX];
    double sums[CODEBOOK_MAX] = {0}, error = 0;
    size_t counts[CODEBOOK_MAX] = {0};
    assert_non_null(codes);
    int size = codebook_fit(values, count, CODEBOOK_MAX, codes, codebook, NULL);
    assert_in_range(size, 1, CODEBOOK_MAX);
    for (int i = 1; i < size; i++)
        assert_true(codebook[i] >= codebook[i - 1]);
    for (size_t i = 0; i < count; i++) {
        float distance = fabsf(values[i] - codebook[codes[i]]);
        for (int j = 0; j < size; j++)
            assert_true(distance <= fabsf(values[i] - codebook[j]));
        sums[codes[i]] += (double)values[i];
        counts[codes[i]]++;
        error += (double)distance * (double)distance;
    }
    double uniform = uniform_error(values, count, CODEBOOK_MAX);
    if (error > share_of_uniform * uniform)
        fail_msg("squared error %g, of equal steps %g", error, uniform);
    for (int i = 0; i < size; i++)
        if (counts[i] > 0)
            assert_true(fabs(sums[i] / (double)counts[i] - (double)codebook[i]) <
                        2e-3 * (1e-9 + fabs((double)codebook[i])));
    free(codes);
}

static void test_fit(void **state) {
    enum { COUNT = 30011 };
    static float values[COUNT];
    struct random_generator generator = random_from_seed(5);
    (void)state;
    for (int i = 0; i < COUNT; i++) /* a normal distribution, and a few far out */
        values[i] = (float)(random_normal(&generator) * (i % 1000 == 0 ? 0.2 : 0.02));
    check_fit(values, COUNT, 0.1);
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)random_uniform(&generator);
    check_fit(values, COUNT, 1.01);        /* nothing to be gained, and nothing lost */
    check_fit(values, CODEBOOK_MAX, 1e-6); /* one for each */
    for (int i = 0; i < COUNT; i++)
        values[i] = 0.25f;
    check_fit(values, COUNT, 1);
}

/* As many different values as may be, of which some always fall into the same bucket, and 0 beside -0: an entry for
 * each, ascending, and each value's code leads back to it. One more is too many. */
static void test_make(void **state) {
    enum { COUNT = 3 * CODEBOOK_MAX };
    float values[COUNT + 1], codebook[CODEBOOK_MAX];
    unsigned char codes[COUNT + 1];
    (void)state;
    for (int seed = 0; seed < 300; seed++) {
        struct random_generator generator = random_from_seed((uint64_t)seed);
        values[0] = 0;
        values[1] = -0.0f;
        for (int i = 2; i < CODEBOOK_MAX; i++)
            values[i] = (float)random_normal(&generator);
        memcpy(values + CODEBOOK_MAX, values, sizeof codebook);
        memcpy(values + COUNT - CODEBOOK_MAX, values, sizeof codebook);
        assert_int_equal(codebook_make(values, COUNT, codes, codebook), CODEBOOK_MAX);
        for (int i = 1; i < CODEBOOK_MAX; i++)
            assert_true(codebook[i - 1] < codebook[i] || (codebook[i - 1] == 0 && codebook[i] == 0));
        for (int i = 0; i < COUNT; i++)
            assert_memory_equal(&codebook[codes[i]], &values[i], sizeof *values);
        values[COUNT] = 100;
        assert_int_equal(codebook_make(values, COUNT + 1, codes, codebook), 0);
    }
}

/* Codes of every width, packed and read bit by bit. */
static void test_packing(void **state) {
    struct random_generator generator = random_from_seed(9);
    (void)state;
    for (int bits = 1; bits < CODEBOOK_MAX_BITS; bits++) {
        assert_int_equal(codebook_bits(1 << bits), bits);
        assert_int_equal(codebook_bits((1 << bits) + 1), bits + 1);
        for (size_t count = 1; count < 40; count++) {
            unsigned char codes[40], packed[36];
            size_t bytes = (size_t)codebook_packed_bytes(count, bits);
            assert_true(8 * bytes >= count * (size_t)bits && 8 * bytes < count * (size_t)bits + 8);
            for (size_t i = 0; i < count; i++)
                codes[i] = (unsigned char)((1 << bits) * random_uniform(&generator));
            memset(packed, 0xaa, sizeof packed);
            codebook_pack(codes, count, bits, packed);
            for (size_t bit = 0; bit < 8 * bytes; bit++) {
                size_t i = bit / (size_t)bits;
                int expected = i < count ? codes[i] >> bit % (size_t)bits & 1 : 0;
                assert_int_equal(packed[bit / 8] >> bit % 8 & 1, expected);
            }
            assert_int_equal(packed[bytes], 0xaa);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half), cmocka_unit_test(test_bfloat16),  cmocka_unit_test(test_fit),
        cmocka_unit_test(test_make), cmocka_unit_test(test_printable), cmocka_unit_test(test_packing),
    };
    return cmocka_run_group_tests_name("weights.values", tests, NULL, NULL);
}
