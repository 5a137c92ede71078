/* record.c: what is written into a picture besides its pixels: enough to make it again. */
#include "cli/record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"

/* ---- Command line ---------------------------------------------------------------------------------------------- */

/* Appends one argument at `end`, quoted if it holds anything that a shell could read otherwise; returns the new end. */
static char *append_quoted(char *end, const char *argument) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+@%";
    size_t length = strlen(argument);
    if (length > 0 && strspn(argument, plain) == length) {
        memcpy(end, argument, length);
        return end + length;
    }
    *end++ = '\'';
    for (; *argument; argument++) {
        if (*argument == '\'') { /* closed, an escaped quote, opened again */
            memcpy(end, "'\\''", 4);
            end += 4;
        } else {
            *end++ = *argument;
        }
    }
    *end++ = '\'';
    return end;
}

char *record_command_line(int argc, char *const *argv) {
    size_t most = 1;
    for (int i = 0; i < argc; i++) {
        most += 4 * strlen(argv[i]) + 3;
    }
    char *line = malloc(most), *end = line;
    if (!line) {
        return NULL;
    }
    for (int i = 0; i < argc; i++) {
        if (i > 0) {
            *end++ = ' ';
        }
        end = append_quoted(end, argv[i]);
    }
    *end = '\0';
    return line;
}

/* ---- Settings -------------------------------------------------------------------------------------------------- */

static json_t *list_json(const struct option *option, const void *values) {
    const char *field = (const char *)values + option->offset;
    if (option->kind == OPTION_LAYERS) {
        const nst_layer_list *list = (const nst_layer_list *)field;
        json_t *object = json_object();
        for (int i = 0; i < list->count; i++) {
            json_object_set_new(object, list->layers[i].name, json_real(list->layers[i].weight));
        }
        return object;
    }
    int count = *(const int *)((const char *)values + option->count_offset);
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(array, option->kind == OPTION_TEXTS      ? json_string(((const char *const *)field)[i])
                                     : option->kind == OPTION_INTEGERS ? json_integer(((const int *)field)[i])
                                                                       : json_real(((const double *)field)[i]));
    }
    return array;
}

static json_t *value_json(const struct option *option, const void *values) {
    const char *field = (const char *)values + option->offset;
    char text[1024];
    option_format(option, values, text, sizeof text);
    if (option->zero && strcmp(text, option->zero) == 0) {
        return json_string(text);
    }
    switch (option->kind) {
    case OPTION_FLAG:
        return json_boolean(*(const bool *)field);
    case OPTION_INTEGER:
        return json_integer(*(const int *)field);
    case OPTION_SEED:
    case OPTION_BYTES:
        return json_integer((json_int_t) * (const uint64_t *)field);
    case OPTION_REAL:
    case OPTION_DURATION:
        return json_real(*(const double *)field);
    case OPTION_TEXTS:
    case OPTION_INTEGERS:
    case OPTION_REALS:
    case OPTION_LAYERS:
        return list_json(option, values);
    case OPTION_HELP:
    case OPTION_CHOICE:
    case OPTION_TEXT:
        break;
    }
    /* A path need not be UTF-8; then it is left out here, and stands in the command line. */
    return *text ? json_string(text) : NULL;
}

char *record_settings(struct option_table table, const void *values) {
    json_t *object = json_object();
    for (size_t i = 0; i < table.count; i++) {
        if (table.options[i].recorded) {
            json_object_set_new(object, table.options[i].name, value_json(&table.options[i], values));
        }
    }
    char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    json_decref(object);
    return text;
}

/* ---- The record ------------------------------------------------------------------------------------------------ */

static const char settings_keyword[] = "Settings";

static void add(struct picture_record *record, const char *keyword, char *value) {
    record->texts[record->count] = (nst_picture_text){keyword, value};
    record->values[record->count++] = value;
}

static char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *format_text(const char *format, ...) {
    char buffer[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(buffer, sizeof buffer, format, list);
    va_end(list);
    return strdup(buffer);
}

/* Those of several devices one after another. */
static char *device_text(const struct picture_provenance *provenance) {
    char all[1024] = "";
    size_t used = 0;
    for (int i = 0; i < provenance->context_count && used < sizeof all; i++) {
        const nst_device_info *device = nst_context_device(provenance->contexts[i]);
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s (%s), %s, driver %s", i ? "; " : "", device->name,
                                 device->platform, device->opencl_version, device->driver);
    }
    return strdup(all);
}

nst_status record_create(const struct picture_provenance *provenance, struct picture_record *record, nst_error *error) {
    const struct arguments *arguments = provenance->arguments;
    const nst_network *network = provenance->network;
    *record = (struct picture_record){0};
    add(record, "Software", format_text("nst %s", NST_VERSION));
    add(record, "Command line", record_command_line(arguments->argc, arguments->argv));
    add(record, "Network", format_text("%s, sha256 %s", nst_network_name(network), nst_network_sha256(network)));
    add(record, "Device", device_text(provenance));
    add(record, "Precision", format_text("%s", provenance->precision == NST_PRECISION_HALF ? "half" : "single"));
    add(record, "Seed", format_text("%" PRIu64, provenance->options->settings.seed));
    add(record, settings_keyword, record_settings(stylize_table, provenance->options));
    for (int i = 0; i < record->count; i++) {
        if (!record->values[i]) {
            record_free(record);
            return fail_memory(error, 1024, "the record of the command");
        }
    }
    return NST_OK;
}

nst_status record_update_settings(struct picture_record *record, const struct stylize_options *options,
                                  nst_error *error) {
    for (int i = 0; i < record->count; i++) {
        if (strcmp(record->texts[i].keyword, settings_keyword) == 0) {
            char *value = record_settings(stylize_table, options);
            if (!value) {
                return fail_memory(error, 1024, "the record of the command");
            }
            free(record->values[i]);
            record->texts[i].value = record->values[i] = value;
        }
    }
    return NST_OK;
}

void record_free(struct picture_record *record) {
    for (int i = 0; i < record->count; i++) {
        free(record->values[i]);
    }
    *record = (struct picture_record){0};
}
