/* evaluation.c: network and losses run together; see evaluation.h. */
#include "evaluate/evaluation.h"

#include "optimizer/optimizer.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

/* A term, or, of one with a style, what it is in a region. */
struct part {
    int term, region;
    struct loss_run *run;
};

struct evaluation {
    const struct objective *objective;
    const struct plan *plan;
    int image, gradient, partials; /* plan entries; partials: a slot for each part */
    int copy, *stage_copies; /* plan entries: weighted copies of maps, when losses are computed and going backward */
    struct model_run *model;
    int core_px;            /* of tiles; 0: the image is whole */
    struct tile_run *tiles; /* NULL then */
    bool is_first, is_last; /* the tile in hand, in a pass over all of them */
    struct part *parts;
    int part_count;
    int phase;
    struct image_size size; /* of the content */
    nst_layer_loss losses[OBJECTIVE_MOST_TERMS];
    float *numbers; /* partial sums read back */
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static uint64_t image_bytes(const struct image_size *sizes, int count) {
    size_t most = 0;
    for (int i = 0; i < count; ++i) {
        size_t elements = optimizer_padded(3 * (size_t)sizes[i].height * (size_t)sizes[i].width);
        most = elements > most ? elements : most;
    }
    return (uint64_t)most * sizeof(float);
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
            status = evaluation->core_px > 0
                         ? loss_reserve_in_tiles(loss, plan, &whole, &extents->maps, &part->run, error)
                         : loss_reserve(loss, plan, whole.sizes, whole.count, &part->run, error);
        }
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
    int stages = model_stage_count(model), of_image = evaluation->core_px > 0 ? maps->count : 1;
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

/* The different sizes of regions that the pictures are divided into, from malloc: of the first, second and last two tiles
 * of rows and columns, since those between are alike. */
static nst_status list_regions(const struct evaluation *evaluation, const struct image_sizes *pictures,
                               struct image_size **list, int *count, nst_error *error) {
    const struct model *model = objective_model(evaluation->objective);
    size_t bytes = 16 * (size_t)pictures->count * sizeof **list;
    nst_status status = (*list = malloc(bytes)) ? NST_OK : fail_memory(error, bytes, "the sizes of tiles");
    *count = 0;
    for (int i = 0; !status && i < 16 * pictures->count; ++i) {
        struct tiling tiling;
        status = tiling_make(model, pictures->sizes[i / 16], evaluation->core_px, &tiling, error);
        const int rows[] = {0, 1, tiling.rows - 2, tiling.rows - 1};
        const int columns[] = {0, 1, tiling.columns - 2, tiling.columns - 1};
        int row = rows[i / 4 % 4], column = columns[i % 4];
        if (!status && row >= 0 && row < tiling.rows && column >= 0 && column < tiling.columns) {
            struct tile tile = tiling_tile(&tiling, row * tiling.columns + column);
            struct image_size size = {tile.region.height, tile.region.width};
            if (!contains(&(struct image_sizes){*list, *count}, size)) {
                (*list)[(*count)++] = size;
            }
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
    if (!status && evaluation->core_px > 0) {
        status = tile_run_reserve(model, objective_tile_kernels(objective), plan, maps, &evaluation->tiles, error);
    }
    status = status ? status : reserve_copies(evaluation, plan, extents, error);
    return status ? status : reserve_terms(evaluation, plan, extents, error);
}

nst_status evaluation_reserve_in_tiles(const struct objective *objective, struct plan *plan,
                                       const struct image_sizes *sizes, int core_px, struct evaluation **result,
                                       nst_error *error) {
    *result = NULL;
    struct evaluation *evaluation = calloc(1, sizeof *evaluation);
    if (!evaluation) {
        return fail_memory(error, sizeof *evaluation, "an evaluation");
    }
    *evaluation = (struct evaluation){.objective = objective, .plan = plan, .core_px = core_px};
    evaluation->image = plan_add_always(plan, image_bytes(sizes->sizes, sizes->count), "image");
    evaluation->gradient = plan_add_always(plan, image_bytes(sizes->sizes, 1), "gradient of the image");
    struct extents extents = {.pictures = sizes, .maps = *sizes};
    struct image_size *regions = NULL;
    nst_status status = NST_OK;
    if (core_px > 0) {
        status = list_regions(evaluation, sizes, &regions, &extents.maps.count, error);
        extents.maps.sizes = regions;
    }
    status = status ? status : reserve(evaluation, plan, &extents, error);
    free(regions);
    if (status) {
        evaluation_free(evaluation);
        return status;
    }
    *result = evaluation;
    return NST_OK;
}

nst_status evaluation_reserve(const struct objective *objective, struct plan *plan, const struct image_size *sizes,
                              int size_count, struct evaluation **evaluation, nst_error *error) {
    return evaluation_reserve_in_tiles(objective, plan, &(struct image_sizes){sizes, size_count}, 0, evaluation, error);
}

void evaluation_free(struct evaluation *evaluation) {
    if (!evaluation) {
        return;
    }
    for (int i = 0; i < evaluation->part_count; ++i) {
        loss_run_free(evaluation->parts[i].run);
    }
    tile_run_free(evaluation->tiles);
    model_run_free(evaluation->model);
    free(evaluation->parts);
    free(evaluation->stage_copies);
    free(evaluation->numbers);
    free(evaluation);
}

cl_mem evaluation_image(const struct evaluation *evaluation) {
    return plan_buffer(evaluation->plan, evaluation->image);
}
cl_mem evaluation_gradient(const struct evaluation *evaluation) {
    return plan_buffer(evaluation->plan, evaluation->gradient);
}

/* ---- One tile, or the whole image -------------------------------------------------------------------------------- */

static nst_status tiling_of(const struct evaluation *evaluation, struct image_size size, struct tiling *tiling,
                            nst_error *error) {
    return tiling_make(objective_model(evaluation->objective), size, evaluation->core_px, tiling, error);
}

/* Runs the network on one tile of the image, which is in hand from then on. */
static nst_status forward(struct evaluation *evaluation, const struct tiling *tiling, int number, nst_error *error) {
    struct tile_run *tiles = evaluation->tiles;
    if (!tiles) {
        return model_forward(evaluation->model, evaluation_image(evaluation), tiling->picture, error);
    }
    struct vector image = vector_of(evaluation->plan, evaluation->image);
    nst_status status = tile_run_begin(tiles, tiling, number, image, error);
    status = status ? status : model_forward(evaluation->model, tile_run_image(tiles), tile_run_size(tiles), error);
    return status ? status : tile_run_isolate(tiles, evaluation->model, error);
}

/* ---- Places of losses -------------------------------------------------------------------------------------------- */

/* Something that is done with a loss at each of its places. */
typedef nst_status at_place(struct loss_run *run, const struct loss_map *at, void *user, nst_error *error);

/* The map at a place, and what it is a part of. */
struct place {
    struct loss_map at;
    struct loss_tile tile;
};

/* `copy`: the plan entry of a weighted copy, or -1. */
static struct place place_of(const struct evaluation *evaluation, const struct loss *loss, int site,
                             struct image_size size, int copy) {
    int stage = loss->site_count == 0 ? -1 : loss->stages[site];
    struct place place = {.at = {.site = site,
                                 .image = size,
                                 .scratch = stage < 0 || copy < 0 ? NULL : plan_buffer(evaluation->plan, copy)}};
    if (evaluation->tiles) {
        struct tile_map where = tile_run_place(evaluation->tiles, stage);
        place.at.map = tile_run_map(evaluation->tiles, evaluation->model, stage);
        place.tile =
            (struct loss_tile){where.core, where.y, where.x, where.whole, evaluation->is_first, evaluation->is_last};
    } else if (stage < 0) {
        place.at.map = (struct feature_map){
            .values = evaluation_image(evaluation), .channels = 3, .height = size.height, .width = size.width};
    } else {
        place.at.map = model_feature_map(evaluation->model, stage);
    }
    return place;
}

/* The map of a place, which must not move from then on. */
static const struct loss_map *map_at(const struct evaluation *evaluation, struct place *place) {
    place->at.tile = evaluation->tiles ? &place->tile : NULL;
    return &place->at;
}

static bool counts(const struct evaluation *evaluation, const struct part *part) {
    return objective_term_counts(evaluation->objective, part->term, evaluation->phase);
}

static nst_status for_each_place(struct evaluation *evaluation, const struct part *part, struct image_size size,
                                 at_place *act, void *user, nst_error *error) {
    const struct loss *loss = part->run->loss;
    int sites = !counts(evaluation, part) ? 0 : loss->site_count > 0 ? loss->site_count : 1;
    nst_status status = NST_OK;
    for (int site = 0; !status && site < sites; ++site) {
        struct place place = place_of(evaluation, loss, site, size, evaluation->copy);
        status = act(part->run, map_at(evaluation, &place), user, error);
    }
    return status;
}

/* Something that is done with all parts, or those of a region (-1: all). */
struct action {
    at_place *act;
    void *user;
    int region;
};

/* A pass over all tiles. */
static nst_status over_tiles(struct evaluation *evaluation, struct image_size size, const struct action *action,
                             nst_error *error) {
    struct tiling tiling;
    nst_status status = tiling_of(evaluation, size, &tiling, error);
    for (int i = 0; !status && i < tiling_count(&tiling); ++i) {
        evaluation->is_first = i == 0;
        evaluation->is_last = i == tiling_count(&tiling) - 1;
        status = forward(evaluation, &tiling, i, error);
        for (int p = 0; !status && p < evaluation->part_count; ++p) {
            const struct part *part = &evaluation->parts[p];
            if (action->region < 0 || part->region == action->region) {
                status = for_each_place(evaluation, part, size, action->act, action->user, error);
            }
        }
    }
    return status;
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static double sum_of(const float *weights, struct image_size size) {
    double sum = 0;
    for (size_t i = 0; i < (size_t)size.height * (size_t)size.width; ++i) {
        sum += weights ? weights[i] : 1;
    }
    return sum;
}

/* What each region has of the sum of their weights; 0 if none has any. */
static void share_out(const struct evaluation *evaluation, const struct evaluation_regions *regions,
                      double shares[NST_MAX_STYLES]) {
    int count = objective_region_count(evaluation->objective);
    double total = 0;
    for (int r = 0; r < count; ++r) {
        bool has_weights = regions && regions->styles;
        shares[r] = has_weights ? sum_of(regions->styles[r], regions->image) : 1;
        total += shares[r];
    }
    for (int r = 0; r < count; ++r) {
        shares[r] = total > 0 ? shares[r] / total : 0;
    }
}

nst_status evaluation_begin_targets(struct evaluation *evaluation, int phase, const struct evaluation_regions *regions,
                                    nst_error *error) {
    double shares[NST_MAX_STYLES];
    nst_status status = NST_OK;
    evaluation->phase = phase;
    share_out(evaluation, regions, shares);
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        bool has_style = objective_term_has_style(evaluation->objective, part->term);
        struct region region = {0};
        if (regions) {
            region.image = regions->image;
            region.weights = !has_style ? regions->content : regions->styles ? regions->styles[part->region] : NULL;
        }
        if (counts(evaluation, part)) {
            status = loss_target_begin(part->run, &region, has_style ? shares[part->region] : 1, error);
        }
    }
    return status;
}

bool evaluation_wants(const struct evaluation *evaluation, enum loss_picture picture) {
    bool wants = false;
    for (int i = 0; i < evaluation->part_count; ++i) {
        unsigned pictures = evaluation->parts[i].run->loss->methods->pictures;
        wants = wants || (counts(evaluation, &evaluation->parts[i]) && (pictures & (unsigned)picture));
    }
    return wants;
}

static nst_status add_at(struct loss_run *run, const struct loss_map *at, void *target, nst_error *error) {
    return loss_target_add(run, at, target, error);
}

nst_status evaluation_add_target(struct evaluation *evaluation, const struct loss_target *target,
                                 struct image_size size, nst_error *error) {
    struct loss_target copy = *target;
    bool is_content = target->picture == LOSS_CONTENT;
    if (is_content) {
        evaluation->size = size;
    }
    const struct action action = {add_at, &copy, is_content ? -1 : target->region};
    return over_tiles(evaluation, size, &action, error);
}

nst_status evaluation_end_targets(struct evaluation *evaluation, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        status = counts(evaluation, part) ? loss_target_end(part->run, error) : NST_OK;
    }
    return status;
}

void evaluation_copy_factors(struct evaluation *evaluation, const struct evaluation *other) {
    for (int i = 0; i < evaluation->part_count; ++i) {
        evaluation->parts[i].run->factor = other->parts[i].run->factor;
    }
}

/* ---- Losses and gradient ----------------------------------------------------------------------------------------- */

/* Whether the value comes from each map, or tile, as it is; else from what was gathered of all of them. */
static bool is_sum(const struct loss_run *run) {
    return run->loss->methods->value_with_gradient;
}

static nst_status read_numbers(struct evaluation *evaluation, nst_error *error) {
    nst_context *context = objective_context(evaluation->objective);
    return buffer_read(context, plan_buffer(evaluation->plan, evaluation->partials), 0, evaluation->numbers,
                       reduction_bytes(context, evaluation->part_count), error);
}

/* Adds what parts have left to the losses of their terms: those that are sums, or the others, or both. Waits. */
static nst_status add_losses(struct evaluation *evaluation, bool of_sums, bool of_others, nst_error *error) {
    int partials = reduction_partials(objective_context(evaluation->objective));
    nst_status status = read_numbers(evaluation, error);
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        if ((is_sum(part->run) ? of_sums : of_others) && counts(evaluation, part)) {
            const float *numbers = evaluation->numbers + (size_t)i * (size_t)partials;
            evaluation->losses[part->term].loss += reduction_sum(numbers, partials);
        }
    }
    return status;
}

/* Values of the losses that are sums, or of the others. */
static nst_status values(struct evaluation *evaluation, bool of_sums, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        if (counts(evaluation, part) && is_sum(part->run) == of_sums) {
            struct place place = place_of(evaluation, part->run->loss, 0, evaluation->size, -1);
            status = loss_value(part->run, map_at(evaluation, &place), error);
        }
    }
    return status;
}

static nst_status gather_at(struct loss_run *run, const struct loss_map *at, void *user, nst_error *error) {
    (void)user;
    return loss_gather(run, at, error);
}

/* The same where no pass for the gradient follows: what the losses that are sums have on the tile is added too. Waits. */
static nst_status gather_and_add_at(struct loss_run *run, const struct loss_map *at, void *user, nst_error *error) {
    struct evaluation *evaluation = user;
    double sum = 0;
    nst_status status = loss_gather(run, at, error);
    if (status || !is_sum(run) || at->site > 0) {
        return status;
    }
    status = loss_value(run, at, error);
    status = status ? status : loss_read_sum(run, &sum, error);
    evaluation->losses[evaluation->parts[run->slot].term].loss += sum;
    return status;
}

/* Adds to the gradient at a stage what the losses that sit there contribute, those of the image for -1. The last term
 * comes first, which decides how sums are rounded. */
static nst_status add_gradients(struct evaluation *evaluation, int stage, cl_mem gradient, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = evaluation->part_count - 1; !status && i >= 0; --i) {
        const struct part *part = &evaluation->parts[i];
        const struct loss *loss = part->run->loss;
        int site = loss->site_count == 0 ? (stage < 0 ? 0 : -1) : loss_site(loss, stage);
        if (site >= 0 && counts(evaluation, part)) {
            int copy = stage < 0 ? -1 : evaluation->stage_copies[stage];
            struct place place = place_of(evaluation, loss, site, evaluation->size, copy);
            status = loss_add_gradient(part->run, map_at(evaluation, &place), gradient, error);
        }
    }
    return status;
}

/* From the deepest stage down, with the losses' gradients on the way, to that of the image or of the tile. */
static nst_status backward(struct evaluation *evaluation, cl_mem image_gradient, nst_error *error) {
    struct model_run *run = evaluation->model;
    const struct model *model = objective_model(evaluation->objective);
    int deepest = model_stage_count(model) - 1;
    nst_status status = model_backward_begin(run, error);
    for (int stage = deepest; !status && stage >= 0; --stage) {
        bool in_place = model_gradient_in_place(model, stage);
        cl_mem gradient = model_gradient(run, stage);
        if (in_place) {
            status = add_gradients(evaluation, stage, gradient, error);
        }
        if (!status && stage < deepest) {
            status = model_backward(run, stage + 1, stage, NULL, error);
        }
        if (!status && !in_place) {
            status = add_gradients(evaluation, stage, gradient, error);
        }
    }
    if (!status) {
        status = model_backward(run, 0, -1, image_gradient, error);
    }
    return status ? status : add_gradients(evaluation, -1, image_gradient, error);
}

/* The second pass over all tiles, from the last one, whose maps are there still. */
static nst_status backward_in_tiles(struct evaluation *evaluation, const struct tiling *tiling, nst_error *error) {
    nst_context *context = objective_context(evaluation->objective);
    struct vector gradient = vector_of(evaluation->plan, evaluation->gradient);
    int last = tiling_count(tiling) - 1;
    nst_status status =
        vector_fill_zero(context, gradient, 3 * (size_t)tiling->picture.height * (size_t)tiling->picture.width, error);
    for (int i = last; !status && i >= 0; --i) {
        evaluation->is_first = i == last;
        evaluation->is_last = i == 0;
        status = i < last ? forward(evaluation, tiling, i, error) : NST_OK;
        status = status ? status : backward(evaluation, tile_run_gradient(evaluation->tiles), error);
        status = status ? status : tile_run_add_gradient(evaluation->tiles, gradient, error);
        status = status ? status : add_losses(evaluation, true, false, error);
    }
    return status;
}

nst_status evaluation_run(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    struct tiling tiling;
    bool in_tiles = evaluation->tiles != NULL, wants_gradient = kind == EVALUATE_GRADIENT;
    const struct action action = {in_tiles && !wants_gradient ? gather_and_add_at : gather_at, evaluation, -1};
    for (int i = 0; i < objective_term_count(evaluation->objective); ++i) {
        evaluation->losses[i].loss = 0;
    }
    nst_status status = tiling_of(evaluation, evaluation->size, &tiling, error);
    status = status ? status : over_tiles(evaluation, evaluation->size, &action, error);
    status = status ? status : values(evaluation, false, error);
    if (!status && !in_tiles && !wants_gradient) {
        status = values(evaluation, true, error);
    }
    if (!status && wants_gradient) {
        status = in_tiles ? backward_in_tiles(evaluation, &tiling, error)
                          : backward(evaluation, evaluation_gradient(evaluation), error);
    }
    return status ? status : add_losses(evaluation, !in_tiles, true, error);
}

const nst_layer_loss *evaluation_losses(const struct evaluation *evaluation, int *count) {
    *count = objective_term_count(evaluation->objective);
    return evaluation->losses;
}

double evaluation_total(const struct evaluation *evaluation) {
    double total = 0;
    for (int i = 0; i < objective_term_count(evaluation->objective); ++i) {
        total += evaluation->losses[i].loss;
    }
    return total;
}

nst_status evaluation_list_state(struct evaluation *evaluation, struct state *state, nst_error *error) {
    size_t pixels = (size_t)evaluation->size.height * (size_t)evaluation->size.width;
    nst_status status =
        state_buffer(state, "image", evaluation_image(evaluation), optimizer_padded(3 * pixels) * sizeof(float), error);
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        if (counts(evaluation, &evaluation->parts[i])) {
            status = loss_list_state(evaluation->parts[i].run, state, error);
        }
    }
    return status;
}
