/* pyramid.c: the Laplacian pyramid on the device; see pyramid.h. */
#include "optimizer/pyramid.h"

struct pyramid_shape pyramid_shape_of(struct optimizer_shape image, int levels) {
    struct pyramid_shape shape = {.planes = image.planes, .levels = levels};
    int height = image.height, width = image.width;
    for (int l = 0; l <= levels; ++l) {
        shape.level[l] = (struct pyramid_level){height, width, (int)shape.count};
        shape.count += optimizer_elements((struct optimizer_shape){image.planes, height, width});
        height = height > 1 ? height / 2 : 1;
        width = width > 1 ? width / 2 : 1;
    }
    return shape;
}

nst_status pyramid_create(nst_context *context, struct pyramid *pyramid, nst_error *error) {
    *pyramid = (struct pyramid){0};
    nst_status status = kernel_create(context, "pyramid.cl", "", "pyramid_resize", &pyramid->resize, error);
    if (!status) {
        status = kernel_create(context, "pyramid.cl", "", "pyramid_fold_columns", &pyramid->fold_columns, error);
    }
    return status ? status : kernel_create(context, "pyramid.cl", "", "pyramid_fold_rows", &pyramid->fold_rows, error);
}

void pyramid_release(struct pyramid *pyramid) {
    kernel_release(&pyramid->resize);
    kernel_release(&pyramid->fold_columns);
    kernel_release(&pyramid->fold_rows);
}

/* The images between the first and the last, or a gradient that is resized along one side. */
uint64_t pyramid_scratch_bytes(const struct pyramid_shape *shape) {
    if (shape->levels == 0) {
        return 0;
    }
    const struct pyramid_level *fine = &shape->level[0], *coarse = &shape->level[1];
    uint64_t images = (uint64_t)(shape->level[shape->levels].offset - coarse->offset);
    uint64_t folded = (uint64_t)shape->planes * (uint64_t)fine->height * (uint64_t)coarse->width;
    return (images > folded ? images : folded) * sizeof(float);
}

/* An image of the pyramid in one of the buffers. */
struct place {
    cl_mem buffer;
    int offset;
};

/* Where the image of a level is: the last one is the rest itself. */
static struct place image_place(const struct pyramid_shape *shape, const struct pyramid_buffers *buffers, int level) {
    if (level == shape->levels) {
        return (struct place){buffers->coefficients, shape->level[level].offset};
    }
    return level == 0 ? (struct place){buffers->image, 0}
                      : (struct place){buffers->scratch, shape->level[level].offset - shape->level[1].offset};
}

static struct planar_resize level_to_level(const struct pyramid_shape *shape, int from, int to) {
    const struct pyramid_level *in = &shape->level[from], *out = &shape->level[to];
    return (struct planar_resize){shape->planes, in->height, in->width, out->height, out->width};
}

/* The kernel's operands; `addend` has no buffer where nothing is added. */
struct operands {
    struct place input, addend, result;
    float factor;
};

static nst_status resize(nst_context *context, const struct pyramid *pyramid, struct planar_resize sizes,
                         struct operands operands, nst_error *error) {
    size_t count = optimizer_elements((struct optimizer_shape){sizes.planes, sizes.out_height, sizes.out_width});
    return kernel_run(
        context, pyramid->resize, work_range(context, count),
        ARGUMENTS(arg_buffer(operands.input.buffer), arg_int(operands.input.offset), arg_buffer(operands.addend.buffer),
                  arg_int(operands.addend.offset), arg_buffer(operands.result.buffer), arg_int(operands.result.offset),
                  arg_int(sizes.planes), arg_int4(sizes.in_height, sizes.in_width, sizes.out_height, sizes.out_width),
                  arg_int(operands.addend.buffer != NULL), arg_float(operands.factor)),
        error);
}

nst_status planar_resize(nst_context *context, const struct pyramid *pyramid, const struct planar_resize *sizes,
                         cl_mem input, cl_mem output, nst_error *error) {
    struct operands operands = {.input = {input, 0}, .result = {output, 0}, .factor = 1};
    return resize(context, pyramid, *sizes, operands, error);
}

static size_t image_bytes(const struct pyramid_shape *shape) {
    return (size_t)shape->planes * (size_t)shape->level[0].height * (size_t)shape->level[0].width * sizeof(float);
}

nst_status pyramid_decompose(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                             const struct pyramid_buffers *buffers, nst_error *error) {
    size_t bytes = optimizer_padded(shape->count) * sizeof(float);
    nst_status status = buffer_fill_zero(context, buffers->coefficients, bytes, error);
    if (!status && shape->levels == 0) {
        return buffer_copy(context, buffers->image, buffers->coefficients, image_bytes(shape), error);
    }
    for (int l = 0; l < shape->levels && !status; ++l) {
        struct place fine = image_place(shape, buffers, l), coarse = image_place(shape, buffers, l + 1);
        struct operands down = {.input = fine, .result = coarse, .factor = 1};
        struct place coefficients = {buffers->coefficients, shape->level[l].offset};
        struct operands up = {.input = coarse, .addend = fine, .result = coefficients, .factor = -1};
        status = resize(context, pyramid, level_to_level(shape, l, l + 1), down, error);
        if (!status) {
            status = resize(context, pyramid, level_to_level(shape, l + 1, l), up, error);
        }
    }
    return status;
}

nst_status pyramid_synthesize(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                              const struct pyramid_buffers *buffers, nst_error *error) {
    nst_status status = NST_OK;
    if (shape->levels == 0) {
        return buffer_copy(context, buffers->coefficients, buffers->image, image_bytes(shape), error);
    }
    for (int l = shape->levels - 1; l >= 0 && !status; --l) {
        struct operands up = {.input = image_place(shape, buffers, l + 1),
                              .addend = {buffers->coefficients, shape->level[l].offset},
                              .result = image_place(shape, buffers, l),
                              .factor = 1};
        status = resize(context, pyramid, level_to_level(shape, l + 1, l), up, error);
    }
    return status;
}

/* From the gradient of a level to that of the next one. */
static nst_status fold(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                       const struct pyramid_buffers *buffers, int level, nst_error *error) {
    const struct pyramid_level *fine = &shape->level[level], *coarse = fine + 1;
    size_t folded = optimizer_elements((struct optimizer_shape){shape->planes, fine->height, coarse->width});
    size_t count = optimizer_elements((struct optimizer_shape){shape->planes, coarse->height, coarse->width});
    struct kernel_argument sizes = arg_int4(coarse->height, coarse->width, fine->height, fine->width);
    nst_status status = kernel_run(context, pyramid->fold_columns, work_range(context, folded),
                                   ARGUMENTS(arg_buffer(buffers->coefficients), arg_int(fine->offset),
                                             arg_buffer(buffers->scratch), arg_int(shape->planes), sizes),
                                   error);
    return status ? status
                  : kernel_run(context, pyramid->fold_rows, work_range(context, count),
                               ARGUMENTS(arg_buffer(buffers->scratch), arg_buffer(buffers->coefficients),
                                         arg_int(coarse->offset), arg_int(shape->planes), sizes),
                               error);
}

nst_status pyramid_gradient(nst_context *context, const struct pyramid *pyramid, const struct pyramid_shape *shape,
                            const struct pyramid_buffers *buffers, nst_error *error) {
    size_t bytes = optimizer_padded(shape->count) * sizeof(float);
    nst_status status = buffer_fill_zero(context, buffers->coefficients, bytes, error);
    if (!status) {
        status = buffer_copy(context, buffers->image, buffers->coefficients, image_bytes(shape), error);
    }
    for (int l = 0; l < shape->levels && !status; ++l) {
        status = fold(context, pyramid, shape, buffers, l, error);
    }
    return status;
}
