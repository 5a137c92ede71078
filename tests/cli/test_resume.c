/* `nst resume`: a run that was told to stop goes on, in another folder, to the bytes of the unbroken one, with the same
 * log; and what it says when something is not as it was. Being killed is tried by tests/kill_and_resume.py. */
#include "fixtures.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In two scales, for long enough to be stopped on the way. */
#define LONG                                                                                                           \
    "content.png style.png --network ./small.safetensors --size 64 --scales 2 --iterations 150 -o out.png "            \
    "--log out.jsonl --save-every 100 --checkpoint run.checkpoint"
/* Over soon, with a checkpoint after each iteration. */
#define SHORT                                                                                                          \
    "content.png style.png --network ./small.safetensors --size 64 --scales 1 --iterations 4 -o short.png "            \
    "--checkpoint short.checkpoint --checkpoint-every 0.001s"

/* The whole file, which is there. */
static char *read_whole(const char *path, size_t *bytes) {
    char *data = fixture_read_file(path, bytes);
    if (!data)
        fail_msg("%s is missing", path);
    return data;
}

static void assert_fine(const struct outcome *outcome) {
    if (outcome->status != 0)
        fail_msg("ended with %d: %s%s", outcome->status, outcome->out, outcome->err);
}

static const struct outcome *run_elsewhere(const char *line) {
    assert_int_equal(chdir("elsewhere"), 0);
    const struct outcome *outcome = program_run(line, NULL);
    assert_int_equal(chdir(".."), 0);
    return outcome;
}

/* Two logs that tell the same but for the seconds. */
static void assert_same_log(const char *path, const char *expected_path) {
    FILE *files[2] = {fopen(path, "r"), fopen(expected_path, "r")};
    char lines[2][8192];
    int count = 0;
    assert_non_null(files[0]);
    assert_non_null(files[1]);
    while (fgets(lines[1], sizeof lines[1], files[1])) {
        count++;
        assert_non_null(fgets(lines[0], sizeof lines[0], files[0]));
        json_t *got = json_loads(lines[0], 0, NULL), *expected = json_loads(lines[1], 0, NULL);
        assert_non_null(got);
        json_object_del(got, "seconds");
        json_object_del(expected, "seconds");
        assert_true(json_equal(got, expected));
        json_decref(got);
        json_decref(expected);
    }
    assert_null(fgets(lines[0], sizeof lines[0], files[0]));
    assert_int_equal(count, 300);
    fclose(files[0]);
    fclose(files[1]);
}

static void test_stopped_by_a_signal(void **state) {
    (void)state;
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
    size_t expected_bytes, bytes;
    assert_fine(program_run(LONG, NULL));
    char *expected = read_whole("out.png", &expected_bytes);
    assert_int_equal(rename("out.jsonl", "unbroken.jsonl"), 0);
    for (size_t i = 0; i < 3; i++) {
        remove("out.png");
        remove("out.jsonl");
        pid_t process = program_start(LONG, NULL);
        fixture_wait_for_file("out.jsonl");
        kill(process, signals[i]);
        const struct outcome *outcome = program_finish(process);
        assert_int_equal(outcome->status, 128 + signals[i]);
        assert_non_null(strstr(outcome->out, "'nst resume run.checkpoint' goes on"));
        remove("out.png");
        remove("out-0200.png");
        outcome = run_elsewhere(i == 0 ? "resume ../run.checkpoint -q" : "resume ../run.checkpoint");
        assert_fine(outcome);
        if (i == 0)
            assert_string_equal(outcome->err, "");
        char *result = read_whole("out.png", &bytes);
        assert_int_equal(bytes, expected_bytes);
        assert_memory_equal(result, expected, bytes);
        free(result);
        assert_same_log("out.jsonl", "unbroken.jsonl");
        assert_int_equal(access("out-0200.png", R_OK), 0);
    }
    free(expected);
}

/* Goes on from each of the two files that a run leaves, and from a run that had ended. */
static void test_two_generations(void **state) {
    (void)state;
    size_t expected_bytes, bytes;
    assert_fine(program_run(SHORT, NULL));
    char *expected = read_whole("short.png", &expected_bytes);
    assert_int_equal(truncate("short.checkpoint", 1000), 0);
    for (int whole = 0; whole < 2; whole++) {
        remove("short.png");
        const struct outcome *outcome = run_elsewhere("resume ../short.checkpoint");
        assert_fine(outcome);
        assert_true((strstr(outcome->err, "is damaged") != NULL) == !whole);
        assert_true((strstr(outcome->err, "short.checkpoint.1") != NULL) == !whole);
        char *result = read_whole("short.png", &bytes);
        assert_int_equal(bytes, expected_bytes);
        assert_memory_equal(result, expected, bytes);
        free(result);
    }
    free(expected);
}

/* Fails with one line that has these words, and writes nothing. */
static void assert_refused(const char *line, const char *first, const char *second) {
    remove("short.png");
    const struct outcome *outcome = program_run(line, NULL);
    assert_int_equal(outcome->status, 1);
    assert_one_error_line(line, outcome->err);
    if (!strstr(outcome->err, first) || !strstr(outcome->err, second))
        fail_msg("expected '%s' and '%s', found: %s", first, second, outcome->err);
    assert_int_not_equal(access("short.png", F_OK), 0);
}

static void test_changes(void **state) {
    (void)state;
    assert_fine(program_run(SHORT, NULL));
    assert_int_equal(rename("content.png", "kept.png"), 0);
    assert_refused("resume short.checkpoint", "content.png", "o such file");
    fixture_write_picture("content.png", 48, 36, 77);
    assert_refused("resume short.checkpoint", ": content;", "--accept-changes");
    const struct outcome *outcome = program_run("resume short.checkpoint --accept-changes", NULL);
    assert_fine(outcome);
    assert_non_null(strstr(outcome->err, "other things than those of the checkpoint: content"));
    fixture_write_picture("content.png", 36, 48, 77); /* its state does not fit */
    assert_refused("resume short.checkpoint --accept-changes -q", "64 x 48 pixels", "48 x 64");
    assert_int_equal(rename("kept.png", "content.png"), 0);
    outcome = program_run("resume short.checkpoint -d no-such-device", NULL);
    assert_int_equal(outcome->status, 1);
    assert_non_null(strstr(outcome->err, "no-such-device"));
}

/* The place of the checkpoints is gone: said at once and at the end, and the picture is written all the same. */
static void test_vanished_folder(void **state) {
    (void)state;
    mkdir("vanishing", 0777);
    remove("out.jsonl");
    remove("out.png");
    pid_t process = program_start("content.png style.png --network ./small.safetensors --size 64 --scales 1 "
                                  "--iterations 150 -o out.png --log out.jsonl --checkpoint vanishing/checkpoint "
                                  "--checkpoint-every 0.01s",
                                  NULL);
    fixture_wait_for_file("out.jsonl");
    assert_int_equal(rename("vanishing", "vanished"), 0);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 1);
    const char *told = strstr(outcome->err, "there is no newer checkpoint");
    assert_non_null(told);
    assert_null(strstr(told + 1, "there is no newer checkpoint"));
    assert_non_null(strstr(told, "nst: error: cannot write vanishing/checkpoint"));
    assert_int_equal(access("out.png", R_OK), 0);
}

static int create(void **state) {
    return fixtures_create(state) != 0 || mkdir("elsewhere", 0777) != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stopped_by_a_signal),
        cmocka_unit_test(test_two_generations),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_vanished_folder),
    };
    return cmocka_run_group_tests(tests, create, fixtures_remove);
}
