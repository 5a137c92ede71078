/* device_open.c: the device for a job; see device_open.h. */
#include "cli/device_open.h"

#include <stdlib.h>

#include "device/select.h"

static bool names_class(const char *device) {
    device = device ? device : getenv("NST_DEVICE");
    return !device || !*device || select_is_class(device);
}

nst_status device_open(const char *device, bool no_cache, bool quiet, nst_context **context, nst_error *error) {
    enum { MOST_TRIES = 4 };
    nst_context_options options = {.device = device, .no_cache = no_cache};
    nst_error ignored;
    /* A device that fails its check is remembered and passed over by the next try. Where that is not possible, or there is
     * no other, the first failure is what the user needs to know. */
    int most = names_class(device) && !no_cache ? MOST_TRIES : 1;
    nst_status status = NST_ERROR_DEVICE;
    for (int i = 0; i < most && status == NST_ERROR_DEVICE; i++) {
        nst_error *told = i == 0 ? error : &ignored;
        status = nst_context_create(&options, context, told);
        if (status != NST_OK)
            return i == 0 ? status : NST_ERROR_DEVICE; /* the error is that of the first try */
        status = nst_context_check(*context, told);
        if (status != NST_OK) {
            nst_context_destroy(*context);
            *context = NULL;
        }
    }
    if (status == NST_OK && !quiet && nst_context_note(*context))
        fprintf(stderr, "nst: %s\n", nst_context_note(*context));
    return status;
}
