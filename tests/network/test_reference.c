/* test_reference.c: the float64 network itself: its gradient against central finite differences of its loss, for every
 * kind of layer and loss. What the device computes is then compared with it. */
#include "fixture.h"
#include "random_network.h"
#include "reference/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 13, WIDTH = 11, STYLE_HEIGHT = 10, STYLE_WIDTH = 15 };

static double *random_image(uint64_t seed, int height, int width) {
    size_t count = 3 * (size_t)height * (size_t)width;
    float *values = random_uniform_array(seed, count, 0, 255);
    double *image = to_doubles(values, count);
    free(values);
    return image;
}

static void add_layer(nst_layer_list *list, const char *name, double weight) {
    nst_layer_weight *layer = &list->layers[list->count++];
    snprintf(layer->name, sizeof layer->name, "%s", name);
    layer->weight = weight;
}

static nst_settings make_settings(const char *preset, nst_pooling pooling) {
    bool relative = strcmp(preset, "gram") == 0;
    nst_settings settings = {.content_weight = relative ? 0.5 : 3,
                             .style_weight = relative ? 2 : 700,
                             .tv_weight = 0.01,
                             .pooling = pooling};
    snprintf(settings.preset, sizeof settings.preset, "%s", preset);
    add_layer(&settings.content_layers, "relu2_1", 0.7);
    add_layer(&settings.style_layers, "relu1_1", 1);
    add_layer(&settings.style_layers, "relu2_1", 2);
    return settings;
}

/* The gradient of single elements against (f(x + h) - f(x - h)) / 2h. */
static void check_gradient(struct reference_objective *objective, double *image) {
    const double step = 1e-3;
    const size_t count = 3 * HEIGHT * WIDTH;
    double losses[2 * NST_MAX_LAYERS + 1], *gradient = allocate(count, sizeof *gradient), squares = 0;
    reference_objective_evaluate(objective, image, losses, gradient);
    for (size_t i = 0; i < count; ++i) {
        squares += gradient[i] * gradient[i];
    }
    double rms = sqrt(squares / (double)count);
    assert_true(rms > 0);
    for (size_t i = 0; i < count; i += 3) {
        double middle = image[i];
        image[i] = middle + step;
        double above = reference_objective_evaluate(objective, image, losses, NULL);
        image[i] = middle - step;
        double below = reference_objective_evaluate(objective, image, losses, NULL);
        image[i] = middle;
        double difference = (above - below) / (2 * step);
        if (!(fabs(difference - gradient[i]) <= 1e-5 * rms)) {
            fail_msg("element %zu: gradient %.10g, finite difference %.10g, RMS %.3g", i, gradient[i], difference, rms);
        }
    }
    free(gradient);
}

static void check_network(const char *description, const char *preset, nst_pooling pooling) {
    nst_network *network = random_network(description, 11);
    nst_settings settings = make_settings(preset, pooling);
    struct reference_picture content = {HEIGHT, WIDTH, random_image(1, HEIGHT, WIDTH)};
    struct reference_picture styles[2] = {{STYLE_HEIGHT, STYLE_WIDTH, random_image(2, STYLE_HEIGHT, STYLE_WIDTH)},
                                          {HEIGHT, WIDTH, random_image(3, HEIGHT, WIDTH)}};
    const double shares[] = {0.25, 0.75};
    struct reference_objective objective;
    reference_objective_init(&objective, network, &settings, &content, styles, shares, 2);
    /* An image away from every kink, within reach of the step. */
    double *image = NULL, losses[2 * NST_MAX_LAYERS + 1];
    for (uint64_t seed = 100; seed == 100 || objective.network.margin < 1e-4; ++seed) {
        assert_true(seed < 1000);
        free(image);
        image = random_image(seed, HEIGHT, WIDTH);
        reference_objective_evaluate(&objective, image, losses, NULL);
    }
    check_gradient(&objective, image);
    reference_objective_free(&objective);
    free(image);
    free(content.image);
    free(styles[0].image);
    free(styles[1].image);
    random_network_free(network);
}

static void gradients_agree_with_finite_differences(void **state) {
    (void)state;
    static const char *const networks[] = {
        "c4 r c3 p c5 r",
        "c4:reflect r p c5:replicate r",
        "c3:k1:nobias r c4:p0 r p c5:nobias r",
        "c4:p2:reflect r p c3:p2 r",
    };
    for (size_t i = 0; i < COUNT_OF(networks); ++i) {
        for (int pooling = NST_POOLING_MAX; pooling <= NST_POOLING_AVERAGE; ++pooling) {
            check_network(networks[i], "gram", (nst_pooling)pooling);
            check_network(networks[i], "neural-style", (nst_pooling)pooling);
        }
    }
}

/* A loss of a target that is the image itself is zero, and so is its gradient. */
static void at_the_target_there_is_no_loss(void **state) {
    (void)state;
    nst_network *network = random_network("c4 r p c5 r", 12);
    nst_settings settings = make_settings("gram", NST_POOLING_MAX);
    settings.tv_weight = 0;
    struct reference_picture picture = {HEIGHT, WIDTH, random_image(1, HEIGHT, WIDTH)};
    const double whole = 1;
    struct reference_objective objective;
    reference_objective_init(&objective, network, &settings, &picture, &picture, &whole, 1);
    double losses[3], gradient[3 * HEIGHT * WIDTH];
    assert_true(reference_objective_evaluate(&objective, picture.image, losses, gradient) < 1e-25);
    for (size_t i = 0; i < 3 * HEIGHT * WIDTH; ++i) {
        assert_true(fabs(gradient[i]) < 1e-12);
    }
    reference_objective_free(&objective);
    free(picture.image);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(at_the_target_there_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
