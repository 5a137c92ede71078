/* test_objective.c: every loss and the whole gradient (stylize/objective.c) against the float64 network, which agrees
 * with finite differences (network/test_reference.c): all paddings, both poolings, both objectives, losses that meet at
 * one layer. */
#include "fixture.h"
#include "optimizer/optimizer.h"
#include "random_network.h"
#include "reference/network.h"
#include "stylize/objective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A picture in float for the device, and the same in double. */
struct test_picture {
    struct image_size size;
    float *values;
    struct reference_picture reference;
};

static size_t count_of(struct image_size size) {
    return 3 * (size_t)size.height * (size_t)size.width;
}

static struct test_picture make_picture(uint64_t seed, int height, int width) {
    struct test_picture picture = {.size = {height, width}};
    picture.values = random_uniform_array(seed, count_of(picture.size), 0, 255);
    picture.reference = (struct reference_picture){height, width, to_doubles(picture.values, count_of(picture.size))};
    return picture;
}

static void free_picture(struct test_picture *picture) {
    free(picture->values);
    free(picture->reference.image);
}

/* As the objective wants it: relative to its center. */
static cl_mem upload_picture(nst_context *context, const struct objective *objective,
                             const struct test_picture *picture) {
    float *padded = allocate(optimizer_padded(count_of(picture->size)), sizeof *padded);
    for (size_t i = 0; i < count_of(picture->size); ++i) {
        padded[i] = picture->values[i] - objective_center(objective)[i / (count_of(picture->size) / 3)];
    }
    cl_mem buffer = upload(context, padded, optimizer_padded(count_of(picture->size)) * sizeof *padded);
    free(padded);
    return buffer;
}

static void add_layers(nst_layer_list *list, const char *names, const double *weights) {
    char text[256], *rest = NULL;
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        snprintf(list->layers[list->count].name, sizeof list->layers[0].name, "%s", name);
        list->layers[list->count].weight = weights[list->count];
        list->count++;
    }
}

struct objective_case {
    const char *network, *content_layers, *style_layers;
    int height, width;
    double tv_weight;
};

static nst_settings make_settings(const struct objective_case *test, nst_objective kind, nst_pooling pooling) {
    static const double weights[] = {1, 0.5, 3, 0.25};
    bool normalized = kind == NST_OBJECTIVE_NORMALIZED;
    nst_settings settings = {.objective = kind,
                             .content_weight = normalized ? 0.3 : 5,
                             .style_weight = normalized ? 1 : 1000,
                             .tv_weight = test->tv_weight * (normalized ? 1 : 1e-3),
                             .pooling = pooling};
    add_layers(&settings.content_layers, test->content_layers, weights);
    add_layers(&settings.style_layers, test->style_layers, weights);
    return settings;
}

static void set_target(nst_context *context, struct objective *objective, const struct plan *plan,
                       const struct test_picture *content, const struct test_picture *styles, const double *shares,
                       int style_count) {
    nst_error error;
    cl_mem image = upload_picture(context, objective, content);
    check(objective_set_content(objective, plan, image, content->size, &error), &error);
    check(context_finish(context, &error), &error);
    buffer_release(context, &image);
    check(objective_begin_styles(objective, plan, &error), &error);
    for (int i = 0; i < style_count; ++i) {
        image = upload_picture(context, objective, &styles[i]);
        check(objective_add_style(objective, plan, image, styles[i].size, shares[i], &error), &error);
        check(context_finish(context, &error), &error);
        buffer_release(context, &image);
    }
    check(objective_end_styles(objective, plan, &error), &error);
}

/* How far losses and gradient may lie from those of the reference, relative. */
struct bounds {
    double loss, element, gradient;
};
static const struct bounds single_bounds = {5e-5, 2e-4, 2e-5};
/* Maps rounded to 8 bits, filters to 11, and ReLUs and maxima that fall the other way for it. */
static const struct bounds half_bounds = {5e-2, 3, 0.2};

static void check_losses(const struct objective *objective, const nst_settings *settings, const double *expected,
                         double total, double bound) {
    int count, content = settings->content_layers.count, style = settings->style_layers.count;
    const nst_layer_loss *losses = objective_losses(objective, &count);
    assert_int_equal(count, content + style + (settings->tv_weight > 0));
    for (int i = 0; i < count; ++i) {
        const char *kind = i < content ? "content" : i < content + style ? "style" : "tv";
        const char *name = i < content           ? settings->content_layers.layers[i].name
                           : i < content + style ? settings->style_layers.layers[i - content].name
                                                 : "tv";
        assert_string_equal(losses[i].kind, kind);
        assert_string_equal(losses[i].name, name);
        assert_close(name, losses[i].loss, expected[i], bound);
    }
    assert_close("total", objective_total(objective), total, bound);
}

static void check_objective(nst_context *context, const struct objective_case *test, nst_objective kind,
                            nst_pooling pooling, nst_precision precision, const struct convolution_engine *engine) {
    nst_error error;
    nst_network *network = random_network(test->network, 21);
    nst_settings settings = make_settings(test, kind, pooling);
    bool half = precision == NST_PRECISION_HALF;
    const struct bounds *bounds = half ? &half_bounds : &single_bounds;
    settings.precision = precision;
    struct test_picture content = make_picture(1, test->height, test->width), image = {.values = NULL};
    struct test_picture styles[2] = {make_picture(2, test->height + 5, test->width - 3),
                                     make_picture(3, test->height / 2, test->width)};
    const double shares[] = {0.4, 0.6};
    struct reference_picture reference_styles[2] = {styles[0].reference, styles[1].reference};
    struct reference_objective reference;
    reference_objective_init(&reference, network, &settings, &content.reference, reference_styles, shares, 2);
    size_t elements = count_of(content.size);
    double losses[2 * NST_MAX_LAYERS + 1], *expected = allocate(elements, sizeof *expected), total = 0;
    for (uint64_t seed = 100; !image.values || reference.network.margin < 4e-6; ++seed) {
        assert_true(seed < 300);
        free_picture(&image);
        image = make_picture(seed, test->height, test->width);
        total = reference_objective_evaluate(&reference, image.reference.image, losses, expected);
    }

    struct objective *objective;
    struct plan plan = {0};
    struct image_size sizes[] = {content.size, styles[0].size, styles[1].size};
    check(objective_create(context, network, &settings, engine, &objective, &error), &error);
    check(objective_add_to_plan(objective, &plan, sizes, 3, &error), &error);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    set_target(context, objective, &plan, &content, styles, shares, 2);
    cl_mem pixels = upload_picture(context, objective, &image);
    cl_mem gradient = create_zero(context, optimizer_padded(elements) * sizeof(float));
    /* Twice: nothing may be left over from the first evaluation, and the same comes out. */
    float *first = NULL;
    for (int repetition = 0; repetition < 2; ++repetition) {
        check(objective_evaluate(objective, &plan, pixels, gradient, &error), &error);
        check_losses(objective, &settings, losses, total, bounds->loss);
        float *got = download(context, gradient, optimizer_padded(elements) * sizeof *got);
        assert_near(test->network, got, expected, elements, bounds->element);
        assert_true(relative_rms(got, expected, elements) < bounds->gradient);
        for (size_t i = elements; i < optimizer_padded(elements); ++i) {
            assert_true(got[i] == 0);
        }
        if (first) {
            assert_memory_equal(got, first, elements * sizeof *got);
            free(got);
        } else {
            first = got;
        }
    }
    free(first);
    buffer_release(context, &pixels);
    buffer_release(context, &gradient);
    plan_free(&plan, context);
    objective_destroy(objective);
    reference_objective_free(&reference);
    random_network_free(network);
    free_picture(&content);
    free_picture(&image);
    free_picture(&styles[0]);
    free_picture(&styles[1]);
    free(expected);
}

static void losses_and_gradient_agree_with_the_reference(void **state) {
    const struct objective_case cases[] = {
        {"c5 r c5 r p c7 r", "relu2_1", "relu1_1 relu1_2 relu2_1", (int)sizes_to_try(37, 9), 29, 0.2},
        {"c5:reflect r c6:reflect:nobias r p c7:reflect r c3:k1 r", "relu2_2 relu1_1", "relu1_2 relu2_1", 37, 29, 0},
        {"c5:nobias:replicate r p c4:k1 r p c9:replicate r", "relu2_1", "relu1_1 relu2_1 relu3_1", 17, 31, 1},
        {"c17 r p c3:p0 r c5 r", "relu2_1", "relu2_2", 21, 20, 0.1},
    };
    for (size_t i = 0; i < sizes_to_try(COUNT_OF(cases), 1); ++i) {
        for (int kind = NST_OBJECTIVE_NORMALIZED; kind <= NST_OBJECTIVE_NEURAL_STYLE; ++kind) {
            for (int precision = NST_PRECISION_SINGLE; precision <= NST_PRECISION_HALF; ++precision) {
                check_objective(*state, &cases[i], kind, NST_POOLING_MAX, precision, NULL);
                check_objective(*state, &cases[i], kind, NST_POOLING_AVERAGE, precision, NULL);
            }
            /* The plain engine, which keeps every filter as halves; others only large ones. */
            check_objective(*state, &cases[i], kind, NST_POOLING_MAX, NST_PRECISION_HALF,
                            convolution_reference_engine(*state));
        }
    }
}

/* A layer that never fires has nothing to imitate: its loss is zero, not something that is not a number. */
static void layers_that_never_fire_cost_nothing(void **state) {
    nst_context *context = *state;
    nst_error error;
    nst_network *network = random_network("c5 r c4 r", 21);
    for (int i = 0; i < 4; ++i) {
        network->layers[2].bias[i] = -1e6f;
    }
    const struct objective_case test = {NULL, "relu1_2", "relu1_2 relu1_1", 12, 14, 0};
    nst_settings settings = make_settings(&test, NST_OBJECTIVE_NORMALIZED, NST_POOLING_MAX);
    struct test_picture content = make_picture(1, 12, 14);
    const double share = 1;
    struct objective *objective;
    struct plan plan = {0};
    check(objective_create(context, network, &settings, NULL, &objective, &error), &error);
    check(objective_add_to_plan(objective, &plan, &content.size, 1, &error), &error);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    set_target(context, objective, &plan, &content, &content, &share, 1);
    cl_mem pixels = upload_picture(context, objective, &content);
    cl_mem gradient = create_zero(context, optimizer_padded(3 * 12 * 14) * sizeof(float));
    check(objective_evaluate(objective, &plan, pixels, gradient, &error), &error);
    int count;
    const nst_layer_loss *losses = objective_losses(objective, &count);
    assert_int_equal(count, 3);
    for (int i = 0; i < count; ++i) { /* content and style are the image itself */
        assert_true(losses[i].loss >= 0 && losses[i].loss < 1e-9);
    }
    float *got = download(context, gradient, 3 * 12 * 14 * sizeof *got);
    for (int i = 0; i < 3 * 12 * 14; ++i) {
        assert_true(isfinite(got[i]));
    }
    free(got);
    buffer_release(context, &pixels);
    buffer_release(context, &gradient);
    plan_free(&plan, context);
    objective_destroy(objective);
    objective_destroy(NULL);
    random_network_free(network);
    free_picture(&content);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_gradient_agree_with_the_reference),
        cmocka_unit_test(layers_that_never_fire_cost_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
