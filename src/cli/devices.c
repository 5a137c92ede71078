/* devices.c: `nst devices`: the OpenCL devices of this machine, as a table or as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/json.h"
#include "support/error.h"
#include "support/text.h"

struct devices_options {
    bool json;
};

static const struct option options[] = {
    {"json", 'j', NULL, "Options", OPTION_FLAG, offsetof(struct devices_options, json),
     .help = "print every field as JSON"},
    {"help", 'h', NULL, NULL, OPTION_HELP, .help = "print this"},
};
static const struct option_table devices_table = {.options = options, .count = sizeof options / sizeof options[0]};

/* ---- Table ----------------------------------------------------------------------------------------------------- */

enum { COLUMNS = 11, CELL_LENGTH = 64 };
static const char *const headings[COLUMNS] = {"device",  "name",  "type", "units", "clock", "memory",
                                              "largest", "local", "fp16", "fp64",  "OpenCL"};

/* One device's cells; what is too long for a cell is cut off. */
static void fill_row(const nst_device_info *device, char row[COLUMNS][CELL_LENGTH]) {
    snprintf(row[0], CELL_LENGTH, "%d:%d", device->platform_index, device->device_index);
    option_quote(*device->board ? device->board : device->name, row[1], CELL_LENGTH);
    snprintf(row[2], CELL_LENGTH, "%s%s", device->integrated && device->type == NST_DEVICE_GPU ? "integrated " : "",
             nst_device_type_name(device->type));
    snprintf(row[3], CELL_LENGTH, "%u", device->compute_units);
    snprintf(row[4], CELL_LENGTH, device->clock_mhz ? "%u MHz" : "-", device->clock_mhz); /* 0: Intel on other CPUs */
    text_bytes(device->memory_bytes, row[5], CELL_LENGTH);
    text_bytes(device->largest_allocation_bytes, row[6], CELL_LENGTH);
    text_bytes(device->local_memory_bytes, row[7], CELL_LENGTH);
    snprintf(row[8], CELL_LENGTH, "%s", device->has_fp16 ? "yes" : "no");
    snprintf(row[9], CELL_LENGTH, "%s", device->has_fp64 ? "yes" : "no");
    const char *version = device->opencl_version;
    version += strncmp(version, "OpenCL ", 7) == 0 ? 7 : 0;
    snprintf(row[10], CELL_LENGTH, "%.*s", (int)strcspn(version, " "), version);
}

static void print_row(const char *mark, const char *const cells[COLUMNS], const int widths[COLUMNS]) {
    fputs(mark, stdout);
    for (int column = 0; column < COLUMNS; column++) {
        printf(column + 1 < COLUMNS ? "%-*s  " : "%.*s", column + 1 < COLUMNS ? widths[column] : CELL_LENGTH,
               cells[column]);
    }
    putchar('\n');
}

/* What does not fit the table: a second line for each device. */
static void print_details(const nst_device_list *list, const nst_device_info *device) {
    printf("    %s, vendor %s, driver %s: ", device->platform, device->vendor, device->driver);
    if (!device->usable) {
        printf("not usable, because %s", device->reason);
    } else if (device->check == NST_CHECK_FAILED) {
        printf("not usable, because it failed its self-test: %s", device->check_reason);
    } else {
        printf("usable%s", device->is_default ? ", taken by auto" : "");
    }
    if (device->measured_gflops > 0) {
        printf(", measured %.0f GFLOP/s", device->measured_gflops);
    }
    if (device->alias_of >= 0 && (size_t)device->alias_of < list->count) {
        const nst_device_info *other = &list->devices[device->alias_of];
        printf("; the same device as %d:%d", other->platform_index, other->device_index);
    }
    putchar('\n');
}

static nst_status print_table(const nst_device_list *list, nst_error *error) {
    char(*rows)[COLUMNS][CELL_LENGTH] = calloc(list->count + 1, sizeof *rows);
    if (!rows) {
        return fail_memory(error, list->count * sizeof *rows, "the table of devices");
    }
    int widths[COLUMNS];
    for (int column = 0; column < COLUMNS; column++) {
        widths[column] = (int)strlen(headings[column]);
    }
    for (size_t i = 0; i < list->count; i++) {
        fill_row(&list->devices[i], rows[i]);
        for (int column = 0; column < COLUMNS; column++) {
            if (widths[column] < (int)strlen(rows[i][column])) {
                widths[column] = (int)strlen(rows[i][column]);
            }
        }
    }
    if (list->count) {
        print_row("  ", headings, widths);
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *cells[COLUMNS];
        for (int column = 0; column < COLUMNS; column++) {
            cells[column] = rows[i][column];
        }
        print_row(list->devices[i].is_default ? "* " : "  ", cells, widths);
        print_details(list, &list->devices[i]);
    }
    free(rows);
    for (size_t i = 0; i < list->note_count; i++) {
        printf("%s%s\n", i == 0 && list->count ? "\n" : "", list->notes[i]);
    }
    return NST_OK;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static json_t *device_json(const nst_device_info *device) {
    json_t *object = json_object();
    json_object_set_new(object, "platform_index", json_integer(device->platform_index));
    json_object_set_new(object, "device_index", json_integer(device->device_index));
    json_object_set_new(object, "platform", text_json(device->platform));
    json_object_set_new(object, "name", text_json(device->name));
    json_object_set_new(object, "board", text_json(device->board));
    json_object_set_new(object, "vendor", text_json(device->vendor));
    json_object_set_new(object, "driver", text_json(device->driver));
    json_object_set_new(object, "opencl_version", text_json(device->opencl_version));
    json_object_set_new(object, "opencl_c_version", text_json(device->opencl_c_version));
    json_object_set_new(object, "type", text_json(nst_device_type_name(device->type)));
    json_object_set_new(object, "integrated", json_boolean(device->integrated));
    json_object_set_new(object, "compute_units", json_integer(device->compute_units));
    json_object_set_new(object, "clock_mhz", json_integer(device->clock_mhz));
    json_object_set_new(object, "memory_bytes", json_integer((json_int_t)device->memory_bytes));
    json_object_set_new(object, "largest_allocation_bytes", json_integer((json_int_t)device->largest_allocation_bytes));
    json_object_set_new(object, "local_memory_bytes", json_integer((json_int_t)device->local_memory_bytes));
    json_object_set_new(object, "vector_width_float", json_integer(device->vector_width_float));
    json_object_set_new(object, "largest_work_group", json_integer((json_int_t)device->largest_work_group));
    json_object_set_new(object, "has_fp16", json_boolean(device->has_fp16));
    json_object_set_new(object, "has_fp64", json_boolean(device->has_fp64));
    json_object_set_new(object, "bus_address", text_json(device->bus_address));
    json_object_set_new(object, "alias_of", device->alias_of >= 0 ? json_integer(device->alias_of) : json_null());
    json_object_set_new(object, "usable", json_boolean(device->usable));
    json_object_set_new(object, "reason", text_json(device->reason));
    static const char *const checks[] = {"unknown", "passed", "failed"};
    json_object_set_new(object, "self_test", text_json(checks[device->check]));
    json_object_set_new(object, "self_test_reason", text_json(device->check_reason));
    json_object_set_new(object, "measured_gflops",
                        device->measured_gflops > 0 ? json_real(device->measured_gflops) : json_null());
    json_object_set_new(object, "is_default", json_boolean(device->is_default));
    return object;
}

static nst_status print_list_json(const nst_device_list *list, nst_error *error) {
    json_t *devices = json_array(), *notes = json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_array_append_new(devices, device_json(&list->devices[i]));
    }
    for (size_t i = 0; i < list->note_count; i++) {
        json_array_append_new(notes, text_json(list->notes[i]));
    }
    json_t *whole = json_pack("{s:s, s:o, s:o}", "version", NST_VERSION, "devices", devices, "notes", notes);
    return print_json(whole, "the list of devices", stdout, error);
}

/* Exit status 0 if a device can be used, else 1. */
static int devices(const struct arguments *arguments) {
    struct devices_options values = {0};
    nst_error error;
    if (arguments_store(arguments, &values, &error) || command_take_no_operands("devices", arguments, &error)) {
        return command_error(&error);
    }
    nst_device_list list;
    if (nst_device_list_create(&list, &error)) {
        return command_error(&error);
    }
    bool any = false;
    for (size_t i = 0; i < list.count; i++) {
        any |= list.devices[i].usable;
    }
    nst_status status = values.json ? print_list_json(&list, &error) : print_table(&list, &error);
    nst_device_list_free(&list);
    if (status) {
        return command_error(&error);
    }
    return any ? EXIT_FINE : EXIT_FAILED;
}

const struct command command_devices = {
    .name = "devices",
    .usage = "[--json]",
    .summary = "list the OpenCL devices, and which one is taken",
    .details = "Exit status: 0 if there is a device that can be used, 1 if there is none.",
    .table = &devices_table,
    .values_size = sizeof(struct devices_options),
    .run = devices,
};
