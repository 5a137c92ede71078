/* device_open.c: the device for a job; see device_open.h. */
#include "cli/device_open.h"

#include <stdlib.h>
#include <string.h>

#include "cli/device_list.h"
#include "device/list.h"
#include "device/probe.h"
#include "device/select.h"
#include "support/error.h"

/* Opens P:D and checks it; one that fails is closed. */
static nst_status create_checked(const char *place, bool no_cache, nst_context **context, bool *computes_wrongly,
                                 nst_error *error) {
    nst_context_options options = {.device = place, .no_cache = no_cache};
    nst_status status = nst_context_create(&options, context, error);
    *computes_wrongly = false;
    if (!status) {
        status = nst_context_check(*context, error);
        *computes_wrongly = status == NST_ERROR_DEVICE;
    }
    if (status) {
        nst_context_destroy(*context);
        *context = NULL;
    }
    return status;
}

static void tell_passed_over(const nst_device_list *list, const char *spec) {
    char note[SELECT_NOTE_LENGTH];
    if (*select_passed_over_note(list->devices, list->count, spec, note)) {
        fprintf(stderr, "nst: %s\n", note);
    }
}

/* Takes the chosen device of the list, or the next one while it computes wrongly and the choice leaves room. */
static nst_status open_from_list(nst_device_list *list, const char *spec, bool no_cache, bool quiet,
                                 nst_context **context, nst_error *error) {
    size_t index;
    bool computes_wrongly = true;
    nst_status status = NST_ERROR_DEVICE;
    for (size_t tries = 0; computes_wrongly && tries < list->count; tries++) {
        char place[32];
        nst_error ignored;
        /* Where no other is left, the first failure is what the user needs to know. */
        nst_error *told = tries == 0 ? error : &ignored;
        if (select_device(list->devices, list->count, spec, &index, told)) {
            return NST_ERROR_DEVICE;
        }
        snprintf(place, sizeof place, "%d:%d", list->devices[index].platform_index, list->devices[index].device_index);
        status = create_checked(place, no_cache, context, &computes_wrongly, told);
        list->devices[index].check = computes_wrongly ? NST_CHECK_FAILED : list->devices[index].check;
        computes_wrongly = computes_wrongly && select_is_class(spec);
    }
    if (!status && !quiet) {
        tell_passed_over(list, spec);
    }
    return status;
}

nst_status device_open(const char *device, bool no_cache, bool quiet, nst_context **context, nst_error *error) {
    struct device_part part;
    bool computes_wrongly;
    nst_device_list list;
    const char *spec = device && *device ? device : getenv("NST_DEVICE");
    spec = spec && *spec ? spec : "auto";
    if (select_parse_part(spec, &part)) {
        return create_checked(spec, no_cache, context, &computes_wrongly, error);
    }
    /* The drivers are asked in a child process: one that crashes takes nothing with it. */
    nst_status status = probe_devices(PROBE_PATIENCE_MS, &list, error);
    if (!status && list.count == 0) { /* once more, with every reason why */
        nst_device_list_free(&list);
        status = nst_device_list_create(&list, error);
    }
    if (status) {
        return status;
    }
    for (size_t i = 0; no_cache && i < list.count; i++) {
        list.devices[i].check = NST_CHECK_UNKNOWN;
        list.devices[i].measured_gflops = 0;
    }
    status =
        list.count ? open_from_list(&list, spec, no_cache, quiet, context, error) : list_fail_empty(&list, spec, error);
    nst_device_list_free(&list);
    return status;
}

nst_status device_open_list(const char *devices, bool no_cache, bool quiet, nst_context **contexts, int *count,
                            nst_error *error) {
    const char *specs = devices && *devices ? devices : getenv("NST_DEVICE");
    struct device_names names;
    bool is_all = specs && strcmp(specs, "all") == 0, computes_wrongly;
    *count = 0;
    if (!specs || !(is_all || strchr(specs, ','))) {
        nst_status status = device_open(devices, no_cache, quiet, &contexts[0], error);
        *count = !status;
        return status;
    }
    nst_status status = device_names_find(specs, &names, error);
    status = status ? status : device_names_check(&names, error);
    if (!status && names.count > NST_MAX_DEVICES) {
        status = fail(error, NST_ERROR_ARGUMENT, "--device: expected at most %d devices, found %d", NST_MAX_DEVICES,
                      names.count);
    }
    for (int i = 0; !status && i < names.count; i++) {
        status = create_checked(names.names[i], no_cache, &contexts[*count], &computes_wrongly, error);
        *count += !status;
        if (status && is_all && (*count > 0 || i + 1 < names.count)) {
            status = NST_OK;
            if (!quiet) {
                fprintf(stderr, "nst: %s is left out: %s\n", names.names[i], error->message);
            }
        }
    }
    return status;
}
