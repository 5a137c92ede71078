/* optimizer.c: what all optimizers have in common; see optimizer.h. */
#include "optimizer/optimizer_internal.h"

#include "support/error.h"

#include <stdlib.h>

nst_status optimizer_create(nst_context *context, const struct optimizer_settings *settings, struct optimizer **result,
                            nst_error *error) {
    *result = NULL;
    struct optimizer *optimizer = calloc(1, sizeof *optimizer);
    if (!optimizer) {
        return fail_memory(error, sizeof *optimizer, "the optimizer");
    }
    optimizer->context = context;
    optimizer->settings = *settings;
    optimizer->method = settings->kind == NST_ADAM ? &adam_method : &lbfgs_method;
    nst_status status = optimizer->method->create(optimizer, error);
    if (status) {
        optimizer_destroy(optimizer);
        return status;
    }
    *result = optimizer;
    return NST_OK;
}

void optimizer_destroy(struct optimizer *optimizer) {
    if (optimizer) {
        if (optimizer->state) {
            optimizer->method->destroy(optimizer);
        }
        free(optimizer->state);
        free(optimizer);
    }
}

size_t optimizer_elements(struct optimizer_shape shape) {
    return (size_t)shape.planes * (size_t)shape.height * (size_t)shape.width;
}

size_t optimizer_padded(size_t count) {
    return (count + 15) / 16 * 16;
}

void optimizer_add_to_plan(struct optimizer *optimizer, struct plan *plan, size_t count) {
    uint64_t bytes = (uint64_t)optimizer_padded(count) * sizeof(float);
    optimizer->last_vector = plan_add_always(plan, bytes, "last image");
    optimizer->method->add_to_plan(optimizer, plan, bytes);
}

nst_status optimizer_begin(struct optimizer *optimizer, const struct plan *plan, struct optimizer_shape shape,
                           nst_error *error) {
    optimizer->shape = shape;
    optimizer->elements = optimizer_padded(optimizer_elements(shape));
    optimizer->shortening = 1;
    optimizer->has_last = false;
    return optimizer->method->begin(optimizer, plan, error);
}

nst_status optimizer_step(struct optimizer *optimizer, const struct plan *plan, cl_mem vector, cl_mem gradient,
                          bool *finite, nst_error *error) {
    return optimizer->method->step(optimizer, plan, vector, gradient, finite, error);
}

nst_status optimizer_retreat(struct optimizer *optimizer, const struct plan *plan, cl_mem vector, nst_error *error) {
    optimizer->shortening /= 2;
    if (!optimizer->has_last) {
        return NST_OK;
    }
    nst_status status = buffer_copy(optimizer->context, plan_buffer(plan, optimizer->last_vector), vector,
                                    optimizer->elements * sizeof(float), error);
    return status ? status : optimizer->method->retreat(optimizer, plan, error);
}

int optimizer_vectors(const struct optimizer *optimizer) {
    int width = optimizer->context->loops_in_kernel ? optimizer->context->channel_block : 1;
    return (int)(optimizer->elements / (size_t)width);
}
