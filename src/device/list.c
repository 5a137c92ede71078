/* list.c: the list of devices; see list.h. */
#include "device/list.h"

#include "device/findings.h"
#include "device/select.h"
#include "support/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool list_add_note(nst_device_list *list, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char **notes = realloc(list->notes, (list->note_count + 1) * sizeof *notes);
    if (!notes) {
        return false;
    }
    list->notes = notes;
    list->notes[list->note_count] = strdup(text);
    if (!list->notes[list->note_count]) {
        return false;
    }
    ++list->note_count;
    return true;
}

/* A platform without devices: normal for Mesa's, whose drivers wait for a card or for a word of permission. */
static bool add_empty_note(nst_device_list *list, const struct platform_report *report) {
    if (report->failure[0]) {
        return list_add_note(list, "The platform %s does not list its devices: %s; check its driver.", report->name,
                             report->failure);
    }
    if (strcmp(report->name, "rusticl") == 0 && !getenv("RUSTICL_ENABLE")) {
        return list_add_note(
            list, "The platform rusticl (Mesa) offers nothing until RUSTICL_ENABLE names its drivers: set it "
                  "to radeonsi (AMD), iris (Intel) or llvmpipe (CPU) if you want one of these.");
    }
    return list_add_note(list,
                         "The platform %s has no devices, which is normal without a card that it supports; for a "
                         "card that is there, install the driver of its vendor.",
                         report->name);
}

bool list_add_report(nst_device_list *list, int platform_index, const struct platform_report *report) {
    if (report->count == 0) {
        return add_empty_note(list, report);
    }
    nst_device_info *devices = realloc(list->devices, (list->count + report->count) * sizeof *devices);
    if (!devices) {
        return false;
    }
    list->devices = devices;
    for (size_t i = 0; i < report->count; ++i) {
        list->devices[list->count] = report->devices[i];
        list->devices[list->count++].platform_index = platform_index;
    }
    return true;
}

void list_complete(nst_device_list *list) {
    for (size_t i = 0; i < list->count; ++i) {
        nst_device_info *device = &list->devices[i];
        device->alias_of = -1;
        device->is_default = false;
        findings_recall(device);
        for (size_t j = 0; j < i && device->bus_address[0] && device->alias_of < 0; ++j) {
            if (list->devices[j].platform_index != device->platform_index &&
                strcmp(list->devices[j].bus_address, device->bus_address) == 0) {
                device->alias_of = list->devices[j].alias_of >= 0 ? list->devices[j].alias_of : (int)j;
            }
        }
    }
    size_t index;
    if (!select_device(list->devices, list->count, "auto", &index, NULL)) {
        list->devices[index].is_default = true;
    }
}

bool list_add_no_platform_note(nst_device_list *list, cl_int code) {
    if (code == PLATFORM_NOT_FOUND) {
        return list_add_note(list, "No OpenCL driver is installed: install pocl-opencl-icd (any CPU), intel-opencl-icd "
                                   "(Intel GPUs), mesa-opencl-icd (AMD GPUs) or the driver of the card's vendor.");
    }
    char failure[OPENCL_FAILURE_LENGTH];
    return list_add_note(list, "The OpenCL platforms cannot be listed: %s.",
                         opencl_failure("clGetPlatformIDs", code, failure));
}

nst_status list_query(int only_platform, nst_device_list *list, nst_error *error) {
    *list = (nst_device_list){0};
    cl_uint count = 0;
    cl_int code = query_platform_count(&count);
    bool complete = code == CL_SUCCESS || list_add_no_platform_note(list, code);
    if (complete && code == CL_SUCCESS && only_platform >= (int)count) {
        complete =
            list_add_note(list, "There is no platform %d: this machine has %u, counted from 0.", only_platform, count);
    }
    for (cl_uint i = 0; complete && i < count; ++i) {
        if (only_platform >= 0 && (cl_uint)only_platform != i) {
            continue;
        }
        struct platform_report report;
        complete = query_platform(i, &report) && list_add_report(list, (int)i, &report);
        platform_report_free(&report);
    }
    if (!complete) {
        nst_device_list_free(list);
        return fail_memory(error, sizeof *list, "the list of devices");
    }
    list_complete(list);
    return NST_OK;
}

nst_status list_fail_empty(const nst_device_list *list, const char *spec, nst_error *error) {
    char notes[800] = "";
    for (size_t i = 0; i < list->note_count; ++i) {
        size_t used = strlen(notes);
        snprintf(notes + used, sizeof notes - used, "\n  %s", list->notes[i]);
    }
    return fail(error, NST_ERROR_DEVICE, "no OpenCL device was found for '%.100s'%s", spec, notes);
}

void nst_device_list_free(nst_device_list *list) {
    if (!list) {
        return;
    }
    for (size_t i = 0; i < list->note_count; ++i) {
        free(list->notes[i]);
    }
    free(list->notes);
    free(list->devices);
    *list = (nst_device_list){0};
}
