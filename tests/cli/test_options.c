/* The parser, the values, the help and the record: all that is made from the tables of options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/log.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/stylize_options.h"

/* Splits a command line at its spaces and reads the options of stylize from it. */
static nst_status read_line(const char *line, struct stylize_options *options, nst_error *error) {
    static char text[512];
    char *argv[64];
    int argc = 0;
    snprintf(text, sizeof text, "nst c.png s.png %s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    struct arguments arguments;
    nst_status status = arguments_parse(stylize_table, argc, argv, 1, &arguments, error);
    if (status != NST_OK)
        return status;
    status = stylize_options_read(&arguments, options, error);
    arguments_free(&arguments);
    return status;
}

static struct stylize_options read_good(const char *line) {
    struct stylize_options options;
    nst_error error = {0};
    if (read_line(line, &options, &error) != NST_OK)
        fail_msg("'%s': %s", line, error.message);
    return options;
}

/* ---- Parser ---------------------------------------------------------------------------------------------------- */

static void test_spellings(void **state) {
    (void)state;
    static const char *const lines[] = {"-o a.png --size 100 -q", "--size=100 -oa.png -q", "-qoa.png -s100",
                                        "-qo a.png -s 100", "--output=a.png --quiet --size 700 --size 100"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct stylize_options options = read_good(lines[i]);
        assert_int_equal(options.settings.size_px, 100);
        assert_true(options.quiet);
        assert_int_equal(strncmp(options.output, "a.png", 5), 0);
    }
}

static void test_operands(void **state) {
    (void)state;
    char *argv[] = {"nst", "--size", "100", "a.png", "-q", "b.png", "-", "--", "--size", "-q"};
    struct arguments arguments;
    assert_int_equal(arguments_parse(stylize_table, 10, argv, 1, &arguments, NULL), NST_OK);
    static const char *const expected[] = {"a.png", "b.png", "-", "--size", "-q"};
    assert_int_equal(arguments.operand_count, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(arguments.operands[i], expected[i]);
    assert_int_equal(arguments.given_count, 2);
    arguments_free(&arguments);
}

static void test_preset_first(void **state) {
    (void)state;
    struct stylize_options before = read_good("-o a.png --content-weight 7 --preset neural-style");
    struct stylize_options after = read_good("-o a.png --preset neural-style --content-weight 7");
    struct stylize_options plain = read_good("-o a.png");
    assert_true(before.settings.content_weight == 7);
    assert_memory_equal(&before.settings, &after.settings, sizeof before.settings);
    assert_string_equal(before.settings.preset, "neural-style");
    assert_string_equal(plain.settings.preset, "gram");
    assert_string_equal(plain.preset, "gram");
    assert_string_equal(before.network, "vgg19");
    assert_string_equal(plain.network, "vgg19-reduced");
    assert_string_equal(read_good("-o a.png --preset default").preset, "gram");
}

/* The default strength is the preset's own content weight; further from it the weight only falls. */
static void test_strength(void **state) {
    (void)state;
    nst_preset preset;
    for (int p = 0; nst_preset_at(p, &preset); p++) {
        char line[100];
        double last = INFINITY;
        snprintf(line, sizeof line, "-o a.png --preset %s", preset.name);
        struct stylize_options plain = read_good(line);
        snprintf(line, sizeof line, "-o a.png --strength 0.5 --preset %s", preset.name);
        struct stylize_options middle = read_good(line);
        assert_memory_equal(&plain.settings, &middle.settings, sizeof plain.settings);
        for (int tenths = 0; tenths <= 10; tenths++) {
            snprintf(line, sizeof line, "-o a.png --strength %d.%d --preset %s", tenths / 10, tenths % 10, preset.name);
            struct stylize_options options = read_good(line);
            assert_true(options.settings.content_weight > 0 && options.settings.content_weight < last);
            last = options.settings.content_weight;
            options.settings.content_weight = plain.settings.content_weight; /* nothing else changes */
            assert_memory_equal(&plain.settings, &options.settings, sizeof plain.settings);
        }
    }
}

static void test_values(void **state) {
    (void)state;
    struct stylize_options options =
        read_good("-o a.png --iterations 200,100,50 --scales 3 --style-layers relu1_1,relu2_1:0.5 --style-blend 2.5 "
                  "--optimizer adam --pooling average --depth 16 --seed 9007199254740991 --learning-rate 1e-2 "
                  "--original-colors --input-convention caffe --init random --precision half");
    const nst_settings *settings = &options.settings;
    assert_int_equal(settings->iteration_count, 3);
    assert_int_equal(settings->iterations[0], 200);
    assert_int_equal(settings->iterations[2], 50);
    assert_int_equal(settings->scale_count, 3);
    assert_int_equal(settings->style_layers.count, 2);
    assert_string_equal(settings->style_layers.layers[0].name, "relu1_1");
    assert_true(settings->style_layers.layers[0].weight == 1);
    assert_string_equal(settings->style_layers.layers[1].name, "relu2_1");
    assert_true(settings->style_layers.layers[1].weight == 0.5);
    assert_int_equal(settings->style_blend_count, 1);
    assert_true(settings->style_blend[0] == 2.5);
    assert_int_equal(settings->optimizer, NST_ADAM);
    assert_int_equal(settings->pooling, NST_POOLING_AVERAGE);
    assert_int_equal(options.depth_bits, 16);
    assert_true(settings->seed == 9007199254740991u);
    assert_true(settings->learning_rate == 1e-2);
    assert_true(settings->original_colors);
    assert_string_equal(options.input_convention, "caffe");
    assert_int_equal(settings->init, NST_INIT_RANDOM);
    assert_int_equal(settings->precision, NST_PRECISION_HALF);
    assert_int_equal(read_good("-o a.png --init some/picture.png").settings.init, NST_INIT_PICTURE);
    assert_int_equal(read_good("-o a.png --scales auto").settings.scale_count, 0);
    assert_int_equal(read_good("-o a.png --iterations 3,2").settings.scale_count, 2);
    assert_int_equal(read_good("-o a.png --iterations 3").settings.scale_count, 0);
    assert_null(read_good("-o a.png").device);
}

/* What must be refused, and words that the message must have. */
static const struct {
    const char *line, *words[3];
} bad_lines[] = {
    {"-o a.png --size abc", {"--size", "a whole number from 16 to 32767", "found 'abc'"}},
    {"-o a.png --size 15", {"--size", "found '15'"}},
    {"-o a.png --size 32769", {"--size", "found '32769'"}},
    {"-o a.png --size 99999999999999999999", {"--size", "found '99999999999999999999'"}},
    {"-o a.png --size 5e2", {"--size", "found '5e2'"}},
    {"-o a.png --size 512px", {"--size", "found '512px'"}},
    {"-o a.png --size=", {"--size", "found ''"}},
    {"-o a.png --size", {"--size", "expected its value PX", "found nothing"}},
    {"-o a.png --size --quiet", {"--size", "expected its value PX", "--quiet"}},
    {"-o a.png --style-weight nan", {"--style-weight", "a number", "found 'nan'"}},
    {"-o a.png --style-weight inf", {"--style-weight", "found 'inf'"}},
    {"-o a.png --tv-weight -1", {"--tv-weight", "found '-1'"}},
    {"-o a.png --learning-rate 0", {"--learning-rate", "or auto", "found '0'"}},
    {"-o a.png --scales 17", {"--scales", "from 1 to 16 or auto", "found '17'"}},
    {"-o a.png --iterations -1", {"--iterations", "found '-1'"}},
    {"-o a.png --iterations 5,,6", {"--iterations", "found '5,,6'"}},
    {"-o a.png --iterations 5,6,", {"--iterations", "found '5,6,'"}},
    {"-o a.png --iterations 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", {"--iterations", "at most 16"}},
    {"-o a.png --scales 2 --iterations 1,2,3", {"--iterations", "2 scales", "found 3"}},
    {"-o a.png --precision double", {"--precision", "auto, single or half", "'double'"}},
    {"-o a.png --style-blend 0", {"--style-blend", "above 0"}},
    {"-o a.png --style-blend 1,2", {"--style-blend", "1 style", "found 2"}},
    {"-o a.png --style-layers relu1_1:x", {"--style-layers", "relu1_1:x"}},
    {"-o a.png --style-layers :1", {"--style-layers", "':1'"}},
    {"-o a.png --style-layers a,a", {"--style-layers", "found a twice"}},
    {"-o a.png --style-layers a_name_that_is_longer_than_any_layer", {"--style-layers"}},
    {"-o a.png --optimizer adma", {"--optimizer", "auto, lbfgs or adam", "did you mean adam"}},
    {"-o a.png --depth 12", {"--depth", "8, 16 or 32", "found '12'"}},
    {"-o a.png --input-convention coffee", {"--input-convention", "caffe or torchvision", "coffee"}},
    {"-o a.png --init contnet", {"--init", "did you mean content"}},
    {"-o a.png --preset neural-stlye", {"neural-stlye", "did you mean", "neural-style"}},
    {"-o a.png --jpeg-quality 101", {"--jpeg-quality", "from 1 to 100"}},
    {"-o a.png --quiet=1", {"--quiet takes no value"}},
    {"-o a.png --quiet --verbose", {"--quiet", "--verbose"}},
    {"-o a.png --sise 5", {"unknown option '--sise'", "did you mean --size"}},
    {"-o a.png --style_weight 5", {"unknown option '--style_weight'", "did you mean --style-weight"}},
    {"-o a.png -style_weight 5", {"unknown option '-style_weight'", "did you mean --style-weight"}},
    {"-o a.png --iter=5", {"unknown option '--iter'", "did you mean --iterations"}},
    {"-o a.png --xyzzyxyzzy", {"unknown option '--xyzzyxyzzy'", "--help"}},
    {"-o a.png -Z", {"unknown option '-Z'"}},
    {"-o a.png --log a.png", {"--log", "--output"}},
    {"--size 100", {"-o FILE"}},
};

static void test_bad_lines(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
        struct stylize_options options;
        nst_error error = {0};
        nst_status status = read_line(bad_lines[i].line, &options, &error);
        if (status != NST_ERROR_ARGUMENT)
            fail_msg("'%s' gave status %d", bad_lines[i].line, status);
        if (strchr(error.message, '\n'))
            fail_msg("'%s': more than one line: %s", bad_lines[i].line, error.message);
        for (int word = 0; word < 3 && bad_lines[i].words[word]; word++)
            if (!strstr(error.message, bad_lines[i].words[word]))
                fail_msg("'%s': no '%s' in: %s", bad_lines[i].line, bad_lines[i].words[word], error.message);
    }
}

static void test_quote(void **state) {
    (void)state;
    char buffer[16];
    assert_string_equal(option_quote("two\nlines", buffer, sizeof buffer), "two?lines");
    assert_string_equal(option_quote("a text that is too long", buffer, sizeof buffer), "a text that ...");
}

/* ---- Help ------------------------------------------------------------------------------------------------------ */

static void test_help(void **state) {
    (void)state;
    const struct command *const commands[] = {&command_stylize, &command_devices, &command_weights};
    FILE *stream = tmpfile();
    assert_non_null(stream);
    help_program(commands, 3, stream);
    rewind(stream);
    char line[512], all[16384] = "";
    int lines = 0;
    for (; fgets(line, sizeof line, stream); lines++) {
        if (strlen(line) - 1 > 100)
            fail_msg("longer than 100 columns: %s", line);
        if (strlen(line) > 1 && line[strlen(line) - 2] == ' ')
            fail_msg("a space at the end: %s", line);
        strcat(all, line);
    }
    fclose(stream);
    assert_in_range(lines, 20, 79);
    for (size_t i = 0; i < stylize_table.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "--%s", stylize_table.options[i].name);
        if (!strstr(all, name))
            fail_msg("the help lacks %s", name);
    }
    assert_non_null(strstr(all, "in pixels [512]"));
    assert_non_null(strstr(all, "relu1_1"));
}

/* Every preset with its summary and what it sets, as it can be typed. */
static void test_help_of_presets(void **state) {
    (void)state;
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    help_presets(&command_stylize, stream);
    fclose(stream);
    nst_preset preset;
    int count = 0;
    for (; nst_preset_at(count, &preset); count++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s%s ", preset.name, count == 0 ? " (default)" : "");
        const char *begin = strstr(text, line);
        if (!begin)
            fail_msg("the help lacks %s", preset.name);
        char words[512];
        struct stylize_options expected;
        assert_int_equal(stylize_defaults(&expected, preset.name, NULL), NST_OK);
        snprintf(words, sizeof words, " --content-weight=%g", expected.settings.content_weight);
        assert_non_null(strstr(begin, words));
    }
    assert_true(count >= 2);
    assert_false(nst_preset_at(count, &preset) || nst_preset_at(count + 1, &preset));
    assert_non_null(strstr(text, "--network=vgg19-reduced"));
    assert_non_null(strstr(text, "--network=vgg19\n"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 100)
            fail_msg("longer than 100 columns: %s", line);
    free(text);
}

static void test_names_are_unique(void **state) {
    (void)state;
    for (size_t i = 0; i < stylize_table.count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct option *a = &stylize_table.options[i], *b = &stylize_table.options[j];
            assert_string_not_equal(a->name, b->name);
            assert_true(!a->letter || a->letter != b->letter);
        }
}

/* Every default can be typed: what the help shows is accepted and gives the same value. */
static void test_defaults_can_be_typed(void **state) {
    (void)state;
    struct stylize_options defaults;
    assert_int_equal(stylize_defaults(&defaults, NULL, NULL), NST_OK);
    for (size_t i = 0; i < stylize_table.count; i++) {
        const struct option *option = &stylize_table.options[i];
        char value[256], again[256];
        if (!option->argument || !*option_format(option, &defaults, value, sizeof value))
            continue;
        struct stylize_options options = defaults;
        struct option_given given = {option, value};
        struct arguments arguments = {.given = &given, .given_count = 1};
        if (option->zero && strcmp(value, option->zero) == 0)
            memset((char *)&options + option->offset, 1, sizeof(int));
        nst_error error = {0};
        if (arguments_store(&arguments, &options, &error) != NST_OK)
            fail_msg("%s", error.message);
        assert_string_equal(option_format(option, &options, again, sizeof again), value);
    }
}

/* ---- Record ---------------------------------------------------------------------------------------------------- */

static void test_command_line(void **state) {
    (void)state;
    char *argv[] = {"nst", "my photo.jpg", "it's.png", "-o", "a.png", "", "$HOME", "relu1_1,relu2_1:0.5"};
    char *line = record_command_line(8, argv);
    assert_string_equal(line, "nst 'my photo.jpg' 'it'\\''s.png' -o a.png '' '$HOME' relu1_1,relu2_1:0.5");
    free(line);
}

static void test_settings_record(void **state) {
    (void)state;
    struct stylize_options options =
        read_good("-o a.png --seed 7 --iterations 20,10 --style-layers relu1_1:0.1 --scales 2");
    char *text = record_settings(stylize_table, &options);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_int_equal(json_integer_value(json_object_get(object, "seed")), 7);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "iterations"), 1)), 10);
    assert_true(json_number_value(json_object_get(json_object_get(object, "style-layers"), "relu1_1")) == 0.1);
    assert_string_equal(json_string_value(json_object_get(object, "optimizer")), "auto");
    assert_string_equal(json_string_value(json_object_get(object, "preset")), "gram");
    assert_null(json_object_get(object, "output"));
    json_decref(object);
    free(text);
}

/* ---- Progress and log ------------------------------------------------------------------------------------------ */

static const nst_layer_loss losses[] = {{"relu1_1", "style", 2.5}, {"tv", "tv", NAN}};
static const nst_progress example = {.scale = 1,
                                     .scale_count = 3,
                                     .width = 512,
                                     .height = 341,
                                     .iteration = 50,
                                     .iteration_count = 200,
                                     .evaluation = 251,
                                     .loss = 123.456,
                                     .layers = losses,
                                     .layer_count = 2,
                                     .seconds = 9,
                                     .seconds_per_iteration = 0.25,
                                     .seconds_left = 3725};

static void test_progress_line(void **state) {
    (void)state;
    char line[256];
    progress_line(&example, 120, line, sizeof line);
    static const char *const words[] = {"scale 2/3", "512x341", "50/200", "loss 123.5", "0.25 s/it", "1 h 02 min left"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strstr(line, words[i]))
            fail_msg("no '%s' in: %s", words[i], line);
    int filled = 0, bar = 0;
    for (const char *c = line; *c; c++) {
        filled += *c == '#';
        bar += *c == '#' || (*c == '.' && (c[1] == '.' || c[1] == ']'));
    }
    assert_int_equal(filled, bar / 4);
    for (int columns = 1; columns < 140; columns++)
        assert_true((int)strlen(progress_line(&example, columns, line, sizeof line)) < columns);
}

static void test_durations(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.1234, "0.12 s"},
                 {12.34, "12.3 s"},
                 {59.99, "1 min 00 s"},
                 {185, "3 min 05 s"},
                 {3599.7, "1 h 00 min"},
                 {7620, "2 h 07 min"},
                 {NAN, "?"},
                 {-1, "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        assert_string_equal(progress_duration(cases[i].seconds, text, sizeof text), cases[i].text);
    }
}

static void test_log(void **state) {
    (void)state;
    struct run_log log;
    nst_error error;
    assert_int_equal(log_begin(&log, "no-such-folder/log.jsonl", 0, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "no-such-folder/log.jsonl"));
    assert_int_equal(log_begin(&log, NULL, 0, &error), NST_OK);
    assert_int_equal(log_write(&log, &example, &error), NST_OK);
    assert_int_equal(log_end(&log, &error), NST_OK);

    assert_int_equal(log_begin(&log, "test_log.jsonl", 0, &error), NST_OK);
    assert_int_equal(log_write(&log, &example, &error), NST_OK);
    assert_int_equal(log_end(&log, &error), NST_OK);
    json_t *line = json_load_file("test_log.jsonl", 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_integer_value(json_object_get(line, "scale")), 2);
    assert_int_equal(json_integer_value(json_object_get(line, "evaluation")), 251);
    assert_true(fabs(json_number_value(json_object_get(line, "total")) - 123.456) < 1e-6);
    json_t *layers = json_object_get(line, "losses");
    assert_int_equal(json_array_size(layers), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(layers, 0), "layer")), "relu1_1");
    assert_true(json_is_null(json_object_get(json_array_get(layers, 1), "loss")));
    json_decref(line);
    remove("test_log.jsonl");
}

static void test_json_values(void **state) {
    (void)state;
    json_t *values[] = {text_json("plain"), text_json("\xff, no UTF-8"), real_json(0.5), real_json(NAN)};
    assert_string_equal(json_string_value(values[0]), "plain");
    assert_true(json_is_null(values[1]));
    assert_true(json_real_value(values[2]) == 0.5);
    assert_true(json_is_null(values[3]));
    for (size_t i = 0; i < 4; i++)
        json_decref(values[i]);
    nst_error error;
    assert_int_equal(print_json(NULL, "the figures", stdout, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "the figures"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_preset_first),
        cmocka_unit_test(test_strength),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_help_of_presets),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_defaults_can_be_typed),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_settings_record),
        cmocka_unit_test(test_progress_line),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_json_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
