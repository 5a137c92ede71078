/* objective.c: network and losses put together; see objective.h. */
#include "evaluate/objective.h"

#include "support/error.h"

#include <stdlib.h>
#include <string.h>

struct term {
    struct loss *loss;
    char group[16], name[LAYER_NAME_LENGTH];
    unsigned phases;
};

struct objective {
    nst_context *context;
    float center[3];
    struct model *model;
    int regions;
    bool weighs;
    struct tile_kernels tile_kernels;
    int term_count;
    struct term terms[OBJECTIVE_MOST_TERMS];
};

/* Of the network with another first border. */
static nst_status create_replicating_model(struct objective *objective, const nst_network *network,
                                           const struct model_options *options, nst_error *error) {
    size_t bytes = (size_t)network->layer_count * sizeof *network->layers;
    nst_network changed = *network;
    changed.layers = malloc(bytes);
    if (!changed.layers) {
        return fail_memory(error, bytes, "the layers of the network");
    }
    memcpy(changed.layers, network->layers, bytes);
    struct layer *first = changed.layers;
    while (first < changed.layers + changed.layer_count && first->padding == 0) {
        ++first;
    }
    if (first < changed.layers + changed.layer_count && first->padding_mode == PADDING_ZERO) {
        first->padding_mode = PADDING_REPLICATE;
    }
    nst_status status = model_create(objective->context, &changed, options, &objective->model, error);
    free(changed.layers);
    return status;
}

static nst_status create_model(struct objective *objective, const nst_network *network,
                               const struct objective_spec *spec, nst_error *error) {
    const char *taps[OBJECTIVE_MOST_TERMS * LOSS_MOST_SITES];
    struct model_options options = {.taps = taps,
                                    .pooling = spec->pooling,
                                    .engine = spec->engine,
                                    .centered = spec->centered,
                                    .half = spec->half,
                                    .losses_in_place = !spec->weighs && spec->regions <= 1};
    for (int i = 0; i < spec->term_count; ++i) {
        const struct loss_methods *methods = loss_find(objective->context, spec->terms[i].loss.kind);
        options.losses_in_place = options.losses_in_place && methods && (methods->on_image || methods->replaces_map);
        for (int l = 0; l < spec->terms[i].loss.layer_count; ++l) {
            taps[options.tap_count++] = spec->terms[i].loss.layers[l];
        }
    }
    for (int c = 0; spec->centered && c < 3; ++c) {
        objective->center[network->input.order[c]] = -network->input.offset[c] / network->input.scale[c];
    }
    return spec->replicates_border ? create_replicating_model(objective, network, &options, error)
                                   : model_create(objective->context, network, &options, &objective->model, error);
}

static nst_status create_terms(struct objective *objective, const struct objective_spec *spec, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < spec->term_count; ++i) {
        struct term *term = &objective->terms[objective->term_count++];
        memcpy(term->group, spec->terms[i].group, sizeof term->group);
        memcpy(term->name, spec->terms[i].name, sizeof term->name);
        term->phases = spec->terms[i].phases;
        struct loss_spec loss = spec->terms[i].loss;
        loss.weighs = spec->weighs;
        status = loss_create(objective->context, objective->model, &loss, &term->loss, error);
    }
    return status;
}

nst_status objective_create(nst_context *context, const nst_network *network, const struct objective_spec *spec,
                            struct objective **result, nst_error *error) {
    *result = NULL;
    struct objective *objective = calloc(1, sizeof *objective);
    if (!objective) {
        return fail_memory(error, sizeof *objective, "the objective");
    }
    objective->context = context;
    objective->regions = spec->regions > 0 ? spec->regions : 1;
    objective->weighs = spec->weighs;
    nst_status status = create_model(objective, network, spec, error);
    if (!status) {
        status = tile_kernels_create(context, spec->half, &objective->tile_kernels, error);
    }
    if (!status) {
        status = create_terms(objective, spec, error);
    }
    if (status) {
        objective_destroy(objective);
        return status;
    }
    *result = objective;
    return NST_OK;
}

void objective_destroy(struct objective *objective) {
    if (!objective) {
        return;
    }
    for (int i = 0; i < objective->term_count; ++i) {
        loss_destroy(objective->terms[i].loss);
    }
    tile_kernels_release(&objective->tile_kernels);
    model_destroy(objective->model);
    free(objective);
}

nst_context *objective_context(const struct objective *objective) {
    return objective->context;
}
const struct model *objective_model(const struct objective *objective) {
    return objective->model;
}
const float *objective_center(const struct objective *objective) {
    return objective->center;
}
uint64_t objective_weight_bytes(const struct objective *objective) {
    uint64_t bytes = model_weight_bytes(objective->model);
    for (int i = 0; i < objective->term_count; ++i) {
        const struct loss *loss = objective->terms[i].loss;
        bytes += loss->methods->weight_bytes ? loss->methods->weight_bytes(loss) : 0;
    }
    return bytes;
}
int objective_region_count(const struct objective *objective) {
    return objective->regions;
}
bool objective_weighs(const struct objective *objective) {
    return objective->weighs;
}
const struct tile_kernels *objective_tile_kernels(const struct objective *objective) {
    return &objective->tile_kernels;
}
int objective_term_count(const struct objective *objective) {
    return objective->term_count;
}
const struct loss *objective_loss(const struct objective *objective, int term) {
    return objective->terms[term].loss;
}
bool objective_term_has_style(const struct objective *objective, int term) {
    return (objective->terms[term].loss->methods->pictures & LOSS_STYLE) != 0;
}
const char *objective_term_group(const struct objective *objective, int term) {
    return objective->terms[term].group;
}
const char *objective_term_name(const struct objective *objective, int term) {
    return objective->terms[term].name;
}
bool objective_term_counts(const struct objective *objective, int term, int phase) {
    unsigned phases = objective->terms[term].phases;
    return phases == 0 || (phases >> phase & 1);
}
