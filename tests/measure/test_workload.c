/* test_workload.c: the network that a benchmark makes up, and how its operations are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "measure/layer_case.h"
#include "measure/workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int create(void **state) {
    nst_network *network;
    nst_error error;
    if (workload_network(&network, &error))
        fail_msg("%s", error.message);
    *state = network;
    return 0;
}

static int destroy(void **state) {
    nst_network_destroy(*state);
    return 0;
}

/* VGG-19's layers in order, and weights that are neither equal nor large. */
static void test_made_up_network(void **state) {
    const nst_network *network = *state;
    int convolutions = 0, poolings = 0, channels = 3;
    for (int i = 0; i < network->layer_count; ++i) {
        const struct layer *layer = &network->layers[i];
        poolings += layer->kind == LAYER_POOLING;
        if (layer->kind != LAYER_CONVOLUTION) {
            continue;
        }
        size_t count = 9 * (size_t)layer->in_channels * (size_t)layer->out_channels;
        double sum = 0, squares = 0;
        for (size_t n = 0; n < count; ++n) {
            sum += layer->weights[n];
            squares += (double)layer->weights[n] * layer->weights[n];
        }
        double expected = 2.0 / (9 * layer->in_channels); /* variance, He et al. 2015 */
        assert_true(fabs(squares / (double)count - expected) < 0.1 * expected);
        assert_true(fabs(sum / (double)count) < 0.2 * sqrt(expected));
        assert_int_equal(layer->in_channels, channels);
        channels = layer->out_channels;
        ++convolutions;
    }
    assert_int_equal(convolutions, 13);
    assert_int_equal(poolings, 4);
    assert_int_equal(channels, 512);
    assert_true(network_find_layer(network, "conv3_4") >= 0 && network_find_layer(network, "relu5_1") >= 0);
    assert_int_equal(network->layer_count, workload_last_layer(network) + 1);
}

static void test_sizes(void **state) {
    const nst_network *network = *state;
    int deepest = network_find_layer(network, "conv5_1");
    assert_int_equal(workload_input_size(network, 0, 500).height, 500);
    assert_int_equal(workload_input_size(network, deepest, 512).height, 32);
    assert_int_equal(workload_input_size(network, deepest, 500).width, 31);
    assert_int_equal(workload_input_size(network, deepest, 15).height, 0);
}

/* Without padding less comes out than goes in, on both sides. */
static void test_unpadded(void **state) {
    (void)state;
    struct layer layers[] = {{.kind = LAYER_CONVOLUTION, .kernel_size = 3},
                             {.kind = LAYER_CONVOLUTION, .kernel_size = 5, .padding = 1}};
    const nst_network network = {.layers = layers, .layer_count = 2};
    struct image_size size = workload_input_size(&network, 2, 9);
    assert_true(size.height == 5 && size.width == 5);
}

/* 189 GFLOP for the convolutions of the forward pass at 512 x 512, as many back, 13.7 for the Gram terms. */
static void test_operations(void **state) {
    const nst_network *network = *state;
    double gflop = workload_gflop(network, 512);
    assert_true(fabs(gflop - 392) < 1);
    assert_true(fabs(workload_gflop(network, 1024) - 4 * gflop) < 1e-6 * gflop);
}

/* Thirteen forward, and the same in the other order backward. */
static void test_layers(void **state) {
    enum { CONVOLUTIONS = 13 };
    nst_context *context;
    nst_error error;
    struct layer_case *cases;
    int count;
    const struct workload workload = {.network = *state};
    assert_int_equal(nst_context_create(NULL, &context, &error), NST_OK);
    assert_int_equal(layer_cases_list(context, &workload, 512, &cases, &count, &error), NST_OK);
    assert_int_equal(count, 2 * CONVOLUTIONS);
    double gflop[2] = {0};
    for (int i = 0; i < count; ++i) {
        const struct layer_case *layer = &cases[i], *other = &cases[count - 1 - i];
        bool backward = i >= CONVOLUTIONS;
        assert_string_equal(layer->direction, backward ? "backward" : "forward");
        assert_string_equal(layer->name, other->name);
        assert_int_equal(layer->shape.in_channels, other->shape.out_channels);
        assert_true(layer->size.height == other->size.height && layer->size.width == layer->size.height);
        gflop[backward] += layer_case_gflop(layer);
    }
    assert_string_equal(cases[0].name, "conv1_1");
    assert_int_equal(cases[CONVOLUTIONS - 1].size.height, 32);
    assert_true(fabs(gflop[0] - 189) < 1 && fabs(gflop[1] - gflop[0]) < 1e-6);
    /* The first backward, with all that it needs. */
    struct layer_run run;
    const struct layer_case *deepest = &cases[CONVOLUTIONS];
    struct convolution_choice choice = convolution_choose(context, &deepest->shape, NULL);
    assert_int_equal(layer_run_create(context, deepest, &choice, &run, &error), NST_OK);
    assert_true(run.call.input && run.call.mask && run.call.output);
    assert_int_equal(layer_run_repeat(&run, 2, &error), NST_OK);
    layer_run_release(&run);
    free(cases);
    nst_context_destroy(context);
}

static void test_losses(void **state) {
    (void)state;
    assert_true(workload_has_style("relu1_1") && !workload_has_style("relu1_2"));
    assert_true(workload_has_content("relu4_2") && !workload_has_content("conv4_2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_up_network), cmocka_unit_test(test_sizes),  cmocka_unit_test(test_unpadded),
        cmocka_unit_test(test_operations),      cmocka_unit_test(test_layers), cmocka_unit_test(test_losses),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
