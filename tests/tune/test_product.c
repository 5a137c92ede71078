/* test_product.c: of the engines for Gram matrices, the tuner takes none that computes wrongly, however fast, and leaves
 * the one that is built in unless another is clearly faster. */
#include "fixture.h"
#include "network/product_engine.h"
#include "tune/search.h"

#include <string.h>
#include <time.h>

/* The engine of this device once more, with a fault. */
static struct product_engine first, second;
static const struct product_engine *usual, *engines[] = {&first, &second, NULL};

static nst_status run_not_at_all(struct product *product, const struct product_call *call, nst_error *error) {
    (void)product, (void)call, (void)error;
    return NST_OK;
}

static nst_status run_and_fail(struct product *product, const struct product_call *call, nst_error *error) {
    (void)product, (void)call, (void)error;
    return NST_ERROR_OPENCL;
}

static nst_status run_slowly(struct product *product, const struct product_call *call, nst_error *error) {
    nanosleep(&(struct timespec){0, 30000000}, NULL);
    return usual->run(product, call, error);
}

static bool supports_nothing(const nst_context *context, const struct product_shape *shape) {
    (void)context, (void)shape;
    return false;
}

static int open_context(void **state) {
    const struct product_shape gram = {.kind = PRODUCT_GRAM, .rows = 20};
    const struct context_tables tables = {.products = engines};
    nst_context nothing, *context = NULL;
    nst_error error;
    nst_context_options options = {.no_cache = true};
    if (context_create(&options, &tables, &context, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    nothing = *context;
    nothing.tables.products = NULL;
    usual = product_default(&nothing, &gram);
    *state = context;
    return 0;
}

static int begin(void **state) {
    (void)state;
    first = second = *usual;
    first.name = "first";
    second.name = "second";
    return 0;
}

/* Stops before the choice with that number, -1: never. */
static int stop_before;

static bool tell(void *user, double share, const char *choice) {
    int *told = user;
    assert_true(share >= 0 && share < 1);
    assert_string_equal(choice, *told ? "second" : "first");
    return (*told)++ == stop_before;
}

static nst_status tune(nst_context *context, struct tune_line *line, nst_error *error) {
    int told = 0;
    const struct tune_search how = {.seconds = 0.001, .tell = tell, .user = &told};
    *line = (struct tune_line){.outcome = {.state = OUTCOME_OK}};
    return tune_product(context, 20, (struct image_size){.height = 9, .width = 12}, &how, line, error);
}

static struct tune_line tune_all(nst_context *context) {
    struct tune_line line;
    nst_error error;
    stop_before = -1;
    check(tune(context, &line, &error), &error);
    return line;
}

static void a_faster_one_wins(void **state) {
    first.run = run_slowly;
    struct tune_line line = tune_all(*state);
    assert_int_equal(line.tried, 2);
    assert_int_equal(line.wrong, 0);
    assert_string_equal(line.default_choice, "first");
    assert_string_equal(line.row.choice, "second");
    assert_true(line.row.time_ns > 0 && line.row.default_ns > 25000000 && line.row.time_ns < line.row.default_ns);
}

static void a_slower_one_does_not_win(void **state) {
    second.run = run_slowly;
    struct tune_line line = tune_all(*state);
    assert_string_equal(line.row.choice, "first");
    assert_true(line.row.time_ns == line.row.default_ns);
}

static void one_that_computes_wrongly_or_fails_does_not_win(void **state) {
    first.run = run_slowly;
    second.run = run_not_at_all;
    struct tune_line line = tune_all(*state);
    assert_int_equal(line.wrong, 1);
    assert_string_equal(line.row.choice, "first");
    second.run = run_and_fail;
    line = tune_all(*state);
    assert_int_equal(line.tried, 2);
    assert_int_equal(line.wrong, 1);
    assert_string_equal(line.row.choice, "first");
}

/* Its time is then none. */
static void one_that_is_built_in_and_wrong_is_replaced(void **state) {
    first.run = run_not_at_all;
    struct tune_line line = tune_all(*state);
    assert_int_equal(line.outcome.state, OUTCOME_OK);
    assert_string_equal(line.default_choice, "first");
    assert_string_equal(line.row.choice, "second");
    assert_int_equal(line.row.default_ns, 0);
}

static void one_that_cannot_do_it_is_not_tried(void **state) {
    second.supports = supports_nothing;
    struct tune_line line = tune_all(*state);
    assert_int_equal(line.tried, 1);
    assert_int_equal(line.wrong, 0);
    assert_string_equal(line.row.choice, "first");
}

static void where_all_are_wrong_there_is_no_choice(void **state) {
    first.run = second.run = run_not_at_all;
    struct tune_line line = tune_all(*state);
    assert_int_equal(line.wrong, 2);
    assert_int_equal(line.outcome.state, OUTCOME_WRONG);
    assert_string_equal(line.row.choice, "");
}

static void it_stops_between_choices(void **state) {
    for (stop_before = 0; stop_before < 2; ++stop_before) {
        struct tune_line line;
        nst_error error;
        assert_int_equal(tune(*state, &line, &error), NST_CANCELED);
        assert_int_equal(line.tried, stop_before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_faster_one_wins, begin),
        cmocka_unit_test_setup(a_slower_one_does_not_win, begin),
        cmocka_unit_test_setup(one_that_computes_wrongly_or_fails_does_not_win, begin),
        cmocka_unit_test_setup(one_that_is_built_in_and_wrong_is_replaced, begin),
        cmocka_unit_test_setup(one_that_cannot_do_it_is_not_tried, begin),
        cmocka_unit_test_setup(where_all_are_wrong_there_is_no_choice, begin),
        cmocka_unit_test_setup(it_stops_between_choices, begin),
    };
    return cmocka_run_group_tests(tests, open_context, fixture_close);
}
