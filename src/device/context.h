/* context.h: an open OpenCL device, and what the rest of the program asks of it: buffers, kernels, launches.
 * OpenCL is called from src/device/ and through the functions here only. */
#ifndef DEVICE_CONTEXT_H
#define DEVICE_CONTEXT_H

#include "device/select.h"
#include "device/tuning.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

struct kernel_profile; /* time per kernel name, kept when profiling */
struct matrix_unit;    /* matrix_unit.h */
struct program_store;  /* compiled programs of this context, and the folder of binaries */

/* The registries: what there is of each kind, a NULL behind the last (of recipes, a row without a name). A NULL here
 * stands for what is built in. This room knows nothing of their contents; each other room hands out its own table by a
 * function, such as convolution_engines(context). */
struct context_tables {
    const struct convolution_engine *const *engines;
    const struct product_engine *const *products;
    const struct stage_methods *const *stages;
    const struct loss_methods *const *losses;
    const struct recipe *recipes;
};

struct nst_context {
    nst_device_info info;
    struct device_part part; /* of the device; info says what is different of a part */
    bool has_part;           /* `device` is one, to be released */
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue; /* in order */

    /* Decided once, when the device is opened (see device/traits.c). */
    bool loops_in_kernel; /* CPUs: few work-items, each looping over a contiguous range; else one per element */
    int channel_block;    /* preferred innermost channels of feature maps: 1, 4, 8 or 16 */
    int work_items;       /* compute units, 1 at least: for kernels that loop, how many to launch */
    size_t work_group;    /* for kernels that do not: size of a work-group */
    double dispatch_flop; /* the most floating-point operations that one dispatch should do */
    bool prefetches;      /* the compiler of kernels knows __builtin_prefetch */
    int sub_group;        /* Intel GPUs: the lanes that leave a work-item the most registers; else 0 */
    /* Matrix units (device/matrix_unit.h) for maps of 16 bits and for floats, NULL: none; and whether kernels only act as
     * if there were such units. */
    const struct matrix_unit *half_unit, *single_unit;
    bool emulates_units;

    struct context_tables tables;

    struct tuning_table tuning;    /* empty if the device was not tuned */
    bool keeps_findings;           /* what is found out about the device is kept for later runs */
    char note[SELECT_NOTE_LENGTH]; /* see nst_context_note */

    uint64_t allocated_bytes, peak_bytes; /* device buffers */
    struct program_store *programs;
    struct kernel_profile *profile; /* NULL unless profiling */
};

/* nst_context_create with other registries than those that are built in, which must live as long as the context;
 * `tables` may be NULL. */
nst_status context_create(const nst_context_options *options, const struct context_tables *tables,
                          nst_context **context, nst_error *error);

/* The row of the table that says which channel block is used. */
#define CHANNEL_BLOCK_KEY "channel block"

/* Reads the device's table, takes the channel block from it, and tells CLBlast what of it is for it. Done when the
 * device is opened, unless without cache. */
void context_use_tuning(nst_context *context);

/* ---- Buffers --------------------------------------------------------------------------------------------------- */

/* Allocates `bytes` of device memory, uninitialized; `what` names it in errors ("gradient of relu1_2"). Refuses, with
 * the figures, what exceeds the device's largest allocation. Free with buffer_release, which accepts NULL. */
nst_status buffer_create(nst_context *context, size_t bytes, const char *what, cl_mem *buffer, nst_error *error);
void buffer_release(nst_context *context, cl_mem *buffer);

/* A part of a buffer as a buffer of its own, for those who take no offsets (CLBlast). `offset_bytes` is a multiple
 * of BUFFER_PART_ALIGNMENT, which suits every device. Release with buffer_release; it need not wait for what was
 * enqueued. Let a command use the whole buffer first: of one that none has used yet, NVIDIA's driver copies each new
 * part to the device and back when it is released (17 ms for two of 8 MiB; H100, driver 580.159). */
enum { BUFFER_PART_ALIGNMENT = 4096 };
nst_status buffer_part(nst_context *context, cl_mem buffer, size_t offset_bytes, size_t bytes, cl_mem *part,
                       nst_error *error);

/* Both wait until the data is there, and so for all that was enqueued before. */
nst_status buffer_write(nst_context *context, cl_mem buffer, size_t offset_bytes, const void *data, size_t bytes,
                        nst_error *error);
nst_status buffer_read(nst_context *context, cl_mem buffer, size_t offset_bytes, void *data, size_t bytes,
                       nst_error *error);
nst_status buffer_copy(nst_context *context, cl_mem source, cl_mem target, size_t bytes, nst_error *error);
nst_status buffer_fill_zero(nst_context *context, cl_mem buffer, size_t bytes, nst_error *error);

/* A box of bytes between two arrays of rows and slices: where it begins in each, and how these lie in memory. */
struct box_side {
    size_t x_bytes, y;           /* of the first byte, in the first slice */
    size_t row_bytes, row_count; /* of a slice */
};
struct box {
    size_t width_bytes, height, depth; /* depth: slices */
    struct box_side from, to;
};
/* From a buffer to the host, from the host to a buffer: both wait; from one buffer to another. An empty box is no
 * error. */
nst_status buffer_read_box(nst_context *context, cl_mem from, void *to, const struct box *box, nst_error *error);
nst_status buffer_write_box(nst_context *context, const void *from, cl_mem to, const struct box *box, nst_error *error);
nst_status buffer_copy_box(nst_context *context, cl_mem from, cl_mem to, const struct box *box, nst_error *error);

/* ---- Kernels --------------------------------------------------------------------------------------------------- */

/* The kernel `name` of the embedded file `cl/<file>`, built with `options` ("-D BLOCK=16 -D ..."). A program is built
 * once per context for each pair of file and options, taken from the binary cache if it is there. Release with
 * kernel_release. When NST_KERNEL_DIR is set, the file is read from that folder instead of the embedded copy. */
nst_status kernel_create(nst_context *context, const char *file, const char *options, const char *name,
                         cl_kernel *kernel, nst_error *error);

/* Several kernels of one file: where each is to be kept. After a failure those that there are, are to be released too. */
struct kernel_row {
    const char *name;
    cl_kernel *kernel;
};
nst_status kernels_create(nst_context *context, const char *file, const char *options, const struct kernel_row *rows,
                          size_t count, nst_error *error);
void kernel_release(cl_kernel *kernel);

struct kernel_argument {
    size_t bytes;
    union {
        cl_mem buffer;
        cl_int integer;
        cl_float real;
        cl_int4 four_integers;
    } value;
};

static inline struct kernel_argument arg_buffer(cl_mem buffer) {
    return (struct kernel_argument){sizeof buffer, {.buffer = buffer}};
}
static inline struct kernel_argument arg_int(int integer) {
    return (struct kernel_argument){sizeof(cl_int), {.integer = integer}};
}
static inline struct kernel_argument arg_float(float real) {
    return (struct kernel_argument){sizeof(cl_float), {.real = real}};
}
/* An int4: numbers that belong together, such as two sizes. */
static inline struct kernel_argument arg_int4(int x, int y, int z, int w) {
    return (struct kernel_argument){sizeof(cl_int4), {.four_integers = {{x, y, z, w}}}};
}

/* Sizes of a launch. local[0] == 0 leaves the work-group to the implementation. Unused dimensions are 1. */
struct work_size {
    int dimensions;
    size_t global[3], local[3];
};

/* Sets every argument and enqueues the kernel; does not wait. Use: kernel_run(context, kernel, size,
 * ARGUMENTS(arg_buffer(x), arg_int(n)), error). */
nst_status kernel_run(nst_context *context, cl_kernel kernel, struct work_size size,
                      const struct kernel_argument *arguments, int count, nst_error *error);
#define ARGUMENTS(...)                                                                                                 \
    (const struct kernel_argument[]){__VA_ARGS__},                                                                     \
        (int)(sizeof((const struct kernel_argument[]){__VA_ARGS__}) / sizeof(struct kernel_argument))

/* The launch for a kernel that visits `count` elements with FOR_RANGE (cl/common.h). */
struct work_size work_range(const nst_context *context, size_t count);

/* Exactly `count` work-items in work-groups of one: for CPU bodies that share out their work themselves. */
struct work_size work_items(size_t count);

/* Waits for everything enqueued; an error of any of it shows here. */
nst_status context_finish(nst_context *context, nst_error *error);

/* ---- Errors ---------------------------------------------------------------------------------------------------- */

/* "CL_OUT_OF_RESOURCES" for -5, ... */
const char *opencl_error_name(cl_int code);

/* "clFinish failed: CL_OUT_OF_RESOURCES (-5)" into `text`, which is returned. */
enum { OPENCL_FAILURE_LENGTH = 128 };
const char *opencl_failure(const char *call, cl_int code, char text[OPENCL_FAILURE_LENGTH]);

/* fail() for an OpenCL call: "clBuildProgram failed: CL_... (-11) on DEVICE; what to do if known". */
nst_status fail_opencl(nst_context *context, nst_error *error, const char *call, cl_int code);

#endif
