/* test_product.c: every engine for products of matrices against sums in float64. */
#include "fixture.h"
#include "network/product_engine.h"

#include <stdlib.h>
#include <string.h>

/* Relative to the RMS: CLBlast has one sum for all products of an element, here up to 660. */
static const double bound = 3e-5;

/* ---- Gram matrices ----------------------------------------------------------------------------------------------- */

static void check_gram(nst_context *context, const struct product_engine *engine, struct map_size size) {
    nst_error error;
    struct product *product;
    const struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = size.channels, .half_maps = size.half};
    size_t channels = (size_t)size.channels, pixels = pixels_of(size);
    float *values = random_map(1, size);
    double *expected = allocate(channels * channels, sizeof *expected);
    for (size_t i = 0; i < channels * channels; ++i) {
        for (size_t p = 0; p < pixels; ++p) {
            expected[i] += (double)values[i / channels * pixels + p] * values[i % channels * pixels + p];
        }
    }
    check(product_create(context, &shape, engine, &product, &error), &error);
    struct product_call call = {.extent = (int)pixels};
    call.a = upload_map(context, values, size);
    call.c = create_zero(context, channels * channels * sizeof(float));
    call.scratch = create_zero(context, product_scratch_bytes(product, call.extent) + sizeof(float));
    check(product_run(product, &call, &error), &error);
    float *got = download(context, call.c, channels * channels * sizeof *got);
    assert_near(product_engine_name(engine), got, expected, channels * channels, bound);
    free(got);
    buffer_release(context, &call.a);
    buffer_release(context, &call.c);
    buffer_release(context, &call.scratch);
    product_destroy(product);
    free(expected);
    free(values);
}

/* More channels than a tile, and pixels that no chunk and no range divides. */
static void gram_matrices(void **state) {
    nst_context *context = *state;
    static const struct map_size sizes[] = {{1, 1, 1, false}, {5, 3, 5, false},    {17, 17, 31, false},
                                            {70, 5, 9, true}, {70, 33, 20, false}, {130, 9, 14, true}};
    int tried = 0;
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = sizes[i].channels, .half_maps = sizes[i].half};
        for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
            if (product_is_possible(context, &shape, *engine)) {
                check_gram(context, *engine, sizes[i]);
                ++tried;
            }
        }
    }
    assert_true(tried > 0);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

/* A matrix of each batch with lines filled up by numbers that must not matter. */
static float *fill_up(const float *dense, size_t lines, size_t width, size_t filled) {
    float *wide = random_array(9, lines * filled);
    for (size_t i = 0; i < lines; ++i) {
        memcpy(wide + i * filled, dense + i * width, width * sizeof *wide);
    }
    return wide;
}

static void check_batch(nst_context *context, const struct product_engine *engine, const struct product_shape *shape,
                        int columns) {
    enum { ALIGNMENT = BUFFER_PART_ALIGNMENT / sizeof(float) };
    nst_error error;
    struct product *product;
    check(product_create(context, shape, engine, &product, &error), &error);
    struct product_layout layout = product_layout(product, columns);
    assert_true(layout.rows >= shape->rows && layout.columns >= columns && layout.parts >= 1);
    assert_int_equal(product_layout(product, layout.columns).columns, layout.columns);
    size_t rows = (size_t)shape->rows, width = (size_t)columns, filled = (size_t)layout.columns;
    size_t lines = (size_t)(shape->batches * shape->inner), results = (size_t)shape->batches * rows;
    float *a = random_array(1, lines * rows), *b = random_array(2, lines * width);
    float *wide_a = fill_up(a, lines, rows, (size_t)layout.rows), *wide_b = fill_up(b, lines, width, filled);

    struct product_call call = {.extent = layout.columns};
    call.c_start = (lines * filled + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t c_elements = (size_t)layout.parts * results * filled;
    call.a = upload(context, wide_a, lines * (size_t)layout.rows * sizeof *wide_a);
    call.c = create_zero(context, (call.c_start + c_elements) * sizeof(float));
    check(buffer_write(context, call.c, 0, wide_b, lines * filled * sizeof *wide_b, &error), &error);
    assert_int_equal(product_scratch_bytes(product, call.extent), 0);
    check(product_run(product, &call, &error), &error);

    float *both = download(context, call.c, (call.c_start + c_elements) * sizeof *both), *c = both + call.c_start;
    float *got = allocate(results * width, sizeof *got);
    double *expected = allocate(results * width, sizeof *expected);
    for (size_t i = 0; i < results * width; ++i) {
        size_t line = i / width, column = i % width, batch = line / rows;
        for (int part = 0; part < layout.parts; ++part) {
            got[i] += c[((size_t)part * results + line) * filled + column];
        }
        for (size_t k = batch * (size_t)shape->inner; k < (batch + 1) * (size_t)shape->inner; ++k) {
            expected[i] += (double)a[k * rows + line % rows] * b[k * width + column];
        }
    }
    assert_near(product_engine_name(engine), got, expected, results * width, bound);
    assert_memory_equal(both, wide_b, lines * filled * sizeof *wide_b);
    buffer_release(context, &call.a);
    buffer_release(context, &call.c);
    product_destroy(product);
    free(a);
    free(b);
    free(wide_a);
    free(wide_b);
    free(both);
    free(got);
    free(expected);
}

/* Also as on a device with very many compute units, where sums are shared by several work-groups. */
static void batches(void **state) {
    static const struct {
        int rows, inner, batches, columns;
    } cases[] = {{1, 1, 1, 1}, {5, 17, 2, 3}, {70, 33, 3, 65}, {64, 300, 1, 130}, {3, 150, 36, 64}};
    nst_context many = *(nst_context *)*state;
    many.work_items = 132;
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(cases), 2); ++i) {
        struct product_shape shape = {
            .kind = PRODUCT_BATCHED, .rows = cases[i].rows, .inner = cases[i].inner, .batches = cases[i].batches};
        for (const struct product_engine *const *engine = product_engines(*state); *engine; ++engine) {
            if (product_is_possible(*state, &shape, *engine)) {
                check_batch(*state, *engine, &shape, cases[i].columns);
                check_batch(&many, *engine, &shape, cases[i].columns);
            }
        }
    }
}

/* Every value of every parameter. */
static void parameters(void **state) {
    nst_context *context = *state;
    struct product_shape shape = {.kind = PRODUCT_BATCHED, .rows = 70, .inner = 33, .batches = 2};
    for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
        const struct tuning_parameter *list = (*engine)->parameters;
        for (int p = 0; list && product_is_possible(context, &shape, *engine) && list[p].name; ++p) {
            for (int i = 0; list[p].values[i]; ++i) {
                int values[PRODUCT_MOST_PARAMETERS];
                (*engine)->set_defaults(context, &shape, values);
                values[p] = list[p].values[i];
                shape.parameters = values;
                check_batch(context, *engine, &shape, 65);
                check_batch(context, *engine, &shape, 130);
                shape.parameters = NULL;
            }
        }
    }
}

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

static void what_an_engine_cannot_do_is_refused(void **state) {
    nst_context *context = *state;
    nst_error error;
    struct product *product;
    const struct product_shape shapes[] = {{.kind = PRODUCT_GRAM, .rows = 5},
                                           {.kind = PRODUCT_BATCHED, .rows = 5, .inner = 5, .batches = 2}};
    int refused = 0;
    for (size_t i = 0; i < COUNT_OF(shapes); ++i) {
        for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
            if (!product_is_possible(context, &shapes[i], *engine)) {
                assert_int_equal(product_create(context, &shapes[i], *engine, &product, &error), NST_ERROR_ARGUMENT);
                assert_non_null(strstr(error.message, (*engine)->needs));
                assert_null(product);
                ++refused;
            }
        }
    }
    assert_true(refused > 0); /* those for processors and those for GPUs exclude each other */
    const struct product_engine *const none[] = {NULL};
    nst_context empty = *context;
    empty.tables.products = none;
    assert_null(product_default(&empty, &shapes[0]));
    assert_int_equal(product_create(&empty, &shapes[0], NULL, &product, &error), NST_ERROR_ARGUMENT);
    product_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gram_matrices),
        cmocka_unit_test(batches),
        cmocka_unit_test(parameters),
        cmocka_unit_test(what_an_engine_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
