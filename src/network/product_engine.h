/* product_engine.h: what an engine for products of matrices provides. For the files product*.c, and for those who bring
 * an engine of their own in the tables of a context. A new engine is a file, and a line in product.c. */
#ifndef NETWORK_PRODUCT_ENGINE_H
#define NETWORK_PRODUCT_ENGINE_H

#include "network/product.h"

struct product_engine {
    const char *name;
    const char *needs; /* what it must have to be possible, for errors: "a channel block of 1" */
    bool (*supports)(const nst_context *context, const struct product_shape *shape);
    /* Whether it expects to be faster than the engines behind it; NULL: always. */
    bool (*suits)(const nst_context *context, const struct product_shape *shape);
    /* Makes product->state, which `destroy` releases, also after a failure. */
    nst_status (*create)(struct product *product, nst_error *error);
    void (*destroy)(struct product *product);
    uint64_t (*scratch_bytes)(const struct product *product, int extent);
    nst_status (*run)(struct product *product, const struct product_call *call, nst_error *error);
};

struct product {
    nst_context *context;
    struct product_shape shape;
    const struct product_engine *engine;
    void *state; /* the engine's own, NULL if it has none */
};

#endif
