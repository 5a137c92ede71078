/* bench_html.c: the page of `nst bench compare`: bars as inline SVG, colors for light and dark, nothing from
 * elsewhere. Every text that comes from a file or a driver goes through print_escaped. */
#include <math.h>
#include <string.h>

#include "cli/bench.h"

enum {
    BAR_HEIGHT = 18,
    BAR_GAP = 6,
    LABEL_WIDTH = 170,
    LETTER_WIDTH = 26,
    CHART_WIDTH = 900,
    FIGURE_WIDTH = 190,
    COLORS = 8
};

static void print_escaped(const char *text, FILE *stream) {
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", stream);
            break;
        case '<':
            fputs("&lt;", stream);
            break;
        case '>':
            fputs("&gt;", stream);
            break;
        case '"':
            fputs("&quot;", stream);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? ' ' : *text, stream);
        }
    }
}

static void print_head(FILE *stream) {
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>nst bench</title>\n<style>\n"
        ":root { color-scheme: light dark; --back: #ffffff; --text: #1b1f24; --faint: #5d6670; --line: #d5dae0;\n"
        "  --c0: #2563a8; --c1: #c2571a; --c2: #2e7d4f; --c3: #8a3fa0; --c4: #a8821a; --c5: #b03060; --c6: #117a8b;\n"
        "  --c7: #5f6b7a; }\n"
        "@media (prefers-color-scheme: dark) { :root { --back: #15181c; --text: #e7eaee; --faint: #9aa4af;\n"
        "  --line: #333a42; --c0: #6aa5e8; --c1: #f0905a; --c2: #6cc48f; --c3: #c98be0; --c4: #dcb95a; --c5: #ee7fa6;\n"
        "  --c6: #5cc3d4; --c7: #a7b2bf; } }\n"
        "body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;\n"
        "  max-width: 60rem; padding: 0 1rem; }\n"
        "h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }\n"
        "p { margin: .2rem 0 .6rem; } .faint { color: var(--faint); }\n"
        "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
        "th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem .25rem 0; text-align: left; }\n"
        ".key { white-space: nowrap; } .wide { overflow-x: auto; } .swatch { display: inline-block; width: .8em; "
        "height: .8em; border-radius: 2px; }\n"
        "svg { display: block; width: 100%; height: auto; } svg text { font: 13px system-ui, sans-serif; }\n"
        "svg .label { fill: var(--text); } svg .figure { fill: var(--faint); } svg line { stroke: var(--line); }\n"
        "svg line.peak { stroke: var(--faint); stroke-dasharray: 4 4; }\n"
        "svg .figure { paint-order: stroke; stroke: var(--back); stroke-width: 4px; }\n",
        stream);
    for (int i = 0; i < COLORS; i++) {
        fprintf(stream, ".k%d { fill: var(--c%d); background: var(--c%d); }\n", i, i, i);
    }
    fputs("</style>\n</head>\n<body>\n<h1>nst bench</h1>\n", stream);
}

/* ---- Bars ------------------------------------------------------------------------------------------------------ */

struct bar {
    char label[96], figure[64]; /* the label is shown where a group begins */
    double value;               /* NAN: no bar, the figure says why */
    int column;                 /* of the comparison: its letter and color */
    bool begins_group;
};

enum { MOST_BARS = 1024 };

struct chart {
    struct bar bars[MOST_BARS];
    int count;
    bool scaled_by_group; /* each group's longest bar fills the width; else the longest of all does */
    bool has_peak;        /* the values are percents of the peak: a line is drawn at 100 */
};

static struct bar *add_bar(struct chart *chart) {
    chart->count -= chart->count == MOST_BARS; /* what does not fit is not shown */
    struct bar *bar = &chart->bars[chart->count++];
    *bar = (struct bar){.value = NAN};
    return bar;
}

enum { BARS_LEFT = LABEL_WIDTH + LETTER_WIDTH };

static double width_of(double value, double most) {
    const double room = CHART_WIDTH - BARS_LEFT - FIGURE_WIDTH;
    return isfinite(value) && most > 0 ? room * value / most : 0;
}

static void print_bar(const struct bar *bar, double most, int y, FILE *stream) {
    double width = width_of(bar->value, most);
    int base = y + BAR_HEIGHT - 5;
    if (bar->begins_group) {
        fprintf(stream, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"end\">", LABEL_WIDTH - 6, base);
        print_escaped(bar->label, stream);
        fputs("</text>", stream);
    }
    fprintf(stream, "<text class=\"figure\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%c</text>",
            LABEL_WIDTH + LETTER_WIDTH / 2, base, 'A' + bar->column);
    if (width > 0) {
        fprintf(stream, "<rect class=\"k%d\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
                bar->column % COLORS, BARS_LEFT, y, width < 1 ? 1 : width, BAR_HEIGHT);
    }
    fprintf(stream, "<text class=\"figure\" x=\"%.1f\" y=\"%d\">", BARS_LEFT + width + 6, base);
    print_escaped(bar->figure, stream);
    fputs("</text>\n", stream);
}

/* The largest value of the bars from `first` on: of its group, or of all. */
static double largest_value(const struct chart *chart, int first, bool of_group) {
    double most = 0;
    for (int i = first; i < chart->count && !(of_group && i > first && chart->bars[i].begins_group); i++) {
        most = isfinite(chart->bars[i].value) && chart->bars[i].value > most ? chart->bars[i].value : most;
    }
    return most;
}

static void print_chart(const struct chart *chart, const char *what, FILE *stream) {
    double most = largest_value(chart, 0, false);
    int height = 4, y = 2;
    most = chart->has_peak && most < 100 ? 100 : most;
    for (int i = 0; i < chart->count; i++) {
        height += BAR_HEIGHT + (chart->bars[i].begins_group ? 2 * BAR_GAP : BAR_GAP / 2);
    }
    fprintf(stream, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", CHART_WIDTH, height, what);
    if (chart->has_peak) {
        fprintf(stream, "<line class=\"peak\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\"/>\n",
                BARS_LEFT + width_of(100, most), BARS_LEFT + width_of(100, most), height);
    }
    for (int i = 0; i < chart->count; i++) {
        y += chart->bars[i].begins_group ? 2 * BAR_GAP : BAR_GAP / 2;
        if (chart->scaled_by_group && chart->bars[i].begins_group) {
            most = largest_value(chart, i, true);
        }
        print_bar(&chart->bars[i], most, y, stream);
        y += BAR_HEIGHT;
    }
    fprintf(stream, "<line x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%d\"/>\n", BARS_LEFT, BARS_LEFT, height);
    fputs("</svg>\n", stream);
}

/* ---- What the bars show ---------------------------------------------------------------------------------------- */

/* Bars of every size and column: times, or shares of the peak. */
static void fill_sizes(const struct bench_columns *columns, bool shares, struct chart *chart) {
    *chart = (struct chart){.scaled_by_group = !shares, .has_peak = shares};
    for (int size = 0; size < columns->size_count; size++) {
        for (int i = 0; i < columns->count; i++) {
            const struct bench_row *row = bench_column_row(&columns->columns[i], columns->sizes[size]);
            struct bar *bar = add_bar(chart);
            bar->column = i;
            bar->begins_group = i == 0;
            snprintf(bar->label, sizeof bar->label, "%d px", columns->sizes[size]);
            if (!row || row->outcome.state != OUTCOME_OK) {
                snprintf(bar->figure, sizeof bar->figure, "%s",
                         row ? outcome_state_name(row->outcome.state) : "not measured");
                continue;
            }
            bar->value = shares ? 100 * row->share_of_peak : row->iteration.median_ms;
            snprintf(bar->figure, sizeof bar->figure, shares ? "%.0f %%" : "%.1f ms", bar->value);
        }
    }
}

/* The layers of one size: shares of the peak, the columns that have them beside one another. */
static void fill_layers(const struct bench_columns *columns, int size_px, struct chart *chart) {
    const struct bench_row *longest = NULL;
    *chart = (struct chart){.has_peak = true};
    for (int i = 0; i < columns->count; i++) {
        const struct bench_row *row = bench_column_row(&columns->columns[i], size_px);
        longest = row && (!longest || row->layer_count > longest->layer_count) ? row : longest;
    }
    for (int n = 0; longest && n < longest->layer_count; n++) {
        bool begins = true;
        for (int i = 0; i < columns->count; i++) {
            const struct bench_row *row = bench_column_row(&columns->columns[i], size_px);
            const struct bench_layer *layer = row && n < row->layer_count ? &row->layers[n] : NULL;
            if (!layer || strcmp(layer->name, longest->layers[n].name) != 0 ||
                strcmp(layer->direction, longest->layers[n].direction) != 0) {
                continue;
            }
            struct bar *bar = add_bar(chart);
            bar->column = i;
            bar->begins_group = begins;
            begins = false;
            snprintf(bar->label, sizeof bar->label, "%.31s %.11s", layer->name, layer->direction);
            bar->value = layer->outcome.state == OUTCOME_OK ? 100 * layer->share_of_peak : NAN;
            if (isfinite(bar->value)) {
                snprintf(bar->figure, sizeof bar->figure, "%.0f %%, %.*f ms, %.*s", bar->value,
                         layer->timing.median_ms < 1 ? 3 : 2, layer->timing.median_ms, (int)strcspn(layer->engine, " "),
                         layer->engine);
            } else {
                snprintf(bar->figure, sizeof bar->figure, "%s", outcome_state_name(layer->outcome.state));
            }
        }
    }
}

static void print_cell(double value, const char *format, FILE *stream) {
    char text[48] = "–";
    if (isfinite(value)) {
        snprintf(text, sizeof text, format, value);
    }
    fprintf(stream, "<td>%s</td>", text);
}

static void print_devices(const struct bench_columns *columns, FILE *stream) {
    char name[640];
    fputs("<h2>Devices</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th>Device</th><th>Network</th><th>Peak, "
          "GFLOP/s</th><th>Bandwidth, GB/s</th><th>Cold start, s</th><th>Warm start, s</th><th>Check</th></tr>\n",
          stream);
    for (int i = 0; i < columns->count; i++) {
        const struct bench_column *column = &columns->columns[i];
        const struct bench_device *device = column->device;
        fprintf(stream, "<tr><td class=\"key\"><span class=\"swatch k%d\"></span>&nbsp;%c</td><td>", i % COLORS,
                'A' + i);
        print_escaped(bench_column_name(column, name, sizeof name), stream);
        fputs("<br><span class=\"faint\">", stream);
        print_escaped(column->file, stream);
        fprintf(stream, ", ");
        print_escaped(column->report->date, stream);
        fputs("</span></td><td>", stream);
        print_escaped(column->report->network, stream);
        fputs("</td>", stream);
        bool fine = device->outcome.state == OUTCOME_OK;
        print_cell(fine ? device->peak_gflops : NAN, "%.0f", stream);
        print_cell(fine ? device->bandwidth_gb_per_s : NAN, "%.1f", stream);
        print_cell(device->cold_seconds, "%.1f", stream);
        print_cell(device->warm_seconds, "%.2f", stream);
        fputs("<td>", stream);
        print_escaped(fine ? outcome_state_name(device->check.outcome.state) : device->outcome.reason, stream);
        fputs("</td></tr>\n", stream);
    }
    fputs("</table></div>\n", stream);
}

void bench_compare_html(const struct bench_columns *columns, FILE *stream) {
    struct chart chart;
    print_head(stream);
    fputs(
        "<p class=\"faint\">One iteration of style transfer: forward, losses, backward, optimizer step. Floating-point "
        "operations are counted as for direct convolutions, so engines that compute less can exceed the measured peak "
        "of the device.</p>\n",
        stream);
    print_devices(columns, stream);
    fputs("<h2>Time per iteration</h2>\n<p class=\"faint\">Median; shorter is better. Each size has a scale of its "
          "own.</p>\n",
          stream);
    fill_sizes(columns, false, &chart);
    print_chart(&chart, "time per iteration", stream);
    fputs("<h2>Share of the peak</h2>\n<p class=\"faint\">Of multiply-adds, as measured on the same device: the dashed "
          "line is 100 %.</p>\n",
          stream);
    fill_sizes(columns, true, &chart);
    print_chart(&chart, "share of the peak", stream);
    for (int i = 0; i < columns->size_count; i++) {
        fill_layers(columns, columns->sizes[i], &chart);
        if (chart.count == 0) {
            continue;
        }
        fprintf(stream,
                "<h2>Convolutions at %d px</h2>\n<p class=\"faint\">Share of the peak (dashed line: 100 %%), time and "
                "engine.</p>\n",
                columns->sizes[i]);
        print_chart(&chart, "convolutions", stream);
    }
    fputs("</body>\n</html>\n", stream);
}
