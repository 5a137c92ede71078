/* buffer.c: device memory; see context.h. */
#include "device/context.h"

#include "support/error.h"
#include "support/text.h"

nst_status buffer_create(nst_context *context, size_t bytes, const char *what, cl_mem *buffer, nst_error *error) {
    *buffer = NULL;
    const nst_device_info *device = &context->info;
    char wanted[32], limit[32], used[32];
    text_bytes(bytes, wanted, sizeof wanted);
    if (bytes == 0) {
        return fail(error, NST_ERROR_ARGUMENT, "the buffer for %s would be empty", what);
    }
    if (bytes > device->largest_allocation_bytes) {
        return fail(error, NST_ERROR_MEMORY,
                    "%s needs %s in one piece, but %s allows at most %s: ask for a smaller picture", what, wanted,
                    device->name, text_bytes(device->largest_allocation_bytes, limit, sizeof limit));
    }
    if (context->allocated_bytes > device->memory_bytes || bytes > device->memory_bytes - context->allocated_bytes) {
        return fail(error, NST_ERROR_MEMORY,
                    "%s needs %s, but of the %s of %s %s are in use already: ask for a smaller picture", what, wanted,
                    text_bytes(device->memory_bytes, limit, sizeof limit), device->name,
                    text_bytes(context->allocated_bytes, used, sizeof used));
    }
    cl_int code;
    cl_mem created = clCreateBuffer(context->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_SUCCESS) {
        return fail(error, NST_ERROR_MEMORY,
                    "clCreateBuffer failed: %s (%d) on %s for %s (%s): ask for a smaller picture, or close other "
                    "programs that use the device",
                    opencl_error_name(code), (int)code, device->name, what, wanted);
    }
    *buffer = created;
    context->allocated_bytes += bytes;
    if (context->allocated_bytes > context->peak_bytes) {
        context->peak_bytes = context->allocated_bytes;
    }
    return NST_OK;
}

void buffer_release(nst_context *context, cl_mem *buffer) {
    if (!buffer || !*buffer) {
        return;
    }
    size_t bytes = 0;
    cl_mem whole = NULL; /* of which this is a part, which was not counted */
    clGetMemObjectInfo(*buffer, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof whole, &whole, NULL);
    if (!whole && clGetMemObjectInfo(*buffer, CL_MEM_SIZE, sizeof bytes, &bytes, NULL) == CL_SUCCESS) {
        context->allocated_bytes -= bytes;
    }
    clReleaseMemObject(*buffer);
    *buffer = NULL;
}

nst_status buffer_part(nst_context *context, cl_mem buffer, size_t offset_bytes, size_t bytes, cl_mem *part,
                       nst_error *error) {
    cl_int code;
    cl_buffer_region region = {offset_bytes, bytes};
    *part = clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clCreateSubBuffer", code);
}

nst_status buffer_write(nst_context *context, cl_mem buffer, size_t offset_bytes, const void *data, size_t bytes,
                        nst_error *error) {
    if (bytes == 0) {
        return NST_OK;
    }
    cl_int code = clEnqueueWriteBuffer(context->queue, buffer, CL_TRUE, offset_bytes, bytes, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueWriteBuffer", code);
}

nst_status buffer_read(nst_context *context, cl_mem buffer, size_t offset_bytes, void *data, size_t bytes,
                       nst_error *error) {
    if (bytes == 0) {
        return NST_OK;
    }
    cl_int code = clEnqueueReadBuffer(context->queue, buffer, CL_TRUE, offset_bytes, bytes, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueReadBuffer", code);
}

nst_status buffer_copy(nst_context *context, cl_mem source, cl_mem target, size_t bytes, nst_error *error) {
    if (bytes == 0) {
        return NST_OK;
    }
    cl_int code = clEnqueueCopyBuffer(context->queue, source, target, 0, 0, bytes, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueCopyBuffer", code);
}

nst_status buffer_fill_zero(nst_context *context, cl_mem buffer, size_t bytes, nst_error *error) {
    if (bytes == 0) {
        return NST_OK;
    }
    const cl_uchar zero = 0;
    cl_int code = clEnqueueFillBuffer(context->queue, buffer, &zero, sizeof zero, 0, bytes, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueFillBuffer", code);
}

/* ---- Boxes ------------------------------------------------------------------------------------------------------- */

static bool is_empty(const struct box *box) {
    return box->width_bytes == 0 || box->height == 0 || box->depth == 0;
}

nst_status buffer_read_box(nst_context *context, cl_mem from, void *to, const struct box *box, nst_error *error) {
    if (is_empty(box)) {
        return NST_OK;
    }
    const size_t from_origin[] = {box->from.x_bytes, box->from.y, 0}, to_origin[] = {box->to.x_bytes, box->to.y, 0};
    const size_t region[] = {box->width_bytes, box->height, box->depth};
    cl_int code = clEnqueueReadBufferRect(context->queue, from, CL_TRUE, from_origin, to_origin, region,
                                          box->from.row_bytes, box->from.row_bytes * box->from.row_count,
                                          box->to.row_bytes, box->to.row_bytes * box->to.row_count, to, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueReadBufferRect", code);
}

nst_status buffer_write_box(nst_context *context, const void *from, cl_mem to, const struct box *box,
                            nst_error *error) {
    if (is_empty(box)) {
        return NST_OK;
    }
    const size_t from_origin[] = {box->from.x_bytes, box->from.y, 0}, to_origin[] = {box->to.x_bytes, box->to.y, 0};
    const size_t region[] = {box->width_bytes, box->height, box->depth};
    cl_int code =
        clEnqueueWriteBufferRect(context->queue, to, CL_TRUE, to_origin, from_origin, region, box->to.row_bytes,
                                 box->to.row_bytes * box->to.row_count, box->from.row_bytes,
                                 box->from.row_bytes * box->from.row_count, from, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueWriteBufferRect", code);
}

nst_status buffer_copy_box(nst_context *context, cl_mem from, cl_mem to, const struct box *box, nst_error *error) {
    if (is_empty(box)) {
        return NST_OK;
    }
    const size_t from_origin[] = {box->from.x_bytes, box->from.y, 0}, to_origin[] = {box->to.x_bytes, box->to.y, 0};
    const size_t region[] = {box->width_bytes, box->height, box->depth};
    cl_int code = clEnqueueCopyBufferRect(context->queue, from, to, from_origin, to_origin, region, box->from.row_bytes,
                                          box->from.row_bytes * box->from.row_count, box->to.row_bytes,
                                          box->to.row_bytes * box->to.row_count, 0, NULL, NULL);
    return code == CL_SUCCESS ? NST_OK : fail_opencl(context, error, "clEnqueueCopyBufferRect", code);
}
