/* bench.h: the printers of `nst bench`, and reading back what they wrote. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <jansson.h>

#include "bench/report.h"

/* Each prints the whole report. Figures come from the report alone, so that all of them tell the same. */
void bench_print_text(const struct bench_report *report, FILE *stream);
void bench_print_csv(const struct bench_report *report, FILE *stream);
void bench_print_markdown(const struct bench_report *report, FILE *stream);

/* The report as JSON, schema BENCH_SCHEMA; NULL without memory. */
json_t *bench_to_json(const struct bench_report *report);
/* Reads what bench_to_json made. Free with bench_report_free, also after a failure. Errors: NST_ERROR_FILE,
 * NST_ERROR_FORMAT (not such a file, or of another schema), NST_ERROR_MEMORY. */
nst_status bench_read(const char *path, struct bench_report *report, nst_error *error);

/* "single" or "half". */
const char *bench_precision_name(nst_precision precision);

/* One device of one of several files that are compared. */
struct bench_column {
    const char *file;
    const struct bench_report *report;
    const struct bench_device *device;
};

struct bench_columns {
    struct bench_column *columns;
    int count;
    int sizes[BENCH_MOST_SIZES * 4];
    int size_count; /* those that any column has, from small to large */
};

/* The row of that size, or NULL. */
const struct bench_row *bench_column_row(const struct bench_column *column, int size_px);
/* The name of a column, with the driver, for headings; into `buffer`, which is returned. */
const char *bench_column_name(const struct bench_column *column, char *buffer, size_t size);

/* Side by side as text, ratios to the first column; and a page with charts that needs nothing from elsewhere. */
void bench_compare_text(const struct bench_columns *columns, FILE *stream);
void bench_compare_html(const struct bench_columns *columns, FILE *stream);

/* nst bench compare: reads the files, prints, and writes the page if `html` is not NULL. */
nst_status bench_compare(char **paths, int count, const char *html, FILE *stream, nst_error *error);

#endif
