/* fingerprint.h: what results depend on besides the command, in words, to tell whether another process would get the same
 * ones: the device, and how it computes. */
#ifndef DEVICE_FINGERPRINT_H
#define DEVICE_FINGERPRINT_H

#include "device/context.h"

enum { FINGERPRINT_LENGTH = 800 };

/* Name, platform, versions and compute units: "NVIDIA H100 (NVIDIA CUDA), OpenCL 3.0, driver 580, 132 compute units". */
void fingerprint_device(const nst_context *context, char text[FINGERPRINT_LENGTH]);

/* The bodies of kernels and how work is divided, with the SHA-256 of the kernels' text and of what the tuner chose. */
void fingerprint_kernels(const nst_context *context, char text[FINGERPRINT_LENGTH]);

#endif
