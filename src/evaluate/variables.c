/* variables.c: pixels or coefficients of a pyramid as the vector that is optimized; see variables.h. */
#include "evaluate/variables.h"

#include "optimizer/pyramid.h"
#include "support/error.h"

#include <stdlib.h>

struct variables {
    nst_context *context;
    int levels;
    struct pyramid pyramid; /* no kernels without levels */
    bool holds;
    cl_kernel hold_image, hold_gradient; /* if it holds */
};

struct variables_run {
    const struct variables *variables;
    const struct plan *plan;
    const struct evaluation *evaluation;
    struct optimizer_shape image;
    struct pyramid_shape shape;
    int coefficients, gradient, scratch; /* plan entries, -1 without levels */
    int pixels, kept, free;              /* plan entries, -1 where nothing is held; pixels: the vector without levels */
};

nst_status variables_create(nst_context *context, int levels, bool holds, struct variables **result, nst_error *error) {
    *result = NULL;
    struct variables *variables = calloc(1, sizeof *variables);
    if (!variables) {
        return fail_memory(error, sizeof *variables, "the variables");
    }
    *variables = (struct variables){.context = context, .levels = levels, .holds = holds};
    nst_status status = levels > 0 ? pyramid_create(context, &variables->pyramid, error) : NST_OK;
    if (!status && holds) {
        status = kernel_create(context, "hold.cl", "", "hold_image", &variables->hold_image, error);
        status =
            status ? status : kernel_create(context, "hold.cl", "", "hold_gradient", &variables->hold_gradient, error);
    }
    if (status) {
        variables_destroy(variables);
        return status;
    }
    *result = variables;
    return NST_OK;
}

void variables_destroy(struct variables *variables) {
    if (variables) {
        pyramid_release(&variables->pyramid);
        kernel_release(&variables->hold_image);
        kernel_release(&variables->hold_gradient);
        free(variables);
    }
}

static struct optimizer_shape image_shape(struct image_size size) {
    return (struct optimizer_shape){3, size.height, size.width};
}

size_t variables_count(const struct variables *variables, struct image_size size) {
    return pyramid_shape_of(image_shape(size), variables->levels).count;
}

nst_status variables_reserve(const struct variables *variables, struct plan *plan, const struct evaluation *evaluation,
                             struct image_size size, struct variables_run **result, nst_error *error) {
    *result = NULL;
    if (variables->levels > 0 && evaluation_is_on_host(evaluation)) {
        return fail(error, NST_ERROR_ARGUMENT, "the pyramid of an image needs it on the device");
    }
    if (variables->holds && evaluation_is_on_host(evaluation)) {
        return fail(error, NST_ERROR_ARGUMENT, "masks need the image on the device: choose a smaller size, or no mask");
    }
    struct variables_run *run = *result = calloc(1, sizeof *run);
    if (!run) {
        return fail_memory(error, sizeof *run, "the variables");
    }
    *run = (struct variables_run){.variables = variables,
                                  .plan = plan,
                                  .evaluation = evaluation,
                                  .coefficients = -1,
                                  .gradient = -1,
                                  .scratch = -1,
                                  .pixels = -1,
                                  .kept = -1,
                                  .free = -1};
    if (variables->holds) {
        size_t pixels = (size_t)size.height * (size_t)size.width;
        uint64_t bytes = (uint64_t)optimizer_padded(3 * pixels) * sizeof(float);
        run->pixels = variables->levels == 0 ? plan_add_always(plan, bytes, "pixels that may change") : -1;
        run->kept = plan_add_always(plan, bytes, "pixels that are kept");
        run->free = plan_add_always(plan, (uint64_t)pixels * sizeof(float), "which pixels may change");
    }
    if (variables->levels > 0) {
        struct pyramid_shape shape = pyramid_shape_of(image_shape(size), variables->levels);
        uint64_t bytes = (uint64_t)optimizer_padded(shape.count) * sizeof(float);
        uint64_t scratch_bytes = pyramid_scratch_bytes(&shape);
        run->coefficients = plan_add_always(plan, bytes, "coefficients of the image");
        run->gradient = plan_add_always(plan, bytes, "gradient of the coefficients");
        run->scratch = scratch_bytes ? plan_add_always(plan, scratch_bytes, "scratch of the pyramid") : -1;
    }
    return NST_OK;
}

void variables_run_free(struct variables_run *run) {
    free(run);
}

static struct pyramid_buffers buffers_of(const struct variables_run *run, cl_mem image, int coefficients) {
    return (struct pyramid_buffers){.image = image,
                                    .coefficients = plan_buffer(run->plan, coefficients),
                                    .scratch = run->scratch < 0 ? NULL : plan_buffer(run->plan, run->scratch)};
}

/* ---- Held pixels ------------------------------------------------------------------------------------------------- */

cl_mem variables_kept(const struct variables_run *run) {
    return plan_buffer(run->plan, run->kept);
}

nst_status variables_set_free(const struct variables_run *run, const float *free, struct image_size size,
                              nst_error *error) {
    size_t bytes = (size_t)size.height * (size_t)size.width * sizeof *free;
    return buffer_write(run->variables->context, plan_buffer(run->plan, run->free), 0, free, bytes, error);
}

/* The image from a vector of pixels, or from itself. */
static nst_status hold_image(const struct variables_run *run, cl_mem vector, nst_error *error) {
    const struct variables *variables = run->variables;
    int pixels = run->image.height * run->image.width;
    return kernel_run(variables->context, variables->hold_image, work_range(variables->context, 3 * (size_t)pixels),
                      ARGUMENTS(arg_buffer(vector), arg_buffer(variables_kept(run)),
                                arg_buffer(plan_buffer(run->plan, run->free)),
                                arg_buffer(evaluation_image(run->evaluation)), arg_int(pixels), arg_int(3 * pixels)),
                      error);
}

static nst_status hold_gradient(const struct variables_run *run, nst_error *error) {
    const struct variables *variables = run->variables;
    int pixels = run->image.height * run->image.width;
    return kernel_run(variables->context, variables->hold_gradient, work_range(variables->context, 3 * (size_t)pixels),
                      ARGUMENTS(arg_buffer(evaluation_gradient(run->evaluation)),
                                arg_buffer(plan_buffer(run->plan, run->free)), arg_int(pixels), arg_int(3 * pixels)),
                      error);
}

/* ---- The vector -------------------------------------------------------------------------------------------------- */

nst_status variables_begin(struct variables_run *run, struct image_size size, nst_error *error) {
    const struct variables *variables = run->variables;
    run->image = image_shape(size);
    run->shape = pyramid_shape_of(run->image, variables->levels);
    cl_mem image = evaluation_image(run->evaluation);
    nst_status status = variables->holds ? hold_image(run, image, error) : NST_OK;
    if (!status && run->pixels >= 0) {
        size_t bytes = optimizer_padded(optimizer_elements(run->image)) * sizeof(float);
        status = buffer_copy(variables->context, image, plan_buffer(run->plan, run->pixels), bytes, error);
    }
    if (status || variables->levels == 0) {
        return status;
    }
    struct pyramid_buffers buffers = buffers_of(run, image, run->coefficients);
    return pyramid_decompose(variables->context, &variables->pyramid, &run->shape, &buffers, error);
}

struct vector variables_vector(const struct variables_run *run) {
    int entry = run->coefficients < 0 ? run->pixels : run->coefficients;
    return entry < 0 ? evaluation_image_vector(run->evaluation) : vector_of(run->plan, entry);
}

struct vector variables_gradient(const struct variables_run *run) {
    return run->gradient < 0 ? evaluation_gradient_vector(run->evaluation) : vector_of(run->plan, run->gradient);
}

struct optimizer_shape variables_shape(const struct variables_run *run) {
    return run->variables->levels == 0 ? run->image : (struct optimizer_shape){1, 1, (int)run->shape.count};
}

nst_status variables_to_image(const struct variables_run *run, nst_error *error) {
    const struct variables *variables = run->variables;
    cl_mem image = evaluation_image(run->evaluation);
    nst_status status = NST_OK;
    if (variables->levels > 0) {
        struct pyramid_buffers buffers = buffers_of(run, image, run->coefficients);
        status = pyramid_synthesize(variables->context, &variables->pyramid, &run->shape, &buffers, error);
    }
    if (status || !variables->holds) {
        return status;
    }
    return hold_image(run, run->pixels < 0 ? image : plan_buffer(run->plan, run->pixels), error);
}

nst_status variables_from_gradient(const struct variables_run *run, nst_error *error) {
    const struct variables *variables = run->variables;
    nst_status status = variables->holds ? hold_gradient(run, error) : NST_OK;
    if (status || variables->levels == 0) {
        return status;
    }
    struct pyramid_buffers buffers = buffers_of(run, evaluation_gradient(run->evaluation), run->gradient);
    return pyramid_gradient(variables->context, &variables->pyramid, &run->shape, &buffers, error);
}

nst_status variables_list_state(struct variables_run *run, struct state *state, nst_error *error) {
    if (run->pixels >= 0) {
        return state_buffer(state, "pixels", plan_buffer(run->plan, run->pixels),
                            optimizer_padded(optimizer_elements(run->image)) * sizeof(float), error);
    }
    if (run->variables->levels == 0) {
        return NST_OK;
    }
    return state_buffer(state, "coefficients", plan_buffer(run->plan, run->coefficients),
                        optimizer_padded(run->shape.count) * sizeof(float), error);
}
