/* test_gram.c: Gram matrices by every engine, blending, difference and gradient of the style loss (cl/gram.cl,
 * loss/gram.c) against the float64 reference. */
#include "fixture.h"
#include "loss_case.h"
#include "network/product.h"
#include "reference/losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a test is made with. `planned` is not smaller than the maps to come; the engine is NULL for the one that the
 * loss chooses: then it also chooses where the gradient goes; otherwise it is added to a map of its own. */
struct gram_problem {
    struct map_size size;
    struct image_size planned;
    const struct product_engine *engine;
    struct loss_options options;
};

/* Blends two style pictures of different sizes into the target; fills in the target that is to be. */
static void set_target(struct loss_case *test, const struct gram_problem *problem, double *target) {
    nst_error error;
    struct map_size size = problem->size;
    const double shares[] = {0.3, 0.7};
    size_t count = (size_t)size.channels * (size_t)size.channels;
    double *gram = allocate(count, sizeof *gram);
    check(loss_target_begin(test->run, &everywhere, 1, &error), &error);
    for (int i = 0; i < 2; ++i) {
        struct map_size style_size = size;
        style_size.height = i ? (size.height + 1) / 2 : size.height;
        struct given_map style = give_map(test->context, style_size, (uint64_t)(10 + i), 0);
        struct loss_map at = {.map = style.map};
        struct loss_target picture = {.picture = LOSS_STYLE, .share = shares[i]},
                           other = {.picture = LOSS_CONTENT, .share = 1};
        check(loss_target_add(test->run, &at, &picture, &error), &error);
        check(loss_target_add(test->run, &at, &other, &error), &error); /* none of its business */
        check(context_finish(test->context, &error), &error);
        reference_gram(style.values, size.channels, pixels_of(style_size), gram);
        double scale = 1.0 / (double)pixels_of(style_size) / (problem->options.gram_by_channels ? size.channels : 1);
        for (size_t k = 0; k < count; ++k) {
            target[k] += shares[i] * scale * gram[k];
        }
        release_map(test->context, &style);
    }
    check(loss_target_end(test->run, &error), &error);
    free(gram);
}

/* Two style pictures blended, then loss and gradient at a third map. */
static void check_problem(nst_context *context, const struct gram_problem *problem) {
    nst_error error;
    struct loss_case test;
    struct map_size size = problem->size;
    size_t count = (size_t)size.channels * (size_t)size.channels;
    double *target = allocate(count, sizeof *target);
    struct loss_spec spec = {
        .kind = "gram", .layers = {"relu1_1"}, .layer_count = 1, .weight = 2.5, .options = problem->options};
    const struct product_engine *only[] = {problem->engine, NULL};
    context->tables.products = problem->engine ? only : NULL;
    loss_case_open(&test, context, size, problem->planned, &spec, !problem->engine);
    context->tables.products = NULL;
    set_target(&test, problem, target);
    double divisor = problem->options.relative ? reference_squares(target, count) : (double)count;
    assert_close("factor", test.run->factor, 2.5 / divisor, 1e-5);

    struct given_map given = give_map(context, size, 20, 0);
    struct loss_map at = {.map = given.map};
    float *before = random_map(30, size);
    double *expected = to_doubles(before, elements_of(size)), *added = allocate(elements_of(size), sizeof *added);
    double scale = 1.0 / (double)pixels_of(size) / (problem->options.gram_by_channels ? size.channels : 1);
    double loss =
        reference_style_loss(given.values, target, size.channels, pixels_of(size), test.run->factor, scale, added);
    bool in_place = model_gradient_in_place(test.model, 0);
    for (size_t i = 0; i < elements_of(size); ++i) {
        added[i] = given.mask[i] ? added[i] : 0;
        expected[i] = in_place ? added[i] : expected[i] + added[i];
    }
    cl_mem apart = upload_map(context, before, size), gradient = in_place ? given.map.values : apart;
    check(loss_gather(test.run, &at, &error), &error);
    check(loss_value(test.run, &at, &error), &error);
    assert_close("style loss", loss_case_value(&test), loss, 2e-5);
    check(loss_add_gradient(test.run, &at, gradient, &error), &error);
    float *changed = download_map(context, gradient, size);
    /* Relative to a sum that is mostly what it is added to, or to itself. */
    assert_map_near("style gradient", changed, expected, size, in_place ? 3e-5 : 3e-6);
    free(changed);
    free(before);
    free(expected);
    free(added);
    free(target);
    buffer_release(context, &apart);
    release_map(context, &given);
    loss_case_close(&test);
}

/* By the number of elements, or relative to the target. */
static void check_style(nst_context *context, struct map_size size, struct image_size planned,
                        const struct product_engine *engine) {
    struct gram_problem problem = {.size = size, .planned = planned, .engine = engine};
    check_problem(context, &problem);
    problem.options = (struct loss_options){.relative = true, .gram_by_channels = true};
    if (!engine) {
        check_problem(context, &problem);
    }
}

/* Whether the device can do with that engine; NULL: with any. */
static bool engine_can(const nst_context *context, const struct product_engine *engine, bool half) {
    bool packable = context->loops_in_kernel && context->channel_block > 1;
    bool tileable = !context->loops_in_kernel && context->channel_block == 1 && context->work_group >= 64;
    bool by_clblast = context->channel_block == 1 && !half;
    if (!engine) {
        return packable || tileable || by_clblast;
    }
    const char *name = product_engine_name(engine);
    return (strcmp(name, "packed") == 0 && packable) || (strcmp(name, "tiles") == 0 && tileable) ||
           (strcmp(name, "clblast") == 0 && by_clblast);
}

static void check_engines(nst_context *context, struct map_size size, struct image_size planned) {
    for (int half = 0; half <= 1; ++half) {
        size.half = half;
        if (engine_can(context, NULL, half)) {
            check_style(context, size, planned, NULL);
        }
        for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
            /* CLBlast's kernels are not ours: where sizes are to be small, a small matrix will do. */
            bool is_ours = strcmp(product_engine_name(*engine), "clblast") != 0;
            bool is_to_try = is_ours || !sizes_are_small() || size.channels <= 8;
            if (is_to_try && engine_can(context, *engine, half)) {
                check_style(context, size, planned, *engine);
            }
        }
    }
}

static void loss_and_gradient_agree_with_the_reference(void **state) {
    for (size_t s = 0; s < map_size_count(); ++s) {
        check_engines(*state, map_sizes[s], (struct image_size){map_sizes[s].height, map_sizes[s].width});
    }
}

/* More channels than a tile, and a chunk of pixels that is broken off: 64 channels, 40 * 53 pixels. */
static void several_tiles_and_chunks(void **state) {
    static const struct map_size sizes[] = {{70, 5, 9, false}, {64, 40, 53, false}, {150, 30, 31, false}};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 1); ++i) {
        check_engines(*state, sizes[i], (struct image_size){sizes[i].height, sizes[i].width});
    }
}

/* A job plans for its largest scale only. There, sizes that divide evenly may need less room than odd ones below. */
static void smaller_scales_fit_the_plan_of_the_largest(void **state) {
    static const int channels[] = {64, 70, 128};
    int side = (int)sizes_to_try(32, 4);
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(channels), 1); ++i) {
        check_engines(*state, (struct map_size){channels[i], side - 1, side + 1, false},
                      (struct image_size){side, 2 * side});
        check_engines(*state, (struct map_size){channels[i], 2 * side - 1, 2 * side - 3, false},
                      (struct image_size){2 * side, 2 * side});
    }
}

static void engines_are_refused_where_they_cannot_work(void **state) {
    nst_context *context = *state;
    nst_error error;
    int refused = 0;
    for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
        if (!engine_can(context, *engine, false)) {
            struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = 5};
            struct product *product;
            assert_int_equal(product_create(context, &shape, *engine, &product, &error), NST_ERROR_ARGUMENT);
            assert_non_null(strstr(error.message, product_engine_name(*engine)));
            assert_null(product);
            ++refused;
        }
    }
    assert_true(refused > 0); /* those for CPUs and those for GPUs exclude each other */
}

/* A kind that is not there, and losses at places where they cannot sit. */
static void losses_that_do_not_exist_are_refused(void **state) {
    nst_context *context = *state;
    nst_error error;
    struct loss *loss;
    const struct loss_spec specs[] = {
        {.kind = "sparkle", .layers = {"relu1_1"}, .layer_count = 1},
        {.kind = "gram"},
        {.kind = "total variation", .layers = {"relu1_1"}, .layer_count = 1, .options = {.power = 2}},
    };
    static const char *const parts[] = {"no kind of loss 'sparkle'", "sits at layers", "sits on the image"};
    for (size_t i = 0; i < COUNT_OF(specs); ++i) {
        assert_int_equal(loss_create(context, NULL, &specs[i], &loss, &error), NST_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, parts[i]));
        assert_null(loss);
    }
}

/* A matrix that is not symmetric nor small, to tell rows from columns: blend and difference by themselves. */
static void blend_and_difference(void **state) {
    nst_context *context = *state;
    nst_error error;
    cl_kernel blend, difference;
    check(kernel_create(context, "gram.cl", "", "gram_blend", &blend, &error), &error);
    check(kernel_create(context, "gram.cl", "", "gram_difference", &difference, &error), &error);
    static const int counts[] = {1, 9, 25, 289, 4096};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(counts), 3); ++i) {
        size_t count = (size_t)counts[i];
        float *gram = random_array(1, count), *target = random_array(2, count), *got;
        double *expected = to_doubles(target, count), loss = 0, value;
        cl_mem grams = upload(context, gram, count * sizeof *gram),
               goal = upload(context, target, count * sizeof *gram);
        cl_mem out = create_zero(context, count * sizeof *gram),
               sums = create_zero(context, reduction_bytes(context, 1));
        check(kernel_run(
                  context, blend, work_range(context, count),
                  ARGUMENTS(arg_buffer(grams), arg_buffer(goal), arg_int(counts[i]), arg_float(0.5f), arg_float(0.25f)),
                  &error),
              &error);
        for (size_t k = 0; k < count; ++k) {
            expected[k] += 0.75 * gram[k];
        }
        got = download(context, goal, count * sizeof *gram);
        assert_near("blended target", got, expected, count, 1e-6);
        for (size_t k = 0; k < count; ++k) {
            double d = 0.75 * gram[k] - got[k];
            loss += 3 * d * d;
            expected[k] = 4 * 3 * 0.5 * d;
        }
        free(got);
        check(kernel_run(context, difference, reduction_work(context),
                         ARGUMENTS(arg_buffer(grams), arg_buffer(goal), arg_buffer(out), arg_buffer(sums), arg_int(0),
                                   arg_int(counts[i]), arg_float(3.0f), arg_float(0.5f), arg_float(0.25f)),
                         &error),
              &error);
        got = download(context, out, count * sizeof *gram);
        assert_near("difference", got, expected, count, 1e-6);
        check(reduction_read(context, sums, 0, &value, &error), &error);
        assert_close("loss of the difference", value, loss, 5e-6);
        free(got);
        free(gram);
        free(target);
        free(expected);
        buffer_release(context, &grams);
        buffer_release(context, &goal);
        buffer_release(context, &out);
        buffer_release(context, &sums);
    }
    kernel_release(&blend);
    kernel_release(&difference);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradient_agree_with_the_reference),
        cmocka_unit_test(several_tiles_and_chunks),
        cmocka_unit_test(smaller_scales_fit_the_plan_of_the_largest),
        cmocka_unit_test(engines_are_refused_where_they_cannot_work),
        cmocka_unit_test(losses_that_do_not_exist_are_refused),
        cmocka_unit_test(blend_and_difference),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
