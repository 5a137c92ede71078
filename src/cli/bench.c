/* bench.c: `nst bench`: measures devices, or compares what was measured. */
#include "bench/bench.h"
#include "cli/bench.h"

#include <string.h>

#include "cli/command.h"
#include "cli/device_list.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/network_choice.h"
#include "support/error.h"
#include "support/file.h"

struct bench_command_options {
    const char *device, *network, *input_convention, *output, *html;
    int sizes[BENCH_MOST_SIZES];
    int size_count;
    double seconds;
    nst_precision precision;
    bool layers, json, csv, markdown, no_start, no_cache, quiet;
};

#define FIELD(name) .offset = offsetof(struct bench_command_options, name)
/* clang-format off */
static const struct option options[] = {
    {"device", 'd', "SPEC[,SPEC...]", "What is measured", OPTION_TEXT, FIELD(device),
     .help = "devices as for stylize, with commas between, or all"},
    {"sizes", 's', "PX[,PX...]", NULL, OPTION_INTEGERS, FIELD(sizes),
     .count_offset = offsetof(struct bench_command_options, size_count), .capacity = BENCH_MOST_SIZES, .minimum = 32,
     .maximum = 8192, .help = "sides of the square pictures"},
    {"network", 'n', "NAME", NULL, OPTION_TEXT, FIELD(network),
     .help = "name or file; without: the one of jobs that name none, or VGG-19's layers with random weights"},
    {"input-convention", 0, "NAME", NULL, OPTION_TEXT, FIELD(input_convention), .choices = convention_choices,
     .help = "caffe or torchvision, for a file that does not tell"},
    {"precision", 0, "KIND", NULL, OPTION_CHOICE, FIELD(precision), .choices = precision_choices,
     .help = "numbers in memory: single, half (16 bits), or auto: half where single does not fit"},
    {"layers", 'l', NULL, NULL, OPTION_FLAG, FIELD(layers), .help = "also each convolution and each kernel"},
    {"seconds", 't', "N", NULL, OPTION_REAL, FIELD(seconds), .minimum = 0.1, .maximum = 86400,
     .help = "about how long the sizes of a device may take in all"},
    {"no-start", 0, NULL, NULL, OPTION_FLAG, FIELD(no_start), .help = "do not measure how long the start takes"},
    {"no-cache", 0, NULL, NULL, OPTION_FLAG, FIELD(no_cache), .help = "neither read nor keep kernels, checks, tuning"},
    {"json", 'j', NULL, "Output", OPTION_FLAG, FIELD(json), .help = "as JSON: every figure, for 'nst bench compare'"},
    {"csv", 0, NULL, NULL, OPTION_FLAG, FIELD(csv), .help = "as comma-separated values"},
    {"markdown", 0, NULL, NULL, OPTION_FLAG, FIELD(markdown), .help = "as Markdown"},
    {"output", 'o', "FILE", NULL, OPTION_TEXT, FIELD(output), .help = "write there instead of to standard output"},
    {"html", 0, "FILE", NULL, OPTION_TEXT, FIELD(html), .help = "compare: also write a page with charts"},
    {"quiet", 'q', NULL, NULL, OPTION_FLAG, FIELD(quiet),
     .help = "do not tell on standard error what is being measured"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
/* clang-format on */
static const struct option_table bench_table = {.options = options, .count = sizeof options / sizeof options[0]};

static nst_status set_defaults(void *values, const char *preset, nst_error *error) {
    (void)preset, (void)error;
    *(struct bench_command_options *)values =
        (struct bench_command_options){.sizes = {256, 512, 1024}, .size_count = 3, .seconds = 45};
    return NST_OK;
}

/* ---- Output ---------------------------------------------------------------------------------------------------- */

static nst_status print_report(const struct bench_command_options *values, const struct bench_report *report,
                               FILE *stream, nst_error *error) {
    if (values->csv) {
        bench_print_csv(report, stream);
    } else if (values->markdown) {
        bench_print_markdown(report, stream);
    } else if (!values->json) {
        bench_print_text(report, stream);
    } else {
        return print_json(bench_to_json(report), "the benchmark", stream, error);
    }
    return NST_OK;
}

static nst_status write_report(const struct bench_command_options *values, const struct bench_report *report,
                               nst_error *error) {
    if (!values->output) {
        return print_report(values, report, stdout, error);
    }
    struct file_replacement replacement;
    nst_status status = file_replacement_begin(&replacement, values->output, error);
    if (!status) {
        status = print_report(values, report, replacement.stream, error);
        status = status ? status : file_replacement_commit(&replacement, error);
    }
    file_replacement_abort(&replacement);
    return status;
}

/* ---- Measuring ------------------------------------------------------------------------------------------------- */

static void tell(const char *what, void *user) {
    const struct bench_command_options *values = user;
    if (!values->quiet) {
        fprintf(stderr, "bench: %s\n", what);
    }
}

/* True if anything was measured, and nothing was wrong. */
static bool is_fine(const struct bench_report *report) {
    int measured = 0, wrong = 0;
    for (int i = 0; i < report->device_count; i++) {
        for (int n = 0; n < report->devices[i].row_count; n++) {
            measured += report->devices[i].rows[n].outcome.state == OUTCOME_OK;
            wrong += report->devices[i].rows[n].outcome.state == OUTCOME_WRONG;
        }
    }
    return measured > 0 && wrong == 0;
}

static int measure(struct bench_command_options *values) {
    struct device_names names;
    struct bench_report report = {0};
    nst_network *network = NULL;
    nst_error error;
    bool fine = false;
    nst_status status = device_names_find(values->device, &names, &error);
    if (!status) {
        status = network_choice_open_measured(values->network, values->input_convention, &network, &error);
    }
    if (!status) {
        struct bench_options wanted = {.size_count = values->size_count,
                                       .layers = values->layers,
                                       .no_start = values->no_start,
                                       .no_cache = values->no_cache,
                                       .seconds = values->seconds,
                                       .precision = values->precision,
                                       .network = network,
                                       .tell = tell,
                                       .user = values,
                                       .cancel = interrupt_flag()};
        interrupt_catch();
        memcpy(wanted.sizes, values->sizes, sizeof wanted.sizes);
        status = bench_run(names.pointers, names.count, &wanted, &report, &error);
        fine = is_fine(&report);
        status = status ? status : write_report(values, &report, &error);
    }
    bench_report_free(&report);
    nst_network_destroy(network);
    if (status) {
        return command_error(&error);
    }
    if (*interrupt_flag()) {
        return 128 + *interrupt_flag();
    }
    return fine ? EXIT_FINE : EXIT_FAILED;
}

/* ---- Command --------------------------------------------------------------------------------------------------- */

static nst_status compare(const struct arguments *arguments, const struct bench_command_options *values,
                          nst_error *error) {
    int count = arguments->operand_count - 1;
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, "html") != 0) {
            return fail(error, NST_ERROR_ARGUMENT, "bench compare takes no --%s", arguments->given[i].option->name);
        }
    }
    if (count < 1) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "bench compare: expected files written by 'nst bench --json', found none");
    }
    return bench_compare(arguments->operands + 1, count, values->html, stdout, error);
}

static int bench(const struct arguments *arguments) {
    struct bench_command_options values;
    nst_error error;
    set_defaults(&values, NULL, NULL);
    nst_status status = arguments_store(arguments, &values, &error);
    bool compares = arguments->operand_count > 0 && strcmp(arguments->operands[0], "compare") == 0;
    if (!status && arguments->operand_count > 0 && !compares) {
        char quoted[64];
        status = fail(&error, NST_ERROR_ARGUMENT, "bench: expected options, or compare and files, found '%s'",
                      option_quote(arguments->operands[0], quoted, sizeof quoted));
    }
    if (!status && values.json + values.csv + values.markdown > 1) {
        status =
            fail(&error, NST_ERROR_ARGUMENT, "expected at most one of --json, --csv and --markdown, found several");
    }
    if (!status && values.html && !compares) {
        status = fail(&error, NST_ERROR_ARGUMENT, "--html: expected behind 'nst bench compare' and files, found alone");
    }
    if (!status && !compares) {
        return measure(&values);
    }
    if (!status) {
        status = compare(arguments, &values, &error);
    }
    return !status ? EXIT_FINE : command_error(&error);
}

const struct command command_bench = {
    .name = "bench",
    .usage = "[compare FILE...]",
    .summary = "measure how fast devices are",
    .details = "  nst bench                          the default device, about a minute\n"
               "  nst bench -d all --json -o A.json  every device, every figure, into a file\n"
               "  nst bench compare A.json B.json --html report.html\n"
               "Stopped with Ctrl-C, it prints what was measured so far.\n"
               "Exit status: 0 if something was measured and nothing is wrong, else 1.",
    .table = &bench_table,
    .values_size = sizeof(struct bench_command_options),
    .set_defaults = set_defaults,
    .run = bench,
};
