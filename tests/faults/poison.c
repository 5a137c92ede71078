/* poison.c: preloaded into a program (LD_PRELOAD), fills every new buffer with bytes of ones, which are not a number in
 * every format, so that a result that depends on memory that nothing was written to is not a number either. */
#define _GNU_SOURCE
#include <CL/cl.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size,
                                                             void *host, cl_int *code) {
    static cl_mem(CL_API_CALL * create)(cl_context, cl_mem_flags, size_t, void *, cl_int *);
    if (!create) {
        *(void **)&create = dlsym(RTLD_NEXT, "clCreateBuffer");
    }
    void *ones = host || size == 0 ? NULL : malloc(size);
    if (!ones) {
        return create(context, flags, size, host, code);
    }
    memset(ones, 0xff, size);
    cl_mem buffer = create(context, flags | CL_MEM_COPY_HOST_PTR, size, ones, code);
    free(ones);
    return buffer;
}
