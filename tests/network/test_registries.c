/* test_registries.c: an engine for convolutions and one for products that only this file knows, in the tables of a
 * context: the choice, the parser of the tuner's table, the tuner, the self-test and the benchmark know them. */
#include "bench/parts.h"
#include "check/convolution.h"
#include "check/parts.h"
#include "check/product.h"
#include "fixture.h"
#include "network/convolution_engine.h"
#include "random_network.h"
#include "tune/search.h"

#include <stdlib.h>
#include <string.h>

/* ---- The engines ------------------------------------------------------------------------------------------------- */

/* The plain engine under another name, with a parameter that changes nothing. */
static struct convolution_engine dummy, plain;
static const struct convolution_engine *const engines[] = {&dummy, &plain, NULL};
static const struct tuning_parameter dummy_parameters[] = {{"step", {1, 2}}, {NULL, {0}}};
static int runs; /* of the dummy */

static void set_defaults(const nst_context *context, const struct convolution_shape *shape, int values[]) {
    (void)context, (void)shape;
    values[0] = 2;
}

static nst_status run_and_count(struct convolution *convolution, const struct convolution_call *call,
                                nst_error *error) {
    ++runs;
    return plain.run(convolution, call, error);
}

static nst_status run_not_at_all(struct convolution *convolution, const struct convolution_call *call,
                                 nst_error *error) {
    (void)convolution, (void)call, (void)error;
    return NST_OK;
}

/* What makes Gram matrices on this device, likewise. */
static struct product_engine dummy_product;
static const struct product_engine *usual_product;
static const struct product_engine *products[] = {&dummy_product, NULL, NULL};
static int product_runs;

static nst_status run_product_and_count(struct product *product, const struct product_call *call, nst_error *error) {
    ++product_runs;
    return usual_product->run(product, call, error);
}

static const struct product_shape gram = {.kind = PRODUCT_GRAM, .rows = 20};

static int open_context(void **state) {
    const struct context_tables tables = {.engines = engines, .products = products};
    nst_context nothing = {.info = {.name = ""}}, *context = NULL;
    nst_error error;
    plain = dummy = *convolution_reference_engine(&nothing);
    dummy.word = "dummy";
    dummy.name = "dummy engine";
    dummy.parameters = dummy_parameters;
    dummy.set_defaults = set_defaults;
    nst_context_options options = {.no_cache = true};
    if (context_create(&options, &tables, &context, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    nothing = *context;
    nothing.tables.products = NULL;
    usual_product = products[1] = product_default(&nothing, &gram);
    dummy_product = *usual_product;
    dummy_product.name = "dummy";
    dummy_product.run = run_product_and_count;
    *state = context;
    return 0;
}

/* The dummy works, and nothing was found out about it. */
static int begin(void **state) {
    nst_context *context = *state;
    tuning_free(&context->tuning);
    dummy.run = run_and_count;
    runs = product_runs = 0;
    return 0;
}

/* ---- Choice and parser ------------------------------------------------------------------------------------------- */

static const struct convolution_shape shape = {
    .in_channels = 8, .out_channels = 9, .kernel_size = 3, .padding = 1, .epilogue = EPILOGUE_RELU};

static void expect_choice(const nst_context *context, const char *expected) {
    char text[TUNING_CHOICE_LENGTH];
    struct convolution_choice choice = convolution_choose(context, &shape, NULL);
    convolution_choice_format(&choice, text, sizeof text);
    assert_string_equal(text, expected);
}

static void set_row(nst_context *context, const char *key, const char *text) {
    struct tuning_row row = {.time_ns = 1, .default_ns = 2};
    snprintf(row.key, sizeof row.key, "%s", key);
    snprintf(row.choice, sizeof row.choice, "%s", text);
    assert_int_equal(tuning_set(&context->tuning, &row, NULL), NST_OK);
}

static void the_choice_and_the_parser_know_it(void **state) {
    nst_context *context = *state;
    char key[TUNING_KEY_LENGTH];
    struct convolution_choice choice;
    assert_ptr_equal(convolution_find_engine(context, "dummy"), &dummy);
    assert_null(convolution_find_engine(context, "winograd"));
    expect_choice(context, "dummy step=2");
    assert_true(convolution_choice_parse(context, &shape, "dummy step=1", &choice));
    assert_ptr_equal(choice.engine, &dummy);
    assert_int_equal(choice.parameters[0], 1);
    assert_false(convolution_choice_parse(context, &shape, "dummy step=3", &choice));
    assert_false(convolution_choice_parse(context, &shape, "dummy", &choice));
    convolution_key(context, &shape, key, sizeof key);
    set_row(context, key, "dummy step=1");
    expect_choice(context, "dummy step=1");
    set_row(context, "engine dummy", ""); /* it computed wrongly */
    expect_choice(context, "plain");
}

/* ---- The tuner --------------------------------------------------------------------------------------------------- */

/* A `tell` that keeps the choices, each in brackets. */
static bool keep_choice(void *user, double share, const char *choice) {
    char *texts = user;
    assert_true(share >= 0 && share <= 1);
    snprintf(texts + strlen(texts), 200 - strlen(texts), "[%s]", choice);
    return false;
}

static struct tune_line tune(nst_context *context, char texts[200]) {
    nst_error error;
    float *weights = random_array(3, 8 * 9 * 9);
    struct layer_case layer = {.name = "layer", .direction = "forward", .weights = weights, .shape = shape};
    struct tune_search how = {.seconds = 0.001, .tell = keep_choice, .user = texts};
    struct tune_line line = {.outcome = {.state = OUTCOME_OK}};
    layer.size = (struct image_size){.height = 9, .width = 12};
    *texts = 0;
    check(tune_convolution(context, &layer, &how, &line, &error), &error);
    free(weights);
    return line;
}

static void the_tuner_tries_it_with_its_parameters(void **state) {
    char texts[200];
    struct tune_line line = tune(*state, texts);
    assert_string_equal(texts, "[dummy step=2][dummy step=1]");
    assert_int_equal(line.tried, 2);
    assert_int_equal(line.wrong, 0);
    assert_string_equal(line.default_choice, "dummy step=2");
    assert_int_equal(strncmp(line.row.choice, "dummy step=", 11), 0);
    assert_true(line.row.time_ns > 0);
    assert_true(runs > 0);
}

static void the_tuner_passes_over_one_that_computes_wrongly(void **state) {
    nst_context *context = *state;
    char texts[200];
    dummy.run = run_not_at_all;
    struct tune_line line = tune(context, texts);
    assert_string_equal(texts, "[dummy step=2][plain]");
    assert_int_equal(line.wrong, 1);
    assert_string_equal(line.row.choice, "plain");
    assert_string_equal(tuning_find(&context->tuning, "engine dummy")->choice, "");
    expect_choice(context, "plain");
}

/* ---- Self-test and benchmark ------------------------------------------------------------------------------------- */

static void the_self_test_has_lines_for_it(void **state) {
    nst_error error;
    for (int right = 0; right <= 1; ++right) {
        struct check_report report = {.count = 0};
        int lines = 0;
        dummy.run = right ? run_and_count : run_not_at_all;
        check(check_convolutions(*state, true, &report, &error), &error);
        for (int i = 0; i < report.count; ++i) {
            lines += strncmp(report.lines[i].detail, "dummy engine, ", 14) == 0;
        }
        assert_true(lines > 0);
        assert_int_equal(lines, report.count);
        assert_int_equal(check_report_find_wrong(&report) == NULL, right);
        check_report_free(&report);
    }
}

static void the_benchmark_times_it_layer_by_layer(void **state) {
    nst_error error;
    nst_network *network = random_network("c5 r p c6 r p c5 r p c6 r c5 r p c6 r", 4);
    struct workload workload = {network, NST_PRECISION_SINGLE};
    struct bench_row row = {.size_px = 32};
    check(layers_measure(*state, &workload, 0.01, &row, &error), &error);
    assert_true(row.layer_count >= 2 * 6 - 1);
    for (int i = 0; i < row.layer_count; ++i) {
        assert_string_equal(row.layers[i].engine, "dummy step=2");
        assert_int_equal(row.layers[i].outcome.state, OUTCOME_OK);
        assert_true(row.layers[i].gflops > 0);
    }
    assert_true(runs >= row.layer_count);
    free(row.layers);
    random_network_free(network);
}

/* ---- The product ------------------------------------------------------------------------------------------------- */

static void a_product_likewise(void **state) {
    nst_context *context = *state;
    nst_error error;
    char key[TUNING_KEY_LENGTH], texts[200] = "", expected[200];
    double found;
    assert_ptr_equal(product_choose(context, &gram), &dummy_product);
    product_key(context, &gram, key, sizeof key);
    set_row(context, key, usual_product->name);
    assert_ptr_equal(product_choose(context, &gram), usual_product);
    set_row(context, key, "dummy");
    assert_ptr_equal(product_choose(context, &gram), &dummy_product);

    check(check_product(context, NULL, gram.rows, &found, &error), &error);
    assert_true(found <= check_product_bound());
    assert_int_equal(product_runs, 1);

    struct tune_search how = {.seconds = 0.001, .tell = keep_choice, .user = texts};
    struct tune_line line = {.outcome = {.state = OUTCOME_OK}};
    check(tune_product(context, gram.rows, (struct image_size){.height = 9, .width = 12}, &how, &line, &error), &error);
    snprintf(expected, sizeof expected, "[dummy][%s]", usual_product->name);
    assert_string_equal(texts, expected);
    assert_string_equal(line.default_choice, "dummy");
    assert_int_equal(line.tried, 2);
    assert_int_equal(line.wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_choice_and_the_parser_know_it, begin),
        cmocka_unit_test_setup(the_tuner_tries_it_with_its_parameters, begin),
        cmocka_unit_test_setup(the_tuner_passes_over_one_that_computes_wrongly, begin),
        cmocka_unit_test_setup(the_self_test_has_lines_for_it, begin),
        cmocka_unit_test_setup(the_benchmark_times_it_layer_by_layer, begin),
        cmocka_unit_test_setup(a_product_likewise, begin),
    };
    return cmocka_run_group_tests(tests, open_context, fixture_close);
}
