/* loss.c: the kinds of losses there are, and what is common to all; see loss.h. */
#include "loss/kinds.h"

#include "support/error.h"

#include <stdlib.h>
#include <string.h>

static const struct loss_methods *const builtin_losses[] = {
    &content_loss,    &gram_loss,     &total_variation_loss, &wasserstein_loss, &neighbors_loss, &layer_neighbors_loss,
    &similarity_loss, &temporal_loss, &self_distance_loss,   &earth_mover_loss, &moments_loss,   &palette_loss,
    &deviation_loss,  NULL,
};

const struct loss_methods *const *loss_table(const nst_context *context) {
    return context->tables.losses ? context->tables.losses : builtin_losses;
}

const struct loss_methods *loss_find(const nst_context *context, const char *kind) {
    const struct loss_methods *const *methods = loss_table(context);
    while (*methods && strcmp((*methods)->kind, kind) != 0) {
        ++methods;
    }
    return *methods;
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status fill_in(struct loss *loss, const struct loss_spec *spec, nst_error *error) {
    if (!loss->methods) {
        return fail(error, NST_ERROR_ARGUMENT, "there is no kind of loss '%s'", spec->kind);
    }
    if (spec->layer_count > NST_MAX_LAYERS || loss->methods->on_image != (spec->layer_count == 0)) {
        return fail(error, NST_ERROR_ARGUMENT, "the loss '%s' sits %s", spec->kind,
                    loss->methods->on_image ? "on the image, not at layers" : "at layers, at most 32 of them");
    }
    for (int i = 0; i < spec->layer_count; ++i) {
        loss->stages[loss->site_count++] = model_find_stage(loss->model, spec->layers[i]);
    }
    if (spec->joins_image) {
        loss->stages[loss->site_count++] = -1;
    }
    loss->state = loss->methods->state_bytes ? calloc(1, loss->methods->state_bytes) : NULL;
    if (loss->methods->state_bytes && !loss->state) {
        return fail_memory(error, loss->methods->state_bytes, "a loss");
    }
    return loss->methods->create(loss, error);
}

nst_status loss_create(nst_context *context, const struct model *model, const struct loss_spec *spec,
                       struct loss **result, nst_error *error) {
    *result = NULL;
    struct loss *loss = calloc(1, sizeof *loss);
    if (!loss) {
        return fail_memory(error, sizeof *loss, "a loss");
    }
    *loss = (struct loss){.methods = loss_find(context, spec->kind),
                          .context = context,
                          .model = model,
                          .weight = spec->weight,
                          .options = spec->options,
                          .weighs = spec->weighs};
    nst_status status = fill_in(loss, spec, error);
    if (status) {
        loss_destroy(loss);
        return status;
    }
    *result = loss;
    return NST_OK;
}

void loss_destroy(struct loss *loss) {
    if (loss) {
        if (loss->state) {
            loss->methods->destroy(loss);
        }
        free(loss->state);
        free(loss);
    }
}

static nst_status reserve(const struct loss *loss, struct plan *plan, const struct image_sizes *whole,
                          const struct image_sizes *tiles, struct loss_run **result, nst_error *error) {
    *result = NULL;
    struct loss_run *run = calloc(1, sizeof *run);
    void *state = calloc(1, loss->methods->run_bytes + 1);
    if (!run || !state) {
        free(run);
        free(state);
        return fail_memory(error, sizeof *run + loss->methods->run_bytes, "a run of a loss");
    }
    *run = (struct loss_run){.loss = loss,
                             .plan = plan,
                             .in_tiles = tiles != NULL,
                             .extents = tiles ? *tiles : *whole,
                             .factor = loss->weight,
                             .share = 1,
                             .partials = -1,
                             .state = state};
    nst_status status =
        loss->methods->reserve ? loss->methods->reserve(run, plan, whole->sizes, whole->count, error) : NST_OK;
    run->extents = (struct image_sizes){0};
    if (status) {
        loss_run_free(run);
        return status;
    }
    *result = run;
    return NST_OK;
}

nst_status loss_reserve(const struct loss *loss, struct plan *plan, const struct image_size *sizes, int size_count,
                        struct loss_run **result, nst_error *error) {
    return reserve(loss, plan, &(struct image_sizes){sizes, size_count}, NULL, result, error);
}

nst_status loss_reserve_in_tiles(const struct loss *loss, struct plan *plan, const struct image_sizes *whole,
                                 const struct image_sizes *tiles, struct loss_run **result, nst_error *error) {
    *result = NULL;
    if (!loss->methods->takes_tiles) {
        return fail(error, NST_ERROR_ARGUMENT, "the loss '%s' needs the whole picture at once, which cannot be tiled",
                    loss->methods->kind);
    }
    return reserve(loss, plan, whole, tiles, result, error);
}

void loss_run_free(struct loss_run *run) {
    if (run) {
        if (run->loss->methods->run_free) {
            run->loss->methods->run_free(run);
        }
        free(run->state);
        free(run);
    }
}

void loss_run_set_partials(struct loss_run *run, int entry, int slot) {
    run->partials = entry;
    run->slot = slot;
}

bool loss_is_divisible(const struct loss *loss) {
    const struct loss_methods *methods = loss->methods;
    return methods->takes_tiles && (methods->sums || methods->value_with_gradient);
}

int loss_sums(const struct loss_run *run, struct loss_sum sums[LOSS_MOST_SUMS]) {
    return run->loss->methods->sums ? run->loss->methods->sums(run, sums) : 0;
}

int loss_site(const struct loss *loss, int stage) {
    for (int i = 0; i < loss->site_count; ++i) {
        if (loss->stages[i] == stage) {
            return i;
        }
    }
    return -1;
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

nst_status loss_target_begin(struct loss_run *run, const struct region *region, double share, nst_error *error) {
    run->factor = run->loss->weight;
    run->share = share;
    return run->loss->methods->target_begin ? run->loss->methods->target_begin(run, region, error) : NST_OK;
}

nst_status loss_target_add(struct loss_run *run, const struct loss_map *at, const struct loss_target *target,
                           nst_error *error) {
    bool wanted = (run->loss->methods->pictures & (unsigned)target->picture) != 0;
    return wanted ? run->loss->methods->target_add(run, at, target, error) : NST_OK;
}

nst_status loss_target_end(struct loss_run *run, nst_error *error) {
    nst_status status = run->loss->methods->target_end ? run->loss->methods->target_end(run, error) : NST_OK;
    run->factor *= run->share;
    return status;
}

nst_status loss_gather(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    return run->loss->methods->gather ? run->loss->methods->gather(run, at, error) : NST_OK;
}

nst_status loss_value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    return run->loss->methods->value(run, at, error);
}

nst_status loss_add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    return run->loss->methods->add_gradient(run, at, gradient, error);
}

nst_status loss_list_state(struct loss_run *run, struct state *state, nst_error *error) {
    return run->loss->methods->list_state ? run->loss->methods->list_state(run, state, error) : NST_OK;
}

/* ---- For kinds --------------------------------------------------------------------------------------------------- */

int loss_first(const struct loss_run *run, int first) {
    return run->in_tiles ? PLAN_ALWAYS_FIRST : first;
}
int loss_last(const struct loss_run *run, int last) {
    return run->in_tiles ? PLAN_ALWAYS_LAST : last;
}

struct image_size loss_whole(const struct loss_map *at) {
    return at->tile ? at->tile->whole : (struct image_size){at->map.height, at->map.width};
}
struct rectangle loss_core(const struct loss_map *at) {
    return at->tile ? at->tile->core : (struct rectangle){0, 0, at->map.height, at->map.width};
}
struct box loss_core_box(const struct loss_map *at, size_t element_bytes, size_t slices, enum loss_way way) {
    const struct loss_tile *tile = at->tile;
    const struct box_side in_tile = {.x_bytes = (size_t)tile->core.x * element_bytes,
                                     .y = (size_t)tile->core.y,
                                     .row_bytes = (size_t)at->map.width * element_bytes,
                                     .row_count = (size_t)at->map.height};
    const struct box_side in_whole = {.x_bytes = (size_t)(tile->x + tile->core.x) * element_bytes,
                                      .y = (size_t)(tile->y + tile->core.y),
                                      .row_bytes = (size_t)tile->whole.width * element_bytes,
                                      .row_count = (size_t)tile->whole.height};
    return (struct box){.width_bytes = (size_t)tile->core.width * element_bytes,
                        .height = (size_t)tile->core.height,
                        .depth = slices,
                        .from = way == LOSS_TO_TILE ? in_whole : in_tile,
                        .to = way == LOSS_TO_TILE ? in_tile : in_whole};
}
bool loss_is_first(const struct loss_map *at) {
    return !at->tile || at->tile->is_first;
}
bool loss_is_last(const struct loss_map *at) {
    return !at->tile || at->tile->is_last;
}

cl_mem loss_partials(const struct loss_run *run) {
    return plan_buffer(run->plan, run->partials);
}

nst_status loss_read_sum(const struct loss_run *run, double *sum, nst_error *error) {
    return reduction_read(run->loss->context, loss_partials(run), run->slot, sum, error);
}

struct image_size loss_map_size(const struct loss *loss, int site, struct image_size image) {
    bool is_image = loss->site_count == 0 || loss->stages[site] < 0;
    return is_image ? image : model_map_size(loss->model, loss->stages[site], image);
}

int loss_most_positions(const struct loss *loss, const struct image_size *sizes, int size_count) {
    int most = 0;
    for (int i = 0; loss->weighs && i < size_count; ++i) {
        struct image_size size = loss_map_size(loss, 0, sizes[i]);
        most = size.height * size.width > most ? size.height * size.width : most;
    }
    return most;
}

int loss_channels(const struct loss *loss, int site) {
    bool is_image = loss->site_count == 0 || loss->stages[site] < 0;
    return is_image ? 3 : model_channels(loss->model, loss->stages[site]);
}

double loss_one_over(double size) {
    return size > 0 ? 1 / size : 0;
}
