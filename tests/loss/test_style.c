/* test_style.c: Gram matrices by every engine, blending, difference and gradient of the style loss (cl/gram.cl,
 * loss/style.c) against the float64 reference. */
#include "fixture.h"
#include "loss/loss.h"
#include "random_network.h"
#include "reference/losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model of one layer with so many channels, and the style loss there. */
struct style_case {
    nst_network *network;
    struct model *model;
    struct style_loss *loss;
    struct plan plan;
    struct loss_output output;
    struct map_size size;
};

/* The plan is made for `planned`, which is not smaller than the maps to come. */
static void case_init(struct style_case *test, nst_context *context, struct map_size size, struct image_size planned,
                      const struct product_engine *engine) {
    nst_error error;
    char description[32];
    snprintf(description, sizeof description, "c%d:k1 r", size.channels);
    *test = (struct style_case){.network = random_network(description, 1), .size = size};
    const char *tap = "relu1_1";
    /* With the engine of its choice it also chooses where the gradient goes; otherwise it is added to a map of its own.
     */
    struct model_options options = {.taps = &tap, .tap_count = 1, .half = size.half, .losses_in_place = !engine};
    check(model_create(context, test->network, &options, &test->model, &error), &error);
    check(style_loss_create(context, test->model, 0, engine, &test->loss, &error), &error);
    check(model_add_to_plan(test->model, &test->plan, &planned, 1, &error), &error);
    style_loss_add_to_plan(test->loss, &test->plan, &planned, 1);
    int partials = plan_add_always(&test->plan, reduction_bytes(context, 2), "partials");
    check(plan_assign(&test->plan, &error), &error);
    check(plan_allocate(&test->plan, context, &error), &error);
    test->output = (struct loss_output){.partials = plan_buffer(&test->plan, partials), .slot = 1};
}

static void case_free(struct style_case *test, nst_context *context) {
    plan_free(&test->plan, context);
    style_loss_destroy(test->loss);
    model_destroy(test->model);
    random_network_free(test->network);
}

/* A feature map of our own making on the device. */
struct given_map {
    struct feature_map map;
    double *values;
    bool *mask;
};

static struct given_map give_map(nst_context *context, struct map_size size, uint64_t seed) {
    float *values = random_array(seed, elements_of(size));
    struct given_map given = {.mask = random_mask(seed + 1, size)};
    for (size_t i = 0; i < elements_of(size); ++i) {
        values[i] = given.mask[i] ? fabsf(values[i]) : 0.0f;
    }
    round_map(values, size);
    given.values = to_doubles(values, elements_of(size));
    given.map = (struct feature_map){.values = upload_map(context, values, size),
                                     .mask = upload_mask(context, given.mask, size),
                                     .channels = size.channels,
                                     .height = size.height,
                                     .width = size.width};
    free(values);
    return given;
}

static void release_map(nst_context *context, struct given_map *given) {
    buffer_release(context, &given->map.values);
    buffer_release(context, &given->map.mask);
    free(given->values);
    free(given->mask);
}

/* Two style pictures of different sizes blended, then loss and gradient at a third map. */
static void check_style(nst_context *context, struct map_size size, struct image_size planned,
                        const struct product_engine *engine) {
    nst_error error;
    struct style_case test;
    const double scale = 1.0 / (double)pixels_of(size), shares[] = {0.3, 0.7};
    const struct style_loss_weights weights = {.weight = 2.5, .scale = scale};
    size_t count = (size_t)size.channels * (size_t)size.channels;
    double *target = allocate(count, sizeof *target), *gram = allocate(count, sizeof *gram), squares, got;
    case_init(&test, context, size, planned, engine);

    check(style_loss_clear_target(test.loss, &test.plan, &error), &error);
    for (int i = 0; i < 2; ++i) {
        struct map_size style_size = size;
        style_size.height = i ? (size.height + 1) / 2 : size.height;
        struct given_map style = give_map(context, style_size, (uint64_t)(10 + i));
        double factor = shares[i] / (double)pixels_of(style_size);
        check(style_loss_gram(test.loss, &test.plan, &style.map, &error), &error);
        check(style_loss_add_to_target(test.loss, &test.plan, factor, &error), &error);
        check(context_finish(context, &error), &error);
        reference_gram(style.values, size.channels, pixels_of(style_size), gram);
        for (size_t k = 0; k < count; ++k) {
            target[k] += factor * gram[k];
        }
        release_map(context, &style);
    }
    check(style_loss_target_size(test.loss, &test.plan, &squares, &error), &error);
    assert_close("size of the target", squares, reference_squares(target, count), 1e-5);

    struct given_map given = give_map(context, size, 20);
    float *before = random_map(30, size);
    double *expected = to_doubles(before, elements_of(size)), *added = allocate(elements_of(size), sizeof *added);
    double loss = reference_style_loss(given.values, target, size.channels, pixels_of(size), weights.weight,
                                       weights.scale, added);
    bool in_place = model_gradient_in_place(test.model, 0);
    for (size_t i = 0; i < elements_of(size); ++i) {
        added[i] = given.mask[i] ? added[i] : 0;
        expected[i] = in_place ? added[i] : expected[i] + added[i];
    }
    cl_mem apart = upload_map(context, before, size), gradient = in_place ? given.map.values : apart;
    check(style_loss_gram(test.loss, &test.plan, &given.map, &error), &error);
    check(style_loss_value(test.loss, &test.plan, weights, test.output, &error), &error);
    check(reduction_read(context, test.output.partials, 1, &got, &error), &error);
    assert_close("style loss", got, loss, 2e-5);
    check(style_loss_add_gradient(test.loss, &test.plan, &given.map, gradient, &error), &error);
    float *changed = download_map(context, gradient, size);
    /* Relative to a sum that is mostly what it is added to, or to itself. */
    assert_map_near("style gradient", changed, expected, size, in_place ? 3e-5 : 3e-6);
    free(changed);
    free(before);
    free(expected);
    free(added);
    free(target);
    free(gram);
    buffer_release(context, &apart);
    release_map(context, &given);
    case_free(&test, context);
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
    struct style_case test;
    case_init(&test, context, (struct map_size){5, 4, 4, false}, (struct image_size){4, 4}, NULL);
    struct style_loss *loss;
    int refused = 0;
    for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
        if (!engine_can(context, *engine, false)) {
            assert_int_equal(style_loss_create(context, test.model, 0, *engine, &loss, &error), NST_ERROR_ARGUMENT);
            assert_non_null(strstr(error.message, product_engine_name(*engine)));
            assert_null(loss);
            ++refused;
        }
    }
    assert_true(refused > 0); /* those for CPUs and those for GPUs exclude each other */
    style_loss_destroy(NULL);
    case_free(&test, context);
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
        cmocka_unit_test(blend_and_difference),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
