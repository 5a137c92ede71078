/* probe.h: lists devices from a child process, so that a driver that crashes or hangs takes nothing with it. */
#ifndef DEVICE_PROBE_H
#define DEVICE_PROBE_H

#include "nst.h"

/* How long a driver may take. */
enum { PROBE_PATIENCE_MS = 30000 };

/* Fills the list as list_query does. The drivers are asked in a child process, platform by platform; when it dies or is
 * silent for `patience_ms`, a note names the platform and a new child goes on with the next one. Systems without fork
 * ask directly. Best called before the process has opened a device: a child has no copies of a driver's threads. */
nst_status probe_devices(int patience_ms, nst_device_list *list, nst_error *error);

#endif
