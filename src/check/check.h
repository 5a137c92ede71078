/* check.h: whether a device computes rightly: every kernel by itself against float64 on the host. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "check/report.h"

enum { CHECK_SCHEMA = 1 }; /* of the reports in JSON */

/* Runs every convolution engine and epilogue that the device would use, Gram matrix, pooling, losses and optimizer
 * steps. What goes wrong on the device is told in the report; the only errors returned are those of the host
 * (NST_ERROR_MEMORY). Free with check_report_free, also after a failure. */
nst_status check_run(const char *device, bool no_cache, struct check_report *report, nst_error *error);

#endif
