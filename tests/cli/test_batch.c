/* test_batch.c: `nst batch`: results are those of `nst stylize`, what is there is skipped, what is bad costs a line, what
 * is interrupted goes on. */
#include "fixtures.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETWORK "--network ./small.safetensors --scales 1 "
#define JOB     NETWORK "--size 48 --iterations 2 --style style.png "

/* photos/ with two pictures and a few things that are none; more of both in photos/spring/. */
static int create(void **state) {
    if (fixtures_create(state) != 0)
        return -1;
    mkdir("photos", 0777);
    mkdir("photos/spring", 0777);
    fixture_write_picture("photos/b.png", 48, 36, 3);
    fixture_write_picture("photos/a.jpg", 40, 52, 4);
    fixture_write_picture("photos/spring/ \xff\n.png", 36, 36, 5); /* a name of any bytes */
    fixture_write_picture("photos/spring/c.png", 64, 40, 6);
    fixture_write_file("photos/notes.txt", "no picture\n", 11);
    fixture_write_file("photos/empty.png", "", 0);
    int failed = mkfifo("photos/pipe.png", 0666);
    failed += symlink("../..", "photos/spring/round");
    failed += symlink("itself", "photos/itself");
    return failed;
}

static void remove_results(void) {
    assert_int_equal(system("rm -rf out"), 0);
}

static int count_files(const char *path) {
    int count = 0;
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

/* Runs a command and fails unless it ends so, with these words on standard output. */
static const struct outcome *run(const char *line, int status, const char *words) {
    const struct outcome *outcome = program_run(line, NULL);
    if (outcome->status != status || !strstr(outcome->out, words))
        fail_msg("nst %s\nended with %d, not %d, or does not say '%s':\n%s%s", line, outcome->status, status, words,
                 outcome->out, outcome->err);
    return outcome;
}

static void assert_same_file(const char *path, const char *other) {
    size_t bytes = 0, other_bytes = 0;
    char *data = fixture_read_file(path, &bytes), *others = fixture_read_file(other, &other_bytes);
    assert_non_null(data);
    assert_non_null(others);
    assert_int_equal(bytes, other_bytes);
    assert_memory_equal(data, others, bytes);
    free(data);
    free(others);
}

/* The whole file, which tells the command line of `nst stylize` that makes it. */
static void results_are_those_of_stylize(void **state) {
    (void)state;
    remove_results();
    run("batch -r photos content.png " JOB "-o out/", 0, "5 painted, 0 skipped, 0 failed");
    assert_int_equal(count_files("out"), 4);
    assert_int_equal(count_files("out/spring"), 2);
    static const char *const pairs[][2] = {{"photos/a.jpg", "out/a-nst.png"},
                                           {"photos/b.png", "out/b-nst.png"},
                                           {"photos/spring/c.png", "out/spring/c-nst.png"},
                                           {"content.png", "out/content-nst.png"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char line[512];
        assert_int_equal(rename(pairs[i][1], "batch.png"), 0);
        snprintf(
            line, sizeof line,
            "stylize --network=./small.safetensors --scales=1 --size=48 --iterations=2 --output=%s -- %s style.png",
            pairs[i][1], pairs[i][0]);
        run(line, 0, pairs[i][1]);
        assert_same_file(pairs[i][1], "batch.png");
    }
}

static void help_lists_what_there_is(void **state) {
    (void)state;
    const struct outcome *outcome = run("help batch", 0, "{folder}");
    assert_non_null(strstr(outcome->out, "--style FILE"));
    assert_non_null(strstr(outcome->out, "--strength X"));
    assert_null(strstr(outcome->out, "--checkpoint"));
    assert_non_null(strstr(outcome->out, "-o, --output NAME"));
    assert_null(strstr(outcome->out, "-o, --output FILE"));
}

/* With a mask that fits only some of them, and without recursion. */
static void what_is_there_is_skipped(void **state) {
    (void)state;
    remove_results();
    const struct outcome *outcome = run("batch photos " JOB "-o out --mask content.png -o out/", 1, "1 painted");
    assert_non_null(strstr(outcome->out, "1 failed"));
    assert_one_error_line("batch --mask", outcome->err);
    assert_non_null(strstr(outcome->err, "photos/a.jpg: the mask has"));
    outcome = run("batch photos missing.png " JOB "-o out", 1, "1 painted, 1 skipped (there already; --force");
    assert_one_error_line("batch missing.png", outcome->err);
    assert_non_null(strstr(outcome->err, "missing.png: No such file"));
    run("batch photos " JOB "-o out --force", 0, "2 painted, 0 skipped, 0 failed");
    run("batch photos " JOB "-o out", 0, "0 painted, 2 skipped");
    assert_int_equal(count_files("out"), 2);
}

/* Results beside their contents are no contents the next time, nor what is in the folder of results. */
static void results_are_no_contents(void **state) {
    (void)state;
    remove_results();
    mkdir("out", 0777);
    fixture_write_picture("out/x.png", 48, 36, 3);
    run("batch out " JOB "-o out/", 0, "1 painted");
    run("batch out " JOB "-o out/", 0, "0 painted, 1 skipped");
    run("batch out " JOB "-o out/of/{preset}/{name}.jpg", 0, "2 painted"); /* here they are */
    assert_int_equal(count_files("out/of/gram"), 2);
    run("batch -r out " JOB "-o out/of/{style}-{ext}-{{{file}.png", 0, "2 painted");
    assert_int_equal(access("out/of/style-png-{x.png.png", F_OK), 0);
    const struct outcome *outcome = run("batch out/x.png " JOB "-o out/{file}", 2, "");
    assert_one_error_line("batch -o {file}", outcome->err);
    assert_non_null(strstr(outcome->err, "written over by its own result"));
    outcome = run("batch out/x.png out/x-nst.png " JOB "-o out/", 2, "");
    assert_non_null(strstr(outcome->err, "out/x-nst.png is where the result of out/x.png goes"));
}

static void one_output_for_two_is_refused(void **state) {
    (void)state;
    remove_results();
    const struct outcome *outcome = run("batch -r photos photos/b.png " JOB "-o out/{name}-{preset}.png", 2, "");
    assert_one_error_line("batch photos photos/b.png", outcome->err);
    assert_non_null(strstr(outcome->err, "photos/b.png and photos/b.png"));
    assert_int_equal(access("out", F_OK), -1);
}

static void a_damaged_picture_costs_a_line(void **state) {
    (void)state;
    remove_results();
    mkdir("damaged", 0777);
    fixture_copy_start("style.png", "damaged/b.png", 700);
    fixture_write_picture("damaged/a.png", 40, 40, 8);
    fixture_write_picture("damaged/c.png", 40, 40, 9);
    const struct outcome *outcome = run("batch damaged " JOB "-o out/", 1, "2 painted, 0 skipped, 1 failed");
    assert_one_error_line("batch damaged", outcome->err);
    assert_non_null(strstr(outcome->err, "damaged/b.png"));
    assert_int_equal(count_files("out"), 2);
}

static void assert_nothing_half_written(void) {
    assert_int_equal(system("find out -name '*.part' | grep -q ."), 256);
}

/* What is finished stays, what is in hand leaves nothing, and the same command does the rest. */
static void an_interrupted_run_goes_on(void **state) {
    (void)state;
    static const char line[] =
        "batch -r photos " NETWORK "--size 48 --iterations 80 --style style.png -o out/{file}.png";
    remove_results();
    pid_t process = program_start(line, NULL);
    fixture_wait_for_file("out/a.jpg.png");
    kill(process, SIGTERM);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 143);
    int painted = count_files("out");
    char words[64];
    assert_in_range(painted, 1, 3);
    snprintf(words, sizeof words, "%d painted, 0 skipped, 0 failed, %d left", painted, 4 - painted);
    assert_non_null(strstr(outcome->out, words));
    assert_nothing_half_written();
    snprintf(words, sizeof words, "%d painted, %d skipped", 4 - painted, painted);
    run(line, 0, words);
    assert_int_equal(count_files("out"), 4);
}

/* A disk that is full does not cost the time of all that is left. The pictures are alike, since PoCL compiles nothing on
 * such a disk. */
static void a_full_disk_ends_the_run(void **state) {
    (void)state;
    remove_results();
    mkdir("alike", 0777);
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "alike/%c.png", 'a' + i);
        fixture_write_picture(path, 48, 36, (uint64_t)i);
    }
    pid_t process =
        program_start("batch alike -q " NETWORK "--size 48 --iterations 80 --style style.png -o out/", NULL);
    fixture_wait_for_file("out/a-nst.png");
    program_fill_disk(process, 600);
    const struct outcome *outcome = program_finish(process);
    if (outcome->status != 1 || !strstr(outcome->err, "cannot write out/") || strstr(outcome->err, "f-nst.png"))
        fail_msg("a full disk ended it with %d and %s", outcome->status, outcome->err);
    assert_nothing_half_written();
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

struct course {
    int written, failed, last_number;
    double share;
    char last_phase[32];
};

static void take_event(const char *line, struct course *course) {
    json_t *event = json_loads(line, 0, NULL);
    assert_non_null(event);
    const char *phase = json_string_value(json_object_get(event, "phase"));
    const json_t *content = json_object_get(event, "content");
    double share = json_number_value(json_object_get(event, "share"));
    int number = (int)json_integer_value(json_object_get(event, "number"));
    assert_true(share >= course->share && share <= 1);
    course->share = share;
    if (strcmp(phase, "painting") == 0) {
        assert_true(json_is_string(content) || json_is_null(content)); /* the name that is not UTF-8 */
        assert_int_equal(json_integer_value(json_object_get(event, "count")), 5);
        assert_in_range(number, course->last_number, 5);
        assert_true(share > (number - 1) / 5.0 && share <= number / 5.0 + 1e-9);
        course->last_number = number;
    }
    if (strcmp(phase, "picture_written") == 0) {
        const char *picture = json_string_value(json_object_get(event, "picture"));
        assert_true(!picture || strncmp(picture, "out/", 4) == 0);
        course->written++;
    }
    course->failed += strcmp(phase, "picture_failed") == 0;
    snprintf(course->last_phase, sizeof course->last_phase, "%s", phase);
    if (strcmp(phase, "done") == 0) {
        assert_int_equal(json_integer_value(json_object_get(event, "painted")), 4);
        assert_int_equal(json_integer_value(json_object_get(event, "failed")), 1);
        assert_null(json_object_get(event, "message"));
    }
    json_decref(event);
}

static void events_tell_of_each_picture(void **state) {
    (void)state;
    struct course course = {0};
    remove_results();
    const struct outcome *outcome =
        run("batch -r missing.png photos " JOB "-o out/{name}.png --progress json", 1, "4 painted");
    char *copy = strdup(outcome->err);
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        if (*line == '{')
            take_event(line, &course);
    free(copy);
    assert_int_equal(course.failed, 1);
    assert_int_equal(course.written, 4);
    assert_int_equal(course.last_number, 5);
    assert_true(course.share == 1);
    assert_string_equal(course.last_phase, "done");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_lists_what_there_is),      cmocka_unit_test(results_are_those_of_stylize),
        cmocka_unit_test(what_is_there_is_skipped),      cmocka_unit_test(results_are_no_contents),
        cmocka_unit_test(one_output_for_two_is_refused), cmocka_unit_test(a_damaged_picture_costs_a_line),
        cmocka_unit_test(an_interrupted_run_goes_on),    cmocka_unit_test(a_full_disk_ends_the_run),
        cmocka_unit_test(events_tell_of_each_picture),
    };
    return cmocka_run_group_tests(tests, create, fixtures_remove);
}
