/* test_engines.c: engines that compute wrongly in one way or another, each found by the check that is for it. The tables
 * of the context hold, besides the plain engine and what makes Gram matrices here, one that breaks what that made. */
#include "check/convolution.h"
#include "check/gradient.h"
#include "check/product.h"
#include "fixture.h"
#include "network/convolution_engine.h"
#include "network/product_engine.h"
#include "random_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- The engines ------------------------------------------------------------------------------------------------- */

/* What becomes of one element, and of a mask. */
static float factor;
static bool clears_mask, backward_only;

static struct convolution_engine broken, plain;
static const struct convolution_engine *const engines[] = {&broken, &plain, NULL};
static struct product_engine broken_product;
static const struct product_engine *usual_product, *products[] = {&broken_product, NULL, NULL};

/* Multiplies one float in the middle of the first channel. */
static nst_status break_element(nst_context *context, cl_mem buffer, size_t index, nst_error *error) {
    float value;
    nst_status status = buffer_read(context, buffer, index * sizeof value, &value, sizeof value, error);
    value = value == 0 ? factor - 1 : value * factor;
    return status ? status : buffer_write(context, buffer, index * sizeof value, &value, sizeof value, error);
}

static nst_status run_and_break(struct convolution *convolution, const struct convolution_call *call,
                                nst_error *error) {
    const struct convolution_shape *shape = &convolution->shape;
    nst_context *context = convolution->context;
    nst_status status = plain.run(convolution, call, error);
    if (status || (backward_only && shape->epilogue != EPILOGUE_MASK && shape->epilogue != EPILOGUE_NONE)) {
        return status;
    }
    if (clears_mask) {
        uint64_t bytes = relu_mask_bytes(context, shape->out_channels, call->height, call->width);
        return buffer_fill_zero(context, call->mask, (size_t)bytes, error);
    }
    return break_element(context, call->output, 0, error);
}

static nst_status run_product_and_break(struct product *product, const struct product_call *call, nst_error *error) {
    nst_status status = usual_product->run(product, call, error);
    return status ? status : break_element(product->context, call->c, 1, error);
}

static const struct product_shape gram = {.kind = PRODUCT_GRAM, .rows = 20};

static int open_context(void **state) {
    const struct context_tables tables = {.engines = engines, .products = products};
    nst_context nothing = {.info = {.name = ""}}, *context = NULL;
    nst_error error;
    plain = broken = *convolution_reference_engine(&nothing);
    broken.word = "broken";
    broken.run = run_and_break;
    nst_context_options options = {.no_cache = true};
    if (context_create(&options, &tables, &context, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    nothing = *context;
    nothing.tables.products = NULL;
    usual_product = products[1] = product_default(&nothing, &gram);
    broken_product = *usual_product;
    broken_product.name = "broken";
    broken_product.run = run_product_and_break;
    *state = context;
    return 0;
}

/* Nothing is broken. */
static int begin(void **state) {
    (void)state;
    factor = 1;
    clears_mask = backward_only = false;
    return 0;
}

/* ---- Convolutions ------------------------------------------------------------------------------------------------ */

static bool is_right(nst_context *context, enum convolution_epilogue epilogue, bool unpools) {
    nst_error error;
    double found;
    struct convolution_shape shape = {.in_channels = 8,
                                      .out_channels = 9,
                                      .kernel_size = 3,
                                      .padding = 1,
                                      .has_bias = !unpools,
                                      .unpools = unpools,
                                      .epilogue = epilogue};
    struct check_convolution *convolution;
    struct convolution_choice choice = convolution_choose(context, &shape, NULL);
    assert_ptr_equal(choice.engine, &broken);
    check(check_convolution_create(context, &shape, 9, 14, &convolution, &error), &error);
    check(check_convolution_run(convolution, &choice, &found, &error), &error);
    check_convolution_free(convolution);
    return found <= check_convolution_bound(&shape, choice.engine);
}

static void one_wrong_element_of_a_convolution_is_found(void **state) {
    static const enum convolution_epilogue epilogues[] = {EPILOGUE_NONE, EPILOGUE_RELU, EPILOGUE_MASK,
                                                          EPILOGUE_MASK_ADD};
    static const float factors[] = {1.01f, 0.99f, INFINITY, NAN};
    for (size_t i = 0; i < COUNT_OF(epilogues); ++i) {
        factor = 1;
        assert_true(is_right(*state, epilogues[i], false));
        for (size_t k = 0; k < COUNT_OF(factors); ++k) {
            factor = factors[k];
            assert_false(is_right(*state, epilogues[i], false));
        }
    }
}

static void a_wrong_mask_is_found(void **state) {
    assert_true(is_right(*state, EPILOGUE_RELU, false));
    clears_mask = true;
    assert_false(is_right(*state, EPILOGUE_RELU, false));
}

/* ---- Products ---------------------------------------------------------------------------------------------------- */

static void one_wrong_element_of_a_product_is_found(void **state) {
    static const float factors[] = {1, 1.01f, INFINITY, NAN};
    nst_error error;
    double found;
    for (size_t i = 0; i < COUNT_OF(factors); ++i) {
        factor = factors[i];
        check(check_product(*state, &broken_product, gram.rows, &found, &error), &error);
        assert_int_equal(found <= check_product_bound(), i == 0);
    }
}

/* ---- A whole iteration ------------------------------------------------------------------------------------------- */

static void a_wrong_gradient_is_found(void **state) {
    nst_network *network = random_network("c5 r p c6 r p c5 r p c6 r c5 r p c6 r", 4);
    const struct workload workload = {network, NST_PRECISION_SINGLE};
    static const float factors[] = {1, 100, NAN};
    for (int backward = 0; backward <= 1; ++backward) {
        for (size_t i = 0; i < COUNT_OF(factors); ++i) {
            struct gradient_check found;
            double seconds;
            factor = factors[i];
            backward_only = backward;
            gradient_check_run(*state, &workload, 32, &found, &seconds);
            assert_int_equal(found.outcome.state, i == 0 ? OUTCOME_OK : OUTCOME_WRONG);
            assert_int_equal(found.size_px, 32);
            assert_true(seconds > 0);
            if (i == 0) {
                assert_true(found.loss_error < 1e-5 && found.gradient_error < 1e-4);
            }
            if (backward && isfinite(factor)) {
                assert_true(found.loss_error < 1e-5);
            }
        }
    }
    random_network_free(network);
}

/* A network that the recipe cannot be run with. */
static void what_cannot_be_run_is_told(void **state) {
    nst_network *network = random_network("c5 r", 4);
    const struct workload workload = {network, NST_PRECISION_SINGLE};
    struct gradient_check found;
    double seconds;
    gradient_check_run(*state, &workload, 32, &found, &seconds);
    assert_int_equal(found.outcome.state, OUTCOME_FAILED);
    assert_true(*found.outcome.reason != 0 && seconds == 0);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_wrong_element_of_a_convolution_is_found, begin),
        cmocka_unit_test_setup(a_wrong_mask_is_found, begin),
        cmocka_unit_test_setup(one_wrong_element_of_a_product_is_found, begin),
        cmocka_unit_test_setup(a_wrong_gradient_is_found, begin),
        cmocka_unit_test_setup(what_cannot_be_run_is_told, begin),
    };
    return cmocka_run_group_tests(tests, open_context, fixture_close);
}
