/* stage.c: the kinds of stages there are; see stage.h. */
#include "network/stage.h"

static const struct stage_methods *const builtin_stages[] = {&convolution_stage, &pooling_stage, NULL};

const struct stage_methods *const *stage_table(const nst_context *context) {
    return context->tables.stages ? context->tables.stages : builtin_stages;
}

const struct stage_methods *stage_find(const nst_context *context, enum layer_kind kind) {
    const struct stage_methods *const *methods = stage_table(context);
    while (*methods && (*methods)->kind != kind) {
        ++methods;
    }
    return *methods;
}
