/* device_list.c: the devices that a command works on; see device_list.h. */
#include "cli/device_list.h"

#include <stdlib.h>
#include <string.h>

#include "device/select.h"
#include "support/error.h"

static nst_status add_part(struct device_names *names, const struct device_part *part, nst_error *error) {
    if (names->count == DEVICE_NAMES_MOST) {
        return fail(error, NST_ERROR_ARGUMENT, "expected at most %d devices, found more", DEVICE_NAMES_MOST);
    }
    char *name = names->names[names->count];
    int length =
        snprintf(name, sizeof names->names[0], "%d:%d", part->platform_index % 1000000, part->device_index % 1000000);
    if (part->count > 1) {
        snprintf(name + length, sizeof names->names[0] - (size_t)length, "#%d/%d", part->number % 100,
                 part->count % 100);
    }
    names->pointers[names->count++] = name;
    return NST_OK;
}

static nst_status add(struct device_names *names, int platform_index, int device_index, nst_error *error) {
    return add_part(names, &(struct device_part){platform_index, device_index, 1, 1}, error);
}

static nst_status fail_none(const nst_device_list *list, nst_error *error) {
    return fail(error, NST_ERROR_DEVICE, "there is no OpenCL device that can be used; %s",
                list->note_count ? list->notes[0] : "'nst devices' tells more");
}

static nst_status add_all(const nst_device_list *list, struct device_names *names, nst_error *error) {
    nst_status status = NST_OK;
    for (size_t i = 0; !status && i < list->count; i++) {
        const nst_device_info *device = &list->devices[i];
        if (device->usable && device->alias_of < 0) {
            status = add(names, device->platform_index, device->device_index, error);
        }
    }
    return !status && names->count == 0 ? fail_none(list, error) : status;
}

/* One spec, with `list` filled when it is needed first. */
static nst_status add_one(const char *spec, nst_device_list *list, struct device_names *names, nst_error *error) {
    struct device_part part;
    size_t index;
    if (select_parse_part(spec, &part)) {
        return add_part(names, &part, error);
    }
    nst_status status = list->devices ? NST_OK : nst_device_list_create(list, error);
    if (status) {
        return status;
    }
    if (strcmp(spec, "all") == 0) {
        return add_all(list, names, error);
    }
    if (list->count == 0) {
        return fail_none(list, error);
    }
    status = select_device(list->devices, list->count, spec, &index, error);
    if (status) {
        return status;
    }
    return add(names, list->devices[index].platform_index, list->devices[index].device_index, error);
}

nst_status device_names_find(const char *specs, struct device_names *names, nst_error *error) {
    nst_device_list list = {0};
    nst_status status = NST_OK;
    *names = (struct device_names){0};
    if (!specs || !*specs) {
        specs = getenv("NST_DEVICE");
    }
    if (!specs || !*specs) {
        specs = "auto";
    }
    while (!status && specs) {
        char spec[256];
        size_t length = strcspn(specs, ",");
        snprintf(spec, sizeof spec, "%.*s", (int)(length < sizeof spec ? length : sizeof spec), specs);
        status = *spec
                     ? add_one(spec, &list, names, error)
                     : fail(error, NST_ERROR_ARGUMENT, "--device: expected a device between the commas, found nothing");
        specs = specs[length] ? specs + length + 1 : NULL;
    }
    nst_device_list_free(&list);
    return status;
}

nst_status device_names_check(const struct device_names *names, nst_error *error) {
    for (int i = 0; i < names->count; i++) {
        for (int k = 0; k < i; k++) {
            struct device_part one, other;
            select_parse_part(names->names[i], &one);
            select_parse_part(names->names[k], &other);
            bool is_same = one.platform_index == other.platform_index && one.device_index == other.device_index;
            if (is_same && (one.count != other.count || one.number == other.number)) {
                return fail(error, NST_ERROR_ARGUMENT, "--device: expected each device once, found %s and %s",
                            names->names[k], names->names[i]);
            }
        }
    }
    return NST_OK;
}
