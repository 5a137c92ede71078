/* fake_driver.c: an OpenCL driver with platforms that behave badly, for test_list.c. Loaded by the system's OpenCL
 * loader. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl_icd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct _cl_platform_id {
    cl_icd_dispatch *dispatch;
    const char *name;
};

struct _cl_device_id {
    cl_icd_dispatch *dispatch;
    const char *name, *version, *profile, *extensions;
    cl_device_type type;
    cl_bool available, compiler, little_endian, integrated;
    cl_uint bus; /* 0: tells no address */
};

enum { CRASHING = 1, HANGING = 3, EXITING = 4, EMPTY = 5, PLATFORMS = 7, DEVICES = 8 };

static cl_icd_dispatch dispatch;
static struct _cl_platform_id platforms[PLATFORMS] = {
    {&dispatch, "Good"},    {&dispatch, "Crashing"}, {&dispatch, "Second"},  {&dispatch, "Hanging"},
    {&dispatch, "Exiting"}, {&dispatch, "Empty"},    {&dispatch, "Unusable"}};

#define USUAL "OpenCL 1.2 fake", "FULL_PROFILE"
static struct _cl_device_id devices[DEVICES] = {
    /* Good */
    {&dispatch, "  Card  ", USUAL, "cl_khr_fp16 cl_khr_pci_bus_info", CL_DEVICE_TYPE_GPU, 1, 1, 1, 0, 5},
    {&dispatch, "Processor", USUAL, "cl_khr_fp64", CL_DEVICE_TYPE_CPU, 1, 1, 1, 1, 0},
    /* Second: the same card again */
    {&dispatch, "Same card", USUAL, "cl_khr_pci_bus_info", CL_DEVICE_TYPE_GPU, 1, 1, 1, 0, 5},
    /* Unusable */
    {&dispatch, "No compiler", USUAL, "", CL_DEVICE_TYPE_GPU, 1, 0, 1, 0, 0},
    {&dispatch, "Embedded", "OpenCL 1.2", "EMBEDDED_PROFILE", "", CL_DEVICE_TYPE_GPU, 1, 1, 1, 0, 0},
    {&dispatch, "Old", "OpenCL 1.1", "FULL_PROFILE", "", CL_DEVICE_TYPE_GPU, 1, 1, 1, 0, 0},
    {&dispatch, "Big endian", USUAL, "", CL_DEVICE_TYPE_GPU, 1, 1, 0, 0, 0},
    {&dispatch, "Away", USUAL, "", CL_DEVICE_TYPE_GPU, 0, 1, 1, 0, 0},
};

static cl_int answer(const void *data, size_t bytes, size_t size, void *value, size_t *size_needed) {
    if (size_needed) {
        *size_needed = bytes;
    }
    if (value) {
        if (size < bytes) {
            return CL_INVALID_VALUE;
        }
        memcpy(value, data, bytes);
    }
    return CL_SUCCESS;
}

static cl_int answer_text(const char *text, size_t size, void *value, size_t *size_needed) {
    return answer(text, strlen(text) + 1, size, value, size_needed);
}

static cl_int answer_uint(cl_uint number, size_t size, void *value, size_t *size_needed) {
    return answer(&number, sizeof number, size, value, size_needed);
}

static cl_int answer_ulong(cl_ulong number, size_t size, void *value, size_t *size_needed) {
    return answer(&number, sizeof number, size, value, size_needed);
}

EXPORT cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *ids, cl_uint *count) {
    for (cl_uint i = 0; ids && i < room && i < PLATFORMS; ++i) {
        ids[i] = &platforms[i];
    }
    if (count) {
        *count = PLATFORMS;
    }
    return CL_SUCCESS;
}

static cl_int CL_API_CALL get_platform_info(cl_platform_id platform, cl_platform_info what, size_t size, void *value,
                                            size_t *size_needed) {
    switch (what) {
    case CL_PLATFORM_NAME:
        return answer_text(platform->name, size, value, size_needed);
    case CL_PLATFORM_PROFILE:
        return answer_text("FULL_PROFILE", size, value, size_needed);
    case CL_PLATFORM_VERSION:
        return answer_text("OpenCL 1.2 fake", size, value, size_needed);
    case CL_PLATFORM_EXTENSIONS:
        return answer_text("cl_khr_icd", size, value, size_needed);
    case CL_PLATFORM_ICD_SUFFIX_KHR:
        return answer_text("FAKE", size, value, size_needed);
    default:
        return answer_text("fake", size, value, size_needed);
    }
}

/* For the loader only: inside this file the name could mean the loader's own function. */
EXPORT cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size, void *value,
                                            size_t *size_needed) {
    return get_platform_info(platform, what, size, value, size_needed);
}

static cl_int CL_API_CALL get_devices(cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *ids,
                                      cl_uint *count) {
    static const struct { cl_uint first, count; } ranges[PLATFORMS] = {[0] = {0, 2}, [2] = {2, 1}, [6] = {3, 5}};
    int number = (int)(platform - platforms);
    (void)type;
    switch (number) {
    case CRASHING:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case HANGING:
        for (;;) {
            pause();
        }
    case EXITING:
        _exit(3);
    case EMPTY:
        return CL_DEVICE_NOT_FOUND;
    default:
        break;
    }
    for (cl_uint i = 0; ids && i < room && i < ranges[number].count; ++i) {
        ids[i] = &devices[ranges[number].first + i];
    }
    if (count) {
        *count = ranges[number].count;
    }
    return CL_SUCCESS;
}

static cl_int CL_API_CALL get_device_info(cl_device_id device, cl_device_info what, size_t size, void *value,
                                          size_t *size_needed) {
    const cl_uint address[4] = {0, device->bus, 0, 1};
    switch (what) {
    case CL_DEVICE_NAME:
        return answer_text(device->name, size, value, size_needed);
    case CL_DEVICE_VERSION:
        return answer_text(device->version, size, value, size_needed);
    case CL_DEVICE_PROFILE:
        return answer_text(device->profile, size, value, size_needed);
    case CL_DEVICE_EXTENSIONS:
        return answer_text(device->extensions, size, value, size_needed);
    case CL_DEVICE_VENDOR:
        return answer_text("Fake vendor", size, value, size_needed);
    case CL_DEVICE_TYPE:
        return answer_ulong(device->type, size, value, size_needed);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
        return answer_ulong(1 << 30, size, value, size_needed);
    case CL_DEVICE_AVAILABLE:
        return answer_uint(device->available, size, value, size_needed);
    case CL_DEVICE_COMPILER_AVAILABLE:
        return answer_uint(device->compiler, size, value, size_needed);
    case CL_DEVICE_ENDIAN_LITTLE:
        return answer_uint(device->little_endian, size, value, size_needed);
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        return answer_uint(device->integrated, size, value, size_needed);
    case 0x410F: /* CL_DEVICE_PCI_BUS_INFO_KHR */
        return answer(address, sizeof address, size, value, size_needed);
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_MAX_CLOCK_FREQUENCY:
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
        return answer_uint(4, size, value, size_needed);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
    case CL_DEVICE_LOCAL_MEM_SIZE:
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: /* size_t, of 8 bytes like cl_ulong where this is tested */
        return answer_ulong(1 << 10, size, value, size_needed);
    case CL_DRIVER_VERSION:
    case CL_DEVICE_OPENCL_C_VERSION:
        return answer_text("1", size, value, size_needed);
    default:
        return CL_INVALID_VALUE;
    }
}

static cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint count,
                                             const cl_device_id *ids,
                                             void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                                             void *user, cl_int *code) {
    (void)properties, (void)count, (void)ids, (void)notify, (void)user;
    *code = CL_DEVICE_NOT_AVAILABLE;
    return NULL;
}

static cl_icd_dispatch dispatch = {
    .clGetPlatformInfo = get_platform_info,
    .clGetDeviceIDs = get_devices,
    .clGetDeviceInfo = get_device_info,
    .clCreateContext = create_context,
};

EXPORT void *CL_API_CALL clGetExtensionFunctionAddress(const char *name) {
    union {
        cl_int(CL_API_CALL *function)(cl_uint, cl_platform_id *, cl_uint *);
        void *address;
    } platform_ids = {clIcdGetPlatformIDsKHR};
    return strcmp(name, "clIcdGetPlatformIDsKHR") == 0 ? platform_ids.address : NULL;
}
