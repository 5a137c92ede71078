/* resample.c: images at another size; see resample.h. */
#include "optimizer/resample.h"

nst_status resample_create(nst_context *context, struct resample *resample, nst_error *error) {
    *resample = (struct resample){0};
    return kernel_create(context, "resample.cl", "", "resample", &resample->kernel, error);
}

void resample_release(struct resample *resample) {
    kernel_release(&resample->kernel);
}

nst_status resample_run(nst_context *context, const struct resample *resample, const struct resample_call *call,
                        nst_error *error) {
    struct optimizer_shape from = call->from, to = call->to;
    return kernel_run(context, resample->kernel, work_range(context, optimizer_elements(to)),
                      ARGUMENTS(arg_buffer(call->input), arg_buffer(call->output), arg_int(to.planes),
                                arg_int4(from.height, from.width, to.height, to.width), arg_int(call->is_cubic),
                                arg_float((float)call->low), arg_float((float)call->high)),
                      error);
}
