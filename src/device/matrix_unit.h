/* matrix_unit.h: the matrix units of GPUs (cl/matrix_unit.h): which a device has, their sizes, and whether they compute
 * rightly. */
#ifndef DEVICE_MATRIX_UNIT_H
#define DEVICE_MATRIX_UNIT_H

#include "device/context.h"

struct matrix_unit {
    const char *name;         /* "nvidia-bf16" */
    int number;               /* MATRIX_UNIT in cl/matrix_unit.h */
    int lanes;                /* work-items of a wave, which execute together */
    int rows, columns, depth; /* of one multiplication */
    int a_lanes;              /* of which the elements of A differ */
    bool takes_floats;        /* else bfloat16 */
    bool splits;              /* reads 11 digits of a float only, which is therefore divided into two */
};

/* Every one there is, a NULL name behind the last. */
extern const struct matrix_unit matrix_units[];

enum { MATRIX_UNIT_OPTIONS_LENGTH = 160 };

/* The build options of kernels for a unit, which is emulated where the context says so. Returns `options`. */
const char *matrix_unit_options(const nst_context *context, const struct matrix_unit *unit,
                                char options[MATRIX_UNIT_OPTIONS_LENGTH]);

/* Finds the units of an open device, and sets context->half_unit and single_unit: those that multiply a few small numbers
 * rightly. The verdict is kept with what else is known of the device; when it is made and is that a unit is not to be
 * used, context->note says so in a sentence. NST_MATRIX_UNIT=off uses none, =half none in single precision; the name of a
 * unit emulates it. Errors: NST_ERROR_ARGUMENT (such a variable with another value). */
nst_status matrix_units_find(nst_context *context, nst_error *error);

/* Whether the unit, real or emulated, multiplies small whole numbers rightly. Errors: those of the compiler and the
 * device; NST_ERROR_DEVICE where a product is wrong. */
nst_status matrix_unit_check(nst_context *context, const struct matrix_unit *unit, nst_error *error);

#endif
