/* optimizer.c: what all optimizers have in common; see optimizer.h. */
#include "optimizer/optimizer_internal.h"

#include "support/error.h"

#include <stdlib.h>

nst_status optimizer_create(nst_context *context, const struct optimizer_settings *settings, struct optimizer **result,
                            nst_error *error) {
    *result = NULL;
    const struct optimizer_method *method = settings->kind == NST_ADAM ? &adam_method : &lbfgs_method;
    struct optimizer *optimizer = calloc(1, sizeof *optimizer);
    void *state = calloc(1, method->state_bytes);
    if (!optimizer || !state) {
        free(optimizer);
        free(state);
        return fail_memory(error, sizeof *optimizer + method->state_bytes, "the optimizer");
    }
    *optimizer = (struct optimizer){.context = context, .settings = *settings, .method = method, .state = state};
    nst_status status = method->create(optimizer, error);
    if (status) {
        optimizer_destroy(optimizer);
        return status;
    }
    *result = optimizer;
    return NST_OK;
}

void optimizer_destroy(struct optimizer *optimizer) {
    if (optimizer) {
        optimizer->method->destroy(optimizer);
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

nst_status optimizer_reserve(const struct optimizer *optimizer, struct plan *plan, size_t count,
                             struct optimizer_run **result, nst_error *error) {
    *result = NULL;
    struct optimizer_run *run = calloc(1, sizeof *run);
    void *state = calloc(1, optimizer->method->run_bytes);
    if (!run || !state) {
        free(run);
        free(state);
        return fail_memory(error, sizeof *run + optimizer->method->run_bytes, "a run of the optimizer");
    }
    bool on_host = optimizer->settings.on_host;
    uint64_t padded = optimizer_padded(count);
    *run = (struct optimizer_run){.optimizer = optimizer, .plan = plan, .state = state};
    run->last_vector = vector_add(plan, on_host, padded, "last image");
    nst_status status = on_host && !optimizer->method->works_on_host
                            ? fail(error, NST_ERROR_ARGUMENT, "the optimizer needs its vectors on the device")
                            : optimizer->method->reserve(run, plan, padded * sizeof(float), error);
    if (status) {
        optimizer_run_free(run);
        return status;
    }
    *result = run;
    return NST_OK;
}

void optimizer_run_free(struct optimizer_run *run) {
    if (run) {
        if (run->optimizer->method->run_free) {
            run->optimizer->method->run_free(run);
        }
        free(run->state);
        free(run);
    }
}

nst_status optimizer_begin(struct optimizer_run *run, struct optimizer_shape shape, nst_error *error) {
    run->last_shape = run->shape;
    run->shape = shape;
    run->elements = optimizer_padded(optimizer_elements(shape));
    run->shortening = run->rate = 1;
    run->has_last = false;
    return run->optimizer->method->begin(run, error);
}

void optimizer_set_rate(struct optimizer_run *run, double rate) {
    run->rate = rate;
}

nst_status optimizer_step(struct optimizer_run *run, struct vector vector, struct vector gradient, bool *finite,
                          nst_error *error) {
    return run->optimizer->method->step(run, vector, gradient, finite, error);
}

nst_status optimizer_retreat(struct optimizer_run *run, struct vector vector, nst_error *error) {
    run->shortening /= 2;
    if (!run->has_last) {
        return NST_OK;
    }
    nst_status status =
        vector_copy(run->optimizer->context, optimizer_vector(run, run->last_vector), vector, run->elements, error);
    return status ? status : run->optimizer->method->retreat(run, error);
}

nst_status optimizer_list_state(struct optimizer_run *run, struct state *state, nst_error *error) {
    nst_status status = state_value(state, "shortening", run->shortening, error);
    status = status ? status : state_value(state, "has a last vector", run->has_last, error);
    if (!status && run->has_last) {
        status = vector_list_state(state, "last vector", optimizer_vector(run, run->last_vector), run->elements, error);
    }
    return status ? status : run->optimizer->method->list_state(run, state, error);
}

cl_mem optimizer_buffer(const struct optimizer_run *run, int entry) {
    return plan_buffer(run->plan, entry);
}

struct vector optimizer_vector(const struct optimizer_run *run, int entry) {
    return vector_of(run->plan, entry);
}

int optimizer_vectors(const struct optimizer_run *run) {
    const nst_context *context = run->optimizer->context;
    int width = context->loops_in_kernel ? context->channel_block : 1;
    return (int)(run->elements / (size_t)width);
}
