/* test_layer_kind.c: a kind of layer that only this file knows, in the table of a context: models run it forward and
 * backward without a change elsewhere. */
#include "fixture.h"
#include "network/stage.h"
#include "random_network.h"

#include <stdlib.h>
#include <string.h>

/* ---- The layer --------------------------------------------------------------------------------------------------- */

/* Doubles what goes in, on the host: a layer need not have kernels. */
enum { LAYER_DOUBLING = LAYER_POOLING + 1 };

static nst_status begin(struct stage *stage, const nst_network *network, int channels, nst_error *error) {
    (void)network, (void)error;
    stage->in_channels = stage->out_channels = channels;
    return NST_OK;
}

static nst_status create(struct model *model, int stage, nst_error *error) {
    (void)model, (void)stage, (void)error;
    return NST_OK;
}

static void destroy(struct stage *stage) {
    (void)stage;
}

static struct image_size same_size(const struct stage *stage, struct image_size in) {
    (void)stage;
    return in;
}

static struct stage_bytes measure(const struct model *model, int stage, struct image_size in, struct image_size out) {
    (void)in;
    int channels = model->stages[stage].out_channels;
    return (struct stage_bytes){.map = feature_map_bytes(model->context, model->half, channels, out.height, out.width)};
}

/* Where `mask` is given, the double is 0 outside of it. */
static nst_status write_double(const struct model_run *run, int s, cl_mem from, cl_mem mask, cl_mem to,
                               nst_error *error) {
    const struct model *model = run->model;
    struct image_size in = model_input_size(model, s, run->size);
    struct map_size size = {model->stages[s].in_channels, in.height, in.width, model->half};
    float *map = download_map(model->context, from, size);
    bool *passes = mask ? download_mask(model->context, mask, size) : NULL;
    for (size_t i = 0; i < elements_of(size); ++i) {
        map[i] *= !passes || passes[i] ? 2 : 0;
    }
    cl_mem doubled = upload_map(model->context, map, size);
    size_t bytes = (size_t)feature_map_bytes(model->context, size.half, size.channels, size.height, size.width);
    nst_status status = buffer_copy(model->context, doubled, to, bytes, error);
    buffer_release(model->context, &doubled);
    free(passes);
    free(map);
    return status;
}

static nst_status forward(struct model_run *run, int s, cl_mem input, nst_error *error) {
    return write_double(run, s, input, NULL, run_buffer(run, run->buffers[s].map), error);
}

static nst_status backward(struct model_run *run, int s, cl_mem below, nst_error *error) {
    return write_double(run, s, model_gradient(run, s), run_mask_below(run, s), below, error);
}

static void print(const struct model *model, const struct stage *stage, FILE *stream) {
    (void)model;
    fprintf(stream, "%-12s %9d doubling\n", stage->name, stage->out_channels);
}

static const struct stage_methods doubling = {
    .kind = (enum layer_kind)LAYER_DOUBLING,
    .begin = begin,
    .create = create,
    .destroy = destroy,
    .output_size = same_size,
    .mask_size = same_size,
    .measure = measure,
    .forward = forward,
    .backward = backward,
    .print = print,
};

/* ---- A network with it ------------------------------------------------------------------------------------------- */

static const struct stage_methods *stages[] = {&doubling, &convolution_stage, &pooling_stage, NULL};

static int open_context(void **state) {
    const struct context_tables tables = {.stages = stages};
    nst_context *context = NULL;
    nst_error error;
    if (context_create(NULL, &tables, &context, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    *state = context;
    return 0;
}

enum { LAYERS = 4 };

/* conv1_1 relu1_1 double1 conv1_2 relu1_2. The layers are the network's own, but the list. */
static nst_network with_doubling(const nst_network *network, struct layer layers[LAYERS + 1]) {
    nst_network longer = *network;
    assert_int_equal(network->layer_count, LAYERS);
    memcpy(layers, network->layers, 2 * sizeof *layers);
    layers[2] = (struct layer){.kind = (enum layer_kind)LAYER_DOUBLING, .name = "double1"};
    memcpy(layers + 3, network->layers + 2, 2 * sizeof *layers);
    longer.layers = layers;
    longer.layer_count = LAYERS + 1;
    return longer;
}

static const struct image_size size = {13, 10};
static const char *const tap = "relu1_2";

static struct model *create_model(nst_context *context, const nst_network *network) {
    struct model_options options = {.taps = &tap, .tap_count = 1};
    struct model *model = NULL;
    nst_error error;
    check(model_create(context, network, &options, &model, &error), &error);
    return model;
}

/* The feature map at the tap, and the gradient of the image from a random gradient there; from malloc. */
static void run_model(nst_context *context, const nst_network *network, float **map, float **gradient) {
    struct model *model = create_model(context, network);
    struct plan plan = {0};
    struct model_run *run = NULL;
    nst_error error;
    int image = plan_add_always(&plan, 3 * 13 * 10 * sizeof(float), "image");
    int image_gradient = plan_add_always(&plan, 3 * 13 * 10 * sizeof(float), "gradient of the image");
    int deepest = model_stage_count(model) - 1;
    struct map_size at_tap = {model_channels(model, deepest), size.height, size.width, false};
    check(model_reserve(model, &plan, &size, 1, &run, &error), &error);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    float *pixels = random_uniform_array(5, 3 * 13 * 10, 0, 255), *slope = random_map(6, at_tap);
    check(buffer_write(context, plan_buffer(&plan, image), 0, pixels, 3 * 13 * 10 * sizeof(float), &error), &error);
    check(model_forward(run, plan_buffer(&plan, image), size, &error), &error);
    *map = download_map(context, model_feature_map(run, deepest).values, at_tap);
    cl_mem uploaded = upload_map(context, slope, at_tap);
    size_t bytes = (size_t)feature_map_bytes(context, false, at_tap.channels, at_tap.height, at_tap.width);
    check(model_backward_begin(run, &error), &error);
    check(buffer_copy(context, uploaded, model_gradient(run, deepest), bytes, &error), &error);
    check(model_backward(run, deepest, -1, plan_buffer(&plan, image_gradient), &error), &error);
    *gradient = download(context, plan_buffer(&plan, image_gradient), 3 * 13 * 10 * sizeof(float));
    buffer_release(context, &uploaded);
    free(pixels);
    free(slope);
    model_run_free(run);
    plan_free(&plan, context);
    model_destroy(model);
}

static void assert_same(const char *what, const float *got, const float *expected, size_t count) {
    double *doubles = to_doubles(expected, count);
    assert_near(what, got, doubles, count, 1e-5);
    free(doubles);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

/* The convolution behind it, with weights twice as large, does the same. */
static void a_kind_of_layer_runs_both_ways(void **state) {
    struct layer layers[LAYERS + 1];
    nst_network *network = random_network("c5 r c7 r", 3);
    nst_network longer = with_doubling(network, layers);
    float *map, *gradient, *expected_map, *expected_gradient;
    run_model(*state, &longer, &map, &gradient);
    struct layer *second = &network->layers[2];
    for (uint64_t i = 0; i < layer_weight_count(second); ++i) {
        second->weights[i] *= 2;
    }
    run_model(*state, network, &expected_map, &expected_gradient);
    assert_same("map", map, expected_map, 7 * 13 * 10);
    assert_same("gradient", gradient, expected_gradient, 3 * 13 * 10);
    free(map);
    free(gradient);
    free(expected_map);
    free(expected_gradient);
    random_network_free(network);
}

static void it_is_a_stage_of_the_printed_model(void **state) {
    struct layer layers[LAYERS + 1];
    nst_network *network = random_network("c5 r c7 r", 3);
    nst_network longer = with_doubling(network, layers);
    struct model *model = create_model(*state, &longer);
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    model_print(model, stream);
    fclose(stream);
    assert_int_equal(model_stage_count(model), 3);
    assert_int_equal(model_find_stage(model, "double1"), 1);
    assert_non_null(strstr(text, "5 doubling"));
    free(text);
    model_destroy(model);
    random_network_free(network);
}

static void without_it_the_network_is_refused(void **state) {
    nst_context *context = *state;
    struct layer layers[LAYERS + 1];
    struct model_options options = {.taps = &tap, .tap_count = 1};
    nst_network *network = random_network("c5 r c7 r", 3);
    nst_network longer = with_doubling(network, layers);
    struct model *model = NULL;
    nst_error error;
    context->tables.stages = NULL;
    assert_int_equal(model_create(context, &longer, &options, &model, &error), NST_ERROR_NETWORK);
    assert_non_null(strstr(error.message, "double1"));
    context->tables.stages = stages;
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_of_layer_runs_both_ways),
        cmocka_unit_test(it_is_a_stage_of_the_printed_model),
        cmocka_unit_test(without_it_the_network_is_refused),
    };
    return cmocka_run_group_tests(tests, open_context, fixture_close);
}
