/* findings.h: what earlier runs found out about a device: small texts beside the compiled programs, kept with the same
 * care (device/program_cache.h). Each holds for one device model, driver, version of this program and set of kernels;
 * whatever is doubtful counts as nothing found. With NST_KERNEL_DIR set nothing is read or kept. */
#ifndef DEVICE_FINDINGS_H
#define DEVICE_FINDINGS_H

#include "nst.h"

enum findings_kind {
    FINDINGS_CHECK,  /* "passed", or what the device computed wrongly */
    FINDINGS_SPEED,  /* millions of floating-point operations per second of an iteration */
    FINDINGS_TUNING, /* device/tuning.h */
    FINDINGS_HALF_UNIT,
    FINDINGS_SINGLE_UNIT /* device/matrix_unit.h: "passed" or "refused" */
};

/* The text, from malloc; NULL if there is none. */
char *findings_read(const nst_device_info *device, enum findings_kind kind);

/* Replaces the text; NULL removes it. False if that is not possible, which is never an error. */
bool findings_write(const nst_device_info *device, enum findings_kind kind, const char *text);

/* Fills in check, check_reason and measured_gflops. */
void findings_recall(nst_device_info *device);

/* Keeps what a check found; `reason` is NULL if nothing was wrong. */
bool findings_keep_check(const nst_device_info *device, const char *reason);
bool findings_keep_speed(const nst_device_info *device, double gflops);

#endif
