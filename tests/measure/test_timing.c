/* test_timing.c: how many runs and samples are chosen, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "measure/timing.h"

#include <stdio.h>
#include <time.h>

struct work {
    double ms;           /* of one run */
    double first_ms;     /* of the first: what a cold start costs */
    int calls, runs;     /* so far */
    int fails_at, slows; /* the call that fails, 0: none; every how many-th call takes ten times as long, 0: none */
};

static nst_status run(void *user, int count, nst_error *error) {
    struct work *work = user;
    double ms = (work->calls == 0 ? work->first_ms : work->ms) * count;
    ++work->calls;
    work->runs += count;
    if (work->slows && work->calls % work->slows == 0) {
        ms *= 10;
    }
    nanosleep(&(struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms * 1e6) % 1000000000}, NULL);
    if (work->calls != work->fails_at) {
        return NST_OK;
    }
    snprintf(error->message, sizeof error->message, "as wanted");
    return error->status = NST_ERROR_OPENCL;
}

/* The first run does not count, and a few slow ones do not move the median. Sleeping can only be longer than asked for,
 * and on a busy machine is: one quiet moment of several is enough. */
static void test_median(void **state) {
    (void)state;
    bool is_quiet = false;
    for (int tries = 0; tries < 10 && !is_quiet; ++tries) {
        struct work work = {.ms = 4, .first_ms = 300, .slows = 6};
        struct timing timing;
        assert_int_equal(timing_measure(run, &work, 0.2, &timing, NULL), NST_OK);
        assert_true(timing.samples >= 3 && timing.samples <= 50);
        assert_int_equal(work.calls, timing.samples + 2);
        assert_true(timing.least_ms >= 4);
        assert_true(timing.median_ms >= timing.least_ms);
        assert_true(timing.spread_percent >= 0);
        is_quiet = timing.median_ms < 30;
    }
    assert_true(is_quiet);
}

/* Never less than three samples, however long they take. */
static void test_least_samples(void **state) {
    (void)state;
    struct work work = {.ms = 20};
    struct timing timing;
    assert_int_equal(timing_measure(run, &work, 0.001, &timing, NULL), NST_OK);
    assert_int_equal(timing.samples, 3);
    assert_int_equal(work.runs, 5);
}

/* Short work is repeated within a sample, and divided out again. */
static void test_short_work(void **state) {
    (void)state;
    bool is_quiet = false;
    for (int tries = 0; tries < 10 && !is_quiet; ++tries) {
        struct work work = {.ms = 0.1};
        struct timing timing;
        assert_int_equal(timing_measure(run, &work, 0.05, &timing, NULL), NST_OK);
        assert_true(timing.median_ms >= 0.1);
        is_quiet = work.runs > work.calls && timing.median_ms < 2;
    }
    assert_true(is_quiet);
}

/* Of 10, 10 and 100 ms the quartiles are 10 and 55: the spread is 4.5 times the median. */
static void test_spread(void **state) {
    (void)state;
    bool is_quiet = false;
    for (int tries = 0; tries < 10 && !is_quiet; ++tries) {
        struct work work = {.ms = 10, .slows = 4};
        struct timing timing;
        assert_int_equal(timing_measure(run, &work, 0.001, &timing, NULL), NST_OK);
        assert_int_equal(timing.samples, 3);
        is_quiet = timing.spread_percent > 300 && timing.spread_percent < 500;
    }
    assert_true(is_quiet);
}

static void test_failure(void **state) {
    (void)state;
    for (int call = 1; call <= 3; ++call) {
        struct work work = {.ms = 1, .fails_at = call};
        struct timing timing;
        nst_error error;
        assert_int_equal(timing_measure(run, &work, 0.05, &timing, &error), NST_ERROR_OPENCL);
        assert_int_equal(work.calls, call);
        assert_string_equal(error.message, "as wanted");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median), cmocka_unit_test(test_least_samples), cmocka_unit_test(test_short_work),
        cmocka_unit_test(test_spread), cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
