/* query.c: fills in nst_device_info, the only place that does; see query.h. */
#include "device/query.h"

#include "device/traits.h"
#include "support/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PLATFORMS = 64, MOST_DEVICES = 256 };

/* Names from extensions that older OpenCL headers lack. */
#define DEVICE_PCI_BUS_INFO 0x410F /* cl_khr_pci_bus_info */
#define DEVICE_UUID         0x106A /* cl_khr_device_uuid */
#define DEVICE_BOARD_NAME   0x4038 /* cl_amd_device_attribute_query */

/* ---- Strings --------------------------------------------------------------------------------------------------- */

/* Drivers pad names with spaces: Intel's CPU runtime at the end, some in front. */
static void trim(char *text) {
    size_t start = strspn(text, " \t\n"), length = strlen(text);
    while (length > start && isspace((unsigned char)text[length - 1])) {
        --length;
    }
    memmove(text, text + start, length - start);
    text[length - start] = 0;
}

/* A device that is asked, and the code of its first answer that failed. */
struct asked {
    cl_device_id device;
    cl_int code;
};

/* clGetDeviceInfo; false where it fails. */
static bool ask(struct asked *asked, cl_device_info what, size_t size, void *value, size_t *needed) {
    cl_int code = clGetDeviceInfo(asked->device, what, size, value, needed);
    if (code != CL_SUCCESS && asked->code == CL_SUCCESS) {
        asked->code = code;
    }
    return code == CL_SUCCESS;
}

/* Longer texts are cut; an answer that fails is an empty text. */
static void device_string(struct asked *asked, cl_device_info what, char *text, size_t size) {
    size_t needed = 0;
    text[0] = 0;
    if (!ask(asked, what, 0, NULL, &needed) || needed == 0 || needed > 1 << 20) {
        return;
    }
    char *whole = calloc(needed + 1, 1);
    if (whole && ask(asked, what, needed, whole, NULL)) {
        trim(whole);
        snprintf(text, size, "%s", whole);
    }
    free(whole);
}

static bool device_has(struct asked *asked, const char *extension) {
    char extensions[16384];
    device_string(asked, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    size_t length = strlen(extension);
    for (const char *found = extensions; (found = strstr(found, extension)) != NULL; found += length) {
        if ((found == extensions || found[-1] == ' ') && (!found[length] || found[length] == ' ')) {
            return true;
        }
    }
    return false;
}

/* ---- Numbers --------------------------------------------------------------------------------------------------- */

static cl_uint device_uint(struct asked *asked, cl_device_info what) {
    cl_uint value = 0;
    return ask(asked, what, sizeof value, &value, NULL) ? value : 0;
}

static cl_ulong device_ulong(struct asked *asked, cl_device_info what) {
    cl_ulong value = 0;
    return ask(asked, what, sizeof value, &value, NULL) ? value : 0;
}

static size_t device_size(struct asked *asked, cl_device_info what) {
    size_t value = 0;
    return ask(asked, what, sizeof value, &value, NULL) ? value : 0;
}

static bool device_bool(struct asked *asked, cl_device_info what) {
    cl_bool value = CL_FALSE;
    return ask(asked, what, sizeof value, &value, NULL) && value;
}

/* ---- One device ------------------------------------------------------------------------------------------------ */

/* Where the card sits, to know it again under another driver. */
static void find_bus_address(struct asked *asked, char *address, size_t size) {
    cl_uint bus[4]; /* domain, bus, device, function */
    cl_uchar uuid[16];
    if (device_has(asked, "cl_khr_pci_bus_info") && ask(asked, DEVICE_PCI_BUS_INFO, sizeof bus, bus, NULL)) {
        snprintf(address, size, "%04x:%02x:%02x.%x", bus[0], bus[1], bus[2], bus[3]);
    } else if (device_has(asked, "cl_khr_device_uuid") && ask(asked, DEVICE_UUID, sizeof uuid, uuid, NULL) &&
               size > 2 * sizeof uuid) {
        text_hexadecimal(uuid, sizeof uuid, address);
    }
}

/* "OpenCL 1.2 whatever" is 102; 0 if it does not begin like that. */
static int parse_version(const char *text) {
    int major, minor;
    return sscanf(text, "OpenCL %d.%d", &major, &minor) == 2 ? 100 * major + minor : 0;
}

/* Why nst cannot use the device, into info->reason; "" if it can. */
static void find_reason(struct asked *asked, nst_device_info *info) {
    char profile[64], failure[OPENCL_FAILURE_LENGTH];
    device_string(asked, CL_DEVICE_PROFILE, profile, sizeof profile);
    bool available = device_bool(asked, CL_DEVICE_AVAILABLE);
    bool has_compiler = device_bool(asked, CL_DEVICE_COMPILER_AVAILABLE);
    bool is_little = device_bool(asked, CL_DEVICE_ENDIAN_LITTLE);
    int version = parse_version(info->opencl_version);
    const char *reason = "";
    if (version > 0 && version < 102) { /* which does not know all that was asked */
        reason = "its OpenCL is older than 1.2";
    } else if (asked->code != CL_SUCCESS) {
        reason = opencl_failure("clGetDeviceInfo", asked->code, failure);
    } else if (!available) {
        reason = "the driver says that the device is not available";
    } else if (!has_compiler) {
        reason = "its driver has no compiler";
    } else if (strcmp(profile, "FULL_PROFILE") != 0) {
        reason = "it has the embedded profile of OpenCL only, the full one is needed";
    } else if (version == 0) {
        reason = "its driver does not tell the version of OpenCL";
    } else if (!is_little) {
        reason = "it stores numbers with the high byte first";
    }
    snprintf(info->reason, sizeof info->reason, "%s", reason);
}

static void query_device(cl_device_id device, const char *platform, nst_device_info *info) {
    struct asked whole = {device, CL_SUCCESS}, extras = whole, *asked = &whole; /* extras: what it need not answer */
    snprintf(info->platform, sizeof info->platform, "%s", platform);
    device_string(asked, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_string(asked, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    device_string(asked, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    device_string(asked, CL_DEVICE_VERSION, info->opencl_version, sizeof info->opencl_version);
    device_string(asked, CL_DEVICE_OPENCL_C_VERSION, info->opencl_c_version, sizeof info->opencl_c_version);
    if (device_has(asked, "cl_amd_device_attribute_query")) {
        device_string(&extras, DEVICE_BOARD_NAME, info->board, sizeof info->board);
    }
    info->type = traits_type(platform, device_ulong(asked, CL_DEVICE_TYPE));
    info->integrated = device_bool(asked, CL_DEVICE_HOST_UNIFIED_MEMORY);
    info->compute_units = device_uint(asked, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->clock_mhz = device_uint(asked, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    info->memory_bytes = device_ulong(asked, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->largest_allocation_bytes = device_ulong(asked, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->local_memory_bytes = device_ulong(asked, CL_DEVICE_LOCAL_MEM_SIZE);
    info->vector_width_float = device_uint(asked, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    info->largest_work_group = device_size(asked, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    info->has_fp16 = device_has(asked, "cl_khr_fp16");
    info->has_fp64 = device_has(asked, "cl_khr_fp64");
    find_bus_address(&extras, info->bus_address, sizeof info->bus_address);
    info->alias_of = -1;
    find_reason(asked, info);
    info->usable = !info->reason[0];
}

/* ---- Platforms ------------------------------------------------------------------------------------------------- */

cl_int query_platform_count(cl_uint *count) {
    *count = 0;
    cl_int code = clGetPlatformIDs(0, NULL, count);
    *count = *count > MOST_PLATFORMS ? MOST_PLATFORMS : *count;
    return code == CL_SUCCESS && *count == 0 ? PLATFORM_NOT_FOUND : code;
}

static cl_int find_platform(cl_uint index, cl_platform_id *platform) {
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint count = 0;
    cl_int code = clGetPlatformIDs(MOST_PLATFORMS, platforms, &count);
    if (code != CL_SUCCESS) {
        return code;
    }
    if (index >= count || index >= MOST_PLATFORMS) {
        return CL_INVALID_PLATFORM;
    }
    *platform = platforms[index];
    return CL_SUCCESS;
}

static cl_int platform_name(cl_platform_id platform, cl_uint index, char *name, size_t size) {
    name[0] = 0;
    cl_int code = clGetPlatformInfo(platform, CL_PLATFORM_NAME, size - 1, name, NULL);
    if (code != CL_SUCCESS || !name[0]) {
        snprintf(name, size, "number %u", index);
    }
    trim(name);
    return code;
}

void query_platform_name(cl_uint index, char *name, size_t size) {
    cl_platform_id platform;
    name[0] = 0;
    if (find_platform(index, &platform) == CL_SUCCESS) {
        platform_name(platform, index, name, size);
    }
}

bool query_platform(cl_uint index, struct platform_report *report) {
    *report = (struct platform_report){0};
    cl_platform_id platform;
    cl_int code = find_platform(index, &platform);
    if (code != CL_SUCCESS) {
        snprintf(report->name, sizeof report->name, "number %u", index);
        opencl_failure("clGetPlatformIDs", code, report->failure);
        return true;
    }
    /* What is known of a platform's peculiarities goes by its name (traits.c). */
    code = platform_name(platform, index, report->name, sizeof report->name);
    if (code != CL_SUCCESS) {
        opencl_failure("clGetPlatformInfo", code, report->failure);
        return true;
    }
    cl_device_id devices[MOST_DEVICES];
    cl_uint count = 0;
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices, &count);
    if (code != CL_SUCCESS) {
        if (code != CL_DEVICE_NOT_FOUND) {
            opencl_failure("clGetDeviceIDs", code, report->failure);
        }
        return true;
    }
    count = count > MOST_DEVICES ? MOST_DEVICES : count;
    report->devices = calloc(count + 1, sizeof *report->devices);
    if (!report->devices) {
        return false;
    }
    report->count = count;
    for (cl_uint i = 0; i < count; ++i) {
        report->devices[i].platform_index = (int)index;
        report->devices[i].device_index = (int)i;
        query_device(devices[i], report->name, &report->devices[i]);
    }
    return true;
}

void platform_report_free(struct platform_report *report) {
    free(report->devices);
    *report = (struct platform_report){0};
}

cl_int query_handles(int platform_index, int device_index, cl_platform_id *platform, cl_device_id *device,
                     const char **call) {
    *call = "clGetPlatformIDs";
    cl_int code = find_platform((cl_uint)platform_index, platform);
    if (code != CL_SUCCESS) {
        return code;
    }
    *call = "clGetDeviceIDs";
    cl_device_id devices[MOST_DEVICES];
    cl_uint count = 0;
    code = clGetDeviceIDs(*platform, CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices, &count);
    if (code == CL_SUCCESS && (cl_uint)device_index >= count) {
        code = CL_INVALID_DEVICE;
    }
    if (code == CL_SUCCESS) {
        *device = devices[device_index];
    }
    return code;
}
