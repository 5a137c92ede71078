/* test_neighbors.c: both losses of nearest neighbors on the device (loss/neighbors.c, loss/layer_neighbors.c) against
 * what they say in double (loss/neighbors_reference.c), which test_in_double.c holds against finite differences. */
#include "loss/kinds.h"
#include "loss_case.h"

#include <math.h>
#include <stdlib.h>

/* Shows the model a picture of noise up to `most`; returns its map in double, [channels][height][width]. */
static double *show(struct loss_case *test, struct map_size size, uint64_t seed, double most) {
    nst_error error;
    size_t count = 3 * pixels_of(size);
    float *picture = random_uniform_array(seed, count, 0, (float)most);
    cl_mem image = upload(test->context, picture, count * sizeof *picture);
    check(model_forward(test->model_run, image, (struct image_size){size.height, size.width}, &error), &error);
    float *map = download_map(test->context, model_feature_map(test->model_run, 0).values, size);
    double *doubles = to_doubles(map, elements_of(size));
    buffer_release(test->context, &image);
    free(picture);
    free(map);
    return doubles;
}

static struct loss_map map_of(const struct loss_case *test, struct map_size size) {
    return (struct loss_map){.map = model_feature_map(test->model_run, 0), .image = {size.height, size.width}};
}

static void add_target(struct loss_case *test, struct map_size size, enum loss_picture picture) {
    nst_error error;
    struct loss_map at = map_of(test, size);
    struct loss_target target = {.picture = picture, .share = 1};
    check(loss_target_add(test->run, &at, &target, &error), &error);
}

static void check_loss(nst_context *context, const char *kind, struct map_size size, struct image_size planned) {
    nst_error error;
    struct loss_case test;
    struct loss_spec spec = {.kind = kind, .layers = {"relu1_1"}, .layer_count = 1, .weight = 1, .options.seed = 5};
    loss_case_open(&test, context, size, planned, &spec, false);
    check(loss_target_begin(test.run, &everywhere, 1, &error), &error);
    double *style = show(&test, size, 6, 200);
    add_target(&test, size, LOSS_SURVEY);
    double *content = show(&test, size, 5, 255);
    add_target(&test, size, LOSS_CONTENT);
    free(show(&test, size, 6, 200));
    add_target(&test, size, LOSS_STYLE);
    check(loss_target_end(test.run, &error), &error);

    double *map = show(&test, size, 7, 255), *expected = allocate(elements_of(size), sizeof *expected);
    struct loss_reference in = {size.channels, size.height, size.width, map, content, style};
    double value = test.loss->methods->reference(&test.loss->options, &in, expected);
    for (size_t i = 0; i < elements_of(size); ++i) {
        expected[i] = map[i] > 0 ? expected[i] : 0;
    }
    struct loss_map at = map_of(&test, size);
    cl_mem gradient = model_gradient(test.model_run, 0);
    /* Twice: the second time targets are the same, or are found again for the same features. */
    for (int repetition = 0; repetition < 2; ++repetition) {
        check(loss_gather(test.run, &at, &error), &error);
        check(loss_value(test.run, &at, &error), &error);
        assert_close(kind, loss_case_value(&test), value, 1e-5);
        check(model_backward_begin(test.model_run, &error), &error);
        check(loss_add_gradient(test.run, &at, gradient, &error), &error);
        float *got = download_map(context, gradient, size);
        assert_map_near(kind, got, expected, size, 2e-5);
        free(got);
    }
    free(style);
    free(content);
    free(map);
    free(expected);
    loss_case_close(&test);
}

static void check_sizes(nst_context *context, const char *kind) {
    static const struct map_size sizes[] = {{5, 9, 6, false}, {20, 17, 31, false}, {65, 21, 16, false}};
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(sizes), 2); ++i) {
        struct map_size size = sizes[i];
        struct image_size planned = {size.height, size.width};
        for (int half = 0; half <= 1; ++half) {
            size.half = half;
            check_loss(context, kind, size, planned);
        }
    }
    /* A quarter of a short side is one position. */
    check_loss(context, kind, (struct map_size){5, 3, 9, false}, (struct image_size){3, 9});
    /* A plan for larger pictures has room for smaller ones. */
    check_loss(context, kind, sizes[1], (struct image_size){40, 37});
    check_loss(context, kind, sizes[1], (struct image_size){140, 90});
}

static void a_stack_of_layers(void **state) {
    check_sizes(*state, "neighbors");
}

static void one_layer(void **state) {
    check_sizes(*state, "layer neighbors");
}

/* A style that is all zero, one pixel, and a content that is the style: finite numbers, and no distance at all. */
static void corners_of_the_definition(void **state) {
    nst_error error;
    static const struct map_size sizes[] = {{3, 1, 1, false}, {3, 9, 8, false}};
    static const char *const kinds[] = {"neighbors", "layer neighbors"};
    for (int i = 0; i < 8; ++i) {
        struct map_size size = sizes[i % 2];
        bool is_dark = i / 2 % 2;
        struct loss_case test;
        struct loss_spec spec = {.kind = kinds[i / 4], .layers = {"relu1_1"}, .layer_count = 1, .weight = 1};
        loss_case_open(&test, *state, size, (struct image_size){size.height, size.width}, &spec, false);
        check(loss_target_begin(test.run, &everywhere, 1, &error), &error);
        static const enum loss_picture pictures[] = {LOSS_SURVEY, LOSS_CONTENT, LOSS_STYLE};
        for (int p = 0; p < 3; ++p) {
            free(show(&test, size, 6, is_dark ? 0 : 200));
            add_target(&test, size, pictures[p]);
        }
        check(loss_target_end(test.run, &error), &error);
        free(show(&test, size, 6, 200));
        struct loss_map at = map_of(&test, size);
        check(loss_gather(test.run, &at, &error), &error);
        check(loss_value(test.run, &at, &error), &error);
        double value = loss_case_value(&test);
        assert_true(isfinite(value) && value >= -1e-6 && value <= 2 + 1e-6);
        assert_true(is_dark || pixels_of(size) == 1 || value < 1e-5);
        check(model_backward_begin(test.model_run, &error), &error);
        check(loss_add_gradient(test.run, &at, model_gradient(test.model_run, 0), &error), &error);
        float *got = download_map(*state, model_gradient(test.model_run, 0), size);
        for (size_t k = 0; k < elements_of(size); ++k) {
            assert_true(isfinite(got[k]));
        }
        free(got);
        loss_case_close(&test);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_of_layers),
        cmocka_unit_test(one_layer),
        cmocka_unit_test(corners_of_the_definition),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
