/* selftest.c: `nst selftest`: does a device compute rightly? */
#include "check/check.h"
#include "cli/command.h"
#include "cli/device_list.h"
#include "cli/json.h"
#include "cli/table.h"
#include "support/error.h"

struct selftest_options {
    const char *device;
    bool json, no_cache;
};

#define FIELD(name) .offset = offsetof(struct selftest_options, name)
static const struct option options[] = {
    {"device", 'd', "SPEC[,SPEC...]", "Options", OPTION_TEXT, FIELD(device),
     .help = "devices as for stylize, with commas between, or all"},
    {"no-cache", 0, NULL, NULL, OPTION_FLAG, FIELD(no_cache), .help = "neither read nor keep kernels, checks, tuning"},
    {"json", 'j', NULL, NULL, OPTION_FLAG, FIELD(json), .help = "print every line as JSON"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
static const struct option_table selftest_table = {options, sizeof options / sizeof options[0]};

/* ---- Text ------------------------------------------------------------------------------------------------------ */

static void print_text(const struct known_answers *answers, const char *device) {
    struct table table;
    int failed = 0;
    printf("%s %s\n", device, answers->info.name);
    if (answers->outcome.state != BENCH_OK) {
        printf("  error: %s\n", answers->outcome.reason);
        return;
    }
    table_begin(&table, "<kernel|<engine and size|error|bound|<result");
    for (int i = 0; i < answers->count; i++) {
        const struct known_answer *answer = &answers->answers[i];
        bool ran = answer->outcome.state != BENCH_FAILED;
        table_row(&table);
        table_cell(&table, 0, "%s", answer->name);
        table_cell(&table, 1, "%s", answer->detail);
        if (ran) {
            table_cell(&table, 2, "%.1e", answer->error);
            table_cell(&table, 3, "%.0e", answer->bound);
        }
        table_cell(&table, 4, "%s%s%s", bench_state_name(answer->outcome.state), ran ? "" : ": ",
                   ran ? "" : answer->outcome.reason);
        failed += answer->outcome.state != BENCH_OK;
    }
    table_print_text(&table, 2, stdout);
    table_free(&table);
    printf("  %d of %d right\n", answers->count - failed, answers->count);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static json_t *answers_json(const struct known_answers *answers, const char *device) {
    json_t *object = json_object(), *lines = json_array();
    json_object_set_new(object, "device", text_json(device));
    json_object_set_new(object, "name", text_json(answers->info.name));
    json_object_set_new(object, "platform", text_json(answers->info.platform));
    json_object_set_new(object, "driver", text_json(answers->info.driver));
    json_object_set_new(object, "status", text_json(bench_state_name(answers->outcome.state)));
    json_object_set_new(object, "reason", text_json(answers->outcome.reason));
    json_object_set_new(object, "fine", json_boolean(known_answers_fine(answers)));
    for (int i = 0; i < answers->count; i++) {
        const struct known_answer *answer = &answers->answers[i];
        json_t *line = json_object();
        json_object_set_new(line, "kernel", text_json(answer->name));
        json_object_set_new(line, "detail", text_json(answer->detail));
        json_object_set_new(line, "status", text_json(bench_state_name(answer->outcome.state)));
        json_object_set_new(line, "reason", text_json(answer->outcome.reason));
        json_object_set_new(line, "error", real_json(answer->error));
        json_object_set_new(line, "bound", json_real(answer->bound));
        json_array_append_new(lines, line);
    }
    json_object_set_new(object, "answers", lines);
    return object;
}

/* ---- Command --------------------------------------------------------------------------------------------------- */

static nst_status run_all(const struct selftest_options *values, bool *fine, nst_error *error) {
    struct device_names names;
    json_t *devices = json_array();
    nst_status status = device_names_find(values->device, &names, error);
    for (int i = 0; !status && i < names.count; i++) {
        struct known_answers answers;
        status = known_answers_run(names.pointers[i], values->no_cache, &answers, error);
        *fine = *fine && known_answers_fine(&answers);
        if (!status && values->json) {
            json_array_append_new(devices, answers_json(&answers, names.pointers[i]));
        } else if (!status) {
            print_text(&answers, names.pointers[i]);
        }
        known_answers_free(&answers);
    }
    if (!status && values->json) {
        return print_json(json_pack("{s:s, s:i, s:s, s:o}", "kind", "nst selftest", "schema", CHECK_SCHEMA, "version",
                                    NST_VERSION, "devices", devices),
                          "the results", stdout, error);
    }
    json_decref(devices);
    return status;
}

static int selftest(const struct arguments *arguments) {
    struct selftest_options values = {0};
    nst_error error;
    bool fine = true;
    nst_status status = arguments_store(arguments, &values, &error);
    if (!status) {
        status = command_take_no_operands("selftest", arguments, &error);
    }
    if (!status) {
        status = run_all(&values, &fine, &error);
    }
    if (status) {
        return command_error(&error);
    }
    return fine ? EXIT_FINE : EXIT_FAILED;
}

const struct command command_selftest = {
    .name = "selftest",
    .usage = "[-d SPEC]",
    .summary = "check that devices compute rightly",
    .details = "Runs the kernels on small inputs whose results the program computes itself, in double precision.\n"
               "Exit status: 0 if every error is within its bound, else 1.",
    .table = &selftest_table,
    .values_size = sizeof(struct selftest_options),
    .run = selftest,
};
