/* stage.c: the kinds of stages there are; see stage.h. */
#include "network/stage.h"

static const struct stage_methods *const stage_kinds[] = {&convolution_stage, &pooling_stage};

const struct stage_methods *stage_kind(enum layer_kind kind) {
    for (size_t i = 0; i < sizeof stage_kinds / sizeof *stage_kinds; ++i) {
        if (stage_kinds[i]->kind == kind) {
            return stage_kinds[i];
        }
    }
    return NULL;
}
