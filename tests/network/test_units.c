/* test_units.c: what is built on matrix units, through an emulation of each: that a fragment lies in the lanes as the
 * vendor says, and every index of the kernels above it. Filters are rounded as the units read them, so that the sums are
 * as precise as those of other engines. */
#include "device/matrix_unit.h"
#include "fixture.h"
#include "network/convolution_engine.h"
#include "network/problem.h"
#include "weights/half.h"

#include <stdlib.h>
#include <string.h>

static const double bound = 2e-6; /* of sums in float32, relative to their RMS */

/* The device as if it had that unit; GPU bodies only. */
static nst_context with_unit(const nst_context *context, const struct matrix_unit *unit) {
    nst_context like = *context;
    like.emulates_units = true;
    like.half_unit = unit->takes_floats ? NULL : unit;
    like.single_unit = unit->takes_floats ? unit : NULL;
    return like;
}

static void known_answers(void **state) {
    for (const struct matrix_unit *unit = matrix_units; unit->name; ++unit) {
        nst_context context = with_unit(*state, unit);
        nst_error error;
        check(matrix_unit_check(&context, unit, &error), &error);
    }
}

/* A unit of which the lanes hold something else than is believed does not pass. */
static void a_wrong_layout_is_noticed(void **state) {
    struct matrix_unit unit = matrix_units[0];
    nst_error error;
    unit.number = matrix_units[1].number; /* floats, where bfloat16 is expected */
    nst_context context = with_unit(*state, &unit);
    assert_int_not_equal(matrix_unit_check(&context, &unit, &error), NST_OK);
    assert_true(strlen(error.message) > 0);
}

/* ---- Convolutions ------------------------------------------------------------------------------------------------ */

static float *rounded_values(struct random_generator *generator, size_t count) {
    float *values = random_values(generator, count);
    for (size_t i = 0; i < count; ++i) {
        values[i] = bfloat16_to_float(bfloat16_from_float(values[i]));
    }
    return values;
}

struct units_case {
    struct convolution_shape shape;
    struct size size;
    double dispatch_flop; /* 0: as the device has it */
    int depth;            /* 0: what is built in */
};

static void check_convolution_of(nst_context *context, const struct units_case *item) {
    nst_error error;
    struct convolution_shape shape = item->shape;
    shape.half_maps = true;
    const struct convolution_engine *engine = convolution_find_engine(context, "units");
    struct convolution_choice choice = convolution_default_choice(context, &shape, engine);
    choice.parameters[1] = item->depth ? item->depth : choice.parameters[1];
    struct random_generator generator = random_from_seed(5);
    size_t taps = (size_t)(shape.kernel_size * shape.kernel_size);
    float *filters = rounded_values(&generator, taps * (size_t)shape.in_channels * (size_t)shape.out_channels);
    float *bias = random_values(&generator, (size_t)shape.out_channels);
    struct convolution *convolution;
    check(convolution_create_chosen(context, &shape, &choice, &(struct convolution_weights){filters, bias},
                                    &convolution, &error),
          &error);
    convolution->dispatch_flop = item->dispatch_flop > 0 ? item->dispatch_flop : convolution->dispatch_flop;
    struct problem problem;
    problem_init(&problem, &shape, item->size, filters, bias, &generator);
    struct maps maps = problem_run(context, convolution, &problem, shape.epilogue);
    double found = problem_compare(context, &problem, &maps, shape.epilogue);
    if (!(found <= bound)) {
        fail_msg("%s, %d to %d channels, kernel %d: error %g, bound %g", context->half_unit->name, shape.in_channels,
                 shape.out_channels, shape.kernel_size, found, bound);
    }
    if (shape.epilogue == EPILOGUE_RELU) {
        problem_check_mask_border(context, &problem, &maps);
    }
    maps_free(&maps);
    problem_free(&problem);
    convolution_destroy(convolution);
    free(filters);
    free(bias);
}

/* Channels and pixels that nothing divides; each unit gets other cases, and all units together every one. */
static void convolutions(void **state) {
    static const struct units_case cases[] = {
        {{.in_channels = 17,
          .out_channels = 70,
          .kernel_size = 3,
          .padding = 1,
          .has_bias = true,
          .epilogue = EPILOGUE_RELU},
         {9, 21},
         1,
         0},
        {{.in_channels = 33,
          .out_channels = 20,
          .kernel_size = 3,
          .padding = 2,
          .padding_mode = PADDING_REFLECT,
          .epilogue = EPILOGUE_MASK},
         {6, 7},
         0,
         32},
        {{.in_channels = 19, .out_channels = 37, .kernel_size = 1, .epilogue = EPILOGUE_MASK_ADD}, {11, 18}, 0, 0},
        {{.in_channels = 5,
          .out_channels = 130,
          .kernel_size = 3,
          .padding = 0,
          .has_bias = true,
          .epilogue = EPILOGUE_NONE},
         {7, 19},
         0,
         0},
    };
    size_t next = 0;
    for (const struct matrix_unit *unit = matrix_units; unit->name; ++unit) {
        nst_context context = with_unit(*state, unit);
        for (size_t i = 0; context.half_unit && i < sizes_to_try(1 + (next == 0), next == 0); ++i) {
            check_convolution_of(&context, &cases[next++ % COUNT_OF(cases)]);
        }
    }
}

/* Of a style's gradient. */
static void weights_set_on_the_device(void **state) {
    enum { IN = 35, OUT = 35 };
    nst_context context = with_unit(*state, &matrix_units[0]);
    nst_error error;
    struct convolution_shape shape = {.in_channels = IN, .out_channels = OUT, .kernel_size = 1, .half_maps = true};
    struct random_generator generator = random_from_seed(3);
    float *filters = rounded_values(&generator, IN * OUT), matrix[IN * OUT];
    for (int i = 0; i < IN * OUT; ++i) {
        matrix[i] = filters[i % OUT * IN + i / OUT];
    }
    struct convolution *convolution;
    check(convolution_create(&context, &shape, convolution_find_engine(&context, "units"), NULL, &convolution, &error),
          &error);
    cl_mem buffer = upload(&context, matrix, sizeof matrix);
    check(convolution_set_weights(convolution, buffer, &error), &error);
    struct problem problem;
    problem_init(&problem, &shape, (struct size){5, 18}, filters, NULL, &generator);
    struct maps maps = problem_run(&context, convolution, &problem, EPILOGUE_NONE);
    assert_true(problem_compare(&context, &problem, &maps, EPILOGUE_NONE) <= bound);
    maps_free(&maps);
    problem_free(&problem);
    buffer_release(&context, &buffer);
    convolution_destroy(convolution);
    free(filters);
}

/* ---- Products ---------------------------------------------------------------------------------------------------- */

/* Also where the unit itself reads 11 digits of each factor: the others are in a second one. */
static void check_batches(const nst_context *device, const struct matrix_unit *unit) {
    enum { ROWS = 70, INNER = 37, BATCHES = 2, COLUMNS = 68, START = BUFFER_PART_ALIGNMENT / sizeof(float) * 6 };
    static const double product_bound =
        1e-6; /* relative to the RMS: what single precision leaves of the largest sums */
    nst_context context = with_unit(device, unit);
    nst_error error;
    struct product *product;
    struct product_shape shape = {.kind = PRODUCT_BATCHED, .rows = ROWS, .inner = INNER, .batches = BATCHES};
    check(product_create(&context, &shape, &product_batched_units, &product, &error), &error);
    struct product_layout layout = product_layout(product, COLUMNS);
    size_t width = (size_t)layout.rows;
    float *a = random_array(1, BATCHES * INNER * width), *b = random_array(2, BATCHES * INNER * COLUMNS);
    struct product_call call = {.extent = layout.columns, .c_start = START};
    call.a = upload(&context, a, BATCHES * INNER * width * sizeof *a);
    call.c = create_zero(&context, (START + (size_t)layout.parts * BATCHES * ROWS * COLUMNS) * sizeof(float));
    assert_int_equal(layout.columns, COLUMNS);
    assert_int_equal(layout.parts, 1);
    check(buffer_write(&context, call.c, 0, b, BATCHES * INNER * COLUMNS * sizeof *b, &error), &error);
    check(product_run(product, &call, &error), &error);
    float *both = download(&context, call.c, (START + (size_t)BATCHES * ROWS * COLUMNS) * sizeof *both);
    double *expected = allocate(BATCHES * ROWS * COLUMNS, sizeof *expected);
    for (size_t i = 0; i < BATCHES * ROWS * COLUMNS; ++i) {
        size_t batch = i / COLUMNS / ROWS, row = i / COLUMNS % ROWS, column = i % COLUMNS;
        for (size_t k = batch * INNER; k < (batch + 1) * INNER; ++k) {
            expected[i] += (double)a[k * width + row] * b[k * COLUMNS + column];
        }
    }
    assert_near(unit->name, both + START, expected, BATCHES * ROWS * COLUMNS, product_bound);
    buffer_release(&context, &call.a);
    buffer_release(&context, &call.c);
    product_destroy(product);
    free(a);
    free(b);
    free(both);
    free(expected);
}

/* A map whose channels and pixels nothing divides, in several ranges. */
static void gram_matrices(void **state) {
    static const struct map_size size = {70, 37, 9, true};
    size_t channels = (size_t)size.channels, pixels = pixels_of(size);
    float *values = random_map(1, size);
    double *expected = allocate(channels * channels, sizeof *expected);
    for (size_t i = 0; i < channels * channels * pixels; ++i) {
        size_t element = i / pixels, p = i % pixels;
        expected[element] += (double)values[element / channels * pixels + p] * values[element % channels * pixels + p];
    }
    for (const struct matrix_unit *unit = matrix_units; unit->name; ++unit) {
        nst_context context = with_unit(*state, unit);
        const struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = size.channels, .half_maps = true};
        nst_error error;
        struct product *product;
        bool is_to_try = !sizes_are_small() || unit == matrix_units;
        if (is_to_try && product_is_possible(&context, &shape, &product_gram_units)) {
            check(product_create(&context, &shape, NULL, &product, &error), &error);
            assert_ptr_equal(product->engine, &product_gram_units);
            struct product_call call = {.extent = (int)pixels};
            call.a = upload_map(&context, values, size);
            call.c = create_zero(&context, channels * channels * sizeof(float));
            call.scratch = create_zero(&context, product_scratch_bytes(product, call.extent));
            check(product_run(product, &call, &error), &error);
            float *got = download(&context, call.c, channels * channels * sizeof *got);
            assert_near(unit->name, got, expected, channels * channels, 3e-6);
            free(got);
            buffer_release(&context, &call.a);
            buffer_release(&context, &call.c);
            buffer_release(&context, &call.scratch);
            product_destroy(product);
        }
    }
    free(expected);
    free(values);
}

static void products_of_floats(void **state) {
    for (const struct matrix_unit *unit = matrix_units; unit->name; ++unit) {
        if (unit->takes_floats && (unit->splits || !sizes_are_small())) {
            check_batches(*state, unit);
        }
    }
}

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

static void used_where_they_are(void **state) {
    nst_context context = with_unit(*state, &matrix_units[0]), none = *(nst_context *)*state;
    struct convolution_shape shape = {.in_channels = 64, .out_channels = 64, .kernel_size = 3, .padding = 1};
    const struct convolution_engine *units = convolution_find_engine(&context, "units");
    none.half_unit = none.single_unit = NULL;
    assert_true(convolution_choose(&context, &shape, NULL).engine != units);
    shape.half_maps = true;
    assert_ptr_equal(convolution_choose(&context, &shape, NULL).engine, units);
    assert_true(convolution_choose(&none, &shape, NULL).engine != units);
    shape.in_channels = 3;
    assert_true(convolution_choose(&context, &shape, NULL).engine != units);
}

static int open_with(const char *setting, nst_context **context, nst_error *error) {
    setenv("NST_MATRIX_UNIT", setting, 1);
    int status = nst_context_create(NULL, context, error);
    unsetenv("NST_MATRIX_UNIT");
    return status;
}

static void the_environment_decides(void **state) {
    (void)state;
    nst_context *context;
    nst_error error;
    check(open_with("wmma-gfx12", &context, &error), &error);
    assert_true(context->emulates_units && strcmp(context->half_unit->name, "wmma-gfx12") == 0);
    nst_context_destroy(context);
    check(open_with("off", &context, &error), &error);
    assert_true(!context->half_unit && !context->single_unit);
    nst_context_destroy(context);
    assert_int_equal(open_with("fast", &context, &error), NST_ERROR_ARGUMENT);
    assert_string_equal(error.message, "NST_MATRIX_UNIT is 'fast': expected off, half, or the name of a unit to "
                                       "emulate, such as nvidia-bf16");
}

static int open_like_a_gpu(void **state) {
    setenv("NST_DEVICE_STYLE", "gpu", 1);
    unsetenv("NST_CHANNEL_BLOCK");
    unsetenv("NST_MATRIX_UNIT");
    return fixture_open(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),       cmocka_unit_test(a_wrong_layout_is_noticed),
        cmocka_unit_test(convolutions),        cmocka_unit_test(weights_set_on_the_device),
        cmocka_unit_test(gram_matrices),       cmocka_unit_test(products_of_floats),
        cmocka_unit_test(used_where_they_are), cmocka_unit_test(the_environment_decides),
    };
    return cmocka_run_group_tests(tests, open_like_a_gpu, fixture_close);
}
