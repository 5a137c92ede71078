/* opencl_faults.c: counts OpenCL's calls and objects, and makes calls fail; see opencl_faults.h. */
#define _GNU_SOURCE /* RTLD_NEXT, MAP_ANONYMOUS */
#include "faults/opencl_faults.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- State ----------------------------------------------------------------------------------------------------- */

/* Shared with the processes that the program starts, such as the one that lists the devices. */
EXPORT struct opencl_faults *opencl_faults(void) {
    static struct opencl_faults *faults;
    if (!faults) {
        const char *path = getenv("NST_TEST_FAULTS");
        int file = path ? open(path, O_RDWR) : -1;
        void *memory = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE,
                            file < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, file, 0);
        if (memory == MAP_FAILED) {
            perror("opencl_faults");
            abort();
        }
        if (file >= 0) {
            close(file);
        }
        faults = memory;
    }
    return faults;
}

/* Some implementations call OpenCL's functions themselves: only the program's own calls count. */
static _Thread_local int depth;

static void note_function(struct opencl_faults *faults, const char *name) {
    int i = 0;
    while (i < faults->function_count && strcmp(faults->functions[i].name, name) != 0) {
        ++i;
    }
    if (i == FAULTS_MOST_FUNCTIONS) {
        return;
    }
    if (i == faults->function_count) {
        faults->function_count++;
        snprintf(faults->functions[i].name, sizeof faults->functions[i].name, "%s", name);
        faults->functions[i].first_call = faults->calls;
    }
    faults->functions[i].last_call = faults->calls;
}

/* Several threads may call, each on its own device. */
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

/* Counts a call of the program's own; true if it is to fail. */
static bool counts_to_failure(const char *name) {
    struct opencl_faults *faults = opencl_faults();
    faults->calls++;
    note_function(faults, name);
    int failing = faults->failing_call;
    if (failing == 0 || faults->calls < failing || (faults->calls > failing && !faults->and_all_later)) {
        return false;
    }
    if (!faults->failed_function[0]) {
        snprintf(faults->failed_function, sizeof faults->failed_function, "%s", name);
    }
    return true;
}

static bool begins_to_fail(const char *name) {
    if (depth++ > 0) {
        return false;
    }
    pthread_mutex_lock(&counting);
    bool fails = counts_to_failure(name);
    pthread_mutex_unlock(&counting);
    return fails;
}

/* Whether a command of that queue is to fail; it takes its time first. */
static bool queue_fails(void *queue) {
    struct opencl_faults *faults = opencl_faults();
    if (depth > 1 || !queue || queue != faults->queue_object) {
        return false;
    }
    if (--faults->queue_commands >= 0) {
        return false;
    }
    if (faults->delay_us > 0) {
        usleep((useconds_t)faults->delay_us);
    }
    return faults->code != 0 && faults->failing_call == 0;
}

static void count_object(enum opencl_object kind, int change) {
    if (depth == 0) {
        pthread_mutex_lock(&counting);
        opencl_faults()->live[kind] += change;
        pthread_mutex_unlock(&counting);
    }
}

static void count_new(enum opencl_object kind, void *object) {
    struct opencl_faults *faults = opencl_faults();
    count_object(kind, 1);
    if (depth == 0 && kind == FAULTS_QUEUE && ++faults->queue_count == faults->queue) {
        faults->queue_object = object;
    }
}

/* The function of that name in the library that comes next. Functions and data pointers have one size here (POSIX). */
static void find_next(const char *name, void *function) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "opencl_faults: there is no %s\n", name);
        abort();
    }
    memcpy(function, &found, sizeof found);
}

/* ---- Functions ------------------------------------------------------------------------------------------------- */

/* A function that returns a code. */
#define CALL(name, parameters, arguments)                                                                              \
    EXPORT cl_int CL_API_CALL name parameters {                                                                        \
        cl_int(CL_API_CALL *next) parameters;                                                                          \
        find_next(#name, &next);                                                                                       \
        cl_int code = begins_to_fail(#name) ? opencl_faults()->code : next arguments;                                  \
        --depth;                                                                                                       \
        return code;                                                                                                   \
    }

/* One that may make an event. */
#define COMMAND(name, parameters, arguments)                                                                           \
    EXPORT cl_int CL_API_CALL name parameters {                                                                        \
        cl_int(CL_API_CALL *next) parameters;                                                                          \
        find_next(#name, &next);                                                                                       \
        cl_int code = begins_to_fail(#name) || queue_fails(queue) ? opencl_faults()->code : next arguments;            \
        --depth;                                                                                                       \
        if (code == CL_SUCCESS && event) {                                                                             \
            count_object(FAULTS_EVENT, 1);                                                                             \
        }                                                                                                              \
        return code;                                                                                                   \
    }

/* One that returns an object, and its code through the last parameter. */
#define CREATE(kind, type, name, parameters, arguments)                                                                \
    EXPORT type CL_API_CALL name parameters {                                                                          \
        type(CL_API_CALL *next) parameters;                                                                            \
        find_next(#name, &next);                                                                                       \
        type object = NULL;                                                                                            \
        if (!begins_to_fail(#name)) {                                                                                  \
            object = next arguments;                                                                                   \
        } else if (code) {                                                                                             \
            *code = opencl_faults()->code;                                                                             \
        }                                                                                                              \
        --depth;                                                                                                       \
        if (object) {                                                                                                  \
            count_new(kind, object);                                                                                   \
        }                                                                                                              \
        return object;                                                                                                 \
    }

/* One that releases: it always does, so that what is alive at the end is the program's fault. */
#define RELEASE(kind, name, type)                                                                                      \
    EXPORT cl_int CL_API_CALL name(type object) {                                                                      \
        cl_int(CL_API_CALL *next)(type);                                                                               \
        find_next(#name, &next);                                                                                       \
        bool failing = begins_to_fail(#name);                                                                          \
        cl_int code = next(object);                                                                                    \
        --depth;                                                                                                       \
        if (code == CL_SUCCESS) {                                                                                      \
            count_object(kind, -1);                                                                                    \
        }                                                                                                              \
        return failing ? opencl_faults()->code : code;                                                                 \
    }

/* clGet...Info(object, what, size, value, size_needed) */
#define INFO(name, type, what)                                                                                         \
    CALL(name, (type object, what parameter, size_t size, void *value, size_t *needed),                                \
         (object, parameter, size, value, needed))

/* Platforms and devices. */
CALL(clGetPlatformIDs, (cl_uint room, cl_platform_id *platforms, cl_uint *count), (room, platforms, count))
INFO(clGetPlatformInfo, cl_platform_id, cl_platform_info)
CALL(clGetDeviceIDs,
     (cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *devices, cl_uint *count),
     (platform, type, room, devices, count))
INFO(clGetDeviceInfo, cl_device_id, cl_device_info)

/* Contexts and queues. */
CREATE(FAULTS_CONTEXT, cl_context, clCreateContext,
       (const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
        void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user, cl_int *code),
       (properties, count, devices, notify, user, code))
RELEASE(FAULTS_CONTEXT, clReleaseContext, cl_context)
CREATE(FAULTS_QUEUE, cl_command_queue, clCreateCommandQueue,
       (cl_context context, cl_device_id device, cl_command_queue_properties properties, cl_int *code),
       (context, device, properties, code))
RELEASE(FAULTS_QUEUE, clReleaseCommandQueue, cl_command_queue)
INFO(clGetCommandQueueInfo, cl_command_queue, cl_command_queue_info)

/* Memory. */
CREATE(FAULTS_MEMORY, cl_mem, clCreateBuffer,
       (cl_context context, cl_mem_flags flags, size_t bytes, void *data, cl_int *code),
       (context, flags, bytes, data, code))
CREATE(FAULTS_MEMORY, cl_mem, clCreateSubBuffer,
       (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *region, cl_int *code),
       (buffer, flags, type, region, code))
RELEASE(FAULTS_MEMORY, clReleaseMemObject, cl_mem)
INFO(clGetMemObjectInfo, cl_mem, cl_mem_info)

/* Programs and kernels. */
CREATE(FAULTS_PROGRAM, cl_program, clCreateProgramWithSource,
       (cl_context context, cl_uint count, const char **texts, const size_t *lengths, cl_int *code),
       (context, count, texts, lengths, code))
CREATE(FAULTS_PROGRAM, cl_program, clCreateProgramWithBinary,
       (cl_context context, cl_uint count, const cl_device_id *devices, const size_t *lengths,
        const unsigned char **binaries, cl_int *states, cl_int *code),
       (context, count, devices, lengths, binaries, states, code))
CALL(clBuildProgram,
     (cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
      void(CL_CALLBACK *notify)(cl_program, void *), void *user),
     (program, count, devices, options, notify, user))
RELEASE(FAULTS_PROGRAM, clReleaseProgram, cl_program)
INFO(clGetProgramInfo, cl_program, cl_program_info)
CALL(clGetProgramBuildInfo,
     (cl_program program, cl_device_id device, cl_program_build_info parameter, size_t size, void *value,
      size_t *needed),
     (program, device, parameter, size, value, needed))
CREATE(FAULTS_KERNEL, cl_kernel, clCreateKernel, (cl_program program, const char *name, cl_int *code),
       (program, name, code))
CALL(clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value), (kernel, index, size, value))
RELEASE(FAULTS_KERNEL, clReleaseKernel, cl_kernel)
INFO(clGetKernelInfo, cl_kernel, cl_kernel_info)
CALL(clGetKernelWorkGroupInfo,
     (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info parameter, size_t size, void *value,
      size_t *needed),
     (kernel, device, parameter, size, value, needed))

/* Commands. */
COMMAND(clEnqueueNDRangeKernel,
        (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset, const size_t *global,
         const size_t *local, cl_uint waits, const cl_event *wait_list, cl_event *event),
        (queue, kernel, dimensions, offset, global, local, waits, wait_list, event))
COMMAND(clEnqueueReadBuffer,
        (cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t bytes, void *data,
         cl_uint waits, const cl_event *wait_list, cl_event *event),
        (queue, buffer, blocking, offset, bytes, data, waits, wait_list, event))
COMMAND(clEnqueueWriteBuffer,
        (cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t bytes, const void *data,
         cl_uint waits, const cl_event *wait_list, cl_event *event),
        (queue, buffer, blocking, offset, bytes, data, waits, wait_list, event))
COMMAND(clEnqueueCopyBuffer,
        (cl_command_queue queue, cl_mem source, cl_mem target, size_t source_offset, size_t target_offset, size_t bytes,
         cl_uint waits, const cl_event *wait_list, cl_event *event),
        (queue, source, target, source_offset, target_offset, bytes, waits, wait_list, event))
COMMAND(clEnqueueFillBuffer,
        (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_bytes, size_t offset, size_t bytes,
         cl_uint waits, const cl_event *wait_list, cl_event *event),
        (queue, buffer, pattern, pattern_bytes, offset, bytes, waits, wait_list, event))
CALL(clFlush, (cl_command_queue queue), (queue))
CALL(clFinish, (cl_command_queue queue), (queue))
CALL(clWaitForEvents, (cl_uint count, const cl_event *events), (count, events))
INFO(clGetEventProfilingInfo, cl_event, cl_profiling_info)
RELEASE(FAULTS_EVENT, clReleaseEvent, cl_event)
