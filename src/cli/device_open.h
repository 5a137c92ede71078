/* device_open.h: the device for a job: chosen, opened, and checked if it is new here. */
#ifndef CLI_DEVICE_OPEN_H
#define CLI_DEVICE_OPEN_H

#include "nst.h"

/* As nst_context_create and nst_context_check; where `device` names a class (auto, gpu, ...) and the chosen one fails
 * its check, the next one is taken, and told on standard error, unless quiet. */
nst_status device_open(const char *device, bool no_cache, bool quiet, nst_context **context, nst_error *error);

/* Those of a list, as device_names_find has it, in its order, NST_MAX_DEVICES at most; of "all", one that cannot be opened or
 * fails its check is left out, and told on standard error, unless quiet. A spec that is no list is one device. `contexts`
 * holds `count` of them, also after a failure, to be destroyed. Errors besides: NST_ERROR_ARGUMENT (one twice). */
nst_status device_open_list(const char *devices, bool no_cache, bool quiet, nst_context **contexts, int *count,
                            nst_error *error);

#endif
