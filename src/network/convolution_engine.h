/* convolution_engine.h: what an engine must provide, and what engines share. For the files convolution*.c only. */
#ifndef NETWORK_CONVOLUTION_ENGINE_H
#define NETWORK_CONVOLUTION_ENGINE_H

#include "network/convolution.h"

/* One number of an engine that is worth tuning. */
struct convolution_parameter {
    const char *name;
    int values[8]; /* those worth trying, all above 0; 0 ends them */
};

struct convolution_methods {
    const char *name; /* for tables */
    bool (*supports)(const nst_context *context, const struct convolution_shape *shape);
    /* Creates the kernels and the weight buffer; `weights` may be NULL (1x1). What it made is released by the
     * caller, also after a failure. */
    nst_status (*create)(nst_context *context, struct convolution *convolution, const float *weights, nst_error *error);
    uint64_t (*scratch_bytes)(const struct convolution *convolution, int height, int width);
    nst_status (*run)(nst_context *context, struct convolution *convolution, const struct convolution_call *call,
                      nst_error *error);
    /* What `nst tune` may change, a NULL name behind the last; and what is built in. NULL: nothing. */
    const struct convolution_parameter *parameters;
    void (*set_defaults)(const nst_context *context, const struct convolution_shape *shape,
                         int parameters[CONVOLUTION_MOST_PARAMETERS]);
    /* Whether weights of this shape may be halves; NULL: never. */
    bool (*takes_halves)(const struct convolution_shape *shape);
    /* One program does for all epilogues: the kernel is told. */
    bool is_told_epilogue;
};

/* CPUs; the plain one everywhere. */
extern const struct convolution_methods convolution_plain, convolution_direct, convolution_winograd;
/* GPUs: CONVOLUTION_DIRECT, _WINOGRAD, _WINOGRAD_CLBLAST and _CLBLAST. */
extern const struct convolution_methods convolution_tiled, convolution_winograd_gpu, convolution_winograd_clblast,
    convolution_clblast;

/* Products for each pair of channels in Winograd's F(4x4, 3x3). */
enum { WINOGRAD_SLICES = 36 };

const struct convolution_methods *convolution_methods_of(enum convolution_engine engine, bool on_cpu);

/* Whether an engine can do a shape. */
bool convolution_supports(const struct convolution_methods *methods, const nst_context *context,
                          const struct convolution_shape *shape);

struct convolution {
    struct convolution_shape shape;
    enum convolution_engine engine;
    int parameters[CONVOLUTION_MOST_PARAMETERS]; /* in the order of methods->parameters */
    nst_context *context;                        /* CLBLAST only, to ask for its temporary memory */
    const struct convolution_methods *methods;
    int block, work_items; /* of the context */
    int in_blocks, out_blocks;
    int panel_width;      /* output channels that lie side by side in the weights */
    int taps;             /* products per pair of channels there: kernel_size^2, or 36 transformed ones */
    int tiles_per_round;  /* Winograd: 4x4 tiles that a work-item transforms at once */
    bool half_weights;    /* stored as halves: taken from the shape, refused by engines and weights that do not suit */
    double dispatch_flop; /* of the context; tests lower it */
    uint64_t weight_bytes;
    cl_mem weights, bias; /* bias: zeros where there is none, filled up to whole panels */
    cl_kernel kernel;
    cl_kernel input_kernel;       /* or NULL: where the input is transformed by a kernel of its own */
    cl_kernel product_kernel;     /* or NULL: where the transformed input is multiplied by one */
    cl_kernel few_product_kernel; /* or NULL: the same for small maps */
    cl_kernel mask_kernel;        /* or NULL: where the engine's own kernel does not write the mask */
    cl_kernel pack_kernel;        /* or NULL: for weights set on the device */
};

/* Whether the engines for GPUs can work: on planar maps, by work-items that do not loop. */
bool convolution_suits_gpus(const nst_context *context);

static inline int ceiling_divide(int a, int b) {
    return (a + b - 1) / b;
}
static inline uint64_t round_up(uint64_t count, uint64_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/* Number of panels of output channels. */
int convolution_panels(const struct convolution *convolution);

/* How many units of work, each of so many floating-point operations, one dispatch may do: a multiple of `multiple`. */
int convolution_dispatch_units(const struct convolution *convolution, double unit_flop, int multiple);

/* Packs weights [out][in][taps] into [panels][in_blocks][taps][channels of the block][panel_width], with zeros for
 * output channels that do not exist, and puts them on the device. With weights == NULL the buffer is only allocated,
 * and the kernel that fills it created. Sets the fields weights, weight_bytes and pack_kernel; panel_width and taps
 * must be set. */
nst_status convolution_pack_weights(nst_context *context, struct convolution *convolution, const float *weights,
                                    nst_error *error);

/* Allocates convolution->weights for `count` of them, sets weight_bytes, and writes `packed` there, as halves if so
 * they are stored, unless it is NULL. */
nst_status convolution_upload_weights(nst_context *context, struct convolution *convolution, const float *packed,
                                      size_t count, nst_error *error);

/* Creates a kernel with the options that all engines share (block, loops, epilogue, halves), and `options`. */
nst_status convolution_kernel(nst_context *context, const struct convolution *convolution, const char *file,
                              const char *options, const char *name, cl_kernel *kernel, nst_error *error);

#endif
