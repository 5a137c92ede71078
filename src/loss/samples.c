/* samples.c: samples of feature maps on the device; see samples.h. */
#include "loss/samples.h"

#include "network/convolution.h"
#include "support/error.h"

struct sample_line sample_line_aligned(int side, int count) {
    return count > 1 ? (struct sample_line){side - 1, 0, count - 1, count} : (struct sample_line){0, 0, 1, count};
}

struct sample_line sample_line_strided(int side, int stride, int offset) {
    return (struct sample_line){stride, offset, 1, (side - offset + stride - 1) / stride};
}

int sample_grid_positions(const struct sample_grid *grid) {
    return grid->rows.count * grid->columns.count;
}

int sample_blocks(const nst_context *context, int channels) {
    return (channels + context->channel_block - 1) / context->channel_block;
}

uint64_t sample_stack_bytes(const nst_context *context, int blocks, int positions) {
    return (uint64_t)blocks * (uint64_t)positions * (uint64_t)context->channel_block * sizeof(float);
}

nst_status samples_create(nst_context *context, bool half_maps, struct samples *samples, nst_error *error) {
    *samples = (struct samples){0};
    const struct kernel_row kernels[] = {{"samples_read", &samples->read},
                                         {"samples_read_tile", &samples->read_tile},
                                         {"samples_read_listed", &samples->read_listed},
                                         {"samples_gradient", &samples->gradient},
                                         {"samples_mean", &samples->mean},
                                         {"samples_subtract", &samples->subtract},
                                         {"samples_squares", &samples->squares}};
    return kernels_create(context, "samples.cl", feature_map_option(half_maps), kernels,
                          sizeof kernels / sizeof *kernels, error);
}

void samples_release(struct samples *samples) {
    kernel_release(&samples->read);
    kernel_release(&samples->read_tile);
    kernel_release(&samples->read_listed);
    kernel_release(&samples->gradient);
    kernel_release(&samples->mean);
    kernel_release(&samples->subtract);
    kernel_release(&samples->squares);
}

static struct kernel_argument line_argument(struct sample_line line) {
    return arg_int4(line.step, line.start, line.unit, line.count);
}

static struct kernel_argument core_argument(const struct sample_source *source) {
    const struct rectangle *core = &source->tile.core;
    return source->in_tiles ? arg_int4(core->y, core->x, core->height, core->width)
                            : arg_int4(0, 0, source->height, source->width);
}
static struct kernel_argument place_argument(const struct sample_source *source) {
    const struct sample_tile *tile = &source->tile;
    return source->in_tiles ? arg_int4(tile->y, tile->x, tile->whole.height, tile->whole.width)
                            : arg_int4(0, 0, source->height, source->width);
}

/* The first position of a line that may read the pixel `at` or those behind it. */
static int first_at(struct sample_line line, int at) {
    long long above = (at - 1LL) * line.unit - line.start;
    long long first = line.step > 0 && above > 0 ? above / line.step : 0;
    return first < line.count ? (int)first : line.count;
}

static nst_status read_tile(nst_context *context, const struct samples *samples, const struct sample_source *source,
                            const struct sample_stack *stack, nst_error *error) {
    const struct sample_tile *tile = &source->tile;
    const struct sample_line *rows = &source->grid.rows, *columns = &source->grid.columns;
    int top = tile->y + tile->core.y, left = tile->x + tile->core.x;
    int first_row = 0, first_column = 0, row_count = rows->count, column_count = columns->count;
    if (!tile->is_first) { /* else all of them are set to zero besides */
        int last_row = first_at(*rows, top + tile->core.height + 1) + 1;
        int last_column = first_at(*columns, left + tile->core.width + 1) + 1;
        first_row = first_at(*rows, top);
        first_column = first_at(*columns, left);
        row_count = (last_row < rows->count ? last_row : rows->count) - first_row;
        column_count = (last_column < columns->count ? last_column : columns->count) - first_column;
    }
    if (row_count <= 0 || column_count <= 0) {
        return NST_OK;
    }
    size_t count = (size_t)stack->blocks * (size_t)row_count * (size_t)column_count;
    return kernel_run(context, samples->read_tile, work_range(context, count),
                      ARGUMENTS(arg_buffer(source->map), arg_buffer(stack->samples), arg_int(stack->first_block),
                                arg_int(stack->blocks), arg_int(source->height), arg_int(source->width),
                                line_argument(*rows), line_argument(*columns), core_argument(source),
                                place_argument(source), arg_int4(first_row, first_column, row_count, column_count),
                                arg_float((float)source->scale), arg_int(tile->is_first)),
                      error);
}

nst_status samples_read(nst_context *context, const struct samples *samples, const struct sample_source *source,
                        const struct sample_stack *stack, nst_error *error) {
    if (source->in_tiles && source->list) {
        return fail(
            error, NST_ERROR_ARGUMENT,
            "nearest neighbors cannot take a style with transparency in tiles: remove it, or choose a smaller size");
    }
    if (source->in_tiles) {
        return read_tile(context, samples, source, stack, error);
    }
    if (source->list) {
        return kernel_run(
            context, samples->read_listed, work_range(context, (size_t)stack->blocks * (size_t)stack->positions),
            ARGUMENTS(arg_buffer(source->map), arg_buffer(source->list), arg_buffer(stack->samples),
                      arg_int(stack->first_block), arg_int(stack->blocks), arg_int(source->height),
                      arg_int(source->width), line_argument(source->grid.rows), line_argument(source->grid.columns),
                      arg_int(stack->positions), arg_float((float)source->scale)),
            error);
    }
    return kernel_run(context, samples->read, work_range(context, (size_t)stack->blocks * (size_t)stack->positions),
                      ARGUMENTS(arg_buffer(source->map), arg_buffer(stack->samples), arg_int(stack->first_block),
                                arg_int(stack->blocks), arg_int(source->height), arg_int(source->width),
                                line_argument(source->grid.rows), line_argument(source->grid.columns),
                                arg_float((float)source->scale)),
                      error);
}

nst_status samples_add_gradient(nst_context *context, const struct samples *samples, const struct sample_source *source,
                                const struct sample_stack *stack, nst_error *error) {
    size_t count = (size_t)stack->blocks * (size_t)source->height * (size_t)source->width;
    if (source->in_tiles && (source->tile.core.height == 0 || source->tile.core.width == 0)) {
        return NST_OK;
    }
    return kernel_run(context, samples->gradient, work_range(context, count),
                      ARGUMENTS(arg_buffer(stack->samples), arg_int(stack->first_block), arg_buffer(source->mask),
                                arg_int(source->mask != NULL), arg_buffer(source->map), arg_int(stack->blocks),
                                arg_int(source->height), arg_int(source->width), line_argument(source->grid.rows),
                                line_argument(source->grid.columns), core_argument(source), place_argument(source),
                                arg_float((float)source->scale)),
                      error);
}

nst_status samples_mean(nst_context *context, const struct samples *samples, const struct sample_stack *stack,
                        cl_mem mean, nst_error *error) {
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    struct work_size size = {1, {(size_t)stack->blocks * group, 1, 1}, {group, 1, 1}};
    return kernel_run(
        context, samples->mean, size,
        ARGUMENTS(arg_buffer(stack->samples), arg_buffer(mean), arg_int(stack->first_block), arg_int(stack->positions)),
        error);
}

nst_status samples_subtract(nst_context *context, const struct samples *samples, const struct sample_stack *stack,
                            const struct sample_center *center, nst_error *error) {
    return kernel_run(context, samples->subtract, work_range(context, (size_t)stack->blocks * (size_t)stack->positions),
                      ARGUMENTS(arg_buffer(stack->samples), arg_buffer(center->mean), arg_buffer(center->weights),
                                arg_int(center->weights != NULL), arg_float((float)center->factor),
                                arg_int(stack->first_block), arg_int(stack->blocks), arg_int(stack->positions)),
                      error);
}

nst_status samples_squares(nst_context *context, const struct samples *samples, const struct sample_stack *stack,
                           const struct sample_squares *squares, nst_error *error) {
    return kernel_run(context, samples->squares, work_range(context, (size_t)stack->positions),
                      ARGUMENTS(arg_buffer(stack->samples), arg_buffer(squares->mean), arg_int(squares->mean != NULL),
                                arg_buffer(squares->squares), arg_int(stack->first_block), arg_int(stack->blocks),
                                arg_int(stack->positions), arg_int(squares->adds)),
                      error);
}
