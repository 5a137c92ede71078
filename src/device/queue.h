/* queue.h: OpenCL's context and command queue of a device. */
#ifndef DEVICE_QUEUE_H
#define DEVICE_QUEUE_H

#include "device/context.h"

/* Opens the platform and device that context->info names. Close with queue_close, also after a failure. */
nst_status queue_open(nst_context *context, bool profiling, nst_error *error);
void queue_close(nst_context *context);

#endif
