/* queue.c: OpenCL's context and command queue of a device; see queue.h. */
#include "device/queue.h"

#include "device/query.h"
#include "support/error.h"

/* Replaces the device by one of its parts. */
static nst_status split(nst_context *context, nst_error *error) {
    cl_device_id parts[DEVICE_PARTS_MOST];
    cl_uint count = 0, units = context->info.compute_units / (cl_uint)context->part.count;
    const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, (cl_device_partition_property)units,
                                                    0};
    if (units == 0) {
        return fail(error, NST_ERROR_DEVICE, "device %d:%d (%s) has %u compute units, which cannot be %d parts",
                    context->info.platform_index, context->info.device_index, context->info.name,
                    context->info.compute_units, context->part.count);
    }
    cl_int code = clCreateSubDevices(context->device, equally, DEVICE_PARTS_MOST, parts, &count);
    if (code != CL_SUCCESS) {
        return fail_opencl(context, error, "clCreateSubDevices", code);
    }
    for (cl_uint i = 0; i < count; ++i) {
        if ((int)i == context->part.number - 1) {
            context->device = parts[i];
            context->has_part = true;
        } else {
            clReleaseDevice(parts[i]);
        }
    }
    context->info.compute_units = units;
    return NST_OK;
}

nst_status queue_open(nst_context *context, bool profiling, nst_error *error) {
    const char *call;
    cl_int code = query_handles(context->info.platform_index, context->info.device_index, &context->platform,
                                &context->device, &call);
    if (code != CL_SUCCESS) {
        return fail_opencl(context, error, call, code);
    }
    nst_status status = context->part.count > 1 ? split(context, error) : NST_OK;
    if (status) {
        return status;
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
    if (context->has_part) {
        clReleaseDevice(context->device);
    }
}

nst_status context_finish(nst_context *context, nst_error *error) {
    cl_int code = clFinish(context->queue);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clFinish", code);
}
