/* test_wasserstein.c: the Wasserstein loss, value and gradient, against float64; and that against finite differences. */
#include "fixture.h"
#include "loss_case.h"
#include "reference/wasserstein.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 12 };

/* A map that a ReLU might have made, half of it zero, on the device and off. */
static struct reference_moments create_moments(int channels) {
    return (struct reference_moments){channels, allocate((size_t)channels, sizeof(double)),
                                      allocate((size_t)channels * (size_t)channels, sizeof(double))};
}

static void release_moments(struct reference_moments *moments) {
    free(moments->mean);
    free(moments->products);
}

struct problem {
    struct map_size size;
    struct loss_options options;
    bool in_place; /* as far as the device can */
    int dead;
    bool collinear;
    double bound; /* of the gradient */
};

/* A given map; where channels are to be collinear, each is the one before with a hundredth of its own, so that
 * eigenvalues of the covariance are 1e4 and more apart. */
static struct given_map give_features(nst_context *context, const struct problem *problem, struct map_size size,
                                      uint64_t seed) {
    struct given_map given = give_map(context, size, seed, problem->dead);
    if (problem->collinear) {
        float *values = allocate(elements_of(size), sizeof *values);
        for (size_t i = 0; i < elements_of(size); ++i) {
            values[i] = (float)given.values[i];
            if (i >= pixels_of(size)) {
                values[i] = values[i - pixels_of(size)] + 0.01f * values[i];
            }
            given.values[i] = values[i];
        }
        buffer_release(context, &given.map.values);
        given.map.values = upload_map(context, values, size);
        free(values);
    }
    return given;
}

/* Two style pictures of different sizes, blended. */
static void set_target(struct loss_case *test, const struct problem *problem, struct reference_moments *style) {
    nst_error error;
    const double shares[] = {0.3, 0.7};
    check(loss_target_begin(test->run, &everywhere, 1, &error), &error);
    for (int i = 0; i < 2; ++i) {
        struct map_size size = problem->size;
        size.height = i ? (size.height + 1) / 2 : size.height;
        struct given_map picture = give_features(test->context, problem, size, (uint64_t)(10 + 2 * i));
        struct loss_map at = {.map = picture.map};
        const struct loss_target target = {.picture = LOSS_STYLE, .share = shares[i]},
                                 other = {.picture = LOSS_CONTENT, .share = 1};
        check(loss_target_add(test->run, &at, &target, &error), &error);
        check(loss_target_add(test->run, &at, &other, &error), &error); /* none of its business */
        check(context_finish(test->context, &error), &error);
        reference_moments_add(style, picture.values, pixels_of(size), shares[i]);
        release_map(test->context, &picture);
    }
    check(loss_target_end(test->run, &error), &error);
}

/* Value and gradient of the loss at a map. */
static void check_loss(struct loss_case *test, const struct problem *problem, const struct reference_moments *style) {
    nst_error error;
    struct map_size size = problem->size;
    nst_context *context = test->context;
    struct given_map given = give_features(context, problem, size, 20);
    struct loss_map at = {.map = given.map};
    float *before = random_map(30, size);
    double *expected = to_doubles(before, elements_of(size));
    struct reference_wasserstein truth = {.slope = allocate(elements_of(size), sizeof(double))};
    reference_wasserstein(given.values, pixels_of(size), style, problem->options.epsilon, STEPS, &truth);
    double divisor = problem->options.relative ? truth.size : size.channels, factor = 2.5 / divisor;
    assert_close("factor", test->run->factor, factor, 1e-5);
    bool in_place = model_gradient_in_place(test->model, 0);
    for (size_t i = 0; i < elements_of(size); ++i) {
        double slope = given.mask[i] ? factor * truth.slope[i] : 0;
        expected[i] = in_place ? slope : expected[i] + slope;
    }
    cl_mem apart = upload_map(context, before, size), gradient = in_place ? given.map.values : apart;
    check(loss_gather(test->run, &at, &error), &error);
    check(loss_value(test->run, &at, &error), &error);
    /* What is left of sizes that nearly cancel out. */
    assert_true(fabs(loss_case_value(test) - factor * truth.loss) < factor * (1e-5 * truth.loss + 1e-6 * truth.size));
    check(loss_add_gradient(test->run, &at, gradient, &error), &error);
    float *changed = download_map(context, gradient, size);
    assert_map_near("gradient", changed, expected, size, problem->bound);
    free(changed);
    free(before);
    free(expected);
    free(truth.slope);
    buffer_release(context, &apart);
    release_map(context, &given);
}

static void check_problem(nst_context *context, const struct problem *problem) {
    struct loss_case test;
    struct map_size size = problem->size;
    const struct loss_spec spec = {
        .kind = "wasserstein", .layers = {"relu1_1"}, .layer_count = 1, .weight = 2.5, .options = problem->options};
    struct reference_moments style = create_moments(size.channels);
    loss_case_open(&test, context, size, (struct image_size){size.height, size.width}, &spec, problem->in_place);
    set_target(&test, problem, &style);
    check_loss(&test, problem, &style);
    release_moments(&style);
    loss_case_close(&test);
}

static void value_and_gradient_agree_with_the_reference(void **state) {
    static const struct map_size sizes[] = {{1, 17, 31, false},  {3, 17, 31, false},  {20, 13, 29, false},
                                            {64, 17, 31, false}, {65, 31, 37, false}, {3, 1, 1, false},
                                            {20, 3, 5, false},   {70, 5, 9, false}};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 3); ++i) {
        for (int variant = 0; variant < 8; ++variant) {
            struct problem problem = {.size = sizes[i],
                                      .options = {.relative = variant & 1, .epsilon = 0.05},
                                      .in_place = variant & 2,
                                      .bound = 2e-4};
            problem.size.half = variant & 4;
            check_problem(*state, &problem);
        }
    }
}

/* With fewer pixels than channels and next to no epsilon, most eigenvalues have not converged. */
static void dead_channels_and_few_pixels_give_no_nan(void **state) {
    static const double epsilons[] = {1e-4, 0};
    for (size_t i = 0; i < COUNT_OF(epsilons); ++i) {
        struct problem problem = {
            .size = {20, 17, 31, false}, .options = {.epsilon = epsilons[i]}, .dead = 3, .bound = 1e-5};
        check_problem(*state, &problem);
        problem.size = (struct map_size){40, 3, 5, false};
        check_problem(*state, &problem);
    }
}

/* Small eigenvalues keep their digits beside large ones. */
static void nearly_collinear_channels_keep_the_bound(void **state) {
    static const struct map_size sizes[] = {{20, 17, 31, false}, {64, 17, 31, false}, {70, 5, 9, false}};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 2); ++i) {
        const struct problem problem = {
            .size = sizes[i], .options = {.epsilon = 1e-4}, .collinear = true, .bound = 2e-4};
        check_problem(*state, &problem);
    }
}

/* The derivative of the reference's own value by central differences, where the iterations converge. */
static void the_reference_agrees_with_finite_differences(void **state) {
    (void)state;
    enum { CHANNELS = 5, PIXELS = 40 };
    const double step = 1e-5;
    float *values = random_array(3, CHANNELS * PIXELS), *others = random_array(4, CHANNELS * PIXELS);
    double *map = to_doubles(values, CHANNELS * PIXELS), *picture = to_doubles(others, CHANNELS * PIXELS);
    double slopes[CHANNELS * PIXELS], unused[CHANNELS * PIXELS];
    struct reference_moments style = create_moments(CHANNELS);
    struct reference_wasserstein here = {.slope = slopes}, beside[2] = {{.slope = unused}, {.slope = unused}};
    reference_moments_add(&style, picture, PIXELS, 1);
    for (int steps = 0; steps <= STEPS; steps += STEPS) {
        reference_wasserstein(map, PIXELS, &style, 0.1, steps, &here);
        for (int i = 0; i < CHANNELS * PIXELS; i += 7) {
            double value = map[i];
            for (int side = 0; side < 2; ++side) {
                map[i] = value + (side ? step : -step);
                reference_wasserstein(map, PIXELS, &style, 0.1, steps, &beside[side]);
            }
            map[i] = value;
            assert_true(fabs((beside[1].loss - beside[0].loss) / (2 * step) - slopes[i]) < 1e-6);
        }
    }
    free(values);
    free(others);
    free(map);
    free(picture);
    release_moments(&style);
}

/* The distance of normal distributions in one dimension: (m - m*)^2 + (s - s*)^2. */
static void one_channel_is_known_in_closed_form(void **state) {
    (void)state;
    const double map[] = {1, 3, 1, 3}, picture[] = {0, 8};
    double slope[4];
    struct reference_moments style = create_moments(1);
    struct reference_wasserstein truth = {.slope = slope};
    reference_moments_add(&style, picture, 2, 1);
    reference_wasserstein(map, 4, &style, 0, STEPS, &truth);
    assert_close("loss", truth.loss, 4 + 9, 1e-12);
    assert_close("size", truth.size, 32, 1e-12);
    release_moments(&style);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_and_gradient_agree_with_the_reference),
        cmocka_unit_test(dead_channels_and_few_pixels_give_no_nan),
        cmocka_unit_test(nearly_collinear_channels_keep_the_bound),
        cmocka_unit_test(the_reference_agrees_with_finite_differences),
        cmocka_unit_test(one_channel_is_known_in_closed_form),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
