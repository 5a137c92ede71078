/* product.h: one interface to every engine that multiplies matrices.
 *
 *     PRODUCT_GRAM     C = F F^T of a feature map F, channels x pixels (network/feature_map.h); C is dense, float
 *                      [rows][rows]
 *     PRODUCT_BATCHED  C[i] = A[i]^T B[i], A: float [batches][inner][rows], B: float [batches][inner][columns], C:
 *                      float [parts][batches][rows][columns], of which the parts are still to be added up; how many
 *                      there are, and to what rows and columns are filled up, product_layout says
 *     PRODUCT_SQUARE   C = A B, each float [side][side], of which rows x rows count; side is product_layout's rows
 *
 * One side follows the size of the map, the product's extent: of a Gram matrix the pixels, which are summed up; of
 * batches the columns; square matrices have none. The rest is fixed when the product is created, so that one serves
 * every scale.
 *
 * Which engine does it: what the caller names, else what the device's table (device/tuning.h) has for the shape, else
 * what is built in: of the engines that can do it, the first that expects to be the fastest (product_engine.h).
 */
#ifndef NETWORK_PRODUCT_H
#define NETWORK_PRODUCT_H

#include "device/context.h"

enum product_kind { PRODUCT_GRAM, PRODUCT_BATCHED, PRODUCT_SQUARE };

struct product_shape {
    enum product_kind kind;
    int rows;           /* of C; of a Gram matrix also its columns, the channels of the map */
    int inner, batches; /* PRODUCT_BATCHED only */
    bool half_maps;     /* the map is bfloat16 */
    /* What the engine is built with, in the order of its parameters; NULL: what is built in. */
    const int *parameters;
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
/* The key of a shape in the device's table: fits struct tuning_row. */
void product_key(const nst_context *context, const struct product_shape *shape, char *key, size_t size);

struct product;

/* Builds the kernels; `engine` NULL: the one of product_choose. Free with product_destroy, which accepts NULL. Errors:
 * NST_ERROR_ARGUMENT when the engine cannot do it, NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status product_create(nst_context *context, const struct product_shape *shape, const struct product_engine *engine,
                          struct product **product, nst_error *error);
void product_destroy(struct product *product);

/* Bytes of the scratch buffer for that extent (may be 0). */
uint64_t product_scratch_bytes(const struct product *product, int extent);

/* Of a batched product of so many columns, or of a square one: how its matrices are to lie, and how many parts C is
 * left in. */
struct product_layout {
    int rows;    /* of A, that is floats from one of its lines to the next; those of C are not filled up */
    int columns; /* of B and C */
    int parts;
};
struct product_layout product_layout(const struct product *product, int columns);

struct product_call {
    int extent;  /* pixels, or columns with those that they are filled up with */
    cl_mem a, c; /* the map, and the result */
    cl_mem b;    /* PRODUCT_SQUARE; all three are different buffers, but for a and b */
    /* PRODUCT_SQUARE: C is symmetric but for rounding, so that either half of it may be taken for the other. */
    bool symmetric;
    /* PRODUCT_BATCHED: B is at the beginning of the buffer c, C begins after so many floats, a multiple of
     * BUFFER_PART_ALIGNMENT bytes. */
    size_t c_start;
    cl_mem scratch; /* at least product_scratch_bytes */
};

/* Enqueues it; does not wait. */
nst_status product_run(struct product *product, const struct product_call *call, nst_error *error);

#endif
