/* survey.c: nst_device_list_create: asks the drivers in a child process, then looks for drivers and cards that are not
 * among what they say. */
#include "device/icd_files.h"
#include "device/list.h"
#include "device/probe.h"
#include "device/system_gpus.h"
#include "support/error.h"

nst_status nst_device_list_create(nst_device_list *list, nst_error *error) {
    nst_status status = probe_devices(PROBE_PATIENCE_MS, list, error);
    if (!status && (!icd_files_note(PROBE_PATIENCE_MS, list) || !system_gpus_note(SYSTEM_PCI_FOLDER, list))) {
        nst_device_list_free(list);
        status = fail_memory(error, sizeof *list, "the list of devices");
    }
    return status;
}
