/* product_batched.c: many products of the same shape at once on GPUs, by tiles in registers and local memory; see
 * cl/winograd_product.cl. The same by matrix units for floats: cl/product_units.cl. */
#include "device/matrix_unit.h"
#include "network/product_engine.h"

#include <stdio.h>

/* A work-group computes GROUP_ROWS rows x GROUP_COLUMNS columns by work-items of 8 x 8, and has DEPTH rows of both
 * matrices in local memory. For up to FEW_COLUMNS columns it computes no more than these. Rows and columns are read and
 * written in fours. */
enum { GROUP_COLUMNS, DEPTH };
enum { GROUP_ROWS = 64, ITEM_ROWS = 8, ITEM_COLUMNS = 8, FEW_COLUMNS = 64, FOUR = 4, UNIT_WAVES = 4 };
const struct tuning_parameter product_batched_parameters[] = {{"tiles", {64, 128}}, {"depth", {8, 16}}, {NULL, {0}}};

static void set_defaults(const nst_context *context, const struct product_shape *shape, int values[]) {
    (void)context, (void)shape;
    values[GROUP_COLUMNS] = 128;
    values[DEPTH] = 8;
}

/* Work-groups wanted for each compute unit; and how many products one sum takes: at most so many, since long sums lose
 * digits, and at least so many, since each part of C is written and read once more. */
enum { GROUPS_PER_UNIT = 8, MOST_SPAN = 128, LEAST_SPAN = 64 };

struct batched {
    cl_kernel kernel;
    cl_kernel few_kernel; /* for FEW_COLUMNS: made when it is first wanted, since jobs may have large maps only */
};

static bool supports(const nst_context *context, const struct product_shape *shape) {
    return shape->kind == PRODUCT_BATCHED && !context->loops_in_kernel && context->channel_block == 1 &&
           context->work_group >= 128;
}

static bool supports_units(const nst_context *context, const struct product_shape *shape) {
    return supports(context, shape) && context->single_unit;
}

static bool has_units(const struct product *product) {
    return product->engine == &product_batched_units;
}

static nst_status create_kernel(const struct product *product, int columns, cl_kernel *kernel, nst_error *error) {
    const nst_context *context = product->context;
    char unit[MATRIX_UNIT_OPTIONS_LENGTH], options[96 + sizeof unit];
    int length = snprintf(options, sizeof options, "-D BATCHES=%d -D GROUP_CHANNELS=%d -D GROUP_TILES=%d -D DEPTH=%d",
                          product->shape.batches, GROUP_ROWS, columns, product->parameters[DEPTH]);
    if (!has_units(product)) {
        return kernel_create(product->context, "winograd_product.cl", options, "winograd_product", kernel, error);
    }
    snprintf(options + length, sizeof options - (size_t)length, " %s",
             matrix_unit_options(context, context->single_unit, unit));
    return kernel_create(product->context, "product_units.cl", options, "product_units", kernel, error);
}

static nst_status create(struct product *product, nst_error *error) {
    struct batched *batched = product->state;
    return create_kernel(product, product->parameters[GROUP_COLUMNS], &batched->kernel, error);
}

static void release(struct product *product) {
    struct batched *batched = product->state;
    kernel_release(&batched->kernel);
    kernel_release(&batched->few_kernel);
}

static int divide_up(int a, int b) {
    return (a + b - 1) / b;
}
static int fill_up(int a, int multiple) {
    return divide_up(a, multiple) * multiple;
}

static int group_columns(const struct product *product, int columns) {
    return columns <= FEW_COLUMNS ? FEW_COLUMNS : product->parameters[GROUP_COLUMNS];
}

/* Products that are summed up at once. Few columns make few work-groups: then several share the sums of each. */
static int choose_span(const struct product *product, int columns) {
    const struct product_shape *shape = &product->shape;
    int groups =
        divide_up(columns, group_columns(product, columns)) * divide_up(shape->rows, GROUP_ROWS) * shape->batches;
    int span = divide_up(shape->inner, divide_up(GROUPS_PER_UNIT * product->context->work_items, groups));
    span = span < LEAST_SPAN ? LEAST_SPAN : span > MOST_SPAN ? MOST_SPAN : span;
    return fill_up(span, product->parameters[DEPTH]);
}

static struct product_layout layout(const struct product *product, int columns) {
    struct product_layout layout = {.rows = fill_up(product->shape.rows, FOUR), .columns = fill_up(columns, FOUR)};
    layout.parts = divide_up(product->shape.inner, choose_span(product, layout.columns));
    return layout;
}

static nst_status run(struct product *product, const struct product_call *call, nst_error *error) {
    struct batched *batched = product->state;
    const struct product_shape *shape = &product->shape;
    struct product_layout filled = layout(product, call->extent);
    int at_once = group_columns(product, call->extent);
    size_t columns = (size_t)at_once / ITEM_COLUMNS, rows = GROUP_ROWS / ITEM_ROWS;
    if (has_units(product)) {
        columns = UNIT_WAVES * (size_t)product->context->single_unit->lanes;
        rows = 1;
    }
    struct work_size size = {3,
                             {(size_t)divide_up(call->extent, at_once) * columns,
                              (size_t)divide_up(shape->rows, GROUP_ROWS) * rows,
                              (size_t)shape->batches * (size_t)filled.parts},
                             {columns, rows, 1}};
    bool few = at_once != product->parameters[GROUP_COLUMNS];
    cl_kernel *kernel = few ? &batched->few_kernel : &batched->kernel;
    nst_status status = *kernel ? NST_OK : create_kernel(product, at_once, kernel, error);
    return status
               ? status
               : kernel_run(product->context, *kernel, size,
                            ARGUMENTS(arg_buffer(call->a), arg_buffer(call->c), arg_int(shape->inner),
                                      arg_int(shape->rows), arg_int(filled.rows / FOUR), arg_int(call->extent / FOUR),
                                      arg_int((int)call->c_start), arg_int(choose_span(product, call->extent))),
                            error);
}

const struct product_engine product_batched = {
    .name = "batched",
    .needs = "a GPU with work-groups of 128 work-items or more, and a channel block of 1",
    .supports = supports,
    .state_bytes = sizeof(struct batched),
    .create = create,
    .release = release,
    .layout = layout,
    .run = run,
    .parameters = product_batched_parameters,
    .set_defaults = set_defaults,
};

const struct product_engine product_batched_units = {
    .name = "batched-units",
    .needs = "a GPU with matrix units for floats, and a channel block of 1",
    .supports = supports_units,
    .state_bytes = sizeof(struct batched),
    .create = create,
    .release = release,
    .layout = layout,
    .run = run,
    .parameters = product_batched_parameters,
    .set_defaults = set_defaults,
};
