/* query.h: asks the OpenCL drivers about their platforms and devices. */
#ifndef DEVICE_QUERY_H
#define DEVICE_QUERY_H

#include "device/context.h"

/* CL_PLATFORM_NOT_FOUND_KHR: no driver is installed at all. */
enum { PLATFORM_NOT_FOUND = -1001 };

/* What one platform says. */
struct platform_report {
    char name[128];
    char failure[OPENCL_FAILURE_LENGTH]; /* "clGetDeviceIDs failed: CL_... (-5)"; "" for a platform without devices */
    size_t count;
    nst_device_info *devices; /* from malloc */
};

/* Returns an OpenCL code, PLATFORM_NOT_FOUND where there is none. */
cl_int query_platform_count(cl_uint *count);

/* Only the name of platform number `index`, without waking its devices. */
void query_platform_name(cl_uint index, char *name, size_t size);

/* Asks platform number `index`, and no other, for its devices. False without memory. */
bool query_platform(cl_uint index, struct platform_report *report);
void platform_report_free(struct platform_report *report);

/* The handles of P:D. Returns an OpenCL code, and in `*call` whose it is. */
cl_int query_handles(int platform_index, int device_index, cl_platform_id *platform, cl_device_id *device,
                     const char **call);

#endif
