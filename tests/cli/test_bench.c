/* The commands `nst bench`, `nst bench compare` and `nst selftest` on the small network: what they print, what they
 * make of files that are not theirs, and that wrong kernels are found. */
#include "fixtures.h"
#include "sizes.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUICK "bench --network ./small.safetensors --quiet --no-start "

enum { CONVOLUTIONS = 13 };

/* The command with so many seconds to measure, of which slow implementations get more; overwritten by the next. */
static const char *within(double seconds, const char *command) {
    static char line[512];
    snprintf(line, sizeof line, "%s --seconds %g", command, seconds * (double)sizes_to_try(1, 16));
    return line;
}

static const struct outcome *run_well(const char *line) {
    const struct outcome *outcome = program_run(line, NULL);
    if (outcome->status != 0)
        fail_msg("'%s' ended with %d: %s", line, outcome->status, outcome->err);
    assert_string_equal(outcome->err, "");
    return outcome;
}

static json_t *load(const char *path) {
    json_error_t error;
    json_t *whole = json_load_file(path, 0, &error);
    if (!whole)
        fail_msg("%s, line %d: %s", path, error.line, error.text);
    return whole;
}

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value))
        fail_msg("%s is not a number", name);
    return json_number_value(value);
}

static void assert_text(const json_t *object, const char *name, const char *expected) {
    const char *value = json_string_value(json_object_get(object, name));
    if (!value || strcmp(value, expected) != 0)
        fail_msg("%s: expected '%s', found '%s'", name, expected, value ? value : "no text");
}

/* Measured once, with everything, for the tests that read it. */
static int measure(void **state) {
    if (fixtures_create(state) != 0)
        return -1;
    run_well(within(0.5, QUICK "--layers --sizes 48,32 --json -o a.json"));
    return 0;
}

/* ---- Measuring ------------------------------------------------------------------------------------------------- */

static void check_speed(const json_t *object) {
    assert_text(object, "status", "ok");
    double ms = number(object, "ms"), gflops = number(object, "gflops");
    assert_true(ms > 0 && number(object, "least_ms") <= ms);
    assert_true(number(object, "spread_percent") >= 0);
    assert_true(number(object, "samples") >= 3);
    assert_true(fabs(gflops - number(object, "gflop") / ms * 1e3) < 1e-6 * gflops);
    assert_true(number(object, "share_of_peak") > 0);
}

static void check_row(const json_t *row, int size_px) {
    size_t index;
    json_t *layer, *kernel, *layers = json_object_get(row, "layers"), *kernels = json_object_get(row, "kernels");
    double shares = 0;
    assert_int_equal(number(row, "size_px"), size_px);
    check_speed(row);
    assert_true(number(row, "memory_bytes") > 0);
    const char *key = json_string_value(json_object_get(row, "key"));
    assert_true(key && strstr(key, "small"));
    assert_int_equal(json_array_size(layers), 2 * CONVOLUTIONS);
    json_array_foreach(layers, index, layer) {
        check_speed(layer);
        assert_text(layer, "direction", index < CONVOLUTIONS ? "forward" : "backward");
        assert_true(*json_string_value(json_object_get(layer, "engine")) != '\0');
    }
    assert_text(json_array_get(layers, 0), "name", "conv1_1");
    json_array_foreach(kernels, index, kernel) shares += number(kernel, "share");
    assert_true(index > 5 && fabs(shares - 1) < 1e-6);
}

static void test_json(void **state) {
    (void)state;
    json_t *whole = load("a.json"), *devices = json_object_get(whole, "devices");
    assert_text(whole, "kind", "nst bench");
    assert_int_equal(number(whole, "schema"), 1);
    assert_text(whole, "network", "small");
    assert_true(json_is_false(json_object_get(whole, "network_made_up")));
    assert_int_equal(json_array_size(devices), 1);
    json_t *device = json_array_get(devices, 0), *check = json_object_get(device, "check");
    assert_text(device, "status", "ok");
    assert_true(number(device, "peak_gflops") > 0.01);
    assert_true(number(device, "bandwidth_gb_per_s") > 0.01);
    assert_true(json_is_null(json_object_get(device, "cold_start_seconds"))); /* --no-start */
    assert_text(check, "status", "ok");
    assert_true(number(check, "loss_error") < 1e-4);
    assert_true(number(check, "gradient_error") < 1e-2);
    json_t *rows = json_object_get(device, "rows");
    assert_int_equal(json_array_size(rows), 2);
    check_row(json_array_get(rows, 0), 32); /* from small to large */
    check_row(json_array_get(rows, 1), 48);
    const char *key = json_string_value(json_object_get(json_array_get(rows, 0), "key"));
    assert_null(strstr(key, json_string_value(json_object_get(device, "driver"))));
    json_decref(whole);
}

/* The fields of one line, quotes taken into account; -1 if a quote is left open. */
static int count_fields(const char *line, size_t length) {
    int fields = 1;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        quoted ^= line[i] == '"';
        fields += line[i] == ',' && !quoted;
    }
    return quoted ? -1 : fields;
}

/* Behind the next comma that is not in quotes; there is one. */
static const char *next_field(const char *field) {
    for (bool quoted = false; *field != ',' || quoted; field++)
        quoted ^= *field == '"';
    return field + 1;
}

/* With the start, which is left out elsewhere because it compiles everything. */
static void test_csv(void **state) {
    (void)state;
    const struct outcome *outcome =
        run_well(within(0.5, "bench --network ./small.safetensors --quiet --layers --sizes 32 --csv"));
    const char *line = outcome->out;
    int columns = count_fields(line, strcspn(line, "\n")), lines = 0, layers = 0;
    assert_true(columns > 20);
    for (; *line; line += strcspn(line, "\n") + 1, lines++) {
        assert_int_equal(count_fields(line, strcspn(line, "\n")), columns);
        layers += strncmp(line, "layer,", 6) == 0;
        if (strncmp(line, "size,", 5) == 0) { /* the two times of the start are there, the cold one the longer */
            double times[2];
            const char *field = line;
            for (int column = 0; column < 20; column++)
                field = next_field(field);
            assert_int_equal(sscanf(field, "%lf,%lf", &times[0], &times[1]), 2);
            assert_true(times[0] > 0 && times[1] > 0);
        }
    }
    assert_int_equal(layers, 2 * CONVOLUTIONS);
    assert_true(lines > layers + 2);
}

static void test_text_and_markdown(void **state) {
    (void)state;
    const struct outcome *outcome = run_well(within(0.5, QUICK "--sizes 32"));
    assert_non_null(strstr(outcome->out, "network small"));
    assert_non_null(strstr(outcome->out, "ms/iteration"));
    assert_non_null(strstr(outcome->out, "check   ok"));
    outcome = run_well(within(0.5, QUICK "--sizes 32 --markdown"));
    int bars = -1, lines = 0;
    for (const char *line = outcome->out; *line; line += strcspn(line, "\n") + 1) {
        if (*line != '|')
            continue;
        int found = 0;
        for (const char *c = line; *c != '\n'; c++)
            found += *c == '|' && c[-1] != '\\';
        assert_true(bars < 0 || found == bars);
        bars = found;
        lines++;
    }
    assert_int_equal(lines, 3); /* heading, rule, one size */
}

/* Too large for the time: the row says so, and the others are measured. */
static void test_skipped(void **state) {
    (void)state;
    run_well(within(0.2, QUICK "--sizes 32,8192 --json -o skip.json"));
    json_t *whole = load("skip.json");
    json_t *rows = json_object_get(json_array_get(json_object_get(whole, "devices"), 0), "rows");
    assert_text(json_array_get(rows, 0), "status", "ok");
    assert_text(json_array_get(rows, 1), "status", "skipped");
    assert_true(*json_string_value(json_object_get(json_array_get(rows, 1), "reason")) != '\0');
    assert_true(json_is_null(json_object_get(json_array_get(rows, 1), "ms")));
    json_decref(whole);
}

static int count_of(const char *text, const char *part) {
    int count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* The precision stands in the report, and its rows are not taken for those of the other one. */
static void test_half(void **state) {
    (void)state;
    run_well(within(0.5, QUICK "--sizes 32 --precision half --json -o half.json"));
    json_t *half = load("half.json"), *single = load("a.json");
    json_t *device = json_array_get(json_object_get(half, "devices"), 0);
    assert_text(device, "precision", "half");
    assert_text(json_array_get(json_object_get(single, "devices"), 0), "precision", "single");
    const char *key = json_string_value(json_object_get(json_array_get(json_object_get(device, "rows"), 0), "key"));
    assert_true(key && strstr(key, "small in halves"));
    assert_text(json_array_get(json_object_get(device, "rows"), 0), "precision", "half");
    const struct outcome *outcome = run_well("bench compare a.json half.json");
    assert_non_null(strstr(outcome->out, "B, 32 px: measured in half precision, A in single"));
    assert_int_equal(count_of(outcome->out, ", half precision;"), 1);
    outcome = run_well("bench compare a.json a.json");
    assert_null(strstr(outcome->out, "precision, A in"));
    assert_null(strstr(outcome->out, ", half precision;"));
    json_decref(half);
    json_decref(single);
}

static void test_devices(void **state) {
    (void)state;
    static const char *const commands[] = {QUICK "--device nonsense", "selftest -d nonsense"};
    for (size_t i = 0; i < 2; i++) {
        const struct outcome *outcome = program_run(commands[i], NULL);
        assert_int_equal(outcome->status, 1);
        assert_string_equal(outcome->out, "");
        assert_non_null(strstr(outcome->err, "nst: error: no device matches 'nonsense'"));
    }
    assert_int_equal(program_run(QUICK "--device ,", NULL)->status, 2);
    /* One that is not there does not keep the other from being measured. */
    run_well(within(0.5, QUICK "--sizes 32 -d 77:0,auto --json -o two.json"));
    json_t *whole = load("two.json"), *devices = json_object_get(whole, "devices");
    assert_int_equal(json_array_size(devices), 2);
    assert_text(json_array_get(devices, 0), "status", "error");
    json_t *row = json_array_get(json_object_get(json_array_get(devices, 0), "rows"), 0);
    assert_text(row, "status", "error");
    assert_non_null(strstr(json_string_value(json_object_get(row, "reason")), "77:0"));
    assert_text(json_array_get(devices, 1), "status", "ok");
    json_decref(whole);
    assert_int_equal(program_run(QUICK "--sizes 32 -d 77:0", NULL)->status, 1);
}

static void test_bad_usage(void **state) {
    (void)state;
    static const char *const lines[] = {"bench --json --csv",
                                        "bench a.json",
                                        "bench compare",
                                        "bench --sizes 0",
                                        "bench --sizes 12",
                                        "bench --html r.html",
                                        "bench compare a.json -o b.txt",
                                        "selftest now"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct outcome *outcome = program_run(lines[i], NULL);
        assert_int_equal(outcome->status, 2);
        assert_one_error_line(lines[i], outcome->err);
    }
    const struct outcome *outcome = program_run("bench --quiet --no-start --network ./none.safetensors", NULL);
    assert_int_equal(outcome->status, 1);
    assert_one_error_line("a network that is not there", outcome->err);
}

/* ---- Comparing ------------------------------------------------------------------------------------------------- */

/* A copy of a.json: another driver, a name to be escaped, twice the time at 32 px, and a wrong result at 48. */
static void write_changed(const char *path) {
    json_t *whole = load("a.json"), *device = json_array_get(json_object_get(whole, "devices"), 0);
    json_t *rows = json_object_get(device, "rows"), *first = json_array_get(rows, 0), *second = json_array_get(rows, 1);
    json_object_set_new(device, "name", json_string("Card <b> & \"co\""));
    json_object_set_new(device, "board", json_string(""));
    json_object_set_new(device, "driver", json_string("99.1"));
    json_object_set_new(first, "ms", json_real(2 * number(first, "ms")));
    json_object_set_new(second, "status", json_string("wrong"));
    json_object_set_new(second, "reason", json_string("far off"));
    assert_int_equal(json_dump_file(whole, path, 0), 0);
    json_decref(whole);
}

/* Also where there is nothing to be drawn. */
static void expect_numbers_only(const char *page) {
    static const char *const others[] = {"nan\"", "inf\""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(strstr(page, others[i]));
}

static void test_compare(void **state) {
    (void)state;
    write_changed("b.json");
    const struct outcome *outcome = run_well("bench compare a.json b.json --html report.html");
    assert_non_null(strstr(outcome->out, "Card <b>"));
    assert_non_null(strstr(outcome->out, "99.1"));
    assert_non_null(strstr(outcome->out, "(2.00 x)"));
    assert_non_null(strstr(outcome->out, "48 px, wrong: far off"));
    char *page = fixture_read_file("report.html", NULL);
    assert_non_null(page);
    assert_null(strstr(page, "<b>"));
    assert_non_null(strstr(page, "Card &lt;b&gt; &amp; &quot;co&quot;"));
    assert_non_null(strstr(page, "prefers-color-scheme: dark"));
    static const char *const foreign[] = {"http", "<script", "src=", "href=", "url(", "@import"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_null(strstr(page, foreign[i]));
    static const char *const pairs[][2] = {
        {"<svg", "</svg>"}, {"<text", "</text>"}, {"<td", "</td>"}, {"<tr", "</tr>"}, {"<h2", "</h2>"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(count_of(page, pairs[i][0]), count_of(page, pairs[i][1]));
    assert_int_equal(count_of(page, "<svg"), 4); /* times, shares, the layers of two sizes */
    assert_non_null(strstr(page, ">wrong<"));
    expect_numbers_only(page);
    free(page);
}

static void test_foreign_files(void **state) {
    (void)state;
    static const struct {
        const char *content, *reason;
    } files[] = {
        {"", "expected what"},
        {"not JSON", "expected what"},
        {"[1, 2]", "other JSON"},
        {"{\"kind\": \"nst selftest\", \"schema\": 1, \"devices\": []}", "other JSON"},
        {"{\"kind\": \"nst bench\", \"schema\": 2, \"devices\": []}", "schema"},
        {"{\"kind\": \"nst bench\", \"schema\": 1, \"devices\": []}", "found none"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fixture_write_file("foreign.json", files[i].content, strlen(files[i].content));
        const struct outcome *outcome = program_run("bench compare foreign.json --html no.html", NULL);
        assert_int_equal(outcome->status, 1);
        assert_one_error_line(files[i].content, outcome->err);
        assert_non_null(strstr(outcome->err, files[i].reason));
        assert_null(fixture_read_file("no.html", NULL));
    }
    /* Right at the top, and nonsense below: shown as not known. */
    static const char nonsense[] =
        "{\"kind\": \"nst bench\", \"schema\": 1, \"devices\": [7, {\"name\": 3, \"rows\": [{"
        "\"size_px\": -1, \"ms\": \"fast\", \"layers\": 5}, null], \"memory_bytes\": 1e99}]}";
    fixture_write_file("nonsense.json", nonsense, strlen(nonsense));
    run_well("bench compare nonsense.json a.json --html nonsense.html");
    char *page = fixture_read_file("nonsense.html", NULL);
    assert_non_null(page);
    expect_numbers_only(page);
    free(page);
    const struct outcome *outcome = program_run("bench compare a.json missing.json", NULL);
    assert_int_equal(outcome->status, 1);
    assert_one_error_line("missing.json", outcome->err);
}

/* ---- Wrong kernels --------------------------------------------------------------------------------------------- */

static void test_selftest(void **state) {
    (void)state;
    const struct outcome *outcome = run_well("selftest --json");
    json_t *whole = json_loads(outcome->out, 0, NULL), *line;
    assert_text(whole, "kind", "nst selftest");
    json_t *device = json_array_get(json_object_get(whole, "devices"), 0), *lines = json_object_get(device, "answers");
    assert_true(json_is_true(json_object_get(device, "fine")));
    size_t index, in_halves = 0;
    json_array_foreach(lines, index, line) {
        bool is_half = strstr(json_string_value(json_object_get(line, "detail")), "16 bits") != NULL;
        in_halves += is_half;
        assert_text(line, "status", "ok");
        assert_true(number(line, "error") <= number(line, "bound"));
        assert_true(number(line, "bound") <= (is_half ? 1e-2 : 1e-3));
    }
    assert_true(index > 80 && in_halves > 30);
    /* Every engine, not only the chosen one; without and with ReLU, mask, and mask and add. */
    assert_int_equal(count_of(outcome->out, "\"plain, 3 to 64, 17 x 33\""), 4);
    assert_true(count_of(outcome->out, "\"direct, 3 to 64, 17 x 33\"") >= 4);
    json_decref(whole);
}

static void test_selftest_finds_wrong_kernels(void **state) {
    (void)state;
    fixture_copy_kernels("wrong-tv", "total_variation.cl", "(2.0f * (difference))", "(2.001f * (difference))");
    struct surroundings surroundings = {.variable = "NST_KERNEL_DIR", .value = "wrong-tv"};
    const struct outcome *outcome = program_run("selftest", &surroundings);
    assert_int_equal(outcome->status, 1);
    assert_int_equal(count_of(outcome->out, " wrong\n"), 1);
    const char *found = strstr(outcome->out, "gradient of the total variation loss");
    assert_non_null(found);
    const char *wrong = strstr(outcome->out, " wrong\n");
    assert_true(found < wrong && !memchr(found, '\n', (size_t)(wrong - found)));
}

/* With another plain engine the two disagree: no speed is told, and the exit status is 1. */
static void test_wrong_row(void **state) {
    (void)state;
    fixture_copy_kernels("wrong-plain", "convolution_plain.cl", "sum += ", "sum += 1.1f * ");
    struct surroundings surroundings = {.variable = "NST_KERNEL_DIR", .value = "wrong-plain"};
    const struct outcome *outcome = program_run(within(0.5, QUICK "--sizes 32 --json -o wrong.json"), &surroundings);
    assert_int_equal(outcome->status, 1);
    json_t *whole = load("wrong.json"), *device = json_array_get(json_object_get(whole, "devices"), 0);
    json_t *row = json_array_get(json_object_get(device, "rows"), 0);
    assert_text(json_object_get(device, "check"), "status", "wrong");
    assert_text(row, "status", "wrong");
    assert_true(json_is_null(json_object_get(row, "ms")));
    assert_true(json_is_null(json_object_get(row, "gflops")));
    json_decref(whole);
}

/* Ctrl-C: the sizes that were measured are printed. */
static void test_stopped(void **state) {
    (void)state;
    pid_t process =
        program_start(within(120, "bench --network ./small.safetensors --no-start --sizes 32,256 --csv"), NULL);
    bool measures = false;
    for (int i = 0; i < 6000 && !measures; i++) {
        char *told = fixture_read_file("program.err", NULL);
        measures = told && strstr(told, "256 px");
        free(told);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    kill(process, SIGINT);
    const struct outcome *outcome = program_finish(process);
    assert_int_equal(outcome->status, 128 + SIGINT);
    assert_non_null(strstr(outcome->out, "\"ok\""));
    assert_non_null(strstr(outcome->out, "\"skipped\""));
    assert_non_null(strstr(outcome->out, "\"stopped\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_text_and_markdown),
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_bad_usage),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_selftest),
        cmocka_unit_test(test_selftest_finds_wrong_kernels),
        cmocka_unit_test(test_wrong_row),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, measure, fixtures_remove);
}
