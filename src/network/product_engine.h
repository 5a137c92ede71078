/* product_engine.h: what an engine for products of matrices provides. For the files product*.c, and for those who bring
 * an engine of their own in the tables of a context. A new engine is a file, and a line in product.c. */
#ifndef NETWORK_PRODUCT_ENGINE_H
#define NETWORK_PRODUCT_ENGINE_H

#include "network/product.h"

enum { PRODUCT_MOST_PARAMETERS = 4 };

struct product_engine {
    const char *name;  /* also in the tuner's table; engines that can do different things may share it */
    const char *needs; /* what it must have to be possible, for errors: "a channel block of 1" */
    bool (*supports)(const nst_context *context, const struct product_shape *shape);
    /* Whether it expects to be faster than the engines behind it; NULL: always. */
    bool (*suits)(const nst_context *context, const struct product_shape *shape);
    /* Creates the kernels. product->state is state_bytes of zeros for what only this engine knows; `release` releases
     * what that holds, also after a failure; both may be NULL. */
    size_t state_bytes;
    nst_status (*create)(struct product *product, nst_error *error);
    void (*release)(struct product *product);
    /* NULL: none. */
    uint64_t (*scratch_bytes)(const struct product *product, int extent);
    /* Of batched and square products. NULL: nothing is filled up, and C is whole. */
    struct product_layout (*layout)(const struct product *product, int columns);
    nst_status (*run)(struct product *product, const struct product_call *call, nst_error *error);
    /* What may be tuned, a NULL name behind the last; and what is built in. NULL: nothing. */
    const struct tuning_parameter *parameters;
    void (*set_defaults)(const nst_context *context, const struct product_shape *shape,
                         int parameters[PRODUCT_MOST_PARAMETERS]);
};

extern const struct product_engine product_gram_units;
/* Those that convolutions are made around. */
extern const struct product_engine product_batched, product_batched_units, product_clblast;
extern const struct tuning_parameter product_batched_parameters[];

struct product {
    nst_context *context;
    struct product_shape shape;
    const struct product_engine *engine;
    int parameters[PRODUCT_MOST_PARAMETERS]; /* in the order of engine->parameters */
    void *state;                             /* the engine's own */
};

#endif
