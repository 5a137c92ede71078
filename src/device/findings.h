/* findings.h: what earlier runs found out about a device: small texts beside the compiled programs, kept with the same
 * care (device/program_cache.h). Each holds for one device model, driver, version of this program and set of kernels;
 * whatever is doubtful counts as nothing found. With NST_KERNEL_DIR set nothing is read or kept. */
#ifndef DEVICE_FINDINGS_H
#define DEVICE_FINDINGS_H

#include "nst.h"

enum findings_kind {
    FINDINGS_SELFTEST, /* device/verdict.h */
    FINDINGS_SPEED,
    FINDINGS_TUNING /* device/tuning.h */
};

/* The text, from malloc; NULL if there is none. */
char *findings_read(const nst_device_info *device, enum findings_kind kind);

/* Replaces the text; NULL removes it. False if that is not possible, which is never an error. */
bool findings_write(const nst_device_info *device, enum findings_kind kind, const char *text);

#endif
