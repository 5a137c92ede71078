/* oclgrind_shadow.c: preloaded into a suite that runs under Oclgrind (21.10), mends its check for uninitialized values.
 * That keeps a shadow of every buffer, which says what was written. But when the host stores a part of a buffer, its
 * whole shadow is replaced by one of the part's size (Uninitialized::hostMemoryStore, ShadowMemory::allocate), and the
 * shadow of a released buffer serves the next one at its address. What lies behind the end of a shadow counts as never
 * written, whatever kernels write there.
 *
 * So a new buffer's shadow is replaced by one of no bytes, instead of which the next kernel gets one that fits. And
 * what the host writes, fills or copies short of a whole buffer is moved by a kernel, which Oclgrind follows. */
#define _GNU_SOURCE
#include <CL/cl.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
/* Declares `name` as the function that this library hides. */
#define NEXT(name, function)                                                                                           \
    __typeof__(&(function)) name;                                                                                      \
    *(void **)&(name) = dlsym(RTLD_NEXT, #function)

static const char source[] = "__kernel void move(__global const uchar *from, __global uchar *to, ulong from_offset,\n"
                             "                   ulong to_offset, ulong bytes) {\n"
                             "    ulong begin = 16 * get_global_id(0);\n"
                             "    from += from_offset + begin;\n"
                             "    to += to_offset + begin;\n"
                             "    if (begin + 16 <= bytes) {\n"
                             "        vstore16(vload16(0, from), 0, to);\n"
                             "    } else {\n"
                             "        for (ulong i = 0; i < bytes - begin; ++i) {\n"
                             "            to[i] = from[i];\n"
                             "        }\n"
                             "    }\n"
                             "}\n";

/* A queue and the kernel, made once for each context. */
struct mover {
    cl_context context;
    cl_command_queue queue;
    cl_kernel kernel;
};

static const struct mover *find_mover(cl_context context) {
    static struct mover mover;
    if (context != mover.context) {
        const char *text = source;
        cl_device_id device = NULL;
        clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof device, &device, NULL);
        cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, NULL);
        clBuildProgram(program, 0, NULL, "", NULL, NULL);
        mover = (struct mover){context, clCreateCommandQueue(context, device, 0, NULL),
                               clCreateKernel(program, "move", NULL)};
        clRetainContext(context);
    }
    return &mover;
}

static const struct mover *mover_of(cl_command_queue queue) {
    cl_context context = NULL;
    clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL);
    return find_mover(context);
}

static cl_int move(cl_command_queue queue, cl_mem from, cl_mem to, cl_ulong from_offset, cl_ulong to_offset,
                   cl_ulong bytes) {
    cl_kernel kernel = mover_of(queue)->kernel;
    size_t items = (bytes + 15) / 16;
    clSetKernelArg(kernel, 0, sizeof from, &from);
    clSetKernelArg(kernel, 1, sizeof to, &to);
    clSetKernelArg(kernel, 2, sizeof from_offset, &from_offset);
    clSetKernelArg(kernel, 3, sizeof to_offset, &to_offset);
    clSetKernelArg(kernel, 4, sizeof bytes, &bytes);
    cl_int code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
    return code ? code : clFinish(queue);
}

EXPORTED cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code) {
    NEXT(create, clCreateBuffer);
    NEXT(write, clEnqueueWriteBuffer);
    cl_mem buffer = create(context, flags, size, host, code);
    if (buffer) {
        write(find_mover(context)->queue, buffer, CL_TRUE, 0, 0, "", 0, NULL, NULL);
    }
    return buffer;
}

EXPORTED cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                     size_t bytes, const void *data, cl_uint count, const cl_event *list,
                                     cl_event *event) {
    NEXT(write, clEnqueueWriteBuffer);
    size_t size = 0;
    clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL);
    if (bytes == size) {
        return write(queue, buffer, blocking, offset, bytes, data, count, list, event);
    }
    cl_int code = CL_SUCCESS;
    cl_mem part = clCreateBuffer(mover_of(queue)->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    code = code ? code : write(queue, part, CL_TRUE, 0, bytes, data, 0, NULL, NULL);
    code = code ? code : move(queue, part, buffer, 0, offset, bytes);
    clReleaseMemObject(part);
    return code;
}

EXPORTED cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset,
                                    size_t to_offset, size_t bytes, cl_uint count, const cl_event *list,
                                    cl_event *event) {
    (void)count, (void)list, (void)event; /* the queue is in order, and nobody asks for the event */
    return move(queue, from, to, from_offset, to_offset, bytes);
}

EXPORTED cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_bytes,
                                    size_t offset, size_t bytes, cl_uint count, const cl_event *list, cl_event *event) {
    char *data = malloc(bytes);
    if (!data) {
        return CL_OUT_OF_HOST_MEMORY;
    }
    for (size_t i = 0; i + pattern_bytes <= bytes; i += pattern_bytes) {
        memcpy(data + i, pattern, pattern_bytes);
    }
    cl_int code = clEnqueueWriteBuffer(queue, buffer, CL_TRUE, offset, bytes, data, count, list, event);
    free(data);
    return code;
}
