/* traits.c: every vendor difference in one place; see traits.h. */
#include "device/traits.h"

#include "support/error.h"
#include "support/text.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL_WORK_GROUP = 256 };

/* Oclgrind reports that its one device is of every type at once; it runs on the CPU, a thousand times slower than any
 * other. */
static bool is_oclgrind(const char *platform) {
    return strstr(platform, "Oclgrind") != NULL;
}

/* Mesa's software rasterizer, offered as a CPU through rusticl and Clover. */
static bool is_llvmpipe(const nst_device_info *device) {
    return strstr(device->name, "llvmpipe") != NULL;
}

static bool is_rusticl(const nst_device_info *device) {
    return strcmp(device->platform, "rusticl") == 0;
}

nst_device_type traits_type(const char *platform, cl_device_type reported) {
    if (is_oclgrind(platform)) {
        return NST_DEVICE_CPU;
    }
    if (reported & CL_DEVICE_TYPE_GPU) {
        return NST_DEVICE_GPU;
    }
    if (reported & CL_DEVICE_TYPE_CPU) {
        return NST_DEVICE_CPU;
    }
    return reported & CL_DEVICE_TYPE_ACCELERATOR ? NST_DEVICE_ACCELERATOR : NST_DEVICE_OTHER;
}

int traits_rank(const nst_device_info *device) {
    switch (device->type) {
    case NST_DEVICE_GPU:
        return device->integrated ? 6 : 7;
    case NST_DEVICE_ACCELERATOR:
        return 5;
    case NST_DEVICE_CPU:
        return is_oclgrind(device->platform) ? 1 : is_llvmpipe(device) ? 2 : 4;
    case NST_DEVICE_OTHER:
        break;
    }
    return 3;
}

/* PoCL: fetching a binary compiles every kernel once more, for work-groups of any size: with PoCL 3.1, 2.0 s for 17
 * kernels, to save 45 ms for each of 8 programs at the next start. rusticl: Mesa has a cache of its own, and its reader
 * aborts the whole process on a binary that it does not know (Mesa 22.3). */
bool traits_keeps_programs(const nst_device_info *device) {
    return strcmp(device->platform, "Portable Computing Language") == 0 || is_rusticl(device);
}

int traits_vector_width(const nst_device_info *device) {
    uint32_t width = device->vector_width_float;
    return width >= 16 ? 16 : width >= 8 ? 8 : 4;
}

static size_t power_of_two_below(uint64_t limit, size_t start) {
    size_t size = start;
    while (size > 1 && size > limit) {
        size /= 2;
    }
    return size;
}

double traits_dispatch_flop(const nst_device_info *device) {
    /* 15 GFLOP take an integrated GPU of 150 GFLOP/s 0.1 s; launches of more do not run faster. Even a core of a
     * telephone's GPU does 8 operations per cycle. A driver that does not tell its clock says 0. */
    const double most = 15e9, flop_per_mhz_and_unit = 0.1 * 8e6;
    double flop = flop_per_mhz_and_unit * device->compute_units * device->clock_mhz;
    return flop > 0 && flop < most ? flop : most;
}

static nst_status read_style(bool *like_cpu, nst_error *error) {
    const char *style = getenv("NST_DEVICE_STYLE");
    if (!style || !*style) {
        return NST_OK;
    }
    if (strcmp(style, "cpu") != 0 && strcmp(style, "gpu") != 0) {
        return fail(error, NST_ERROR_ARGUMENT, "NST_DEVICE_STYLE is '%s': expected cpu or gpu", style);
    }
    *like_cpu = strcmp(style, "cpu") == 0;
    return NST_OK;
}

bool traits_parse_block(const char *text, int *block) {
    long long value;
    if (!text_to_integer(text, &value) || (value != 1 && value != 4 && value != 8 && value != 16)) {
        return false;
    }
    *block = (int)value;
    return true;
}

static const char given_block[] = "NST_CHANNEL_BLOCK";

bool traits_block_is_given(void) {
    const char *text = getenv(given_block);
    return text && *text;
}

static nst_status read_block(int *block, nst_error *error) {
    if (traits_block_is_given() && !traits_parse_block(getenv(given_block), block)) {
        return fail(error, NST_ERROR_ARGUMENT, "%s is '%s': expected 1, 4, 8 or 16", given_block, getenv(given_block));
    }
    return NST_OK;
}

/* Intel's compiler runs 8, 16 or 32 work-items in the registers of one thread; some GPUs lack 8. Left alone it takes
 * 32 for kernels with local memory, and spills. */
static int smallest_sub_group(const nst_context *context) {
    const cl_device_info sub_group_sizes = 0x4108; /* CL_DEVICE_SUB_GROUP_SIZES_INTEL, unknown to other drivers */
    size_t sizes[8], bytes = 0, smallest = 0;
    if (context->info.type != NST_DEVICE_GPU ||
        clGetDeviceInfo(context->device, sub_group_sizes, sizeof sizes, sizes, &bytes) != CL_SUCCESS) {
        return 0;
    }
    for (size_t i = 0; i < bytes / sizeof *sizes; ++i) {
        smallest = smallest == 0 || sizes[i] < smallest ? sizes[i] : smallest;
    }
    return (int)smallest;
}

/* Known to work there. Oclgrind ends the process at a prefetch. */
static bool knows_prefetch(const char *platform) {
    return strcmp(platform, "Portable Computing Language") == 0 || strncmp(platform, "Intel", 5) == 0;
}

/* NVIDIA's compute capability, 80 for 8.0; 0 for devices of others. */
static int compute_capability(const nst_context *context) {
    const cl_device_info major_number = 0x4000, minor_number = 0x4001; /* of cl_nv_device_attribute_query */
    cl_uint major = 0, minor = 0;
    if (strcmp(context->info.platform, "NVIDIA CUDA") != 0 ||
        clGetDeviceInfo(context->device, major_number, sizeof major, &major, NULL) != CL_SUCCESS ||
        clGetDeviceInfo(context->device, minor_number, sizeof minor, &minor, NULL) != CL_SUCCESS) {
        return 0;
    }
    return (int)(10 * major + minor);
}

/* AMD's own compiler has the builtins, and names the target: "gfx90a:sramecc+:xnack-". */
static struct traits_units units_of_amd(const char *name) {
    static const struct {
        const char *target;
        struct traits_units units;
    } rows[] = {{"gfx90a", {"mfma-bf16", "mfma-f32"}},
                {"gfx94", {"mfma-bf16", "mfma-f32"}},
                {"gfx11", {"wmma-gfx11", NULL}},
                {"gfx12", {"wmma-gfx12", NULL}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        if (strncmp(name, rows[i].target, strlen(rows[i].target)) == 0) {
            return rows[i].units;
        }
    }
    return (struct traits_units){NULL, NULL};
}

static bool has_extension(const nst_context *context, const char *extension) {
    size_t bytes = 0;
    if (clGetDeviceInfo(context->device, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes) != CL_SUCCESS) {
        return false;
    }
    char *all = calloc(bytes + 1, 1);
    bool has = all && clGetDeviceInfo(context->device, CL_DEVICE_EXTENSIONS, bytes, all, NULL) == CL_SUCCESS &&
               strstr(all, extension);
    free(all);
    return has;
}

struct traits_units traits_matrix_units(const nst_context *context) {
    if (compute_capability(context) >= 80) {
        return (struct traits_units){"nvidia-bf16", "nvidia-tf32"};
    }
    if (strcmp(context->info.platform, "AMD Accelerated Parallel Processing") == 0) {
        return units_of_amd(context->info.name);
    }
    if (has_extension(context, "cl_intel_subgroup_matrix_multiply_accumulate")) {
        return (struct traits_units){context->sub_group == 8 ? "xmx-8" : "xmx-16", NULL};
    }
    return (struct traits_units){NULL, NULL};
}

nst_status traits_apply(nst_context *context, nst_error *error) {
    const nst_device_info *device = &context->info;
    /* Mesa's llvmpipe leaves every loop once a work-item has made 65535 turns in all (gallivm,
     * LP_MAX_TGSI_LOOP_ITERATIONS; seen with 22.3: sums and maps end early). The bodies for CPUs loop for long; those
     * for GPUs do not. */
    bool like_cpu = device->type == NST_DEVICE_CPU && !is_llvmpipe(device);
    nst_status status = read_style(&like_cpu, error);
    if (status) {
        return status;
    }
    context->loops_in_kernel = like_cpu;
    context->channel_block = like_cpu ? traits_vector_width(device) : 1;
    context->work_items = device->compute_units > 0 ? (int)device->compute_units : 1;
    context->work_group = like_cpu ? 1 : power_of_two_below(device->largest_work_group, USUAL_WORK_GROUP);
    context->dispatch_flop = traits_dispatch_flop(device);
    context->sub_group = smallest_sub_group(context);
    context->prefetches = like_cpu && knows_prefetch(device->platform);
    status = read_block(&context->channel_block, error);
    if (!status && !like_cpu && context->channel_block != 1) {
        status = fail(error, NST_ERROR_ARGUMENT,
                      "%s is %d, but the kernels for GPUs have 1 channel innermost: leave the variable out",
                      given_block, context->channel_block);
    }
    return status;
}
