/* test_convolution.c: every convolution engine, epilogue and padding mode against the float64 reference. */
#include "fixture.h"
#include "network/convolution_engine.h"
#include "network/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct size all_sizes[] = {{1, 1}, {3, 5}, {4, 4}, {17, 31}, {33, 20}, {64, 65}};

/* Sums in float32 of up to 630 products, and Winograd's transforms; relative to the RMS of the output. */
static const double direct_bound = 2e-6, winograd_bound = 1e-5;
/* Weights rounded to 11 bits: each by up to 2^-11 of itself. */
static const double half_bound = 5e-4;

/* ---- The grid of cases ----------------------------------------------------------------------------------------- */

enum { EPILOGUES = 4 };

static bool is_named(const struct convolution_engine *engine, const char *word) {
    return strcmp(engine->word, word) == 0;
}

/* Whether an engine is expected to do the shape; NULL: any engine. */
static bool engine_can(const nst_context *context, const struct convolution_shape *shape,
                       const struct convolution_engine *engine) {
    bool vectors = context->loops_in_kernel && context->channel_block >= 4;
    bool planar = !context->loops_in_kernel && context->channel_block == 1;
    bool has_image = shape->from_image || shape->to_image;
    if (!engine || is_named(engine, "plain")) {
        return !has_image;
    }
    if ((engine->device == CPUS && !vectors) || (engine->device == GPUS && !planar)) {
        return false;
    }
    if (has_image) {
        bool can_write = shape->epilogue == EPILOGUE_NONE && !shape->has_bias;
        return vectors && is_named(engine, "direct") && (!shape->to_image || can_write);
    }
    if (is_named(engine, "units")) {
        return context->half_unit && shape->half_maps && (shape->kernel_size == 1 || shape->kernel_size == 3);
    }
    if (is_named(engine, "direct")) {
        return (vectors || context->work_group >= 128) && (shape->kernel_size == 1 || shape->kernel_size == 3);
    }
    if (is_named(engine, "winograd-units") && !context->single_unit) {
        return false;
    }
    if (is_named(engine, "winograd") || is_named(engine, "winograd-units")) {
        return (vectors || context->work_group >= 128) && shape->kernel_size == 3;
    }
    if (is_named(engine, "winograd-clblast")) {
        return shape->kernel_size == 3;
    }
    assert_true(is_named(engine, "clblast"));
    return shape->kernel_size == 1 && !shape->half_maps;
}

/* Every engine there is. */
enum { MOST_ENGINES = 16 };
static size_t count_engines(const nst_context *context) {
    size_t count = 0;
    while (convolution_engines(context)[count]) {
        ++count;
    }
    assert_in_range(count, 1, MOST_ENGINES);
    return count;
}

static void check_problem(nst_context *context, struct convolution *convolution, const struct problem *problem,
                          enum convolution_epilogue epilogue) {
    struct maps maps = problem_run(context, convolution, problem, epilogue);
    double error = problem_compare(context, problem, &maps, epilogue);
    const struct convolution_engine *engine = convolution_engine_of(convolution);
    double bound = convolution_has_half_weights(convolution) ? half_bound
                   : convolution_engine_transforms(engine)   ? winograd_bound
                                                             : direct_bound;
    if (!(error <= bound)) {
        fail_msg("%s, %d to %d channels, kernel %d, padding %d mode %d, input %dx%d, epilogue %d: error %g, bound %g",
                 convolution_engine_name(engine), problem->shape.in_channels, problem->shape.out_channels,
                 problem->shape.kernel_size, problem->shape.padding, (int)problem->shape.padding_mode,
                 problem->in.height, problem->in.width, (int)epilogue, error, bound);
    }
    if (epilogue == EPILOGUE_RELU) {
        problem_check_mask_border(context, problem, &maps);
        struct maps again = problem_run(context, convolution, problem, epilogue);
        assert_memory_equal(maps.after, again.after, maps.out_bytes);
        assert_memory_equal(maps.mask, again.mask, maps.mask_bytes);
        maps_free(&again);
    }
    maps_free(&maps);
}

/* Where sizes are to be small, each epilogue at one of the three (without a mask and adding to the output at 4x4), and
 * CLBlast, whose kernels are not ours, at the first. */
static bool is_to_try(const struct convolution_engine *engine, int epilogue, size_t size) {
    bool by_clblast = engine && strstr(engine->word, "clblast");
    return !sizes_are_small() || (by_clblast ? size == 0 : size == (size_t)(epilogue + 2) % 3);
}

/* One shape through all engines, epilogues and sizes. */
static void check_shape(nst_context *context, struct convolution_shape shape) {
    nst_error error;
    struct random_generator generator = random_from_seed(shape.in_channels * 1000 + shape.out_channels);
    size_t taps = (size_t)shape.kernel_size * shape.kernel_size;
    float *weights = random_values(&generator, taps * shape.in_channels * shape.out_channels);
    float *bias = random_values(&generator, shape.out_channels);
    struct convolution_weights both = {weights, bias};
    const struct convolution_engine *const *engines = convolution_engines(context);
    size_t engine_count = count_engines(context);
    struct convolution *convolutions[MOST_ENGINES][EPILOGUES] = {{NULL}};
    for (size_t e = 0; e < engine_count; ++e) {
        for (int epilogue = 0; epilogue < EPILOGUES; ++epilogue) {
            shape.epilogue = epilogue;
            if (engine_can(context, &shape, engines[e])) {
                check(convolution_create(context, &shape, engines[e], &both, &convolutions[e][epilogue], &error),
                      &error);
            }
        }
    }
    size_t size_count = sizes_to_try(sizeof all_sizes / sizeof *all_sizes, 3);
    for (size_t i = 0; i < size_count; ++i) {
        struct size out;
        convolution_output_size(&shape, all_sizes[i].height, all_sizes[i].width, &out.height, &out.width);
        if (out.height < 1 || out.width < 1) {
            continue;
        }
        struct problem problem;
        problem_init(&problem, &shape, all_sizes[i], weights, bias, &generator);
        for (size_t e = 0; e < engine_count; ++e) {
            for (int epilogue = 0; epilogue < EPILOGUES; ++epilogue) {
                if (convolutions[e][epilogue] && is_to_try(engines[e], epilogue, i)) {
                    check_problem(context, convolutions[e][epilogue], &problem, epilogue);
                }
            }
        }
        problem_free(&problem);
    }
    for (size_t e = 0; e < engine_count; ++e) {
        for (int epilogue = 0; epilogue < EPILOGUES; ++epilogue) {
            convolution_destroy(convolutions[e][epilogue]);
        }
    }
    free(weights);
    free(bias);
}

static void channels_of_every_kind(void **state) {
    static const int pairs[][2] = {{1, 1}, {3, 64}, {5, 17}, {17, 5}, {64, 3}, {64, 64}, {70, 17}, {1, 70}, {17, 64}};
    for (size_t i = 0; i < sizes_to_try(sizeof pairs / sizeof *pairs, 4); ++i) {
        for (int size = 1; size <= 3; size += 2) {
            check_shape(*state, (struct convolution_shape){.in_channels = pairs[i][0],
                                                           .out_channels = pairs[i][1],
                                                           .kernel_size = size,
                                                           .padding = size / 2,
                                                           .padding_mode = PADDING_ZERO,
                                                           .has_bias = i % 2 == 0});
        }
    }
}

static void paddings_of_every_kind(void **state) {
    for (int mode = PADDING_ZERO; mode <= PADDING_REPLICATE; ++mode) {
        for (int padding = 0; padding <= 2; ++padding) {
            if (sizes_are_small() && padding != mode) {
                continue;
            }
            check_shape(*state, (struct convolution_shape){.in_channels = 5,
                                                           .out_channels = 17,
                                                           .kernel_size = 3,
                                                           .padding = padding,
                                                           .padding_mode = mode,
                                                           .has_bias = true,
                                                           .half_maps = padding == 1});
        }
    }
}

static void check_images(nst_context *context, bool half_maps) {
    for (int padding = 0; padding <= 2; ++padding) {
        check_shape(context, (struct convolution_shape){.in_channels = 3,
                                                        .out_channels = 70,
                                                        .kernel_size = 3,
                                                        .padding = padding,
                                                        .padding_mode = padding,
                                                        .has_bias = true,
                                                        .half_maps = half_maps,
                                                        .from_image = true});
        check_shape(context, (struct convolution_shape){.in_channels = padding == 0 ? 5 : 70,
                                                        .out_channels = 3,
                                                        .kernel_size = 3,
                                                        .padding = padding,
                                                        .half_maps = half_maps,
                                                        .to_image = true});
    }
}

static void images_instead_of_maps(void **state) {
    check_images(*state, false);
    check_images(*state, true);
}

static void large_kernels(void **state) {
    for (int mode = PADDING_ZERO; mode <= PADDING_REPLICATE; ++mode) {
        check_shape(*state, (struct convolution_shape){.in_channels = 3,
                                                       .out_channels = 5,
                                                       .kernel_size = 5,
                                                       .padding = 1 + mode,
                                                       .padding_mode = mode,
                                                       .has_bias = true});
    }
    check_shape(*state,
                (struct convolution_shape){.in_channels = 3, .out_channels = 3, .kernel_size = 9, .padding = 4});
}

/* So many channels that Winograd's filters are not stored transformed on processors. */
static void many_channels(void **state) {
    nst_context *context = *state;
    nst_error error;
    int channels = context->loops_in_kernel ? 185 : (int)sizes_to_try(185, 70);
    struct convolution_shape shape = {
        .in_channels = channels, .out_channels = channels - 5, .kernel_size = 3, .padding = 1, .has_bias = true};
    struct random_generator generator = random_from_seed(5);
    float *weights = random_values(&generator, (size_t)9 * channels * (channels - 5));
    float *bias = random_values(&generator, channels - 5);
    for (int half = 0; half <= 1; ++half) {
        for (int epilogue = (int)sizes_to_try(EPILOGUE_RELU, EPILOGUE_MASK); epilogue <= EPILOGUE_MASK; ++epilogue) {
            struct convolution *convolution;
            struct problem problem;
            shape.epilogue = epilogue;
            shape.half_weights = half;
            shape.half_maps = half;
            problem_init(&problem, &shape, (struct size){(int)sizes_to_try(41, 3), 7}, weights, bias, &generator);
            check(convolution_create(context, &shape, NULL, &(struct convolution_weights){weights, bias}, &convolution,
                                     &error),
                  &error);
            check_problem(context, convolution, &problem, epilogue);
            convolution_destroy(convolution);
            problem_free(&problem);
        }
    }
    free(weights);
    free(bias);
}

/* ---- Maps as halves, and weights --------------------------------------------------------------------------------- */

static void half_maps(void **state) {
    static const int pairs[][2] = {{17, 5}, {64, 3}, {70, 65}};
    for (size_t i = 0; i < sizes_to_try(sizeof pairs / sizeof *pairs, 1); ++i) {
        for (int size = 1; size <= 3; size += 2) {
            check_shape(*state, (struct convolution_shape){.in_channels = pairs[i][0],
                                                           .out_channels = pairs[i][1],
                                                           .kernel_size = size,
                                                           .padding = size / 2,
                                                           .has_bias = i == 0,
                                                           .half_maps = true});
        }
    }
}

/* Every engine, also those that keep floats: then within their own bound. */
static void half_weights(void **state) {
    static const int pairs[][2] = {{5, 17}, {64, 3}, {70, 65}};
    for (size_t i = 0; i < sizes_to_try(sizeof pairs / sizeof *pairs, 1); ++i) {
        for (int size = 1; size <= 3; size += 2) {
            check_shape(*state, (struct convolution_shape){.in_channels = pairs[i][0],
                                                           .out_channels = pairs[i][1],
                                                           .kernel_size = size,
                                                           .padding = size / 2,
                                                           .has_bias = true,
                                                           .half_weights = true});
        }
    }
}

/* A convolution's bytes of weights, and whether they are halves, if they are all of this size. */
static uint64_t bytes_of_weights(nst_context *context, float magnitude, bool wanted, bool *halves) {
    nst_error error;
    struct convolution *convolution;
    struct convolution_shape shape = {
        .in_channels = 16, .out_channels = 16, .kernel_size = 3, .padding = 1, .half_weights = wanted};
    float weights[16 * 16 * 9];
    for (size_t i = 0; i < sizeof weights / sizeof *weights; ++i) {
        weights[i] = magnitude * (1 + (float)(i % 97) / 97);
    }
    check(convolution_create(context, &shape, convolution_reference_engine(context),
                             &(struct convolution_weights){weights, NULL}, &convolution, &error),
          &error);
    uint64_t bytes = convolution_weight_bytes(convolution);
    *halves = convolution_has_half_weights(convolution);
    convolution_destroy(convolution);
    return bytes;
}

static void halves_take_half_the_bytes_where_they_suit(void **state) {
    bool halves;
    uint64_t single_bytes = bytes_of_weights(*state, 0.01f, false, &halves);
    assert_false(halves);
    assert_int_equal(bytes_of_weights(*state, 0.01f, true, &halves), single_bytes / 2);
    assert_true(halves);
    /* Too large, too small, not a number. */
    const float others[] = {4e4f, 1e-6f, NAN};
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
        assert_int_equal(bytes_of_weights(*state, others[i], true, &halves), single_bytes);
        assert_false(halves);
    }
}

/* ---- Weights set on the device --------------------------------------------------------------------------------- */

static void check_set_weights(nst_context *context, bool half_maps) {
    nst_error error;
    struct convolution_shape shape = {
        .in_channels = 17, .out_channels = 70, .kernel_size = 1, .epilogue = EPILOGUE_MASK_ADD, .half_maps = half_maps};
    struct random_generator generator = random_from_seed(1);
    struct size size = {9, 30};
    for (size_t e = 0; e <= count_engines(context); ++e) {
        const struct convolution_engine *engine = convolution_engines(context)[e]; /* at last NULL */
        if (!engine_can(context, &shape, engine)) {
            continue;
        }
        struct convolution *convolution;
        check(convolution_create(context, &shape, engine, NULL, &convolution, &error), &error);
        for (int repetition = 0; repetition < 2; ++repetition) {
            float *weights = random_values(&generator, 17 * 70), transposed[17 * 70];
            for (int i = 0; i < 17 * 70; ++i) {
                transposed[i] = weights[i % 70 * 17 + i / 70];
            }
            cl_mem matrix = upload(context, transposed, sizeof transposed);
            check(convolution_set_weights(convolution, matrix, &error), &error);
            struct problem problem;
            problem_init(&problem, &shape, size, weights, NULL, &generator);
            check_problem(context, convolution, &problem, EPILOGUE_MASK_ADD);
            problem_free(&problem);
            buffer_release(context, &matrix);
            free(weights);
        }
        convolution_destroy(convolution);
    }
}

static void weights_set_on_the_device(void **state) {
    check_set_weights(*state, false);
    check_set_weights(*state, true);
}

/* ---- Maps that are done in parts ------------------------------------------------------------------------------- */

static void check_parts(nst_context *context, bool half_maps) {
    nst_error error;
    struct random_generator generator = random_from_seed(3);
    for (int kernel_size = 1; kernel_size <= 3; kernel_size += 2) {
        for (int out = 5; out <= (int)sizes_to_try(70, 5); out += 65) {
            struct convolution_shape shape = {.in_channels = 3,
                                              .out_channels = out,
                                              .kernel_size = kernel_size,
                                              .padding = kernel_size / 2,
                                              .has_bias = true,
                                              .half_maps = half_maps,
                                              .epilogue = EPILOGUE_RELU};
            float *weights = random_values(&generator, (size_t)kernel_size * kernel_size * 3 * out);
            float *bias = random_values(&generator, out);
            struct problem problem;
            struct size size = {(int)sizes_to_try(64, 9), (int)sizes_to_try(65, 30)};
            problem_init(&problem, &shape, size, weights, bias, &generator);
            for (size_t e = 0; e <= count_engines(context); ++e) {
                const struct convolution_engine *engine = convolution_engines(context)[e]; /* at last NULL */
                if (engine_can(context, &shape, engine) && is_to_try(engine, EPILOGUE_RELU, 0)) {
                    struct convolution *convolution;
                    check(convolution_create(context, &shape, engine, &(struct convolution_weights){weights, bias},
                                             &convolution, &error),
                          &error);
                    convolution->dispatch_flop = 1;
                    check_problem(context, convolution, &problem, EPILOGUE_RELU);
                    convolution_destroy(convolution);
                }
            }
            problem_free(&problem);
            free(weights);
            free(bias);
        }
    }
}

static void large_maps_are_done_in_parts(void **state) {
    check_parts(*state, false);
    check_parts(*state, true);
}

/* In parts of which CLBlast copies pixels and sums, though as many of both as may be would need no copies. */
static void parts_find_room_in_the_scratch_memory(void **state) {
    nst_context *context = *state;
    nst_error error;
    struct convolution_shape shape = {.in_channels = 64, .out_channels = 64, .kernel_size = 1};
    const struct convolution_engine *clblast = convolution_find_engine(context, "clblast");
    if (!clblast || !engine_can(context, &shape, clblast) || sizes_are_small()) {
        skip();
    }
    struct random_generator generator = random_from_seed(7);
    float *weights = random_values(&generator, 64 * 64), *bias = random_values(&generator, 64);
    struct convolution *convolution;
    struct problem problem;
    problem_init(&problem, &shape, (struct size){401, 397}, weights, bias, &generator);
    check(convolution_create(context, &shape, clblast, &(struct convolution_weights){weights, bias}, &convolution,
                             &error),
          &error);
    convolution->dispatch_flop = 2.0 * 64 * 64 * 131072;
    check_problem(context, convolution, &problem, EPILOGUE_NONE);
    convolution_destroy(convolution);
    problem_free(&problem);
    free(weights);
    free(bias);
}

/* A plan is made for the largest map. On a GPU with many compute units smaller ones have their channels in more
 * parts. */
static void scratch_memory_suffices_for_smaller_maps(void **state) {
    nst_context many = *(nst_context *)*state, *context = &many;
    many.work_items = 132;
    nst_error error;
    float *weights = calloc((size_t)9 * 512 * 64, sizeof *weights);
    for (size_t e = 0; e < count_engines(context); ++e) {
        const struct convolution_engine *engine = convolution_engines(context)[e];
        struct convolution *convolution;
        struct convolution_shape shape = {.in_channels = 512, .out_channels = 64};
        shape.kernel_size = is_named(engine, "clblast") ? 1 : 3;
        shape.padding = shape.kernel_size / 2;
        if (!engine_can(context, &shape, engine)) {
            continue;
        }
        check(convolution_create(context, &shape, engine, &(struct convolution_weights){weights, NULL}, &convolution,
                                 &error),
              &error);
        uint64_t of_lines = 0, of_columns = 0;
        for (int side = 1; side <= 4000; side += 3) {
            uint64_t lines = convolution_scratch_bytes(convolution, side, 128);
            uint64_t columns = convolution_scratch_bytes(convolution, 128, side);
            if (lines < of_lines || columns < of_columns) {
                fail_msg("%s: side %d takes less scratch memory than %d", convolution_engine_name(engine), side,
                         side - 3);
            }
            of_lines = lines;
            of_columns = columns;
        }
        convolution_destroy(convolution);
    }
    free(weights);
}

static void the_choice_on_gpus(void **state) {
    nst_context *context = *state;
    nst_error error;
    if (context->loops_in_kernel || context->channel_block != 1 || context->work_group < 128) {
        skip();
    }
    static const struct {
        int in, out, kernel_size;
        const char *engine;
    } choices[] = {
        {32, 32, 3, "winograd"}, {3, 64, 3, "direct"}, {64, 3, 3, "direct"}, {64, 64, 1, "direct"}, {3, 3, 5, "plain"}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; ++i) {
        struct convolution_shape shape = {
            .in_channels = choices[i].in, .out_channels = choices[i].out, .kernel_size = choices[i].kernel_size};
        float *weights = calloc(64 * 64 * 9, sizeof *weights);
        struct convolution *convolution;
        check(convolution_create(context, &shape, NULL, &(struct convolution_weights){weights, NULL}, &convolution,
                                 &error),
              &error);
        assert_string_equal(convolution_engine_of(convolution)->word, choices[i].engine);
        convolution_destroy(convolution);
        free(weights);
    }
}

/* ---- Choice, and what is refused --------------------------------------------------------------------------------- */

static void refuses_what_it_cannot_do(void **state) {
    nst_context *context = *state;
    nst_error error;
    const float weights[25] = {0};
    const struct convolution_weights zeros = {weights, NULL};
    struct convolution *convolution;
    struct convolution_shape five = {.in_channels = 1, .out_channels = 1, .kernel_size = 5};
    for (size_t e = 0; e + 1 < count_engines(context); ++e) { /* all but the reference */
        const struct convolution_engine *engine = convolution_engines(context)[e];
        assert_int_equal(convolution_create(context, &five, engine, &zeros, &convolution, &error), NST_ERROR_ARGUMENT);
        assert_null(convolution);
    }
    assert_int_equal(convolution_create(context, &five, NULL, NULL, &convolution, &error), NST_ERROR_ARGUMENT);
    struct convolution_shape bad[] = {{.in_channels = 0, .out_channels = 1, .kernel_size = 1},
                                      {.in_channels = 1, .out_channels = -1, .kernel_size = 1},
                                      {.in_channels = 1, .out_channels = 1, .kernel_size = 2},
                                      {.in_channels = 1, .out_channels = 1, .kernel_size = 3, .padding = 3},
                                      {.in_channels = 1, .out_channels = 1, .kernel_size = 3, .has_bias = true},
                                      {.in_channels = 4, .out_channels = 1, .kernel_size = 3, .from_image = true},
                                      {.in_channels = 3, .out_channels = 3, .kernel_size = 3, .to_image = true}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        assert_int_equal(convolution_create(context, &bad[i], NULL, &zeros, &convolution, &error), NST_ERROR_ARGUMENT);
    }
    check(convolution_create(context, &five, NULL, &zeros, &convolution, &error), &error);
    assert_ptr_equal(convolution_engine_of(convolution), convolution_reference_engine(context));
    struct convolution_call too_small = {.height = 4, .width = 9};
    assert_int_equal(convolution_run(convolution, &too_small, &error), NST_ERROR_ARGUMENT);
    assert_int_equal(convolution_set_weights(convolution, NULL, &error), NST_ERROR_ARGUMENT);
    convolution_destroy(convolution);
    convolution_destroy(NULL);
}

/* Of every bit pattern: rounding must not make a number of it. */
static void check_not_a_number(nst_context *context, bool half_maps, uint32_t bits) {
    nst_error error;
    struct convolution_shape shape = {.in_channels = 1,
                                      .out_channels = 1,
                                      .kernel_size = 3,
                                      .padding = 1,
                                      .half_maps = half_maps,
                                      .epilogue = EPILOGUE_RELU};
    float weights[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, input = 0;
    memcpy(half_maps ? &weights[4] : &input, &bits, sizeof bits);
    double expected = 0;
    struct problem problem = {.shape = shape, .in = {1, 1}, .out = {1, 1}, .input = &input, .expected = &expected};
    for (size_t e = 0; e < count_engines(context); ++e) {
        const struct convolution_engine *engine = convolution_engines(context)[e];
        if (engine_can(context, &shape, engine)) {
            struct convolution *convolution;
            check(convolution_create(context, &shape, engine, &(struct convolution_weights){weights, NULL},
                                     &convolution, &error),
                  &error);
            struct maps maps = problem_run(context, convolution, &problem, EPILOGUE_RELU);
            assert_true(isnan(maps.after[0]));
            maps_free(&maps);
            convolution_destroy(convolution);
        }
    }
}

static void not_a_number_is_not_hidden(void **state) {
    static const uint32_t patterns[] = {0x7fc00000, 0xffc00000, 0x7fffffff, 0xffffffff, 0x7fc00001};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; ++i) {
        check_not_a_number(*state, false, patterns[i]);
        check_not_a_number(*state, true, patterns[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_of_every_kind),
        cmocka_unit_test(paddings_of_every_kind),
        cmocka_unit_test(images_instead_of_maps),
        cmocka_unit_test(large_kernels),
        cmocka_unit_test(many_channels),
        cmocka_unit_test(half_maps),
        cmocka_unit_test(half_weights),
        cmocka_unit_test(halves_take_half_the_bytes_where_they_suit),
        cmocka_unit_test(weights_set_on_the_device),
        cmocka_unit_test(refuses_what_it_cannot_do),
        cmocka_unit_test(not_a_number_is_not_hidden),
        cmocka_unit_test(the_choice_on_gpus),
        cmocka_unit_test(large_maps_are_done_in_parts),
        cmocka_unit_test(parts_find_room_in_the_scratch_memory),
        cmocka_unit_test(scratch_memory_suffices_for_smaller_maps),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
