/* product.c: the engines for products of matrices, and which of them does one; see product.h. */
#include "network/product_engine.h"

#include "support/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The faster ones first. */
extern const struct product_engine product_packed, product_tiles, product_square;
static const struct product_engine *const built_in[] = {
    &product_packed,  &product_gram_units, &product_tiles,   &product_batched_units,
    &product_batched, &product_square,     &product_clblast, NULL,
};

const struct product_engine *const *product_engines(const nst_context *context) {
    return context->tables.products ? context->tables.products : built_in;
}

const char *product_engine_name(const struct product_engine *engine) {
    return engine->name;
}

/* ---- Choice ------------------------------------------------------------------------------------------------------ */

bool product_is_possible(const nst_context *context, const struct product_shape *shape,
                         const struct product_engine *engine) {
    return engine->supports(context, shape);
}

const struct product_engine *product_default(const nst_context *context, const struct product_shape *shape) {
    const struct product_engine *possible = NULL;
    for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
        if (!product_is_possible(context, shape, *engine)) {
            continue;
        }
        if (!(*engine)->suits || (*engine)->suits(context, shape)) {
            return *engine;
        }
        possible = possible ? possible : *engine;
    }
    return possible;
}

const struct product_engine *product_choose(const nst_context *context, const struct product_shape *shape) {
    char key[TUNING_KEY_LENGTH];
    product_key(context, shape, key, sizeof key);
    const struct tuning_row *row = tuning_find(&context->tuning, key);
    for (const struct product_engine *const *engine = product_engines(context); row && *engine; ++engine) {
        if (strcmp(row->choice, (*engine)->name) == 0 && product_is_possible(context, shape, *engine)) {
            return *engine;
        }
    }
    return product_default(context, shape);
}

void product_key(const nst_context *context, const struct product_shape *shape, char *key, size_t size) {
    if (shape->kind == PRODUCT_GRAM) {
        snprintf(key, size, "Gram product, %d channels, block %d%s", shape->rows, context->channel_block,
                 shape->half_maps && context->half_unit ? ", 16 bits" : "");
    } else if (shape->kind == PRODUCT_SQUARE) {
        snprintf(key, size, "square product, %d rows", shape->rows);
    } else {
        snprintf(key, size, "%d products, %d to %d", shape->batches, shape->inner, shape->rows);
    }
}

/* ---- Life and use ------------------------------------------------------------------------------------------------ */

/* Without anything on the device. */
static struct product *allocate(nst_context *context, const struct product_shape *shape,
                                const struct product_engine *engine) {
    struct product *product = calloc(1, sizeof *product);
    void *state = calloc(1, engine->state_bytes + 1);
    if (!product || !state) {
        free(product);
        free(state);
        return NULL;
    }
    *product = (struct product){.context = context, .shape = *shape, .engine = engine, .state = state};
    if (shape->parameters) {
        memcpy(product->parameters, shape->parameters, sizeof product->parameters);
    } else if (engine->set_defaults) {
        engine->set_defaults(context, shape, product->parameters);
    }
    product->shape.parameters = NULL; /* the caller's */
    return product;
}

nst_status product_create(nst_context *context, const struct product_shape *shape, const struct product_engine *engine,
                          struct product **result, nst_error *error) {
    *result = NULL;
    engine = engine ? engine : product_choose(context, shape);
    if (!engine) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "no engine multiplies matrices with channel blocks of %d%s on this device", context->channel_block,
                    shape->half_maps ? " in half precision" : "");
    }
    if (!product_is_possible(context, shape, engine)) {
        static const char *const kinds[] = {"the Gram product", "a batched product", "a square product"};
        return fail(error, NST_ERROR_ARGUMENT, "%s by %s needs %s", kinds[shape->kind], engine->name, engine->needs);
    }
    struct product *product = allocate(context, shape, engine);
    if (!product) {
        return fail_memory(error, sizeof *product + engine->state_bytes, "a product of matrices");
    }
    nst_status status = engine->create ? engine->create(product, error) : NST_OK;
    if (status) {
        product_destroy(product);
        return status;
    }
    *result = product;
    return NST_OK;
}

void product_destroy(struct product *product) {
    if (!product) {
        return;
    }
    if (product->engine->release) {
        product->engine->release(product);
    }
    free(product->state);
    free(product);
}

uint64_t product_scratch_bytes(const struct product *product, int extent) {
    return product->engine->scratch_bytes ? product->engine->scratch_bytes(product, extent) : 0;
}

struct product_layout product_layout(const struct product *product, int columns) {
    struct product_layout dense = {.rows = product->shape.rows, .columns = columns, .parts = 1};
    return product->engine->layout ? product->engine->layout(product, columns) : dense;
}

nst_status product_run(struct product *product, const struct product_call *call, nst_error *error) {
    return product->engine->run(product, call, error);
}
