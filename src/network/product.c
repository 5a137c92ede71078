/* product.c: the engines for products of matrices, and which of them does one; see product.h. */
#include "network/product_engine.h"

#include "support/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The faster ones first. */
extern const struct product_engine product_packed, product_tiles, product_clblast;
static const struct product_engine *const built_in[] = {&product_packed, &product_tiles, &product_clblast, NULL};

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
    char work[TUNING_WORK_LENGTH];
    product_work(context, shape, work, sizeof work);
    const struct tuning_row *row = tuning_find(&context->tuning, work);
    for (const struct product_engine *const *engine = product_engines(context); row && *engine; ++engine) {
        if (strcmp(row->choice, (*engine)->name) == 0 && product_is_possible(context, shape, *engine)) {
            return *engine;
        }
    }
    return product_default(context, shape);
}

void product_work(const nst_context *context, const struct product_shape *shape, char *work, size_t size) {
    snprintf(work, size, "Gram product, %d channels, block %d", shape->rows, context->channel_block);
}

/* ---- Life and use ------------------------------------------------------------------------------------------------ */

nst_status product_create(nst_context *context, const struct product_shape *shape, const struct product_engine *engine,
                          struct product **result, nst_error *error) {
    *result = NULL;
    engine = engine ? engine : product_choose(context, shape);
    if (!engine) {
        return fail(error, NST_ERROR_ARGUMENT, "no engine for Gram matrices works with channel blocks of %d%s here",
                    context->channel_block, shape->half_maps ? " in half precision" : "");
    }
    if (!product_is_possible(context, shape, engine)) {
        return fail(error, NST_ERROR_ARGUMENT, "the Gram product %s needs %s", engine->name, engine->needs);
    }
    struct product *product = calloc(1, sizeof *product);
    if (!product) {
        return fail_memory(error, sizeof *product, "a product of matrices");
    }
    *product = (struct product){.context = context, .shape = *shape, .engine = engine};
    nst_status status = engine->create(product, error);
    if (status) {
        product_destroy(product);
        return status;
    }
    *result = product;
    return NST_OK;
}

void product_destroy(struct product *product) {
    if (product) {
        product->engine->destroy(product);
        free(product);
    }
}

uint64_t product_scratch_bytes(const struct product *product, int extent) {
    return product->engine->scratch_bytes(product, extent);
}

nst_status product_run(struct product *product, const struct product_call *call, nst_error *error) {
    return product->engine->run(product, call, error);
}
