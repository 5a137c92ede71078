/* bench_compare.c: `nst bench compare`: what several files hold, side by side. A column is a device of a file;
 * ratios are to the first column. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/table.h"
#include "support/error.h"
#include "support/file.h"

enum { MOST_COLUMNS = TABLE_MOST_COLUMNS - 1 };

/* ---- Columns --------------------------------------------------------------------------------------------------- */

static int compare_integers(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static void add_size(struct bench_columns *columns, int size_px) {
    for (int i = 0; i < columns->size_count; i++) {
        if (columns->sizes[i] == size_px) {
            return;
        }
    }
    if (columns->size_count < (int)(sizeof columns->sizes / sizeof columns->sizes[0])) {
        columns->sizes[columns->size_count++] = size_px;
    }
}

static nst_status add_columns(struct bench_columns *columns, const char *file, const struct bench_report *report,
                              nst_error *error) {
    for (int i = 0; i < report->device_count; i++) {
        if (columns->count == MOST_COLUMNS) {
            return fail(error, NST_ERROR_ARGUMENT, "%s: expected at most %d devices in all files, found more", file,
                        MOST_COLUMNS);
        }
        columns->columns[columns->count++] = (struct bench_column){file, report, &report->devices[i]};
        for (int row = 0; row < report->devices[i].row_count; row++) {
            add_size(columns, report->devices[i].rows[row].size_px);
        }
    }
    qsort(columns->sizes, (size_t)columns->size_count, sizeof columns->sizes[0], compare_integers);
    return NST_OK;
}

/* ---- Text ------------------------------------------------------------------------------------------------------ */

static void print_names(const struct bench_columns *columns, FILE *stream) {
    char name[640];
    for (int i = 0; i < columns->count; i++) {
        const struct bench_column *column = &columns->columns[i];
        fprintf(stream, "%c  %s; network %s; %s, nst %s, %s\n", 'A' + i, bench_column_name(column, name, sizeof name),
                column->report->network, column->file, column->report->version, column->report->date);
        if (column->device->outcome.state != OUTCOME_OK) {
            fprintf(stream, "   %s\n", column->device->outcome.reason);
        }
        if (strcmp(column->report->network, columns->columns[0].report->network) != 0) {
            fprintf(stream, "   another network than A's: its times are for another workload\n");
        }
    }
}

static void begin_table(const struct bench_columns *columns, const char *first, struct table *table) {
    char heading[8 * TABLE_MOST_COLUMNS + 32];
    int length = snprintf(heading, sizeof heading, "<%s", first);
    for (int i = 0; i < columns->count; i++) {
        length += snprintf(heading + length, sizeof heading - (size_t)length, "|%c", 'A' + i);
    }
    table_begin(table, heading);
}

/* A figure of every column in a row of its own, and how it compares with that of the first. */
typedef double figure_of(const struct bench_column *column, int size_px);

/* A card may be hundreds of times as fast as a processor. */
static int ratio_decimals(double ratio) {
    return ratio < 0.1 ? 4 : ratio < 100 ? 2 : 0;
}

static void add_figures(const struct bench_columns *columns, const char *label, figure_of *figure, int size_px,
                        int decimals, struct table *table) {
    double first = figure(&columns->columns[0], size_px);
    table_row(table);
    table_cell(table, 0, "%s", label);
    for (int i = 0; i < columns->count; i++) {
        double value = figure(&columns->columns[i], size_px);
        if (!isfinite(value)) {
            table_cell(table, i + 1, "-");
        } else if (i > 0 && isfinite(first) && first > 0) {
            table_cell(table, i + 1, "%.*f (%.*f x)", decimals, value, ratio_decimals(value / first), value / first);
        } else {
            table_cell(table, i + 1, "%.*f", decimals, value);
        }
    }
}

static double peak_of(const struct bench_column *column, int size_px) {
    (void)size_px;
    return column->device->outcome.state == OUTCOME_OK ? column->device->peak_gflops : NAN;
}
static double bandwidth_of(const struct bench_column *column, int size_px) {
    (void)size_px;
    return column->device->outcome.state == OUTCOME_OK ? column->device->bandwidth_gb_per_s : NAN;
}
static double cold_of(const struct bench_column *column, int size_px) {
    (void)size_px;
    return column->device->cold_seconds;
}
static double warm_of(const struct bench_column *column, int size_px) {
    (void)size_px;
    return column->device->warm_seconds;
}
static double milliseconds_of(const struct bench_column *column, int size_px) {
    const struct bench_row *row = bench_column_row(column, size_px);
    return row && row->outcome.state == OUTCOME_OK ? row->iteration.median_ms : NAN;
}
static double share_of(const struct bench_column *column, int size_px) {
    const struct bench_row *row = bench_column_row(column, size_px);
    return row && row->outcome.state == OUTCOME_OK ? 100 * row->share_of_peak : NAN;
}

/* Rows that are wrong, or that could not be measured. */
static void print_failures(const struct bench_columns *columns, FILE *stream) {
    for (int i = 0; i < columns->count; i++) {
        const struct bench_device *device = columns->columns[i].device;
        for (int row = 0; row < device->row_count; row++) {
            const struct outcome *outcome = &device->rows[row].outcome;
            if (outcome->state != OUTCOME_OK && device->outcome.state == OUTCOME_OK) {
                fprintf(stream, "%c, %d px, %s: %s\n", 'A' + i, device->rows[row].size_px,
                        outcome_state_name(outcome->state), outcome->reason);
            }
        }
    }
}

/* Where a time is of another workload than A's: maps and filters took other bytes. */
static void print_precisions(const struct bench_columns *columns, FILE *stream) {
    for (int i = 1; i < columns->count; i++) {
        for (int n = 0; n < columns->size_count; n++) {
            const struct bench_row *row = bench_column_row(&columns->columns[i], columns->sizes[n]);
            const struct bench_row *first = bench_column_row(&columns->columns[0], columns->sizes[n]);
            if (row && first && row->precision != first->precision) {
                fprintf(stream, "%c, %d px: measured in %s precision, A in %s\n", 'A' + i, columns->sizes[n],
                        bench_precision_name(row->precision), bench_precision_name(first->precision));
            }
        }
    }
}

static void print_layers(const struct bench_columns *columns, int size_px, FILE *stream) {
    const struct bench_row *first = bench_column_row(&columns->columns[0], size_px);
    struct table table;
    char heading[64];
    if (!first || first->layer_count == 0) {
        return;
    }
    snprintf(heading, sizeof heading, "ms at %d px", size_px);
    begin_table(columns, heading, &table);
    for (int n = 0; n < first->layer_count; n++) {
        double base = first->layers[n].timing.median_ms;
        table_row(&table);
        table_cell(&table, 0, "%s %s", first->layers[n].name, first->layers[n].direction);
        for (int i = 0; i < columns->count; i++) {
            const struct bench_row *row = bench_column_row(&columns->columns[i], size_px);
            const struct bench_layer *layer = row && n < row->layer_count ? &row->layers[n] : NULL;
            if (!layer || strcmp(layer->name, first->layers[n].name) != 0 ||
                strcmp(layer->direction, first->layers[n].direction) != 0 || !isfinite(layer->timing.median_ms)) {
                table_cell(&table, i + 1, "-");
            } else if (i == 0 || !(base > 0)) {
                table_cell(&table, i + 1, "%.3f", layer->timing.median_ms);
            } else {
                table_cell(&table, i + 1, "%.3f (%.*f x)", layer->timing.median_ms,
                           ratio_decimals(layer->timing.median_ms / base), layer->timing.median_ms / base);
            }
        }
    }
    fputc('\n', stream);
    table_print_text(&table, 0, stream);
    table_free(&table);
}

void bench_compare_text(const struct bench_columns *columns, FILE *stream) {
    struct table table;
    char label[64];
    print_names(columns, stream);
    begin_table(columns, "", &table);
    add_figures(columns, "peak, GFLOP/s", peak_of, 0, 0, &table);
    add_figures(columns, "bandwidth, GB/s", bandwidth_of, 0, 1, &table);
    add_figures(columns, "start, empty caches, s", cold_of, 0, 2, &table);
    add_figures(columns, "start, full caches, s", warm_of, 0, 2, &table);
    for (int i = 0; i < columns->size_count; i++) {
        snprintf(label, sizeof label, "%d px, ms/iteration", columns->sizes[i]);
        add_figures(columns, label, milliseconds_of, columns->sizes[i], 2, &table);
        snprintf(label, sizeof label, "%d px, %% of peak", columns->sizes[i]);
        add_figures(columns, label, share_of, columns->sizes[i], 0, &table);
    }
    fputc('\n', stream);
    table_print_text(&table, 0, stream);
    table_free(&table);
    print_failures(columns, stream);
    print_precisions(columns, stream);
    for (int i = 0; i < columns->size_count; i++) {
        print_layers(columns, columns->sizes[i], stream);
    }
}

/* ---- Command --------------------------------------------------------------------------------------------------- */

static nst_status write_page(const struct bench_columns *columns, const char *path, nst_error *error) {
    struct file_replacement replacement;
    nst_status status = file_replacement_begin(&replacement, path, error);
    if (!status) {
        bench_compare_html(columns, replacement.stream);
        status = file_replacement_commit(&replacement, error);
    }
    file_replacement_abort(&replacement);
    return status;
}

nst_status bench_compare(char **paths, int count, const char *html, FILE *stream, nst_error *error) {
    struct bench_report *reports = calloc((size_t)count, sizeof *reports);
    struct bench_column all[MOST_COLUMNS];
    struct bench_columns columns = {.columns = all};
    nst_status status = reports ? NST_OK : fail_memory(error, (size_t)count * sizeof *reports, "the benchmarks");
    for (int i = 0; !status && i < count; i++) {
        status = bench_read(paths[i], &reports[i], error);
        if (!status) {
            status = add_columns(&columns, paths[i], &reports[i], error);
        }
    }
    if (!status && columns.count == 0) {
        status = fail(error, NST_ERROR_FORMAT, "%s: expected devices that were measured, found none", paths[0]);
    }
    if (!status) {
        bench_compare_text(&columns, stream);
    }
    if (!status && html) {
        status = write_page(&columns, html, error);
    }
    for (int i = 0; reports && i < count; i++) {
        bench_report_free(&reports[i]);
    }
    free(reports);
    return status;
}
