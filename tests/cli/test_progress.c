/* --progress json: every line is an object, phases come in their order, the share never falls, and the last line tells how
 * the run ended. */
#include "fixtures.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define JOB "content.png style.png --network ./small.safetensors --size 64 --scales 2 --iterations 3,4 -o out.png "

/* What a stream of events tells. */
struct course {
    int events, painted; /* of all phases; objects of an evaluation */
    double share;
    int evaluation, scale;
    double seconds;
    char phases[256]; /* each once, as they came */
    char picture[64], message[256];
};

static const char *text_of(const json_t *event, const char *key) {
    const char *text = json_string_value(json_object_get(event, key));
    return text ? text : "";
}

static void assert_evaluation(const json_t *event, struct course *course) {
    static const char *const integers[] = {"scale", "scales", "iteration", "iterations",
                                           "width", "height", "evaluation"};
    static const char *const numbers[] = {"total", "seconds_per_iteration", "seconds_left"};
    for (size_t i = 0; i < 7; i++)
        assert_true(json_integer_value(json_object_get(event, integers[i])) > 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(json_number_value(json_object_get(event, numbers[i])) >= 0);
    assert_true(json_integer_value(json_object_get(event, "evaluation")) > course->evaluation);
    assert_true(json_integer_value(json_object_get(event, "iteration")) <=
                json_integer_value(json_object_get(event, "iterations")));
    course->evaluation = (int)json_integer_value(json_object_get(event, "evaluation"));
    course->scale = (int)json_integer_value(json_object_get(event, "scale"));
    course->painted++;
}

static void take_event(const char *line, struct course *course) {
    json_t *event = json_loads(line, 0, NULL);
    if (!event)
        fail_msg("no JSON: %s", line);
    const char *phase = text_of(event, "phase");
    double share = json_number_value(json_object_get(event, "share"));
    double seconds = json_number_value(json_object_get(event, "seconds"));
    assert_true(share >= course->share && share <= 1);
    assert_true(seconds >= course->seconds);
    course->share = share;
    course->seconds = seconds;
    course->events++;
    const char *last = strrchr(course->phases, ' ');
    if (!last || strcmp(last + 1, phase) != 0) {
        strcat(course->phases, " ");
        strcat(course->phases, phase);
    }
    if (json_object_get(event, "total"))
        assert_evaluation(event, course);
    snprintf(course->picture, sizeof course->picture, "%s", text_of(event, "picture"));
    snprintf(course->message, sizeof course->message, "%s", text_of(event, "message"));
    json_decref(event);
}

/* Lines that begin with a brace are events. */
static struct course read_events(char *text) {
    struct course course = {0};
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (*line == '{')
            take_event(line, &course);
        else
            assert_int_equal(strncmp(line, "nst: ", 5), 0);
    return course;
}

static struct course run(const char *line, int status) {
    const struct outcome *outcome = program_run(line, NULL);
    assert_int_equal(outcome->status, status);
    char *copy = strdup(outcome->err);
    struct course course = read_events(copy);
    free(copy);
    return course;
}

static void test_a_whole_run(void **state) {
    (void)state;
    struct course course = run(JOB "--progress json --save-every 5", 0);
    assert_string_equal(course.phases, " preparing painting writing done");
    assert_string_equal(course.picture, "out.png");
    assert_int_equal(course.evaluation, 7);
    assert_int_equal(course.scale, 2);
    assert_true(course.share == 1);
    assert_in_range(course.painted, 3, 7);
    assert_int_equal(course.events, course.painted + 4);
}

/* Whatever fails once the command line is understood. */
static void test_failures(void **state) {
    (void)state;
    struct course course = run("content.png missing.png -o out.png --progress json", 1);
    assert_string_equal(course.phases, " preparing failed");
    assert_non_null(strstr(course.message, "missing.png"));
    course = run(JOB "--progress json --style-layers relu9_1", 1);
    assert_string_equal(course.phases, " preparing failed");
    assert_non_null(strstr(course.message, "relu9_1"));
}

/* To a descriptor that the caller has opened: there alone, and the bar stays. */
static void test_another_descriptor(void **state) {
    (void)state;
    assert_int_equal(system(NST_PROGRAM " " JOB "--progress json:7 7>events 2>messages >/dev/null"), 0);
    char *events = fixture_read_file("events", NULL), *messages = fixture_read_file("messages", NULL);
    struct course course = read_events(events);
    assert_string_equal(course.phases, " preparing painting writing done");
    assert_non_null(strstr(messages, "iteration 4 of 4"));
    assert_null(strchr(messages, '{'));
    free(events);
    free(messages);
}

static void test_interrupted_and_resumed(void **state) {
    (void)state;
    remove("out.jsonl");
    pid_t process = program_start("content.png style.png --network ./small.safetensors --size 64 --scales 1 -o out.png "
                                  "--iterations 300 --log out.jsonl --checkpoint run.checkpoint --progress json",
                                  NULL);
    fixture_wait_for_file("out.jsonl");
    kill(process, SIGTERM);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 143);
    char *copy = strdup(outcome->err);
    struct course course = read_events(copy);
    free(copy);
    assert_string_equal(course.phases, " preparing painting writing interrupted");
    assert_true(course.share < 1);
    outcome = program_run("resume run.checkpoint", NULL); /* as in the command */
    assert_int_equal(outcome->status, 0);
    copy = strdup(outcome->err);
    struct course rest = read_events(copy);
    free(copy);
    assert_string_equal(rest.phases, " preparing painting writing done");
    assert_int_equal(rest.evaluation, 300);
    assert_true(rest.painted >= 1);
}

/* A reader that goes away does not stop the run. */
static void test_a_reader_that_leaves(void **state) {
    (void)state;
    remove("out.png");
    assert_int_equal(
        system("{ " NST_PROGRAM " " JOB "--progress json 2>&1 >/dev/null; echo $? >status; } | head -n 1 >first"), 0);
    char *status = fixture_read_file("status", NULL);
    assert_string_equal(status, "0\n");
    free(status);
    char *picture = fixture_read_file("out.png", NULL);
    assert_non_null(picture);
    free(picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_run),          cmocka_unit_test(test_failures),
        cmocka_unit_test(test_another_descriptor),   cmocka_unit_test(test_interrupted_and_resumed),
        cmocka_unit_test(test_a_reader_that_leaves),
    };
    return cmocka_run_group_tests(tests, fixtures_create, fixtures_remove);
}
