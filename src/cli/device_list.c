/* device_list.c: the devices that a command works on; see device_list.h. */
#include "cli/device_list.h"

#include <stdlib.h>
#include <string.h>

#include "device/select.h"
#include "support/error.h"

static nst_status add(struct device_names *names, int platform_index, int device_index, nst_error *error) {
    if (names->count == DEVICE_NAMES_MOST) {
        return fail(error, NST_ERROR_ARGUMENT, "expected at most %d devices, found more", DEVICE_NAMES_MOST);
    }
    char *name = names->names[names->count];
    snprintf(name, sizeof names->names[0], "%d:%d", platform_index, device_index);
    names->pointers[names->count++] = name;
    return NST_OK;
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
    int platform_index, device_index;
    size_t index;
    if (select_parse_position(spec, &platform_index, &device_index)) {
        return add(names, platform_index, device_index, error);
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
