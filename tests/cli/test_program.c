/* The program as a whole: commands, a short run on a small network, its log and record, and being interrupted. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "fixtures.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SMALL " content.png style.png --network ./small.safetensors --size 64 --scales 1 "

static void assert_fine(const char *line, const struct outcome *outcome) {
    if (outcome->status != 0)
        fail_msg("'%s' ended with %d: %s%s", line, outcome->status, outcome->out, outcome->err);
}

/* Every number in the picture's text chunks and everything else: whether the PNG file holds this text uncompressed. */
static bool file_holds(const char *path, const char *text) {
    size_t bytes = 0, length = strlen(text);
    char *data = fixture_read_file(path, &bytes);
    bool found = false;
    for (size_t i = 0; data && !found && i + length <= bytes; i++)
        found = memcmp(data + i, text, length) == 0;
    free(data);
    return found;
}

static void test_version_and_help(void **state) {
    (void)state;
    const struct outcome *outcome = program_run("--version", NULL);
    assert_fine("--version", outcome);
    static const char first_line[] = "nst " NST_VERSION "\n";
    assert_memory_equal(outcome->out, first_line, sizeof first_line - 1);
    assert_non_null(strstr(outcome->out, "\nreads PNG, JPEG")); /* and what else there is */
    assert_non_null(strstr(outcome->out, "\nwrites PNG, JPEG"));
    assert_string_equal(NST_VERSION, NST_PROJECT_VERSION);
    static const char *const lines[] = {"help",         "--help",     "-h",           "help stylize", "stylize --help",
                                        "help devices", "devices -h", "help weights", "help judge",   "help presets"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        outcome = program_run(lines[i], NULL);
        assert_fine(lines[i], outcome);
        assert_string_equal(outcome->err, "");
        assert_non_null(strstr(outcome->out, strcmp(lines[i], "help presets") == 0 ? "neural-style" : "--help"));
    }
}

static void test_devices(void **state) {
    (void)state;
    const struct outcome *outcome = program_run("devices --json", NULL);
    assert_fine("devices --json", outcome);
    json_error_t json_error;
    json_t *whole = json_loads(outcome->out, 0, &json_error);
    if (!whole)
        fail_msg("devices --json: %s", json_error.text);
    json_t *devices = json_object_get(whole, "devices"), *device;
    assert_true(json_is_array(json_object_get(whole, "notes")));
    assert_true(json_array_size(devices) >= 1);
    size_t index, defaults = 0;
    json_array_foreach(devices, index, device) {
        assert_true(json_is_string(json_object_get(device, "name")));
        assert_true(json_is_integer(json_object_get(device, "memory_bytes")));
        assert_true(json_is_boolean(json_object_get(device, "usable")));
        defaults += json_is_true(json_object_get(device, "is_default"));
    }
    assert_int_equal(defaults, 1);
    char name[128];
    snprintf(name, sizeof name, "%.20s", json_string_value(json_object_get(json_array_get(devices, 0), "name")));
    json_decref(whole);
    outcome = program_run("devices", NULL);
    assert_fine("devices", outcome);
    assert_non_null(strstr(outcome->out, name));
    assert_non_null(strstr(outcome->out, "taken by auto"));
}

/* Reads the log: returns the number of its lines, and the first and last total. */
static int read_log(const char *path, double *first, double *last) {
    char *text = fixture_read_file(path, NULL);
    assert_non_null(text);
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *object = json_loads(line, 0, NULL), *loss;
        assert_non_null(object);
        double total = json_number_value(json_object_get(object, "total")), sum = 0;
        size_t index;
        json_array_foreach(json_object_get(object, "losses"), index, loss) sum +=
            json_number_value(json_object_get(loss, "loss"));
        assert_true(index >= 6); /* five style layers and one of content */
        assert_true(sum > 0.999 * total && sum < 1.001 * total);
        assert_int_equal(json_integer_value(json_object_get(object, "evaluation")), lines + 1);
        assert_true(json_number_value(json_object_get(object, "seconds")) >= 0);
        assert_int_equal(json_integer_value(json_object_get(object, "scale")), 1);
        *(lines ? last : first) = total;
        json_decref(object);
    }
    free(text);
    return lines;
}

static void test_run(void **state) {
    (void)state;
    static const char line[] = SMALL "-o run.png --iterations 20 --log run.jsonl --save-every 8 --seed 5";
    const struct outcome *outcome = program_run(line, NULL);
    assert_fine(line, outcome);
    assert_non_null(strstr(outcome->out, "run.png"));
    assert_non_null(strstr(outcome->out, "64 x 48"));
    assert_non_null(strstr(outcome->err, "iteration 20 of 20"));
    assert_null(strchr(outcome->err, '\r')); /* no bar where there is no terminal */

    nst_picture picture;
    nst_error error;
    if (nst_picture_read("run.png", &picture, NULL, &error) != NST_OK)
        fail_msg("%s", error.message);
    assert_int_equal(picture.width, 64);
    assert_int_equal(picture.height, 48);
    nst_picture_free(&picture);
    assert_int_equal(access("run-0008.png", F_OK), 0);
    assert_int_equal(access("run-0016.png", F_OK), 0);

    double first = 0, last = 0;
    assert_true(read_log("run.jsonl", &first, &last) >= 20);
    assert_true(last < 0.8 * first);

    assert_true(file_holds("run.png", "nst " NST_VERSION));
    assert_true(file_holds("run.png", "-o run.png --iterations 20 --log run.jsonl"));
    assert_true(file_holds("run.png", "sha256 "));
    assert_true(file_holds("run.png", "\"seed\":5"));
}

/* Pictures without their end are used, and named in one line, unless nothing but errors is wanted. */
static void test_damaged_end(void **state) {
    (void)state;
    static const char line[] = "cut.png style.png --network ./small.safetensors --size 64 --plan -o none.png ";
    static const char quiet[] = "cut.png style.png --network ./small.safetensors --size 64 --plan -o none.png --quiet";
    size_t bytes;
    free(fixture_read_file("content.png", &bytes));
    fixture_copy_start("content.png", "cut.png", bytes - 12);
    const struct outcome *outcome = program_run(line, NULL);
    assert_fine(line, outcome);
    const char *warning = strstr(outcome->err, "nst: warning: cut.png is damaged behind its last row");
    assert_non_null(warning);
    assert_null(strstr(warning + 1, "nst: warning")); /* once */
    outcome = program_run(quiet, NULL);
    assert_fine(quiet, outcome);
    assert_null(strstr(outcome->err, "warning"));
}

/* On a terminal of 60 columns: a bar in one line that is drawn over and over, fits, and is gone in the end. */
static void test_terminal(void **state) {
    (void)state;
    enum { COLUMNS = 60 };
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    struct winsize size = {.ws_row = 24, .ws_col = COLUMNS};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    struct surroundings surroundings = {.terminal = ptsname(master)};
    pid_t process = program_start(SMALL "-o bar.png --iterations 30", &surroundings);
    static char text[65536];
    size_t length = 0;
    /* Reading fails when the program has closed the terminal. */
    for (ssize_t bytes;
         length < sizeof text - 1 && (bytes = read(master, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)bytes;
    assert_fine("a run on a terminal", program_finish(process));
    close(master);
    assert_null(strchr(text, '\n'));
    int drawn = 0;
    const char *last = "";
    for (char *line = strtok(text, "\r"); line; line = strtok(NULL, "\r")) {
        assert_true(strlen(line) < COLUMNS);
        drawn += strncmp(line, "scale 1/1 64x48 ", 16) == 0;
        last = line;
    }
    assert_true(drawn >= 2);
    assert_int_equal(strspn(last, " "), strlen(last)); /* wiped out */
}

static void test_same_command_same_bytes(void **state) {
    (void)state;
    size_t bytes[2];
    char *files[2];
    for (int i = 0; i < 2; i++) {
        const struct outcome *outcome =
            program_run(SMALL "-o same.png --iterations 6 --init random --seed 3 --quiet", NULL);
        assert_fine("same.png", outcome);
        assert_string_equal(outcome->out, "");
        assert_string_equal(outcome->err, "");
        files[i] = fixture_read_file("same.png", &bytes[i]);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(files[0], files[1], bytes[0]);
    free(files[0]);
    free(files[1]);
}

static void test_spellings(void **state) {
    (void)state;
    static const char *const lines[] = {
        "stylize" SMALL "-o spelled.jpg --iterations 2 --jpeg-quality 80",
        "-i 2 -o spelled.png content.png --network=./small.safetensors -s48 style.png style.png --style-blend 1,3",
        SMALL "-o spelled.png --iterations 2 --preset neural-style",
        SMALL "-o spelled.png --iterations 2 --optimizer adam --init style.png --depth 16 --original-colors",
        SMALL "-o spelled.png --iterations 3,2 --scales 2 --verbose",
        SMALL "--plan"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_fine(lines[i], program_run(lines[i], NULL));
}

static void test_interrupts(void **state) {
    (void)state;
    static const struct { int signal_number, status; } cases[] = {{SIGINT, 130}, {SIGTERM, 143}};
    for (size_t i = 0; i < 2; i++) {
        remove("interrupted.jsonl");
        remove("interrupted.png");
        pid_t process = program_start(SMALL "-o interrupted.png --iterations 1000000 --log interrupted.jsonl", NULL);
        fixture_wait_for_file("interrupted.jsonl");
        kill(process, cases[i].signal_number);
        const struct outcome *outcome = program_finish(process);
        assert_int_equal(outcome->status, cases[i].status);
        assert_non_null(strstr(outcome->out, "interrupted after"));
        nst_picture picture;
        nst_error error;
        if (nst_picture_read("interrupted.png", &picture, NULL, &error) != NST_OK)
            fail_msg("%s", error.message);
        nst_picture_free(&picture);
    }
}

/* The disk is full when the picture is to be written: the old one stays, nothing else is left, and the error is told.
 */
static void test_full_disk(void **state) {
    (void)state;
    static const char old[] = "the old picture";
    fixture_write_file("full.png", old, sizeof old);
    remove("full.jsonl");
    pid_t process = program_start(SMALL "-o full.png --iterations 1000000 --log full.jsonl --quiet", NULL);
    fixture_wait_for_file("full.jsonl");
    program_fill_disk(process, 512);
    kill(process, SIGINT);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 1);
    assert_one_error_line("a full disk", outcome->err);
    assert_non_null(strstr(outcome->err, "full.png"));
    char *now = fixture_read_file("full.png", NULL);
    assert_string_equal(now, old);
    free(now);
}

/* A run that is given a time tells the numbers of iterations it came to, also in the picture, and these make it again. */
static void test_time(void **state) {
    (void)state;
    char line[512], text[64];
    const struct outcome *outcome = program_run(
        "content.png style.png --network ./small.safetensors --size 64 --scales 2 --time 1s -o timed.png", NULL);
    assert_fine("--time 1s", outcome);
    const char *told = strstr(outcome->out, "the same again: --iterations ");
    assert_non_null(told);
    int first = 0, second = 0;
    assert_int_equal(sscanf(told, "the same again: --iterations %d,%d", &first, &second), 2);
    snprintf(text, sizeof text, "\"iterations\":[%d,%d]", first, second);
    assert_true(file_holds("timed.png", text));
    snprintf(line, sizeof line,
             "content.png style.png --network ./small.safetensors --size 64 -q --iterations %d,%d -o again.png", first,
             second);
    assert_fine(line, program_run(line, NULL));
    nst_picture pictures[2];
    nst_error error;
    assert_int_equal(nst_picture_read("timed.png", &pictures[0], NULL, &error), NST_OK);
    assert_int_equal(nst_picture_read("again.png", &pictures[1], NULL, &error), NST_OK);
    assert_int_equal(pictures[0].width, 64);
    assert_memory_equal(pictures[0].values, pictures[1].values,
                        sizeof(float) * 3 * (size_t)pictures[0].width * (size_t)pictures[0].height);
    nst_picture_free(&pictures[0]);
    nst_picture_free(&pictures[1]);
}

/* Nor may what is printed vanish unnoticed. */
static void test_full_standard_output(void **state) {
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(system(NST_PROGRAM " help >/dev/full 2>full.err") >> 8, 1);
    char *told = fixture_read_file("full.err", NULL);
    assert_one_error_line("help", told);
    assert_non_null(strstr(told, "standard output"));
    free(told);
}

static void test_weights(void **state) {
    (void)state;
    static const char *const lines[] = {"weights list", "weights info ./small.safetensors",
                                        "weights convert small.safetensors converted.safetensors",
                                        "weights info ./converted.safetensors"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct outcome *outcome = program_run(lines[i], NULL);
        assert_fine(lines[i], outcome);
        if (strstr(lines[i], "info")) {
            assert_non_null(strstr(outcome->out, "conv5_1"));
            assert_non_null(strstr(outcome->out, "caffe"));
        }
    }
}

/* Text and JSON tell the same; the content is no way from itself. */
static void test_judge(void **state) {
    (void)state;
    static const char line[] =
        "judge content.png --content content.png --style style.png --network ./small.safetensors";
    char with_json[160];
    snprintf(with_json, sizeof with_json, "%s --json", line);
    const struct outcome *outcome = program_run(with_json, NULL);
    assert_fine(with_json, outcome);
    json_t *whole = json_loads(outcome->out, 0, NULL), *style = json_object_get(whole, "style");
    assert_non_null(whole);
    assert_int_equal(json_integer_value(json_object_get(whole, "width")), 48);
    double distance = json_number_value(json_object_get(style, "distance")), sum = 0;
    assert_int_equal(json_object_size(json_object_get(style, "layers")), 5);
    const char *layer;
    json_t *value;
    json_object_foreach(json_object_get(style, "layers"), layer, value) sum += json_number_value(value);
    assert_true(distance > 0.01 && sum / 5 > 0.999 * distance && sum / 5 < 1.001 * distance);
    value = json_object_get(json_object_get(whole, "content"), "distance");
    assert_true(json_is_real(value) && json_number_value(value) < 1e-9);
    json_decref(whole);

    char expected[32];
    snprintf(expected, sizeof expected, "%.5f\n", distance);
    outcome = program_run(line, NULL);
    assert_fine(line, outcome);
    assert_non_null(strstr(outcome->out, expected));
    assert_non_null(strstr(outcome->out, "relu4_2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_and_help),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_damaged_end),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_same_command_same_bytes),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_full_standard_output),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests(tests, fixtures_create, fixtures_remove);
}
