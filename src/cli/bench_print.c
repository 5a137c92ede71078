/* bench_print.c: the report of `nst bench` as text, Markdown and CSV. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/table.h"
#include "support/text.h"

/* ---- Figures --------------------------------------------------------------------------------------------------- */

/* A cell with a number of so many decimals, or a dash where it is not known. */
static void cell_real(struct table *table, int column, double value, int decimals, const char *unit) {
    if (isfinite(value)) {
        table_cell(table, column, "%.*f%s", decimals, value, unit);
    } else {
        table_cell(table, column, "-");
    }
}

/* Three digits are enough for a time. */
static int decimals_of(double value) {
    return !(value < 1000) ? 0 : value >= 100 ? 1 : value >= 1 ? 2 : 3;
}

/* Speed and share, or why there are none: `column` and the next four. */
static void cells_speed(struct table *table, int column, const struct outcome *outcome, const struct timing *timing,
                        double gflops, double share_of_peak) {
    if (outcome->state != OUTCOME_OK) {
        table_cell(table, column, "%s", outcome_state_name(outcome->state));
        return;
    }
    cell_real(table, column, timing->median_ms, decimals_of(timing->median_ms), "");
    cell_real(table, column + 1, timing->spread_percent, 1, " %");
    table_cell(table, column + 2, "%d", timing->samples);
    cell_real(table, column + 3, gflops, gflops < 100 ? 1 : 0, "");
    cell_real(table, column + 4, 100 * share_of_peak, 0, " %");
}

/* ---- Tables, for text and Markdown ----------------------------------------------------------------------------- */

static void fill_sizes(const struct bench_device *device, struct table *table) {
    table_begin(table, "size|ms/iteration|spread|samples|GFLOP/s|of peak|memory|<precision|difference");
    for (int i = 0; i < device->row_count; i++) {
        const struct bench_row *row = &device->rows[i];
        char bytes[32];
        table_row(table);
        table_cell(table, 0, "%d", row->size_px);
        cells_speed(table, 1, &row->outcome, &row->iteration, row->gflops, row->share_of_peak);
        if (row->memory_bytes) {
            table_cell(table, 6, "%s", text_bytes(row->memory_bytes, bytes, sizeof bytes));
        }
        table_cell(table, 7, "%s", bench_precision_name(row->precision));
        if (device->check.size_px && device->check.outcome.state <= OUTCOME_WRONG) {
            table_cell(table, 8, "%.1e", device->check.largest_error);
        }
    }
}

static void fill_layers(const struct bench_row *row, struct table *table) {
    table_begin(table, "<layer|<direction|channels|<kernel|input|<engine|ms|spread|samples|GFLOP/s|of peak");
    for (int i = 0; i < row->layer_count; i++) {
        const struct bench_layer *layer = &row->layers[i];
        table_row(table);
        table_cell(table, 0, "%s", layer->name);
        table_cell(table, 1, "%s", layer->direction);
        table_cell(table, 2, "%d to %d", layer->in_channels, layer->out_channels);
        table_cell(table, 3, "%dx%d", layer->kernel_size, layer->kernel_size);
        table_cell(table, 4, "%d x %d", layer->width, layer->height);
        table_cell(table, 5, "%s%s", layer->engine, layer->pools ? ", pooling" : "");
        cells_speed(table, 6, &layer->outcome, &layer->timing, layer->gflops, layer->share_of_peak);
    }
}

static void fill_tuning(const struct tuning_table *tuning, struct table *table) {
    table_begin(table, "<tuned|<choice|ms|built in");
    for (int i = 0; i < tuning->count; i++) {
        const struct tuning_row *row = &tuning->rows[i];
        table_row(table);
        table_cell(table, 0, "%s", row->key);
        table_cell(table, 1, "%s", *row->choice ? row->choice : "-");
        cell_real(table, 2, 1e-6 * (double)row->time_ns, 3, "");
        cell_real(table, 3, 1e-6 * (double)row->default_ns, 3, "");
    }
}

/* Whether single layers were measured: then the choices are of interest, too. */
static bool shows_tuning(const struct bench_device *device) {
    bool has_layers = false;
    for (int i = 0; i < device->row_count; i++) {
        has_layers |= device->rows[i].layer_count > 0;
    }
    return has_layers && device->tuning.count > 0;
}

static void fill_kernels(const struct bench_row *row, struct table *table) {
    table_begin(table, "<kernel|calls/iteration|ms/iteration|of all");
    for (int i = 0; i < row->kernel_count; i++) {
        const struct bench_kernel *kernel = &row->kernels[i];
        table_row(table);
        table_cell(table, 0, "%s", kernel->name);
        cell_real(table, 1, kernel->calls, 1, "");
        cell_real(table, 2, kernel->ms, decimals_of(kernel->ms), "");
        cell_real(table, 3, 100 * kernel->share, 1, " %");
    }
}

/* ---- What stands around the tables ----------------------------------------------------------------------------- */

const char *bench_precision_name(nst_precision precision) {
    return precision == NST_PRECISION_HALF ? "half" : "single";
}

static const char *const made_up_note =
    "the layers of VGG-19 with random weights, made in memory: as fast as the real ones";

static const char *name_of(const nst_device_info *info) {
    return *info->board ? info->board : *info->name ? info->name : "a device that was not opened";
}

static const char *seconds_text(double seconds, char buffer[32]) {
    if (isfinite(seconds)) {
        snprintf(buffer, 32, "%.*f s", seconds < 10 ? 2 : 1, seconds);
    } else {
        snprintf(buffer, 32, "unknown");
    }
    return buffer;
}

/* How the lines of a device's block are printed: a label, and what comes behind it. */
struct block {
    FILE *stream;
    const char *format;
};

static void print_line(struct block block, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void print_line(struct block block, const char *label, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(block.stream, block.format, label, text);
}

static void print_check(struct block block, const struct gradient_check *check) {
    if (check->outcome.state == OUTCOME_OK) {
        print_line(block, "check",
                   "ok: from the plain engine the loss differs by %.1e, the gradient by %.1e (largest %.1e)",
                   check->loss_error, check->gradient_error, check->largest_error);
    } else {
        print_line(block, "check", "%s: %s", outcome_state_name(check->outcome.state), check->outcome.reason);
    }
}

static void print_block(struct block block, const struct bench_device *device) {
    const nst_device_info *info = &device->info;
    char bytes[32], cold[32], warm[32];
    if (*info->name) {
        print_line(block, "device", "%s, %s, driver %s, %" PRIu32 " units, %s", info->platform, info->opencl_version,
                   info->driver, info->compute_units, text_bytes(info->memory_bytes, bytes, sizeof bytes));
    }
    if (isfinite(device->cold_seconds)) {
        print_line(block, "start", "%s with empty caches, %s with full ones, until the first loss",
                   seconds_text(device->cold_seconds, cold), seconds_text(device->warm_seconds, warm));
    } else if (isinf(device->cold_seconds)) {
        print_line(block, "start", "more than %d s with empty caches, until the first loss",
                   BENCH_LONGEST_START_SECONDS);
    }
    if (device->outcome.state != OUTCOME_OK) {
        print_line(block, outcome_state_name(device->outcome.state), "%s", device->outcome.reason);
        return;
    }
    print_line(block, "peak", "%.0f GFLOP/s (%d chains of %d-wide multiply-adds), %.1f GB/s (triad)",
               device->peak_gflops, device->peak_chains, device->peak_width, device->bandwidth_gb_per_s);
    if (device->precision == NST_PRECISION_HALF) {
        print_line(block, "half", "feature maps, and filters where engines gain by it, are kept in 16 bits");
    }
    print_check(block, &device->check);
    int faster = 0;
    for (int i = 0; i < device->tuning.count; i++) {
        faster += device->tuning.rows[i].time_ns < device->tuning.rows[i].default_ns;
    }
    if (device->tuning.count > 0) {
        print_line(block, "tuning", "%d shapes tuned by 'nst tune', %d of them faster than what is built in",
                   device->tuning.count, faster);
    }
}

/* Why rows have no figures, where the block above does not say so. */
static void print_reasons(const struct bench_device *device, const char *before, FILE *stream) {
    for (int i = 0; i < device->row_count && device->outcome.state == OUTCOME_OK; i++) {
        const struct outcome *outcome = &device->rows[i].outcome;
        if (outcome->state == OUTCOME_SKIPPED || outcome->state == OUTCOME_FAILED) {
            fprintf(stream, "%s%d px: %s\n", before, device->rows[i].size_px, outcome->reason);
        }
        for (int n = 0; n < device->rows[i].layer_count; n++) {
            const struct bench_layer *layer = &device->rows[i].layers[n];
            if (layer->outcome.state != OUTCOME_OK) {
                fprintf(stream, "%s%d px, %s: %s\n", before, device->rows[i].size_px, layer->name,
                        layer->outcome.reason);
            }
        }
    }
}

static void print_network(const struct bench_report *report, FILE *stream) {
    fprintf(stream, "network %s", report->network);
    if (report->made_up) {
        fprintf(stream, " (%s)", made_up_note);
    } else {
        fprintf(stream, ", sha256 %s", report->sha256);
    }
}

/* ---- Printers -------------------------------------------------------------------------------------------------- */

void bench_print_text(const struct bench_report *report, FILE *stream) {
    struct block block = {.stream = stream, .format = "  %-6s  %s\n"};
    struct table table;
    fprintf(stream, "nst %s, %s, ", report->version, report->date);
    print_network(report, stream);
    fputs("\nGFLOP/s are counted as for direct convolutions: engines that compute less can exceed the peak\n", stream);
    for (int i = 0; i < report->device_count; i++) {
        const struct bench_device *device = &report->devices[i];
        fprintf(stream, "\n%d:%d %s\n", device->info.platform_index, device->info.device_index, name_of(&device->info));
        print_block(block, device);
        fill_sizes(device, &table);
        fputc('\n', stream);
        table_print_text(&table, 2, stream);
        table_free(&table);
        print_reasons(device, "  ", stream);
        for (int n = 0; n < device->row_count; n++) {
            const struct bench_row *row = &device->rows[n];
            if (row->layer_count == 0) {
                continue;
            }
            fprintf(stream, "\n  %d px, convolutions\n", row->size_px);
            fill_layers(row, &table);
            table_print_text(&table, 2, stream);
            table_free(&table);
            fprintf(stream, "\n  %d px, kernels by the device's clock\n", row->size_px);
            fill_kernels(row, &table);
            table_print_text(&table, 2, stream);
            table_free(&table);
        }
        if (shows_tuning(device)) {
            fill_tuning(&device->tuning, &table);
            fputc('\n', stream);
            table_print_text(&table, 2, stream);
            table_free(&table);
        }
    }
}

void bench_print_markdown(const struct bench_report *report, FILE *stream) {
    struct block block = {.stream = stream, .format = "- %s: %s\n"};
    struct table table;
    fprintf(stream, "nst %s, %s, ", report->version, report->date);
    print_network(report, stream);
    fputs(". GFLOP/s are counted as for direct convolutions: engines that compute less can exceed the peak.\n", stream);
    for (int i = 0; i < report->device_count; i++) {
        const struct bench_device *device = &report->devices[i];
        fprintf(stream, "\n### %s\n\n", name_of(&device->info));
        print_block(block, device);
        fill_sizes(device, &table);
        fputc('\n', stream);
        table_print_markdown(&table, stream);
        table_free(&table);
        fputc('\n', stream);
        print_reasons(device, "- ", stream);
        for (int n = 0; n < device->row_count; n++) {
            const struct bench_row *row = &device->rows[n];
            if (row->layer_count == 0) {
                continue;
            }
            fprintf(stream, "\n#### %d px\n\n", row->size_px);
            fill_layers(row, &table);
            table_print_markdown(&table, stream);
            table_free(&table);
            fputc('\n', stream);
            fill_kernels(row, &table);
            table_print_markdown(&table, stream);
            table_free(&table);
        }
        if (shows_tuning(device)) {
            fill_tuning(&device->tuning, &table);
            fputc('\n', stream);
            table_print_markdown(&table, stream);
            table_free(&table);
        }
    }
}

/* ---- CSV: one line for each size, layer and kernel --------------------------------------------------------------- */

/* One field each, with the comma before it. Texts are quoted, and quotes doubled, as RFC 4180 says. */
static void csv_text(const char *text, FILE *stream) {
    fputs(",\"", stream);
    for (; *text; text++) {
        fprintf(stream, *text == '"' ? "\"\"" : "%c", *text == '\n' ? ' ' : *text);
    }
    fputc('"', stream);
}

static void csv_real(double value, FILE *stream) {
    fputc(',', stream);
    if (isfinite(value)) {
        fprintf(stream, "%.6g", value);
    }
}

/* What is the same for all lines of a row. */
static void csv_begin(const struct bench_report *report, const struct bench_device *device, const struct bench_row *row,
                      const char *what, FILE *stream) {
    fputs(what, stream);
    csv_text(device->info.platform, stream);
    csv_text(name_of(&device->info), stream);
    csv_text(device->info.driver, stream);
    csv_text(device->info.opencl_version, stream);
    csv_text(report->network, stream);
    fprintf(stream, ",%d", row->size_px);
    csv_text(bench_precision_name(row->precision), stream);
}

static void csv_speed(const struct outcome *outcome, const struct timing *timing, double gflop, double gflops,
                      double share_of_peak, FILE *stream) {
    bool counts = outcome->state == OUTCOME_OK;
    csv_text(outcome_state_name(outcome->state), stream);
    csv_real(counts ? timing->median_ms : NAN, stream);
    csv_real(counts ? timing->spread_percent : NAN, stream);
    fprintf(stream, ",%d", counts ? timing->samples : 0);
    csv_real(gflop, stream);
    csv_real(counts ? gflops : NAN, stream);
    csv_real(counts ? share_of_peak : NAN, stream);
}

static void csv_row(const struct bench_report *report, const struct bench_device *device, const struct bench_row *row,
                    FILE *stream) {
    csv_begin(report, device, row, "size", stream);
    fputs(",\"\",\"\",\"\"", stream);
    csv_speed(&row->outcome, &row->iteration, row->gflop, row->gflops, row->share_of_peak, stream);
    csv_real(device->peak_gflops, stream);
    csv_real(device->bandwidth_gb_per_s, stream);
    csv_real(device->cold_seconds, stream);
    csv_real(device->warm_seconds, stream);
    fprintf(stream, ",%" PRIu64, row->memory_bytes);
    csv_real(device->check.loss_error, stream);
    csv_real(device->check.gradient_error, stream);
    csv_real(device->check.largest_error, stream);
    csv_text(row->outcome.reason, stream);
    fputs("\n", stream);
}

static void csv_details(const struct bench_report *report, const struct bench_device *device,
                        const struct bench_row *row, FILE *stream) {
    static const struct outcome fine = {.state = OUTCOME_OK};
    for (int i = 0; i < row->layer_count; i++) {
        const struct bench_layer *layer = &row->layers[i];
        csv_begin(report, device, row, "layer", stream);
        csv_text(layer->name, stream);
        csv_text(layer->direction, stream);
        csv_text(layer->engine, stream);
        csv_speed(&layer->outcome, &layer->timing, layer->gflop, layer->gflops, layer->share_of_peak, stream);
        fputs(",,,,,,,,", stream);
        csv_text(layer->outcome.reason, stream);
        fputs("\n", stream);
    }
    for (int i = 0; i < row->kernel_count; i++) {
        const struct bench_kernel *kernel = &row->kernels[i];
        struct timing timing = {.median_ms = kernel->ms, .spread_percent = NAN};
        csv_begin(report, device, row, "kernel", stream);
        csv_text(kernel->name, stream);
        fputs(",\"\",\"\"", stream);
        csv_speed(&fine, &timing, NAN, NAN, NAN, stream);
        fputs(",,,,,,,,,\"\"\n", stream);
    }
}

void bench_print_csv(const struct bench_report *report, FILE *stream) {
    fputs("record,platform,device,driver,opencl_version,network,size_px,precision,name,direction,engine,status,ms,"
          "spread_percent,"
          "samples,gflop,gflops,share_of_peak,peak_gflops,bandwidth_gb_per_s,cold_start_seconds,warm_start_seconds,"
          "memory_bytes,loss_error,gradient_error,largest_error,reason\n",
          stream);
    for (int i = 0; i < report->device_count; i++) {
        const struct bench_device *device = &report->devices[i];
        for (int n = 0; n < device->row_count; n++) {
            csv_row(report, device, &device->rows[n], stream);
            csv_details(report, device, &device->rows[n], stream);
        }
    }
}
