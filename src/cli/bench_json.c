/* bench_json.c: the report of `nst bench` as JSON, and back. Figures that are not known are null. */
#include "cli/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "support/error.h"
#include "support/file.h"

enum { MOST_FILE_BYTES = 16 << 20, MOST_DEVICES = 256, MOST_LAYERS = 1024 };

/* ---- Writing --------------------------------------------------------------------------------------------------- */

static void set_text(json_t *object, const char *name, const char *value) {
    json_object_set_new(object, name, text_json(value));
}

static void set_real(json_t *object, const char *name, double value) {
    json_object_set_new(object, name, real_json(value));
}

static void set_integer(json_t *object, const char *name, uint64_t value) {
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_outcome(json_t *object, const struct outcome *outcome) {
    set_text(object, "status", outcome_state_name(outcome->state));
    set_text(object, "reason", outcome->reason);
}

/* A wrong result has no speed. */
static void set_speed(json_t *object, const struct outcome *outcome, const struct timing *timing, double gflop,
                      double gflops, double share_of_peak) {
    bool counts = outcome->state == OUTCOME_OK;
    set_outcome(object, outcome);
    set_real(object, "ms", counts ? timing->median_ms : NAN);
    set_real(object, "least_ms", counts ? timing->least_ms : NAN);
    set_real(object, "spread_percent", counts ? timing->spread_percent : NAN);
    set_integer(object, "samples", (uint64_t)timing->samples);
    set_real(object, "gflop", gflop);
    set_real(object, "gflops", counts ? gflops : NAN);
    set_real(object, "share_of_peak", counts ? share_of_peak : NAN);
}

static json_t *layer_json(const struct bench_layer *layer) {
    json_t *object = json_object();
    set_text(object, "name", layer->name);
    set_text(object, "direction", layer->direction);
    set_text(object, "engine", layer->engine);
    json_object_set_new(object, "with_pooling", json_boolean(layer->pools));
    set_integer(object, "in_channels", (uint64_t)layer->in_channels);
    set_integer(object, "out_channels", (uint64_t)layer->out_channels);
    set_integer(object, "kernel_size", (uint64_t)layer->kernel_size);
    set_integer(object, "height", (uint64_t)layer->height);
    set_integer(object, "width", (uint64_t)layer->width);
    set_speed(object, &layer->outcome, &layer->timing, layer->gflop, layer->gflops, layer->share_of_peak);
    return object;
}

static json_t *kernel_json(const struct bench_kernel *kernel) {
    json_t *object = json_object();
    set_text(object, "kernel", kernel->name);
    set_real(object, "calls", kernel->calls);
    set_real(object, "ms", kernel->ms);
    set_real(object, "share", kernel->share);
    return object;
}

static json_t *row_json(const struct bench_row *row) {
    json_t *object = json_object(), *layers = json_array(), *kernels = json_array();
    set_integer(object, "size_px", (uint64_t)row->size_px);
    set_text(object, "key", row->key);
    set_text(object, "precision", bench_precision_name(row->precision));
    set_speed(object, &row->outcome, &row->iteration, row->gflop, row->gflops, row->share_of_peak);
    set_integer(object, "memory_bytes", row->memory_bytes);
    for (int i = 0; i < row->layer_count; i++) {
        json_array_append_new(layers, layer_json(&row->layers[i]));
    }
    for (int i = 0; i < row->kernel_count; i++) {
        json_array_append_new(kernels, kernel_json(&row->kernels[i]));
    }
    json_object_set_new(object, "layers", layers);
    json_object_set_new(object, "kernels", kernels);
    return object;
}

static json_t *tuning_json(const struct tuning_table *table) {
    json_t *rows = json_array();
    for (int i = 0; i < table->count; i++) {
        json_t *row = json_object();
        set_text(row, "work", table->rows[i].key);
        set_text(row, "choice", table->rows[i].choice);
        set_real(row, "ms", 1e-6 * (double)table->rows[i].time_ns);
        set_real(row, "built_in_ms", 1e-6 * (double)table->rows[i].default_ns);
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *check_json(const struct gradient_check *check) {
    json_t *object = json_object();
    set_outcome(object, &check->outcome);
    set_integer(object, "size_px", (uint64_t)check->size_px);
    set_real(object, "loss_error", check->loss_error);
    set_real(object, "gradient_error", check->gradient_error);
    set_real(object, "largest_error", check->largest_error);
    return object;
}

static json_t *device_json(const struct bench_device *device) {
    const nst_device_info *info = &device->info;
    json_t *object = json_object(), *rows = json_array();
    set_integer(object, "platform_index", (uint64_t)info->platform_index);
    set_integer(object, "device_index", (uint64_t)info->device_index);
    set_text(object, "platform", info->platform);
    set_text(object, "name", info->name);
    set_text(object, "board", info->board);
    set_text(object, "vendor", info->vendor);
    set_text(object, "driver", info->driver);
    set_text(object, "opencl_version", info->opencl_version);
    set_integer(object, "compute_units", info->compute_units);
    set_integer(object, "clock_mhz", info->clock_mhz);
    set_integer(object, "memory_bytes", info->memory_bytes);
    set_outcome(object, &device->outcome);
    set_real(object, "cold_start_seconds", device->cold_seconds);
    set_real(object, "warm_start_seconds", device->warm_seconds);
    set_real(object, "peak_gflops", device->peak_gflops);
    set_integer(object, "peak_width", (uint64_t)device->peak_width);
    set_integer(object, "peak_chains", (uint64_t)device->peak_chains);
    set_text(object, "precision", bench_precision_name(device->precision));
    set_real(object, "bandwidth_gb_per_s", device->bandwidth_gb_per_s);
    json_object_set_new(object, "check", check_json(&device->check));
    json_object_set_new(object, "tuning", tuning_json(&device->tuning));
    for (int i = 0; i < device->row_count; i++) {
        json_array_append_new(rows, row_json(&device->rows[i]));
    }
    json_object_set_new(object, "rows", rows);
    return object;
}

json_t *bench_to_json(const struct bench_report *report) {
    json_t *whole = json_object(), *devices = json_array();
    set_text(whole, "kind", "nst bench");
    set_integer(whole, "schema", BENCH_SCHEMA);
    set_text(whole, "version", report->version);
    set_text(whole, "date", report->date);
    set_text(whole, "network", report->network);
    set_text(whole, "network_sha256", report->sha256);
    json_object_set_new(whole, "network_made_up", json_boolean(report->made_up));
    for (int i = 0; i < report->device_count; i++) {
        json_array_append_new(devices, device_json(&report->devices[i]));
    }
    json_object_set_new(whole, "devices", devices);
    return whole;
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

static void get_text(const json_t *object, const char *name, char *field, size_t size) {
    const char *value = json_string_value(json_object_get(object, name));
    snprintf(field, size, "%s", value ? value : "");
}
#define GET_TEXT(object, name, field) get_text(object, name, field, sizeof(field))

static double get_real(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Whole numbers within a bound, 0 for anything else: files may come from anywhere. */
static uint64_t get_integer(const json_t *object, const char *name, uint64_t most) {
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 && (uint64_t)value <= most ? (uint64_t)value : 0;
}

static int get_int(const json_t *object, const char *name) {
    return (int)get_integer(object, name, INT32_MAX);
}

static struct outcome get_outcome(const json_t *object) {
    struct outcome outcome = {.state = OUTCOME_FAILED};
    const char *status = json_string_value(json_object_get(object, "status"));
    for (int state = OUTCOME_OK; status && state <= OUTCOME_FAILED; state++) {
        if (strcmp(status, outcome_state_name(state)) == 0) {
            outcome.state = state;
        }
    }
    GET_TEXT(object, "reason", outcome.reason);
    return outcome;
}

static struct timing get_timing(const json_t *object) {
    return (struct timing){.median_ms = get_real(object, "ms"),
                           .least_ms = get_real(object, "least_ms"),
                           .spread_percent = get_real(object, "spread_percent"),
                           .samples = get_int(object, "samples")};
}

static void read_layer(const json_t *object, struct bench_layer *layer) {
    GET_TEXT(object, "name", layer->name);
    GET_TEXT(object, "direction", layer->direction);
    GET_TEXT(object, "engine", layer->engine);
    layer->pools = json_is_true(json_object_get(object, "with_pooling"));
    layer->in_channels = get_int(object, "in_channels");
    layer->out_channels = get_int(object, "out_channels");
    layer->kernel_size = get_int(object, "kernel_size");
    layer->height = get_int(object, "height");
    layer->width = get_int(object, "width");
    layer->outcome = get_outcome(object);
    layer->timing = get_timing(object);
    layer->gflop = get_real(object, "gflop");
    layer->gflops = get_real(object, "gflops");
    layer->share_of_peak = get_real(object, "share_of_peak");
}

static void read_kernel(const json_t *object, struct bench_kernel *kernel) {
    GET_TEXT(object, "kernel", kernel->name);
    kernel->calls = get_real(object, "calls");
    kernel->ms = get_real(object, "ms");
    kernel->share = get_real(object, "share");
}

/* How many elements of an array are taken. */
static int count_of(const json_t *object, const char *name, size_t most) {
    size_t count = json_array_size(json_object_get(object, name));
    return (int)(count < most ? count : most);
}

static nst_precision get_precision(const json_t *object, nst_precision otherwise) {
    const char *value = json_string_value(json_object_get(object, "precision"));
    return !value ? otherwise : strcmp(value, "half") == 0 ? NST_PRECISION_HALF : NST_PRECISION_SINGLE;
}

/* `usual` is the precision of rows that do not tell it. */
static nst_status read_row(const json_t *object, nst_precision usual, struct bench_row *row, nst_error *error) {
    row->size_px = get_int(object, "size_px");
    row->precision = get_precision(object, usual);
    GET_TEXT(object, "key", row->key);
    row->outcome = get_outcome(object);
    row->iteration = get_timing(object);
    row->gflop = get_real(object, "gflop");
    row->gflops = get_real(object, "gflops");
    row->share_of_peak = get_real(object, "share_of_peak");
    row->memory_bytes = get_integer(object, "memory_bytes", INT64_MAX);
    int layers = count_of(object, "layers", MOST_LAYERS), kernels = count_of(object, "kernels", MOST_LAYERS);
    row->layers = calloc((size_t)layers + 1, sizeof *row->layers);
    row->kernels = calloc((size_t)kernels + 1, sizeof *row->kernels);
    if (!row->layers || !row->kernels) {
        return fail_memory(error, (size_t)layers * sizeof *row->layers, "the layers of a benchmark");
    }
    for (; row->layer_count < layers; row->layer_count++) {
        read_layer(json_array_get(json_object_get(object, "layers"), (size_t)row->layer_count),
                   &row->layers[row->layer_count]);
    }
    for (; row->kernel_count < kernels; row->kernel_count++) {
        read_kernel(json_array_get(json_object_get(object, "kernels"), (size_t)row->kernel_count),
                    &row->kernels[row->kernel_count]);
    }
    return NST_OK;
}

static void read_check(const json_t *object, struct gradient_check *check) {
    check->outcome = get_outcome(object);
    check->size_px = get_int(object, "size_px");
    check->loss_error = get_real(object, "loss_error");
    check->gradient_error = get_real(object, "gradient_error");
    check->largest_error = get_real(object, "largest_error");
}

static nst_status read_device(const json_t *object, struct bench_device *device, nst_error *error) {
    nst_device_info *info = &device->info;
    info->platform_index = get_int(object, "platform_index");
    info->device_index = get_int(object, "device_index");
    GET_TEXT(object, "platform", info->platform);
    GET_TEXT(object, "name", info->name);
    GET_TEXT(object, "board", info->board);
    GET_TEXT(object, "vendor", info->vendor);
    GET_TEXT(object, "driver", info->driver);
    GET_TEXT(object, "opencl_version", info->opencl_version);
    info->compute_units = (uint32_t)get_int(object, "compute_units");
    info->clock_mhz = (uint32_t)get_int(object, "clock_mhz");
    info->memory_bytes = get_integer(object, "memory_bytes", INT64_MAX);
    device->outcome = get_outcome(object);
    device->cold_seconds = get_real(object, "cold_start_seconds");
    device->warm_seconds = get_real(object, "warm_start_seconds");
    device->precision = get_precision(object, NST_PRECISION_SINGLE);
    device->peak_gflops = get_real(object, "peak_gflops");
    device->peak_width = get_int(object, "peak_width");
    device->peak_chains = get_int(object, "peak_chains");
    device->bandwidth_gb_per_s = get_real(object, "bandwidth_gb_per_s");
    read_check(json_object_get(object, "check"), &device->check);
    int rows = count_of(object, "rows", BENCH_MOST_SIZES);
    nst_status status = NST_OK;
    while (!status && device->row_count < rows) {
        const json_t *row = json_array_get(json_object_get(object, "rows"), (size_t)device->row_count);
        status = read_row(row, device->precision, &device->rows[device->row_count++], error);
    }
    return status;
}

static nst_status read_report(const json_t *whole, struct bench_report *report, nst_error *error) {
    GET_TEXT(whole, "version", report->version);
    GET_TEXT(whole, "date", report->date);
    GET_TEXT(whole, "network", report->network);
    GET_TEXT(whole, "network_sha256", report->sha256);
    report->made_up = json_is_true(json_object_get(whole, "network_made_up"));
    int devices = count_of(whole, "devices", MOST_DEVICES);
    report->devices = calloc((size_t)devices + 1, sizeof *report->devices);
    if (!report->devices) {
        return fail_memory(error, (size_t)devices * sizeof *report->devices, "the devices of a benchmark");
    }
    nst_status status = NST_OK;
    while (!status && report->device_count < devices) {
        const json_t *device = json_array_get(json_object_get(whole, "devices"), (size_t)report->device_count);
        status = read_device(device, &report->devices[report->device_count++], error);
    }
    return status;
}

static nst_status check_kind(const json_t *whole, const char *path, nst_error *error) {
    const char *kind = json_string_value(json_object_get(whole, "kind"));
    json_int_t schema = json_integer_value(json_object_get(whole, "schema"));
    if (!kind || strcmp(kind, "nst bench") != 0 || !json_is_array(json_object_get(whole, "devices"))) {
        return fail(error, NST_ERROR_FORMAT, "%s: expected what 'nst bench --json' writes, found other JSON", path);
    }
    if (schema != BENCH_SCHEMA) {
        return fail(error, NST_ERROR_FORMAT,
                    "%s: expected schema %d, found %lld; measure again with this version of nst", path, BENCH_SCHEMA,
                    (long long)schema);
    }
    return NST_OK;
}

nst_status bench_read(const char *path, struct bench_report *report, nst_error *error) {
    unsigned char *data;
    size_t bytes;
    json_error_t json_error;
    *report = (struct bench_report){0};
    nst_status status = file_read(path, "benchmark", MOST_FILE_BYTES, &data, &bytes, error);
    if (status) {
        return status;
    }
    json_t *whole = json_loadb((const char *)data, bytes, 0, &json_error);
    free(data);
    if (!whole) {
        return fail(error, NST_ERROR_FORMAT, "%s, line %d: expected what 'nst bench --json' writes, found %s", path,
                    json_error.line, json_error.text);
    }
    status = check_kind(whole, path, error);
    if (!status) {
        status = read_report(whole, report, error);
    }
    json_decref(whole);
    return status;
}
