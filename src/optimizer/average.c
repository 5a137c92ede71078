/* average.c: the average of an optimizer's vectors; see average.h. */
#include "optimizer/average.h"

#include <math.h>

nst_status average_create(nst_context *context, double decay, struct average *average, nst_error *error) {
    *average = (struct average){.context = context, .decay = decay};
    return kernel_create(context, "average.cl", "", "average_add", &average->add, error);
}

void average_release(struct average *average) {
    kernel_release(&average->add);
}

nst_status average_begin(struct average *average, cl_mem vector, cl_mem mean, size_t count, nst_error *error) {
    average->number = 1;
    return buffer_copy(average->context, vector, mean, count * sizeof(float), error);
}

nst_status average_add(struct average *average, cl_mem vector, cl_mem mean, size_t count, nst_error *error) {
    double share = (1 - average->decay) / (1 - pow(average->decay, ++average->number));
    return kernel_run(average->context, average->add, work_range(average->context, count),
                      ARGUMENTS(arg_buffer(mean), arg_buffer(vector), arg_int((int)count), arg_float((float)share)),
                      error);
}

nst_status average_list_state(struct average *average, cl_mem mean, size_t count, struct state *state,
                              nst_error *error) {
    nst_status status = state_value(state, "number of images", average->number, error);
    return status ? status : state_buffer(state, "average image", mean, count * sizeof(float), error);
}
