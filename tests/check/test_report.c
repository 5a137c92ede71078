/* test_report.c: which lines of a check are right, and what the whole report comes to. */
#include "check/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static enum outcome_state state_of(double error_found, double bound) {
    struct check_report report = {.count = 0};
    assert_int_equal(check_report_add(&report, "kernel", "detail", error_found, bound, NULL), NST_OK);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.lines[0].name, "kernel");
    assert_string_equal(report.lines[0].detail, "detail");
    enum outcome_state state = report.lines[0].outcome.state;
    assert_int_equal(check_report_is_right(&report), state == OUTCOME_OK);
    assert_int_equal(*report.lines[0].outcome.reason == 0, state == OUTCOME_OK);
    check_report_free(&report);
    return state;
}

static void an_error_is_right_up_to_its_bound(void **state) {
    (void)state;
    assert_int_equal(state_of(0, 1e-5), OUTCOME_OK);
    assert_int_equal(state_of(1e-5, 1e-5), OUTCOME_OK);
    assert_int_equal(state_of(1.001e-5, 1e-5), OUTCOME_WRONG);
    assert_int_equal(state_of(INFINITY, 1e-5), OUTCOME_WRONG);
    assert_int_equal(state_of(NAN, 1e-5), OUTCOME_WRONG);
}

static void what_could_not_be_run_is_told_on_one_line(void **state) {
    (void)state;
    struct check_report report = {.count = 0};
    const nst_error why = {.status = NST_ERROR_OPENCL, .message = "clBuildProgram failed\nthe log"};
    assert_int_equal(check_report_add_failure(&report, "kernel", "detail", &why, NULL), NST_OK);
    assert_int_equal(report.lines[0].outcome.state, OUTCOME_FAILED);
    assert_string_equal(report.lines[0].outcome.reason, "clBuildProgram failed");
    assert_false(check_report_is_right(&report));
    check_report_free(&report);
}

/* Many lines, of which two are wrong. */
static void the_first_wrong_line_is_found(void **state) {
    (void)state;
    enum { LINES = 200, FIRST = 130, SECOND = 170 };
    struct check_report report = {.count = 0};
    for (int i = 0; i < LINES; ++i) {
        char detail[16];
        snprintf(detail, sizeof detail, "%d", i);
        assert_null(i <= FIRST ? check_report_find_wrong(&report) : NULL);
        assert_int_equal(check_report_add(&report, "kernel", detail, i == FIRST || i == SECOND, 0.5, NULL), NST_OK);
    }
    assert_int_equal(report.count, LINES);
    assert_string_equal(check_report_find_wrong(&report)->detail, "130");
    assert_string_equal(report.lines[LINES - 1].detail, "199");
    check_report_free(&report);
    assert_int_equal(report.count, 0);
}

/* A device that could not be opened, or for which nothing was checked. */
static void an_empty_report_is_not_right(void **state) {
    (void)state;
    struct check_report report = {.count = 0};
    assert_false(check_report_is_right(&report));
    assert_int_equal(check_report_add(&report, "kernel", "detail", 0, 1, NULL), NST_OK);
    assert_true(check_report_is_right(&report));
    outcome_set(&report.outcome, OUTCOME_FAILED, "no such device");
    assert_false(check_report_is_right(&report));
    check_report_free(&report);
}

/* Printed and read back by these names. */
static void states_have_names(void **state) {
    (void)state;
    assert_string_equal(outcome_state_name(OUTCOME_OK), "ok");
    assert_string_equal(outcome_state_name(OUTCOME_WRONG), "wrong");
    assert_string_equal(outcome_state_name(OUTCOME_SKIPPED), "skipped");
    assert_string_equal(outcome_state_name(OUTCOME_FAILED), "error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_right_up_to_its_bound),
        cmocka_unit_test(what_could_not_be_run_is_told_on_one_line),
        cmocka_unit_test(the_first_wrong_line_is_found),
        cmocka_unit_test(an_empty_report_is_not_right),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
