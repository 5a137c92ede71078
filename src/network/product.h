/* product.h: one interface to every engine that multiplies matrices.
 *
 *     PRODUCT_GRAM     C = F F^T of a feature map F, channels x pixels (network/feature_map.h)
 *
 * C is dense, float [rows][columns]. One side of the product follows the size of the map, its extent: of a Gram matrix
 * the pixels that are summed up. All others are fixed when it is created, so that one product serves every scale.
 *
 * Which engine does it: what the caller names, else what the device's table (device/tuning.h) has for the work, else
 * what is built in: of the engines that can do it, the first that expects to be the fastest (product_engine.h).
 */
#ifndef NETWORK_PRODUCT_H
#define NETWORK_PRODUCT_H

#include "device/context.h"

enum product_kind { PRODUCT_GRAM };

struct product_shape {
    enum product_kind kind;
    int rows;       /* of C, which has as many columns: the channels of the map */
    bool half_maps; /* the map is bfloat16 */
};

struct product_engine; /* product_engine.h */

/* The engines of a context, NULL behind the last. */
const struct product_engine *const *product_engines(const nst_context *context);
/* "packed": in tables, and for people. */
const char *product_engine_name(const struct product_engine *engine);

/* True if the engine can do that here. */
bool product_is_possible(const nst_context *context, const struct product_shape *shape,
                         const struct product_engine *engine);
/* What is built in, and what product_create takes; NULL if no engine can do it. */
const struct product_engine *product_default(const nst_context *context, const struct product_shape *shape);
const struct product_engine *product_choose(const nst_context *context, const struct product_shape *shape);
/* How the device's table calls the work: fits struct tuning_row. */
void product_work(const nst_context *context, const struct product_shape *shape, char *work, size_t size);

struct product;

/* Builds the kernels; `engine` NULL: the one of product_choose. Free with product_destroy, which accepts NULL. Errors:
 * NST_ERROR_ARGUMENT when the engine cannot do it, NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status product_create(nst_context *context, const struct product_shape *shape, const struct product_engine *engine,
                          struct product **product, nst_error *error);
void product_destroy(struct product *product);

/* Bytes of the scratch buffer for that extent (may be 0). */
uint64_t product_scratch_bytes(const struct product *product, int extent);

struct product_call {
    int extent;     /* pixels of the map */
    cl_mem a;       /* the map */
    cl_mem c;       /* the result */
    cl_mem scratch; /* at least product_scratch_bytes */
};

/* Enqueues it; does not wait. */
nst_status product_run(struct product *product, const struct product_call *call, nst_error *error);

#endif
