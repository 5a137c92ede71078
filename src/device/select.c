/* select.c: chooses a device from a list; see select.h. */
#include "device/select.h"

#include "device/traits.h"
#include "support/error.h"

#include <ctype.h>
#include <string.h>

const char *nst_device_type_name(nst_device_type type) {
    switch (type) {
    case NST_DEVICE_CPU:
        return "cpu";
    case NST_DEVICE_GPU:
        return "gpu";
    case NST_DEVICE_ACCELERATOR:
        return "accelerator";
    case NST_DEVICE_OTHER:
        break;
    }
    return "other";
}

/* ---- Messages -------------------------------------------------------------------------------------------------- */

/* One line for each device, as many as fit. */
static void format_list(const nst_device_info *devices, size_t count, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count; ++i) {
        char line[256];
        const char *why = !devices[i].usable                     ? devices[i].reason
                          : devices[i].check == NST_CHECK_FAILED ? "it failed its self-test"
                                                                 : "";
        int length = snprintf(line, sizeof line, "\n  %d:%d  %.70s (%s, %.40s)%s%.60s", devices[i].platform_index,
                              devices[i].device_index, devices[i].name, nst_device_type_name(devices[i].type),
                              devices[i].platform, *why ? ": " : "", why);
        if (used + (size_t)length + sizeof "\n  ..." > size) {
            snprintf(text + used, size - used, "\n  ...");
            return;
        }
        memcpy(text + used, line, (size_t)length + 1);
        used += (size_t)length;
    }
}

static nst_status fail_choice(const nst_device_info *devices, size_t count, const char *what, nst_error *error) {
    char list[800];
    if (count == 0) {
        return fail(error, NST_ERROR_DEVICE, "%s: no OpenCL device was found", what);
    }
    format_list(devices, count, list, sizeof list);
    return fail(error, NST_ERROR_DEVICE, "%s; choose one of these by its number or by a part of its name:%s", what,
                list);
}

/* ---- By place -------------------------------------------------------------------------------------------------- */

static bool parse_index(const char **text, int *value) {
    long number = 0;
    const char *start = *text;
    while (isdigit((unsigned char)**text) && *text - start < 6) {
        number = 10 * number + (*(*text)++ - '0');
    }
    *value = (int)number;
    return *text > start;
}

bool select_parse_position(const char *spec, int *platform_index, int *device_index) {
    if (!parse_index(&spec, platform_index) || *spec != ':') {
        return false;
    }
    ++spec;
    return parse_index(&spec, device_index) && !*spec;
}

bool select_parse_part(const char *spec, struct device_part *part) {
    *part = (struct device_part){.number = 1, .count = 1};
    if (select_parse_position(spec, &part->platform_index, &part->device_index)) {
        return true;
    }
    bool is_place = parse_index(&spec, &part->platform_index) && *spec++ == ':' &&
                    parse_index(&spec, &part->device_index) && *spec++ == '#';
    bool is_part =
        is_place && parse_index(&spec, &part->number) && *spec++ == '/' && parse_index(&spec, &part->count) && !*spec;
    return is_part && part->number >= 1 && part->number <= part->count && part->count <= DEVICE_PARTS_MOST;
}

/* A device that was asked for by place or name. */
static nst_status require_usable(const nst_device_info *device, nst_error *error) {
    if (!device->usable) {
        return fail(error, NST_ERROR_DEVICE, "device %d:%d (%s) cannot be used: %s", device->platform_index,
                    device->device_index, device->name, device->reason);
    }
    return NST_OK;
}

/* ---- By name --------------------------------------------------------------------------------------------------- */

static void lower(char *text) {
    for (; *text; ++text) {
        *text = (char)tolower((unsigned char)*text);
    }
}

static bool matches(const nst_device_info *device, const char *spec) {
    char description[sizeof device->platform + sizeof device->vendor + sizeof device->name + sizeof device->board + 4];
    char wanted[256];
    snprintf(description, sizeof description, "%s %s %s %s", device->platform, device->vendor, device->name,
             device->board);
    snprintf(wanted, sizeof wanted, "%s", spec);
    lower(description);
    lower(wanted);
    return strlen(spec) < sizeof wanted && strstr(description, wanted) != NULL;
}

/* True if the device is the same card as an earlier match that can be used. */
static bool is_counted_already(const nst_device_info *devices, size_t i, const char *spec) {
    int original = devices[i].alias_of;
    return original >= 0 && (size_t)original < i && devices[original].usable && matches(&devices[original], spec);
}

static nst_status select_by_name(const nst_device_info *devices, size_t count, const char *spec, size_t *index,
                                 nst_error *error) {
    size_t found = 0;
    for (size_t i = 0; i < count; ++i) {
        if (matches(&devices[i], spec) && !is_counted_already(devices, i, spec)) {
            *index = i;
            ++found;
        }
    }
    char what[320];
    if (found == 1) {
        return require_usable(&devices[*index], error);
    }
    if (found == 0) {
        snprintf(what, sizeof what, "no device matches '%.200s'", spec);
    } else {
        snprintf(what, sizeof what, "%zu devices match '%.200s'", found, spec);
    }
    return fail_choice(devices, count, what, error);
}

/* ---- By rank --------------------------------------------------------------------------------------------------- */

enum { ANY_TYPE = -1, NO_CLASS = -2 };

/* The type that a word for a class of devices stands for. */
static int class_of(const char *spec) {
    static const struct {
        const char *word;
        int type;
    } words[] = {
        {"auto", ANY_TYPE},
        {"gpu", NST_DEVICE_GPU},
        {"cpu", NST_DEVICE_CPU},
        {"accelerator", NST_DEVICE_ACCELERATOR},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        if (strcmp(spec, words[i].word) == 0) {
            return words[i].type;
        }
    }
    return NO_CLASS;
}

bool select_is_class(const char *spec) {
    return class_of(spec) != NO_CLASS;
}

static bool is_candidate(const nst_device_info *device, int wanted_type, bool also_failed) {
    return device->usable && (wanted_type == ANY_TYPE || (int)device->type == wanted_type) &&
           (also_failed || device->check != NST_CHECK_FAILED);
}

static bool find_best(const nst_device_info *devices, size_t count, int wanted_type, bool also_failed, size_t *index) {
    int best = 0;
    for (size_t i = 0; i < count; ++i) {
        if (is_candidate(&devices[i], wanted_type, also_failed) && traits_rank(&devices[i]) > best) {
            best = traits_rank(&devices[i]);
            *index = i;
        }
    }
    /* What was measured counts more than what is usual, but only against what was measured, too. */
    for (size_t i = 0; best > 0 && devices[*index].measured_gflops > 0 && i < count; ++i) {
        if (is_candidate(&devices[i], wanted_type, also_failed) &&
            devices[i].measured_gflops > devices[*index].measured_gflops) {
            *index = i;
        }
    }
    return best > 0;
}

bool select_passed_over(const nst_device_info *devices, size_t count, const char *spec, size_t *index) {
    return find_best(devices, count, class_of(spec), true, index) && devices[*index].check == NST_CHECK_FAILED;
}

const char *select_passed_over_note(const nst_device_info *devices, size_t count, const char *spec,
                                    char text[SELECT_NOTE_LENGTH]) {
    size_t index;
    text[0] = 0;
    if (select_is_class(spec) && select_passed_over(devices, count, spec, &index)) {
        const nst_device_info *device = &devices[index];
        snprintf(text, SELECT_NOTE_LENGTH,
                 "device %d:%d (%s) is passed over: it failed its self-test with this driver; 'nst selftest -d %d:%d' "
                 "tells more",
                 device->platform_index, device->device_index, device->name, device->platform_index,
                 device->device_index);
    }
    return text;
}

nst_status select_device(const nst_device_info *devices, size_t count, const char *spec, size_t *index,
                         nst_error *error) {
    char what[96];
    int wanted_type = class_of(spec);
    if (wanted_type != NO_CLASS) {
        if (find_best(devices, count, wanted_type, false, index)) {
            return NST_OK;
        }
        snprintf(what, sizeof what, "there is no usable device%s%s", wanted_type == ANY_TYPE ? "" : " of the type ",
                 wanted_type == ANY_TYPE ? "" : spec);
        return fail_choice(devices, count, what, error);
    }
    int platform_index, device_index;
    if (!select_parse_position(spec, &platform_index, &device_index)) {
        return select_by_name(devices, count, spec, index, error);
    }
    for (size_t i = 0; i < count; ++i) {
        if (devices[i].platform_index == platform_index && devices[i].device_index == device_index) {
            *index = i;
            return require_usable(&devices[i], error);
        }
    }
    snprintf(what, sizeof what, "there is no device %d:%d", platform_index, device_index);
    return fail_choice(devices, count, what, error);
}
