/* tune.c: `nst tune`: finds the fastest engines and parameters of a device, and keeps them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/device_list.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/network_choice.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "support/error.h"
#include "tune/tune.h"

struct tune_command_options {
    const char *device, *network, *input_convention;
    int size_px;
    double seconds;
    bool again, json, quiet;
};

#define FIELD(name) .offset = offsetof(struct tune_command_options, name)
/* clang-format off */
static const struct option options[] = {
    {"device", 'd', "SPEC[,SPEC...]", "Options", OPTION_TEXT, FIELD(device),
     .help = "devices as for stylize, with commas between, or all"},
    {"size", 's', "PX", NULL, OPTION_INTEGER, FIELD(size_px), .minimum = 64, .maximum = 4096,
     .help = "side of the picture at which is measured"},
    {"network", 'n', "NAME", NULL, OPTION_TEXT, FIELD(network),
     .help = "name or file whose layers are tuned; without: the one of jobs that name none"},
    {"input-convention", 0, "NAME", NULL, OPTION_TEXT, FIELD(input_convention), .choices = convention_choices,
     .help = "caffe or torchvision, for a file that does not tell"},
    {"seconds", 't', "N", NULL, OPTION_REAL, FIELD(seconds), .minimum = 0.0001, .maximum = 60,
     .help = "how long each choice is measured"},
    {"again", 0, NULL, NULL, OPTION_FLAG, FIELD(again), .help = "forget what was found before, and begin anew"},
    {"json", 'j', NULL, NULL, OPTION_FLAG, FIELD(json), .help = "print every line as JSON"},
    {"quiet", 'q', NULL, NULL, OPTION_FLAG, FIELD(quiet), .help = "do not tell on standard error how far it is"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
/* clang-format on */
static const struct option_table tune_table = {.options = options, .count = sizeof options / sizeof options[0]};

static nst_status set_defaults(void *values, const char *preset, nst_error *error) {
    (void)preset, (void)error;
    *(struct tune_command_options *)values = (struct tune_command_options){.size_px = 512, .seconds = 0.1};
    return NST_OK;
}

/* ---- On the way ------------------------------------------------------------------------------------------------ */

struct view {
    const char *device;
    struct progress_display display;
    int told; /* plain lines: those that were told */
};

static void show(const struct tune_progress *progress, void *user) {
    enum { BAR_WIDTH = 20 };
    struct view *view = user;
    char line[256], bar[BAR_WIDTH + 1], left[32] = "";
    if (progress->seconds_left >= 0) {
        progress_duration(progress->seconds_left, left, sizeof left);
    }
    if (view->display.terminal) {
        snprintf(line, sizeof line, "%s [%s] %d/%d%s%s%s  %s", view->device,
                 progress_bar(progress->share, BAR_WIDTH, bar), progress->done, progress->total, *left ? "  " : "",
                 left, *left ? " left" : "", progress->key);
        progress_message(&view->display, line);
    } else if (!view->display.quiet && progress->done >= view->told) {
        fprintf(view->display.stream, "tune: %s: %d of %d: %s%s%s%s\n", view->device, progress->done + 1,
                progress->total, progress->key, *left ? ", " : "", left, *left ? " left" : "");
        view->told = progress->done + 1;
    }
}

/* ---- Output ---------------------------------------------------------------------------------------------------- */

static void print_text(const struct tune_report *report, const char *device) {
    struct table table;
    int faster = 0;
    printf("%s %s, %s, driver %s\n", device, report->info.name, report->info.platform, report->info.driver);
    table_begin(&table, "<for|<built in|ms|<chosen|ms|gain|tried|wrong");
    for (int i = 0; i < report->count; i++) {
        const struct tune_line *line = &report->lines[i];
        const struct tuning_row *row = &line->row;
        bool is_better = row->time_ns < row->default_ns;
        table_row(&table);
        table_cell(&table, 0, "%s", row->key);
        if (line->outcome.state != OUTCOME_OK) {
            table_cell(&table, 3, "%s", line->outcome.reason);
            continue;
        }
        table_cell(&table, 1, "%s", line->is_earlier ? "(found before)" : line->default_choice);
        table_cell(&table, 2, "%.3f", 1e-6 * (double)row->default_ns);
        table_cell(&table, 3, "%s", is_better || line->is_earlier ? row->choice : "the same");
        table_cell(&table, 4, "%.3f", 1e-6 * (double)row->time_ns);
        if (is_better) {
            table_cell(&table, 5, "%.2f x", (double)row->default_ns / (double)row->time_ns);
        }
        if (!line->is_earlier) {
            table_cell(&table, 6, "%d", line->tried);
            table_cell(&table, 7, "%d", line->wrong);
        }
        faster += is_better;
    }
    table_print_text(&table, 2, stdout);
    table_free(&table);
    printf("  %d of %d faster than what is built in%s\n", faster, report->count,
           report->is_kept ? "; kept for the jobs on this device and driver"
                           : "; NOT kept: the folder of the cache cannot be written");
}

static json_t *report_json(const struct tune_report *report, const char *device) {
    json_t *object = json_object(), *lines = json_array();
    json_object_set_new(object, "device", text_json(device));
    json_object_set_new(object, "name", text_json(report->info.name));
    json_object_set_new(object, "platform", text_json(report->info.platform));
    json_object_set_new(object, "driver", text_json(report->info.driver));
    json_object_set_new(object, "kept", json_boolean(report->is_kept));
    for (int i = 0; i < report->count; i++) {
        const struct tune_line *line = &report->lines[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "work", text_json(line->row.key));
        json_object_set_new(entry, "status", text_json(outcome_state_name(line->outcome.state)));
        json_object_set_new(entry, "reason", text_json(line->outcome.reason));
        json_object_set_new(entry, "choice", text_json(line->row.choice));
        json_object_set_new(entry, "ms", json_real(1e-6 * (double)line->row.time_ns));
        json_object_set_new(entry, "built_in", line->is_earlier ? json_null() : text_json(line->default_choice));
        json_object_set_new(entry, "built_in_ms", json_real(1e-6 * (double)line->row.default_ns));
        json_object_set_new(entry, "tried", json_integer(line->tried));
        json_object_set_new(entry, "wrong", json_integer(line->wrong));
        json_object_set_new(entry, "found_before", json_boolean(line->is_earlier));
        json_array_append_new(lines, entry);
    }
    json_object_set_new(object, "lines", lines);
    return object;
}

/* ---- Command --------------------------------------------------------------------------------------------------- */

static nst_status tune_device(const struct tune_command_options *values, const nst_network *network, const char *device,
                              json_t *all, nst_error *error) {
    struct view view = {.device = device, .display = progress_begin(stderr, values->quiet)};
    struct tune_options wanted = {.network = network,
                                  .size_px = values->size_px,
                                  .seconds = values->seconds,
                                  .again = values->again,
                                  .tell = show,
                                  .user = &view,
                                  .cancel = interrupt_flag()};
    struct tune_report report;
    nst_status status = tune_run(device, &wanted, &report, error);
    progress_clear(&view.display);
    if (status == NST_CANCELED) {
        fail(error, status,
             report.is_kept ? "stopped; what was found is kept: the same command goes on from there"
                            : "stopped; what was found is kept nowhere, for the folder of the cache cannot be written");
    } else if (!status && all) {
        json_array_append_new(all, report_json(&report, device));
    } else if (!status) {
        print_text(&report, device);
    }
    tune_report_free(&report);
    return status;
}

static nst_status tune_devices(const struct tune_command_options *values, nst_error *error) {
    struct device_names names;
    nst_network *network = NULL;
    json_t *all = values->json ? json_array() : NULL;
    nst_status status = device_names_find(values->device, &names, error);
    if (!status) {
        status = network_choice_open_measured(values->network, values->input_convention, &network, error);
    }
    if (!status) {
        interrupt_catch();
    }
    for (int i = 0; !status && i < names.count; i++) {
        status = tune_device(values, network, names.pointers[i], all, error);
    }
    if (!status && all) {
        status = print_json(json_pack("{s:s, s:i, s:s, s:O}", "kind", "nst tune", "schema", TUNE_SCHEMA, "version",
                                      NST_VERSION, "devices", all),
                            "the choices", stdout, error);
    }
    json_decref(all);
    nst_network_destroy(network);
    return status;
}

static int tune(const struct arguments *arguments) {
    struct tune_command_options values;
    nst_error error;
    set_defaults(&values, NULL, NULL);
    nst_status status = arguments_store(arguments, &values, &error);
    if (!status) {
        status = command_take_no_operands("tune", arguments, &error);
    }
    if (!status) {
        status = tune_devices(&values, &error);
    }
    if (!status) {
        return EXIT_FINE;
    }
    int exit_status = command_error(&error);
    return status == NST_CANCELED ? 128 + *interrupt_flag() : exit_status;
}

const struct command command_tune = {
    .name = "tune",
    .usage = "[-d SPEC]",
    .summary = "find the fastest engines and parameters of a device, once and for all jobs",
    .details =
        "Not needed for a good speed: sensible choices are built in. Takes some minutes; stopped with Ctrl-C, it goes\n"
        "on where it was the next time. Every choice is checked for right results before it may win.",
    .table = &tune_table,
    .values_size = sizeof(struct tune_command_options),
    .set_defaults = set_defaults,
    .run = tune,
};
