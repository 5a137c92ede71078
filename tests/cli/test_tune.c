/* test_tune.c: `nst tune` on the small network: its table is kept and taken up, a run that is stopped goes on, and what
 * computes wrongly does not win. */
#include "fixtures.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TUNE "tune --network ./small.safetensors --size 64 --seconds 0.001 "

static json_t *lines_of(const struct outcome *outcome, json_t **whole) {
    if (outcome->status != 0)
        fail_msg("tune ended with %d: %s", outcome->status, outcome->err);
    *whole = json_loads(outcome->out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(*whole, "kind")), "nst tune");
    json_t *lines = json_object_get(json_array_get(json_object_get(*whole, "devices"), 0), "lines");
    assert_true(json_array_size(lines) > 5);
    return lines;
}

static bool is_true(const json_t *line, const char *name) {
    return json_is_true(json_object_get(line, name));
}

static double number(const json_t *line, const char *name) {
    assert_true(json_is_number(json_object_get(line, name)));
    return json_number_value(json_object_get(line, name));
}

static int count_found_before(const json_t *lines) {
    int count = 0;
    size_t index;
    json_t *line;
    json_array_foreach(lines, index, line) count += is_true(line, "found_before");
    return count;
}

/* Stops a run, as by Ctrl-C, when it tells of its third row. */
static const struct outcome *stop_early(const struct surroundings *cache) {
    pid_t process = program_start(TUNE, cache);
    for (int tries = 0; tries < 5000; tries++) {
        char *told = fixture_read_file("program.err", NULL);
        bool is_there = told && strstr(told, ": 3 of ");
        free(told);
        if (is_there)
            break;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    kill(process, SIGINT);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 128 + SIGINT);
    return outcome;
}

static void a_stopped_run_goes_on_and_the_table_is_kept(void **state) {
    (void)state;
    struct surroundings cache = {.variable = "NST_CACHE_DIR", .value = "cache"};
    assert_non_null(strstr(stop_early(&cache)->err, "is kept: the same command goes on from there"));

    json_t *whole, *line, *lines = lines_of(program_run(TUNE "--json --quiet", &cache), &whole);
    size_t index, count = json_array_size(lines);
    int before = count_found_before(lines);
    assert_true(before >= 2 && before < (int)count);
    json_array_foreach(lines, index, line) {
        assert_string_equal(json_string_value(json_object_get(line, "status")), "ok");
        assert_true(number(line, "ms") > 0 && number(line, "ms") <= number(line, "built_in_ms"));
        assert_int_equal(number(line, "wrong"), 0);
        assert_true(number(line, "tried") >= 1 || is_true(line, "found_before"));
        /* Empty: CLBlast's own parameters. */
        const char *work = json_string_value(json_object_get(line, "work"));
        assert_true(*json_string_value(json_object_get(line, "choice")) != '\0' || strstr(work, "CLBlast"));
    }
    assert_true(is_true(json_array_get(json_object_get(whole, "devices"), 0), "kept"));
    json_decref(whole);

    lines = lines_of(program_run(TUNE "--json --quiet", &cache), &whole);
    assert_int_equal(json_array_size(lines), count);
    assert_int_equal(count_found_before(lines), count);
    json_decref(whole);
}

static void it_says_when_nothing_can_be_kept(void **state) {
    (void)state;
    fixture_write_file("file", "x", 1);
    struct surroundings cache = {.variable = "NST_CACHE_DIR", .value = "file"};
    assert_non_null(strstr(stop_early(&cache)->err, "kept nowhere"));
}

static void bad_usage_is_refused(void **state) {
    (void)state;
    static const char *const lines[] = {"tune now", "tune --size 3", "tune -d , ", "tune --network ./none.safetensors"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct outcome *outcome = program_run(lines[i], NULL);
        assert_true(outcome->status == 1 || outcome->status == 2);
        assert_one_error_line(lines[i], outcome->err);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_run_goes_on_and_the_table_is_kept),
        cmocka_unit_test(it_says_when_nothing_can_be_kept),
        cmocka_unit_test(bad_usage_is_refused),
    };
    return cmocka_run_group_tests(tests, fixtures_create, fixtures_remove);
}
