/* traits.h: what differs between vendors, all of it. */
#ifndef DEVICE_TRAITS_H
#define DEVICE_TRAITS_H

#include "device/context.h"

/* How well a device suits the automatic choice: the larger, the better. Discrete GPU, integrated GPU, accelerator, CPU
 * by a driver made for it, CPU through a graphics emulation (llvmpipe), simulator (Oclgrind). */
int traits_rank(const nst_device_info *device);

/* The type of a device, for platforms whose own answer does not help. */
nst_device_type traits_type(const char *platform, cl_device_type reported);

/* True if the driver keeps compiled programs itself, and well enough. */
bool traits_keeps_programs(const nst_device_info *device);

/* The floats of a processor's vector, 4, 8 or 16: its channel block unless something says otherwise. */
int traits_vector_width(const nst_device_info *device);

/* Reads a channel block; false for what is none. */
bool traits_parse_block(const char *text, int *block);

/* Whether the environment says which block is used. */
bool traits_block_is_given(void);

/* The most floating-point operations that one dispatch should do on a device: what takes 0.1 s. Much longer ones freeze
 * the screen, or are stopped by the system. From compute units and clock alone, not from what was measured: results may
 * depend on how work is divided, and must not depend on what ran before. */
double traits_dispatch_flop(const nst_device_info *device);

/* The names of the matrix units (device/matrix_unit.h) that an open device should have, for maps of 16 bits and for
 * floats; NULL where there is none. */
struct traits_units {
    const char *half, *single;
};
struct traits_units traits_matrix_units(const nst_context *context);

/* Sets loops_in_kernel, channel_block, work_items, work_group and the rest of what is decided once from context->info and
 * context->device, which must be open.
 * For tests, the environment may say otherwise: NST_DEVICE_STYLE=cpu|gpu, NST_CHANNEL_BLOCK=1|4|8|16.
 * Errors: NST_ERROR_ARGUMENT (such a variable with another value). */
nst_status traits_apply(nst_context *context, nst_error *error);

#endif
