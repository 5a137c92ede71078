/* matrix_unit.c: matrix units: the table of them, and their check by known answers; see matrix_unit.h. */
#include "device/matrix_unit.h"

#include "device/findings.h"
#include "device/traits.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

const struct matrix_unit matrix_units[] = {
    {"nvidia-bf16", 1, 32, 16, 8, 16, 32, false, false},
    {"nvidia-tf32", 2, 32, 16, 8, 8, 32, true, true},
    {"wmma-gfx11", 3, 32, 16, 16, 16, 16, false, false},
    {"wmma-gfx12", 4, 32, 16, 16, 16, 32, false, false},
    {"mfma-bf16", 5, 64, 16, 16, 16, 64, false, false},
    {"mfma-f32", 6, 64, 16, 16, 4, 64, true, false},
    {"xmx-8", 7, 8, 8, 8, 16, 8, false, false},
    {"xmx-16", 8, 16, 8, 16, 16, 16, false, false},
    {NULL, 0, 0, 0, 0, 0, 0, false, false},
};

static const struct matrix_unit *find(const char *name) {
    const struct matrix_unit *unit = matrix_units;
    while (unit->name && strcmp(unit->name, name) != 0) {
        ++unit;
    }
    return unit->name ? unit : NULL;
}

const char *matrix_unit_options(const nst_context *context, const struct matrix_unit *unit,
                                char options[MATRIX_UNIT_OPTIONS_LENGTH]) {
    snprintf(options, MATRIX_UNIT_OPTIONS_LENGTH,
             "-D MATRIX_UNIT=%d -D UNIT_LANES=%d -D UNIT_ROWS=%d -D UNIT_COLUMNS=%d -D UNIT_DEPTH=%d "
             "-D UNIT_SPLITS=%d%s",
             unit->number, unit->lanes, unit->rows, unit->columns, unit->depth, unit->splits,
             context->emulates_units ? " -D UNIT_EMULATED=1" : "");
    return options;
}

/* ---- Known answers ----------------------------------------------------------------------------------------------- */

/* Two multiplications, one behind the other, that add to sums that are there already. */
enum { MOST_SIDE = 16, MOST_INNER = 2 * 16, STEPS = 2 };

struct answers {
    float a[MOST_SIDE * MOST_INNER], b[MOST_INNER * MOST_SIDE], c[MOST_SIDE * MOST_SIDE]; /* b: [columns][inner] */
    float expected[MOST_SIDE * MOST_SIDE];
};

/* Whole numbers that the unit represents exactly, and sums that a float does. */
static void fill_answers(const struct matrix_unit *unit, struct answers *answers) {
    int inner = STEPS * unit->depth, range = unit->takes_floats ? 1001 : 201;
    unsigned number = 1;
    for (int i = 0; i < unit->rows * inner; ++i) {
        number = number * 1103515245u + 12345u;
        answers->a[i] = (float)((int)(number >> 16) % range - range / 2);
    }
    for (int i = 0; i < unit->columns * inner; ++i) {
        number = number * 1103515245u + 12345u;
        answers->b[i] = (float)((int)(number >> 16) % range - range / 2);
    }
    for (int row = 0; row < unit->rows; ++row) {
        for (int column = 0; column < unit->columns; ++column) {
            float sum = answers->c[row * unit->columns + column] = (float)(row - column);
            for (int k = 0; k < inner; ++k) {
                sum += answers->a[row * inner + k] * answers->b[column * inner + k];
            }
            answers->expected[row * unit->columns + column] = sum;
        }
    }
}

static nst_status create_filled(nst_context *context, const float *values, size_t count, cl_mem *buffer,
                                nst_error *error) {
    nst_status status = buffer_create(context, count * sizeof *values, "the check of matrix units", buffer, error);
    return status ? status : buffer_write(context, *buffer, 0, values, count * sizeof *values, error);
}

static nst_status run_answers(nst_context *context, const struct matrix_unit *unit, struct answers *answers,
                              nst_error *error) {
    char options[MATRIX_UNIT_OPTIONS_LENGTH];
    cl_mem buffers[3] = {NULL, NULL, NULL};
    cl_kernel kernel = NULL;
    size_t inner = STEPS * (size_t)unit->depth, rows = (size_t)unit->rows, columns = (size_t)unit->columns;
    size_t lanes = (size_t)unit->lanes;
    nst_status status = kernel_create(context, "matrix_unit_check.cl", matrix_unit_options(context, unit, options),
                                      "matrix_unit_check", &kernel, error);
    status = status ? status : create_filled(context, answers->a, rows * inner, &buffers[0], error);
    status = status ? status : create_filled(context, answers->b, columns * inner, &buffers[1], error);
    status = status ? status : create_filled(context, answers->c, rows * columns, &buffers[2], error);
    if (!status) {
        struct work_size size = {1, {lanes, 1, 1}, {lanes, 1, 1}};
        status = kernel_run(
            context, kernel, size,
            ARGUMENTS(arg_buffer(buffers[0]), arg_buffer(buffers[1]), arg_buffer(buffers[2]), arg_int((int)inner)),
            error);
    }
    status = status ? status : buffer_read(context, buffers[2], 0, answers->c, rows * columns * sizeof(float), error);
    for (int i = 0; i < 3; ++i) {
        buffer_release(context, &buffers[i]);
    }
    kernel_release(&kernel);
    return status;
}

nst_status matrix_unit_check(nst_context *context, const struct matrix_unit *unit, nst_error *error) {
    struct answers answers;
    fill_answers(unit, &answers);
    nst_status status = run_answers(context, unit, &answers, error);
    for (int i = 0; !status && i < unit->rows * unit->columns; ++i) {
        if (answers.c[i] != answers.expected[i]) {
            status = fail(error, NST_ERROR_DEVICE, "row %d, column %d of a product is %g, not %g", i / unit->columns,
                          i % unit->columns, (double)answers.c[i], (double)answers.expected[i]);
        }
    }
    return status;
}

/* ---- Which a device has ------------------------------------------------------------------------------------------ */

static const char passed[] = "passed";

/* NULL unless the unit computes rightly, as was found out before or is now. */
static const struct matrix_unit *trust(nst_context *context, const struct matrix_unit *unit,
                                       enum findings_kind finding) {
    if (!unit) {
        return NULL;
    }
    char *known = context->keeps_findings ? findings_read(&context->info, finding) : NULL;
    bool is_right = known && strcmp(known, passed) == 0, is_new = !known;
    free(known);
    if (is_new) {
        nst_error error;
        is_right = !matrix_unit_check(context, unit, &error);
        error.message[strcspn(error.message, "\n;")] = 0; /* of a compiler's log, the first line */
        if (!is_right && !*context->note) {
            snprintf(context->note, sizeof context->note,
                     "the matrix units of %.60s (%s) are not used: %.200s; the other kernels do their work",
                     context->info.name, unit->name, error.message);
        }
        if (context->keeps_findings) {
            findings_write(&context->info, finding, is_right ? passed : "refused");
        }
    }
    return is_right ? unit : NULL;
}

nst_status matrix_units_find(nst_context *context, nst_error *error) {
    const char *setting = getenv("NST_MATRIX_UNIT");
    setting = setting ? setting : "";
    const struct matrix_unit *emulated = find(setting);
    bool off = strcmp(setting, "off") == 0, half_only = strcmp(setting, "half") == 0;
    if (*setting && !off && !half_only && !emulated) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "NST_MATRIX_UNIT is '%s': expected off, half, or the name of a unit to emulate, such as %s",
                    setting, matrix_units[0].name);
    }
    if (off || context->loops_in_kernel || context->channel_block != 1) {
        return NST_OK;
    }
    if (emulated) {
        context->emulates_units = true;
        *(emulated->takes_floats ? &context->single_unit : &context->half_unit) = emulated;
        return NST_OK;
    }
    struct traits_units units = traits_matrix_units(context);
    context->half_unit = trust(context, units.half ? find(units.half) : NULL, FINDINGS_HALF_UNIT);
    context->single_unit =
        half_only ? NULL : trust(context, units.single ? find(units.single) : NULL, FINDINGS_SINGLE_UNIT);
    return NST_OK;
}
