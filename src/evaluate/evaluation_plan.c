/* evaluation_plan.c: what an evaluation takes, as entries of a plan; see evaluation.h. */
#include "evaluate/evaluation_internal.h"

#include "evaluate/team.h"
#include "optimizer/optimizer.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

static uint64_t image_elements(const struct image_size *sizes, int count) {
    size_t most = 0;
    for (int i = 0; i < count; ++i) {
        size_t elements = optimizer_padded(3 * (size_t)sizes[i].height * (size_t)sizes[i].width);
        most = elements > most ? elements : most;
    }
    return most;
}

/* What an evaluation is planned for: pictures, the result first; and what maps are of, whole pictures or tiles. */
struct extents {
    const struct image_sizes *pictures;
    struct image_sizes maps;
};

/* Terms and, of those with a style, regions, in this order. */
static nst_status reserve_parts(struct evaluation *evaluation, struct plan *plan, const struct extents *extents,
                                nst_error *error) {
    const struct objective *objective = evaluation->objective;
    const struct image_size *sizes = extents->pictures->sizes;
    int terms = objective_term_count(objective), regions = objective_region_count(objective);
    int styles = (extents->pictures->count - 1) / regions;
    struct image_size of_region[EVALUATION_MOST_SIZES] = {sizes[0]};
    const struct image_sizes whole = {of_region, 1 + styles};
    nst_status status = NST_OK;
    for (int term = 0; !status && term < terms; ++term) {
        const struct loss *loss = objective_loss(objective, term);
        bool has_style = objective_term_has_style(objective, term);
        for (int region = 0; !status && region < (has_style ? regions : 1); ++region) {
            struct part *part = &evaluation->parts[evaluation->part_count++];
            *part = (struct part){.term = term, .region = region};
            memcpy(of_region + 1, sizes + 1 + region * styles, (size_t)styles * sizeof *sizes);
            status = evaluation->form.core_px > 0
                         ? loss_reserve_in_tiles(loss, plan, &whole, &extents->maps, &part->run, error)
                         : loss_reserve(loss, plan, whole.sizes, whole.count, &part->run, error);
        }
        evaluation->factors[term] = 1;
        evaluation->losses[term] = (nst_layer_loss){.name = objective_term_name(objective, term),
                                                    .kind = objective_term_group(objective, term)};
    }
    return status;
}

static nst_status reserve_terms(struct evaluation *evaluation, struct plan *plan, const struct extents *extents,
                                nst_error *error) {
    const struct objective *objective = evaluation->objective;
    size_t most = (size_t)(objective_term_count(objective) * objective_region_count(objective));
    evaluation->parts = calloc(most + 1, sizeof *evaluation->parts);
    if (!evaluation->parts) {
        return fail_memory(error, most * sizeof *evaluation->parts, "the losses");
    }
    nst_status status = reserve_parts(evaluation, plan, extents, error);
    size_t bytes = reduction_bytes(objective_context(objective), evaluation->part_count);
    evaluation->partials = plan_add_always(plan, bytes, "losses");
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        loss_run_set_partials(evaluation->parts[i].run, evaluation->partials, i);
    }
    evaluation->numbers = status ? NULL : malloc(bytes + 1);
    return status || evaluation->numbers ? status : fail_memory(error, bytes, "the losses");
}

static uint64_t most_map_bytes(const struct model *model, int stage, const struct image_size *sizes, int count) {
    uint64_t most = 0;
    for (int i = 0; i < count; ++i) {
        struct image_size size = model_map_size(model, stage, sizes[i]);
        uint64_t bytes = feature_map_bytes(model_context(model), model_has_half_maps(model),
                                           model_channels(model, stage), size.height, size.width);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Room for weighted copies of the maps that losses copy. */
static nst_status reserve_copies(struct evaluation *evaluation, struct plan *plan, const struct extents *extents,
                                 nst_error *error) {
    const struct objective *objective = evaluation->objective;
    const struct model *model = objective_model(objective);
    const struct image_sizes *maps = &extents->maps;
    int stages = model_stage_count(model), of_image = evaluation->form.core_px > 0 ? maps->count : 1;
    uint64_t largest = 0;
    evaluation->stage_copies = malloc((size_t)stages * sizeof *evaluation->stage_copies);
    if (!evaluation->stage_copies) {
        return fail_memory(error, (size_t)stages * sizeof *evaluation->stage_copies, "an evaluation");
    }
    for (int s = 0; s < stages; ++s) {
        bool is_copied = false;
        for (int i = 0; objective_weighs(objective) && i < objective_term_count(objective); ++i) {
            const struct loss *loss = objective_loss(objective, i);
            is_copied = is_copied || (loss->methods->copies_map && loss_site(loss, s) >= 0);
        }
        evaluation->stage_copies[s] = -1;
        if (is_copied) {
            uint64_t bytes = most_map_bytes(model, s, maps->sizes, maps->count);
            int step = model_backward_step(model, s);
            largest = bytes > largest ? bytes : largest;
            evaluation->stage_copies[s] =
                plan_add(plan, most_map_bytes(model, s, maps->sizes, of_image), step, step, "weighted copy of %d", s);
        }
    }
    evaluation->copy = largest > 0 ? plan_add(plan, largest, stages, stages, "weighted copy of a map") : -1;
    return NST_OK;
}

static bool contains(const struct image_sizes *sizes, struct image_size size) {
    bool found = false;
    for (int i = 0; i < sizes->count; ++i) {
        found = found || (sizes->sizes[i].height == size.height && sizes->sizes[i].width == size.width);
    }
    return found;
}

/* Different sizes, from malloc. */
struct size_list {
    struct image_size *sizes;
    int count, capacity;
};

static nst_status add_size(struct size_list *list, struct image_size size, nst_error *error) {
    if (contains(&(struct image_sizes){list->sizes, list->count}, size)) {
        return NST_OK;
    }
    if (list->count == list->capacity) {
        int capacity = 2 * list->capacity + 16;
        struct image_size *sizes = realloc(list->sizes, (size_t)capacity * sizeof *sizes);
        if (!sizes) {
            return fail_memory(error, (size_t)capacity * sizeof *sizes, "the sizes of tiles");
        }
        list->sizes = sizes;
        list->capacity = capacity;
    }
    list->sizes[list->count++] = size;
    return NST_OK;
}

/* Of the first, second and last two tiles of rows and columns, since those between are alike. */
static nst_status add_regions(struct size_list *list, const struct tiling *tiling, nst_error *error) {
    const int rows[] = {0, 1, tiling->rows - 2, tiling->rows - 1};
    const int columns[] = {0, 1, tiling->columns - 2, tiling->columns - 1};
    nst_status status = NST_OK;
    for (int i = 0; !status && i < 16; ++i) {
        int row = rows[i / 4 % 4], column = columns[i % 4];
        if (row >= 0 && row < tiling->rows && column >= 0 && column < tiling->columns) {
            struct tile tile = tiling_tile(tiling, row * tiling->columns + column);
            status = add_size(list, (struct image_size){tile.region.height, tile.region.width}, error);
        }
    }
    return status;
}

/* Of every band of the picture. */
static nst_status add_bands(struct size_list *list, const struct evaluation *evaluation, const struct tiling *whole,
                            nst_error *error) {
    const struct model *model = objective_model(evaluation->objective);
    int height = whole->picture.height, core_px = evaluation->form.core_px;
    nst_status status = NST_OK;
    for (int begin = 0; !status && begin < height; begin += whole->unit) {
        for (int end = begin + whole->unit; !status && end < height + whole->unit; end += whole->unit) {
            struct span band = {begin, end < height ? end : height};
            struct tiling tiling;
            status = tiling_make_band(model, whole->picture, band, core_px, &tiling, error);
            status = status ? status : add_regions(list, &tiling, error);
        }
    }
    return status;
}

/* The sizes of regions that the pictures are divided into, or, in a team, the first one's bands. */
static nst_status list_regions(const struct evaluation *evaluation, const struct image_sizes *pictures,
                               struct size_list *list, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < pictures->count; ++i) {
        struct tiling tiling;
        status = tiling_make(objective_model(evaluation->objective), pictures->sizes[i], evaluation->form.core_px,
                             &tiling, error);
        status = status ? status : add_regions(list, &tiling, error);
        if (!status && i == 0 && evaluation->form.in_bands) {
            status = add_bands(list, evaluation, &tiling, error);
        }
    }
    return status;
}

static nst_status reserve(struct evaluation *evaluation, struct plan *plan, const struct extents *extents,
                          nst_error *error) {
    const struct objective *objective = evaluation->objective;
    const struct model *model = objective_model(objective);
    const struct image_sizes *maps = &extents->maps;
    nst_status status = model_reserve(model, plan, maps->sizes, maps->count, &evaluation->model, error);
    if (!status && evaluation->form.core_px > 0) {
        status = tile_run_reserve(model, objective_tile_kernels(objective), plan, maps, &evaluation->tiles, error);
    }
    status = status ? status : reserve_copies(evaluation, plan, extents, error);
    return status ? status : reserve_terms(evaluation, plan, extents, error);
}

nst_status evaluation_reserve_in_tiles(const struct objective *objective, struct plan *plan,
                                       const struct image_sizes *sizes, const struct evaluation_form *form,
                                       struct evaluation **result, nst_error *error) {
    *result = NULL;
    struct evaluation *evaluation = calloc(1, sizeof *evaluation);
    if (!evaluation) {
        return fail_memory(error, sizeof *evaluation, "an evaluation");
    }
    *evaluation = (struct evaluation){.objective = objective, .plan = plan, .form = *form};
    evaluation->image = vector_add(plan, form->on_host, image_elements(sizes->sizes, sizes->count), "image");
    evaluation->gradient = vector_add(plan, form->on_host, image_elements(sizes->sizes, 1), "gradient of the image");
    struct extents extents = {.pictures = sizes, .maps = *sizes};
    struct size_list regions = {0};
    nst_status status = NST_OK;
    if (form->core_px > 0) {
        status = list_regions(evaluation, sizes, &regions, error);
        extents.maps = (struct image_sizes){regions.sizes, regions.count};
    }
    status = status ? status : reserve(evaluation, plan, &extents, error);
    free(regions.sizes);
    if (status) {
        evaluation_free(evaluation);
        return status;
    }
    *result = evaluation;
    return NST_OK;
}

nst_status evaluation_reserve(const struct objective *objective, struct plan *plan, const struct image_size *sizes,
                              int size_count, struct evaluation **evaluation, nst_error *error) {
    return evaluation_reserve_in_tiles(objective, plan, &(struct image_sizes){sizes, size_count},
                                       &(struct evaluation_form){0}, evaluation, error);
}

void evaluation_free(struct evaluation *evaluation) {
    if (!evaluation) {
        return;
    }
    for (int i = 0; i < evaluation->part_count; ++i) {
        loss_run_free(evaluation->parts[i].run);
    }
    team_free(evaluation->team);
    tile_run_free(evaluation->tiles);
    model_run_free(evaluation->model);
    free(evaluation->parts);
    free(evaluation->stage_copies);
    free(evaluation->numbers);
    free(evaluation);
}
