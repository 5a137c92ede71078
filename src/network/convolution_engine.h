/* convolution_engine.h: what an engine for convolutions provides, and what engines share. For the files convolution*.c,
 * and for those who bring an engine of their own in the tables of a context. A new engine is a file, and a line in
 * convolution_choice.c. */
#ifndef NETWORK_CONVOLUTION_ENGINE_H
#define NETWORK_CONVOLUTION_ENGINE_H

#include "network/convolution.h"
#include "network/product_engine.h"

/* What kind of device an engine is for. */
enum convolution_device {
    ANY_DEVICE,
    CPUS, /* channel blocks of 4 or more, by work-items that loop */
    GPUS  /* channel blocks of 1, by work-items that do not */
};

struct convolution_engine {
    const char *word; /* in the tuner's table; one for CPUs and one for GPUs may share it */
    const char *name; /* for people */
    enum convolution_device device;
    /* What it can do beyond plain convolutions of maps: the fields of those names of struct convolution_shape; pools:
     * EPILOGUE_RELU_POOL, and `unpools`. */
    bool pools, in_place, images;
    bool transforms;                      /* Winograd's, which cost a digit */
    bool rounds_weights;                  /* stores weights as bfloat16, whatever the shape says */
    int least_channels;                   /* with fewer on either side it is slower than the engines behind it */
    const struct product_engine *product; /* what multiplies its matrices; NULL: it does so itself */
    /* Whether it can do a shape on such a device, what stands above apart. */
    bool (*supports)(const struct convolution_engine *engine, const nst_context *context,
                     const struct convolution_shape *shape);
    /* Creates the kernels and the weight buffer; `weights` may be NULL (1x1). convolution->state is state_bytes of
     * zeros for what only this engine knows; `release` releases what that holds (kernels), also after a failure; NULL:
     * nothing. */
    size_t state_bytes;
    nst_status (*create)(struct convolution *convolution, const float *weights, nst_error *error);
    void (*release)(struct convolution *convolution);
    /* NULL: none. */
    uint64_t (*scratch_bytes)(const struct convolution *convolution, int height, int width);
    nst_status (*run)(struct convolution *convolution, const struct convolution_call *call, nst_error *error);
    /* convolution_set_weights; NULL: the weights lie as convolution_pack_weights puts them. */
    nst_status (*set_weights)(struct convolution *convolution, cl_mem matrix, nst_error *error);
    /* What `nst tune` may change, a NULL name behind the last; and what is built in. NULL: nothing. */
    const struct tuning_parameter *parameters;
    void (*set_defaults)(const nst_context *context, const struct convolution_shape *shape,
                         int parameters[CONVOLUTION_MOST_PARAMETERS]);
    /* Whether weights of this shape may be halves; NULL: never. */
    bool (*takes_halves)(const struct convolution_shape *shape);
    /* One program does for all epilogues: the kernel is told. */
    bool is_told_epilogue;
};

/* Products for each pair of channels in Winograd's F(4x4, 3x3). */
enum { WINOGRAD_SLICES = 36 };

/* Whether an engine can do a shape. */
bool convolution_supports(const struct convolution_engine *engine, const nst_context *context,
                          const struct convolution_shape *shape);

struct convolution {
    nst_context *context;
    struct convolution_shape shape;
    const struct convolution_engine *engine;
    int parameters[CONVOLUTION_MOST_PARAMETERS]; /* in the order of engine->parameters */
    void *state;                                 /* the engine's own */
    int block, work_items;                       /* of the context */
    int in_blocks, out_blocks;
    int panel_width;      /* output channels that lie side by side in the weights */
    int taps;             /* products per pair of channels there: kernel_size^2, or 36 transformed ones */
    bool half_weights;    /* stored as halves: taken from the shape, refused by engines and weights that do not suit */
    double dispatch_flop; /* of the context; tests lower it */
    uint64_t weight_bytes;
    cl_mem weights, bias;  /* bias: zeros where there is none, filled up to whole panels */
    cl_kernel pack_kernel; /* or NULL: for weights set on the device */
};

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
nst_status convolution_pack_weights(struct convolution *convolution, const float *weights, nst_error *error);

/* Allocates convolution->weights for `count` of them, sets weight_bytes, and writes `packed` there, as halves if so
 * they are stored, unless it is NULL. */
nst_status convolution_upload_weights(struct convolution *convolution, const float *packed, size_t count,
                                      nst_error *error);

/* convolution->bias, from [out] numbers or NULL. */
nst_status convolution_upload_bias(struct convolution *convolution, const float *bias, nst_error *error);

/* True if halves hold the weights as precisely as they hold numbers of their normal range. */
bool convolution_weights_survive_as_halves(const struct convolution_shape *shape, const float *weights);

/* Creates a kernel with the options that all engines share (block, loops, epilogue, halves), and `options`. */
nst_status convolution_kernel(const struct convolution *convolution, const char *file, const char *options,
                              const char *name, cl_kernel *kernel, nst_error *error);

#endif
