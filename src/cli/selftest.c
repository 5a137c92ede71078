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
static const struct option_table selftest_table = {.options = options, .count = sizeof options / sizeof options[0]};

/* ---- Text ------------------------------------------------------------------------------------------------------ */

static void print_text(const struct check_report *report, const char *device) {
    struct table table;
    int failed = 0;
    printf("%s %s\n", device, report->info.name);
    if (report->outcome.state != OUTCOME_OK) {
        printf("  error: %s\n", report->outcome.reason);
        return;
    }
    table_begin(&table, "<kernel|<engine and size|error|bound|<result");
    for (int i = 0; i < report->count; i++) {
        const struct check_line *line = &report->lines[i];
        bool ran = line->outcome.state != OUTCOME_FAILED;
        table_row(&table);
        table_cell(&table, 0, "%s", line->name);
        table_cell(&table, 1, "%s", line->detail);
        if (ran) {
            table_cell(&table, 2, "%.1e", line->error);
            table_cell(&table, 3, "%.0e", line->bound);
        }
        table_cell(&table, 4, "%s%s%s", outcome_state_name(line->outcome.state), ran ? "" : ": ",
                   ran ? "" : line->outcome.reason);
        failed += line->outcome.state != OUTCOME_OK;
    }
    table_print_text(&table, 2, stdout);
    table_free(&table);
    printf("  %d of %d right\n", report->count - failed, report->count);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static json_t *report_json(const struct check_report *report, const char *device) {
    json_t *object = json_object(), *lines = json_array();
    json_object_set_new(object, "device", text_json(device));
    json_object_set_new(object, "name", text_json(report->info.name));
    json_object_set_new(object, "platform", text_json(report->info.platform));
    json_object_set_new(object, "driver", text_json(report->info.driver));
    json_object_set_new(object, "status", text_json(outcome_state_name(report->outcome.state)));
    json_object_set_new(object, "reason", text_json(report->outcome.reason));
    json_object_set_new(object, "fine", json_boolean(check_report_is_right(report)));
    for (int i = 0; i < report->count; i++) {
        const struct check_line *line = &report->lines[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "kernel", text_json(line->name));
        json_object_set_new(entry, "detail", text_json(line->detail));
        json_object_set_new(entry, "status", text_json(outcome_state_name(line->outcome.state)));
        json_object_set_new(entry, "reason", text_json(line->outcome.reason));
        json_object_set_new(entry, "error", real_json(line->error));
        json_object_set_new(entry, "bound", json_real(line->bound));
        json_array_append_new(lines, entry);
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
        struct check_report report;
        status = check_run(names.pointers[i], values->no_cache, &report, error);
        *fine = *fine && check_report_is_right(&report);
        if (!status && values->json) {
            json_array_append_new(devices, report_json(&report, names.pointers[i]));
        } else if (!status) {
            print_text(&report, names.pointers[i]);
        }
        check_report_free(&report);
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
