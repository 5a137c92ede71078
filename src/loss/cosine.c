/* cosine.c: cosine distance on the device; see cosine.h. */
#include "loss/cosine.h"

#include "device/reduction.h"

nst_status cosine_create(nst_context *context, struct cosine *cosine, nst_error *error) {
    *cosine = (struct cosine){0};
    nst_status status = kernel_create(context, "cosine.cl", "", "cosine_add", &cosine->add, error);
    if (!status) {
        status = kernel_create(context, "cosine.cl", "", "cosine_loss", &cosine->loss, error);
    }
    return status ? status : kernel_create(context, "cosine.cl", "", "cosine_slope", &cosine->slope, error);
}

void cosine_release(struct cosine *cosine) {
    kernel_release(&cosine->add);
    kernel_release(&cosine->loss);
    kernel_release(&cosine->slope);
}

nst_status cosine_add(nst_context *context, const struct cosine *cosine, const struct cosine_layer *layer,
                      const struct cosine_sums *sums, bool is_first, nst_error *error) {
    const struct sample_stack *samples = &layer->samples;
    return kernel_run(context, cosine->add, work_range(context, (size_t)samples->positions),
                      ARGUMENTS(arg_buffer(samples->samples), arg_buffer(layer->targets), arg_buffer(layer->mean),
                                arg_int(layer->mean != NULL), arg_buffer(sums->dots), arg_buffer(sums->squares),
                                arg_int(samples->first_block), arg_int(layer->first_target_block),
                                arg_int(samples->blocks), arg_int(samples->positions), arg_int(!is_first)),
                      error);
}

nst_status cosine_loss(nst_context *context, const struct cosine *cosine, const struct cosine_sums *sums,
                       const struct cosine_value *value, nst_error *error) {
    return kernel_run(context, cosine->loss, reduction_work(context),
                      ARGUMENTS(arg_buffer(sums->dots), arg_buffer(sums->squares), arg_buffer(value->weights),
                                arg_int(value->weights != NULL), arg_buffer(value->partials), arg_int(value->slot),
                                arg_int(value->positions), arg_float((float)value->weight)),
                      error);
}

nst_status cosine_slope(nst_context *context, const struct cosine *cosine, const struct cosine_layer *layer,
                        const struct cosine_sums *sums, cl_mem slope, nst_error *error) {
    const struct sample_stack *samples = &layer->samples;
    size_t count = (size_t)samples->blocks * (size_t)samples->positions;
    return kernel_run(context, cosine->slope, work_range(context, count),
                      ARGUMENTS(arg_buffer(samples->samples), arg_buffer(layer->targets), arg_buffer(layer->mean),
                                arg_int(layer->mean != NULL), arg_buffer(sums->dots), arg_buffer(sums->squares),
                                arg_buffer(slope), arg_int(samples->first_block), arg_int(layer->first_target_block),
                                arg_int(samples->blocks), arg_int(samples->positions)),
                      error);
}
