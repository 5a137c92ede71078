/* option_value.c: the values of options, from text into their fields and back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "support/error.h"
#include "support/text.h"

enum { QUOTE_LENGTH = 64, ITEM_LENGTH = 64 };

_Static_assert(sizeof(nst_optimizer) == sizeof(int) && sizeof(nst_pooling) == sizeof(int) &&
                   sizeof(nst_precision) == sizeof(int),
               "choices are stored as int");

const struct option_choice convention_choices[] = {{"caffe", 0}, {"torchvision", 0}, {0}};
const struct option_choice precision_choices[] = {
    {"auto", NST_PRECISION_AUTO}, {"single", NST_PRECISION_SINGLE}, {"half", NST_PRECISION_HALF}, {0}};

/* Describes what the option accepts, for messages: "a whole number from 16 to 32767". */
static void describe(const struct option *option, char *buffer, size_t size) {
    bool list = option->kind == OPTION_INTEGERS || option->kind == OPTION_REALS;
    bool real = option->kind == OPTION_REAL || option->kind == OPTION_REALS;
    snprintf(buffer, size, "%s%s from %.16g to %.16g%s%s", list ? "" : "a ",
             real   ? list ? "numbers" : "number"
             : list ? "whole numbers"
                    : "whole number",
             option->minimum, option->maximum, option->zero ? " or " : "", option->zero ? option->zero : "");
    if (list) {
        size_t length = strlen(buffer);
        snprintf(buffer + length, size - length, ", at most %d with commas between", option->capacity);
    }
}

static nst_status fail_number(const struct option *option, const char *text, nst_error *error) {
    char quoted[QUOTE_LENGTH], expected[160];
    describe(option, expected, sizeof expected);
    return fail(error, NST_ERROR_ARGUMENT, "--%s: expected %s, found '%s'", option->name, expected,
                option_quote(text, quoted, sizeof quoted));
}

/* One number in the option's range. */
static bool is_zero_word(const struct option *option, const char *text) {
    return option->zero && strcmp(text, option->zero) == 0;
}

static bool read_integer(const struct option *option, const char *text, long long *value) {
    if (is_zero_word(option, text)) {
        *value = 0;
        return true;
    }
    return text_to_integer(text, value) && (double)*value >= option->minimum && (double)*value <= option->maximum;
}

static bool read_real(const struct option *option, const char *text, double *value) {
    if (is_zero_word(option, text)) {
        *value = 0;
        return true;
    }
    return text_to_real(text, value) && *value >= option->minimum && *value <= option->maximum;
}

struct unit {
    const char *name; /* NULL behind the last */
    double size;
};
static const struct unit time_units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {0}};
static const struct unit byte_units[] = {{"", 1},         {"KiB", 0x1p10}, {"MiB", 0x1p20},
                                         {"GiB", 0x1p30}, {"TiB", 0x1p40}, {0}};

/* A number and a unit, or the option's word for none, which is 0. */
static bool read_quantity(const struct option *option, const struct unit *units, const char *text, double *value) {
    char number[ITEM_LENGTH];
    size_t length = strspn(text, "0123456789.");
    *value = 0;
    if (is_zero_word(option, text)) {
        return true;
    }
    if (length == 0 || length >= sizeof number) {
        return false;
    }
    memcpy(number, text, length);
    number[length] = '\0';
    for (; units->name; ++units) {
        if (strcmp(text + length, units->name) == 0) {
            bool is_number = text_to_real(number, value);
            *value *= units->size;
            return is_number && *value >= option->minimum && *value <= option->maximum;
        }
    }
    return false;
}

static bool read_bytes(const struct option *option, const char *text, uint64_t *bytes) {
    double value;
    bool is_right = read_quantity(option, byte_units, text, &value);
    *bytes = is_right ? (uint64_t)value : 0;
    return is_right && (*bytes > 0 || is_zero_word(option, text)); /* half a byte is none */
}

static nst_status fail_bytes(const struct option *option, const char *text, nst_error *error) {
    char quoted[QUOTE_LENGTH];
    return fail(error, NST_ERROR_ARGUMENT, "--%s: expected bytes such as 500MiB, 1.5GiB or 2147483648%s%s, found '%s'",
                option->name, option->zero ? ", or " : "", option->zero ? option->zero : "",
                option_quote(text, quoted, sizeof quoted));
}

static nst_status fail_duration(const struct option *option, const char *text, nst_error *error) {
    char quoted[QUOTE_LENGTH];
    return fail(error, NST_ERROR_ARGUMENT,
                "--%s: expected a time such as 90s, 1.5min or 2h, from %g to %g seconds%s%s, found '%s'", option->name,
                option->minimum, option->maximum, option->zero ? ", or " : "", option->zero ? option->zero : "",
                option_quote(text, quoted, sizeof quoted));
}

/* Copies the item of a comma-separated list that begins at `*list` into `item`, and moves `*list` to the next one, or
 * to NULL behind the last. False if the item is empty or too long. */
static bool next_item(const char **list, char item[ITEM_LENGTH]) {
    size_t length = strcspn(*list, ",");
    if (length == 0 || length >= ITEM_LENGTH) {
        return false;
    }
    memcpy(item, *list, length);
    item[length] = '\0';
    *list = (*list)[length] ? *list + length + 1 : NULL;
    return true;
}

static nst_status store_numbers(const struct option *option, const char *text, void *field, int *count,
                                nst_error *error) {
    const char *rest = text;
    char item[ITEM_LENGTH];
    int stored = 0;
    for (; rest; stored++) {
        long long integer = 0;
        double real = 0;
        if (stored == option->capacity || !next_item(&rest, item)) {
            return fail_number(option, text, error);
        }
        if (option->kind == OPTION_INTEGERS ? !read_integer(option, item, &integer) : !read_real(option, item, &real)) {
            return fail_number(option, text, error);
        }
        if (option->kind == OPTION_INTEGERS) {
            ((int *)field)[stored] = (int)integer;
        } else {
            ((double *)field)[stored] = real;
        }
    }
    *count = stored;
    return NST_OK;
}

static nst_status fail_layers(const struct option *option, const char *text, nst_error *error) {
    char quoted[QUOTE_LENGTH];
    return fail(error, NST_ERROR_ARGUMENT,
                "--%s: expected at most %d layers with commas between, each with its weight if it is not 1, such as "
                "relu1_1,relu2_1:0.5, found '%s'",
                option->name, NST_MAX_LAYERS, option_quote(text, quoted, sizeof quoted));
}

static nst_status store_layers(const struct option *option, const char *text, nst_layer_list *layers,
                               nst_error *error) {
    nst_layer_list list = {0};
    const char *rest = text;
    while (rest) {
        char item[ITEM_LENGTH];
        if (list.count == NST_MAX_LAYERS || !next_item(&rest, item)) {
            return fail_layers(option, text, error);
        }
        nst_layer_weight *layer = &list.layers[list.count++];
        layer->weight = 1;
        char *colon = strchr(item, ':');
        if (colon) {
            *colon = '\0';
            if (!read_real(option, colon + 1, &layer->weight)) {
                return fail_layers(option, text, error);
            }
        }
        size_t length = strlen(item);
        if (length == 0 || length >= sizeof layer->name) {
            return fail_layers(option, text, error);
        }
        memcpy(layer->name, item, length + 1);
        for (int i = 0; i < list.count - 1; i++) {
            if (strcmp(list.layers[i].name, layer->name) == 0) {
                return fail(error, NST_ERROR_ARGUMENT, "--%s: expected each layer once, found %s twice", option->name,
                            layer->name);
            }
        }
    }
    *layers = list;
    return NST_OK;
}

/* Finds the choice of that name. */
static nst_status find_choice(const struct option *option, const char *text, const struct option_choice **choice,
                              nst_error *error) {
    const char *names[16];
    char expected[160] = "", quoted[QUOTE_LENGTH];
    size_t count = 0, length = 0;
    for (; option->choices[count].name && count < 16; count++) {
        names[count] = option->choices[count].name;
        if (strcmp(text, names[count]) == 0) {
            *choice = &option->choices[count];
            return NST_OK;
        }
        const char *between = count == 0 ? "" : option->choices[count + 1].name ? ", " : " or ";
        length += (size_t)snprintf(expected + length, sizeof expected - length, "%s%s", between, names[count]);
    }
    option_quote(text, quoted, sizeof quoted);
    const char *nearest = *text > '9' ? text_nearest(text, names, count) : NULL; /* numbers are not near by spelling */
    if (nearest) {
        return fail(error, NST_ERROR_ARGUMENT, "--%s: expected %s, found '%s'; did you mean %s?", option->name,
                    expected, quoted, nearest);
    }
    return fail(error, NST_ERROR_ARGUMENT, "--%s: expected %s, found '%s'", option->name, expected, quoted);
}

static nst_status fail_empty(const struct option *option, nst_error *error) {
    return fail(error, NST_ERROR_ARGUMENT, "--%s: expected %s, found ''", option->name, option->argument);
}

/* Of an option that is given several times. */
static nst_status store_another_text(const struct option *option, const char *text, void *values, nst_error *error) {
    const char **texts = (const char **)((char *)values + option->offset);
    int *count = (int *)((char *)values + option->count_offset);
    if (!*text) {
        return fail_empty(option, error);
    }
    if (*count == option->capacity) {
        return fail(error, NST_ERROR_ARGUMENT, "--%s: expected it at most %d times", option->name, option->capacity);
    }
    texts[(*count)++] = text;
    return NST_OK;
}

static nst_status store(const struct option *option, const char *text, void *values, nst_error *error) {
    char *field = (char *)values + option->offset;
    long long integer;
    const struct option_choice *choice = NULL;
    if (option->choices) {
        nst_status status = find_choice(option, text, &choice, error);
        if (status) {
            return status;
        }
    }
    switch (option->kind) {
    case OPTION_HELP:
        return NST_OK;
    case OPTION_FLAG:
        *(bool *)field = true;
        return NST_OK;
    case OPTION_INTEGER:
    case OPTION_SEED:
        if (!read_integer(option, text, &integer)) {
            return fail_number(option, text, error);
        }
        if (option->kind == OPTION_SEED) {
            *(uint64_t *)field = (uint64_t)integer;
        } else {
            *(int *)field = (int)integer;
        }
        return NST_OK;
    case OPTION_REAL:
        return read_real(option, text, (double *)field) ? NST_OK : fail_number(option, text, error);
    case OPTION_DURATION:
        return read_quantity(option, time_units, text, (double *)field) ? NST_OK : fail_duration(option, text, error);
    case OPTION_BYTES:
        return read_bytes(option, text, (uint64_t *)field) ? NST_OK : fail_bytes(option, text, error);
    case OPTION_CHOICE:
        *(int *)field = choice->value;
        return NST_OK;
    case OPTION_TEXT:
        if (!*text) {
            return fail_empty(option, error);
        }
        *(const char **)field = text;
        return NST_OK;
    case OPTION_TEXTS:
        return store_another_text(option, text, values, error);
    case OPTION_INTEGERS:
    case OPTION_REALS:
        return store_numbers(option, text, field, (int *)((char *)values + option->count_offset), error);
    case OPTION_LAYERS:
        return store_layers(option, text, (nst_layer_list *)field, error);
    }
    return NST_OK;
}

nst_status arguments_store(const struct arguments *arguments, void *values, nst_error *error) {
    for (size_t i = 0; i < arguments->given_count; i++) {
        nst_status status = store(arguments->given[i].option, arguments->given[i].text, values, error);
        if (status) {
            return status;
        }
    }
    return NST_OK;
}

/* ---- Back to text ---------------------------------------------------------------------------------------------- */

/* Appends one item of a list, after a comma if it is not the first; what does not fit is cut off. */
static void append(char *buffer, size_t size, const char *item) {
    size_t length = strlen(buffer);
    snprintf(buffer + length, size - length, "%s%s", length ? "," : "", item);
}

static void format_list(const struct option *option, const void *values, char *buffer, size_t size) {
    const char *field = (const char *)values + option->offset;
    const nst_layer_list *layers = (const nst_layer_list *)field;
    int count =
        option->kind == OPTION_LAYERS ? layers->count : *(const int *)((const char *)values + option->count_offset);
    for (int i = 0; i < count; i++) {
        char item[ITEM_LENGTH];
        if (option->kind == OPTION_TEXTS) {
            append(buffer, size, ((const char *const *)field)[i]);
            continue;
        }
        if (option->kind == OPTION_INTEGERS) {
            snprintf(item, sizeof item, "%d", ((const int *)field)[i]);
        } else if (option->kind == OPTION_REALS) {
            snprintf(item, sizeof item, "%.15g", ((const double *)field)[i]);
        } else if (layers->layers[i].weight == 1) {
            snprintf(item, sizeof item, "%s", layers->layers[i].name);
        } else {
            snprintf(item, sizeof item, "%s:%.15g", layers->layers[i].name, layers->layers[i].weight);
        }
        append(buffer, size, item);
    }
}

const char *option_format(const struct option *option, const void *values, char *buffer, size_t size) {
    const char *field = (const char *)values + option->offset;
    buffer[0] = '\0';
    switch (option->kind) {
    case OPTION_HELP:
    case OPTION_FLAG:
        break;
    case OPTION_INTEGER:
        snprintf(buffer, size, "%d", *(const int *)field);
        break;
    case OPTION_SEED:
    case OPTION_BYTES:
        snprintf(buffer, size, "%" PRIu64, *(const uint64_t *)field);
        break;
    case OPTION_REAL:
        snprintf(buffer, size, "%.15g", *(const double *)field);
        break;
    case OPTION_DURATION:
        snprintf(buffer, size, *(const double *)field > 0 ? "%.15gs" : "0", *(const double *)field);
        break;
    case OPTION_CHOICE:
        for (const struct option_choice *choice = option->choices; choice->name; choice++) {
            if (choice->value == *(const int *)field) {
                snprintf(buffer, size, "%s", choice->name);
            }
        }
        break;
    case OPTION_TEXT:
        if (*(const char *const *)field) {
            snprintf(buffer, size, "%s", *(const char *const *)field);
        }
        break;
    case OPTION_TEXTS:
    case OPTION_INTEGERS:
    case OPTION_REALS:
    case OPTION_LAYERS:
        format_list(option, values, buffer, size);
        break;
    }
    if (option->zero && strcmp(buffer, "0") == 0) {
        snprintf(buffer, size, "%s", option->zero);
    }
    return buffer;
}
