/* kernel.c: kernels by name, their arguments and launches; see context.h. */
#include "device/context.h"

#include "device/profile.h"
#include "device/program.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_OPTIONS = 1024 };

/* True if the options define the macro: "-D NAME" or "-DNAME", with or without a value. */
static bool defines(const char *options, const char *macro) {
    size_t length = strlen(macro);
    for (const char *found = options; (found = strstr(found, "-D")) != NULL;) {
        found += 2;
        found += strspn(found, " ");
        if (strncmp(found, macro, length) == 0 && (!found[length] || found[length] == ' ' || found[length] == '=')) {
            return true;
        }
    }
    return false;
}

/* What every program is built with, unless the caller's own options say otherwise. No option that loosens the
 * arithmetic: results must agree between devices. */
static nst_status complete_options(const nst_context *context, const char *file, const char *options,
                                   char complete[LONGEST_OPTIONS], nst_error *error) {
    const struct {
        const char *macro;
        int value;
    } defaults[] = {
        {"BLOCK", context->channel_block},        {"LOOPS", context->loops_in_kernel},
        {"WORK_GROUP", (int)context->work_group}, {"SUB_GROUP", context->sub_group},
        {"PREFETCHES", context->prefetches},
    };
    int length = snprintf(complete, LONGEST_OPTIONS, "-cl-std=CL1.2 -cl-mad-enable");
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; ++i) {
        if (!defines(options, defaults[i].macro)) {
            length += snprintf(complete + length, LONGEST_OPTIONS - (size_t)length, " -D %s=%d", defaults[i].macro,
                               defaults[i].value);
        }
    }
    length += snprintf(complete + length, LONGEST_OPTIONS - (size_t)length, "%s%s", *options ? " " : "", options);
    if (length >= LONGEST_OPTIONS) {
        return fail(error, NST_ERROR_ARGUMENT, "the build options of %s are longer than %d characters", file,
                    LONGEST_OPTIONS - 1);
    }
    return NST_OK;
}

nst_status kernel_create(nst_context *context, const char *file, const char *options, const char *name,
                         cl_kernel *kernel, nst_error *error) {
    char complete[LONGEST_OPTIONS];
    cl_program program;
    *kernel = NULL;
    nst_status status = complete_options(context, file, options ? options : "", complete, error);
    if (!status) {
        status = program_find(context, file, complete, &program, error);
    }
    if (status) {
        return status;
    }
    cl_int code;
    cl_kernel created = clCreateKernel(program, name, &code);
    if (code == CL_INVALID_KERNEL_NAME) {
        return fail(error, NST_ERROR_OPENCL, "there is no kernel %s in %s", name, file);
    }
    if (code != CL_SUCCESS) {
        return fail_opencl(context, error, "clCreateKernel", code);
    }
    *kernel = created;
    return NST_OK;
}

nst_status kernels_create(nst_context *context, const char *file, const char *options, const struct kernel_row *rows,
                          size_t count, nst_error *error) {
    nst_status status = NST_OK;
    for (size_t i = 0; !status && i < count; ++i) {
        status = kernel_create(context, file, options, rows[i].name, rows[i].kernel, error);
    }
    return status;
}

void kernel_release(cl_kernel *kernel) {
    if (kernel && *kernel) {
        clReleaseKernel(*kernel);
        *kernel = NULL;
    }
}

static void kernel_name(cl_kernel kernel, char *name, size_t size) {
    if (clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, size, name, NULL) != CL_SUCCESS) {
        snprintf(name, size, "a kernel");
    }
}

static nst_status fail_kernel(nst_context *context, nst_error *error, const char *call, cl_kernel kernel, int argument,
                              cl_int code) {
    char name[64], sentence[160];
    kernel_name(kernel, name, sizeof name);
    if (argument >= 0) {
        snprintf(sentence, sizeof sentence, "%s (argument %d of %s)", call, argument, name);
    } else {
        snprintf(sentence, sizeof sentence, "%s (%s)", call, name);
    }
    return fail_opencl(context, error, sentence, code);
}

nst_status kernel_run(nst_context *context, cl_kernel kernel, struct work_size size,
                      const struct kernel_argument *arguments, int count, nst_error *error) {
    for (int i = 0; i < count; ++i) {
        cl_int code = clSetKernelArg(kernel, (cl_uint)i, arguments[i].bytes, &arguments[i].value);
        if (code != CL_SUCCESS) {
            return fail_kernel(context, error, "clSetKernelArg", kernel, i, code);
        }
    }
    cl_event event = NULL;
    cl_int code = clEnqueueNDRangeKernel(context->queue, kernel, (cl_uint)size.dimensions, NULL, size.global,
                                         size.local[0] ? size.local : NULL, 0, NULL, context->profile ? &event : NULL);
    if (code != CL_SUCCESS) {
        return fail_kernel(context, error, "clEnqueueNDRangeKernel", kernel, -1, code);
    }
    if (event) {
        char name[64];
        kernel_name(kernel, name, sizeof name);
        profile_record(context, name, event);
    }
    return NST_OK;
}

struct work_size work_range(const nst_context *context, size_t count) {
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    size_t items = count > 0 ? count : 1;
    if (context->loops_in_kernel && items > (size_t)context->work_items) {
        items = (size_t)context->work_items;
    }
    items = (items + group - 1) / group * group;
    return (struct work_size){1, {items, 1, 1}, {group, 1, 1}};
}

struct work_size work_items(size_t count) {
    return (struct work_size){1, {count, 1, 1}, {1, 1, 1}};
}
