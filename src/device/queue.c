/* queue.c: OpenCL's context and command queue of a device; see queue.h. */
#include "device/queue.h"

#include "device/query.h"

nst_status queue_open(nst_context *context, bool profiling, nst_error *error) {
    const char *call;
    cl_int code = query_handles(context->info.platform_index, context->info.device_index, &context->platform,
                                &context->device, &call);
    if (code != CL_SUCCESS) {
        return fail_opencl(context, error, call, code);
    }
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)context->platform, 0};
    context->context = clCreateContext(properties, 1, &context->device, NULL, NULL, &code);
    if (code != CL_SUCCESS) {
        context->context = NULL;
        return fail_opencl(context, error, "clCreateContext", code);
    }
    context->queue =
        clCreateCommandQueue(context->context, context->device, profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    if (code != CL_SUCCESS) {
        context->queue = NULL;
        return fail_opencl(context, error, "clCreateCommandQueue", code);
    }
    return NST_OK;
}

void queue_close(nst_context *context) {
    if (context->queue) {
        clReleaseCommandQueue(context->queue);
    }
    if (context->context) {
        clReleaseContext(context->context);
    }
}

nst_status context_finish(nst_context *context, nst_error *error) {
    cl_int code = clFinish(context->queue);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clFinish", code);
}
