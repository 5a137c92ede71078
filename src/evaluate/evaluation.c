/* evaluation.c: network and losses run together; see evaluation.h. What an evaluation takes is in evaluation_plan.c. */
#include "evaluate/evaluation_internal.h"

#include "evaluate/team.h"
#include "optimizer/optimizer.h"

struct vector evaluation_image_vector(const struct evaluation *evaluation) {
    return vector_of(evaluation->plan, evaluation->image);
}
struct vector evaluation_gradient_vector(const struct evaluation *evaluation) {
    return vector_of(evaluation->plan, evaluation->gradient);
}
bool evaluation_is_on_host(const struct evaluation *evaluation) {
    return evaluation->form.on_host;
}
cl_mem evaluation_image(const struct evaluation *evaluation) {
    return evaluation_image_vector(evaluation).buffer;
}
cl_mem evaluation_gradient(const struct evaluation *evaluation) {
    return evaluation_gradient_vector(evaluation).buffer;
}

/* ---- One tile, or the whole image -------------------------------------------------------------------------------- */

/* Of a picture, and of what of the image is this evaluation's. */
static nst_status tiling_of(const struct evaluation *evaluation, struct image_size size, struct tiling *tiling,
                            nst_error *error) {
    return tiling_make(objective_model(evaluation->objective), size, evaluation->form.core_px, tiling, error);
}
static nst_status tiling_of_share(const struct evaluation *evaluation, struct tiling *tiling, nst_error *error) {
    return !evaluation->form.in_bands ? tiling_of(evaluation, evaluation->size, tiling, error)
                                      : tiling_make_band(objective_model(evaluation->objective), evaluation->size,
                                                         evaluation->band, evaluation->form.core_px, tiling, error);
}

/* Runs the network on one tile of the image, which is in hand from then on. */
static nst_status forward(struct evaluation *evaluation, const struct tiling *tiling, int number, nst_error *error) {
    struct tile_run *tiles = evaluation->tiles;
    if (!tiles) {
        return model_forward(evaluation->model, evaluation_image(evaluation), tiling->picture, error);
    }
    nst_status status = tile_run_begin(tiles, tiling, number, evaluation_image_vector(evaluation), error);
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

bool part_counts(const struct evaluation *evaluation, const struct part *part) {
    return objective_term_counts(evaluation->objective, part->term, evaluation->phase);
}

static nst_status for_each_place(struct evaluation *evaluation, const struct part *part, struct image_size size,
                                 at_place *act, void *user, nst_error *error) {
    const struct loss *loss = part->run->loss;
    int sites = !part_counts(evaluation, part) ? 0 : loss->site_count > 0 ? loss->site_count : 1;
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
static nst_status over_tiles(struct evaluation *evaluation, const struct tiling *tiling, const struct action *action,
                             nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < tiling_count(tiling); ++i) {
        evaluation->is_first = i == 0;
        evaluation->is_last = i == tiling_count(tiling) - 1;
        status = forward(evaluation, tiling, i, error);
        for (int p = 0; !status && p < evaluation->part_count; ++p) {
            const struct part *part = &evaluation->parts[p];
            if (action->region < 0 || part->region == action->region) {
                status = for_each_place(evaluation, part, tiling->picture, action->act, action->user, error);
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

void evaluation_set_factors(struct evaluation *evaluation, const double *factors) {
    for (int i = 0; i < objective_term_count(evaluation->objective); ++i) {
        evaluation->factors[i] = factors[i];
    }
}

nst_status own_begin_targets(struct evaluation *evaluation, int phase, const struct evaluation_regions *regions,
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
        if (part_counts(evaluation, part)) {
            double share = evaluation->factors[part->term] * (has_style ? shares[part->region] : 1);
            status = loss_target_begin(part->run, &region, share, error);
        }
    }
    return status;
}

bool evaluation_wants(const struct evaluation *evaluation, enum loss_picture picture) {
    bool wants = false;
    for (int i = 0; i < evaluation->part_count; ++i) {
        unsigned pictures = evaluation->parts[i].run->loss->methods->pictures;
        wants = wants || (part_counts(evaluation, &evaluation->parts[i]) && (pictures & (unsigned)picture));
    }
    return wants;
}

static nst_status add_at(struct loss_run *run, const struct loss_map *at, void *target, nst_error *error) {
    return loss_target_add(run, at, target, error);
}

nst_status own_add_target(struct evaluation *evaluation, const struct loss_target *target, struct image_size size,
                          nst_error *error) {
    struct loss_target copy = *target;
    bool is_content = target->picture == LOSS_CONTENT;
    if (is_content) {
        evaluation->size = size;
    }
    const struct action action = {add_at, &copy, is_content ? -1 : target->region};
    struct tiling tiling;
    nst_status status = tiling_of(evaluation, size, &tiling, error);
    return status ? status : over_tiles(evaluation, &tiling, &action, error);
}

nst_status own_end_targets(struct evaluation *evaluation, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        status = part_counts(evaluation, part) ? loss_target_end(part->run, error) : NST_OK;
    }
    return status;
}

nst_status evaluation_begin_targets(struct evaluation *evaluation, int phase, const struct evaluation_regions *regions,
                                    nst_error *error) {
    return evaluation->team ? team_begin_targets(evaluation->team, phase, regions, error)
                            : own_begin_targets(evaluation, phase, regions, error);
}
nst_status evaluation_add_target(struct evaluation *evaluation, const struct loss_target *target,
                                 struct image_size size, nst_error *error) {
    return evaluation->team ? team_add_target(evaluation->team, target, size, error)
                            : own_add_target(evaluation, target, size, error);
}
nst_status evaluation_end_targets(struct evaluation *evaluation, nst_error *error) {
    return evaluation->team ? team_end_targets(evaluation->team, error) : own_end_targets(evaluation, error);
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
        if ((is_sum(part->run) ? of_sums : of_others) && part_counts(evaluation, part)) {
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
        if (part_counts(evaluation, part) && is_sum(part->run) == of_sums) {
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
        if (site >= 0 && part_counts(evaluation, part)) {
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
    struct vector gradient = evaluation_gradient_vector(evaluation);
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

nst_status own_gather(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    struct tiling tiling;
    bool adds = evaluation->tiles && kind == EVALUATE_LOSSES;
    const struct action action = {adds ? gather_and_add_at : gather_at, evaluation, -1};
    for (int i = 0; i < objective_term_count(evaluation->objective); ++i) {
        evaluation->losses[i].loss = 0;
    }
    nst_status status = tiling_of_share(evaluation, &tiling, error);
    return status ? status : over_tiles(evaluation, &tiling, &action, error);
}

nst_status own_values(struct evaluation *evaluation, bool adds, nst_error *error) {
    nst_status status = values(evaluation, false, error);
    return status || !adds ? status : add_losses(evaluation, false, true, error);
}

nst_status own_differentiate(struct evaluation *evaluation, nst_error *error) {
    struct tiling tiling;
    nst_status status = tiling_of_share(evaluation, &tiling, error);
    return status ? status : backward_in_tiles(evaluation, &tiling, error);
}

/* Nothing waits but for the losses at the end. */
static nst_status run_alone(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    bool in_tiles = evaluation->tiles != NULL, wants_gradient = kind == EVALUATE_GRADIENT;
    nst_status status = own_gather(evaluation, kind, error);
    status = status ? status : values(evaluation, false, error);
    if (!status && !in_tiles && !wants_gradient) {
        status = values(evaluation, true, error);
    }
    if (!status && wants_gradient) {
        status = in_tiles ? own_differentiate(evaluation, error)
                          : backward(evaluation, evaluation_gradient(evaluation), error);
    }
    return status ? status : add_losses(evaluation, !in_tiles, true, error);
}

nst_status evaluation_run(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    return evaluation->team ? team_run(evaluation->team, kind, error) : run_alone(evaluation, kind, error);
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
        vector_list_state(state, "image", evaluation_image_vector(evaluation), optimizer_padded(3 * pixels), error);
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        if (part_counts(evaluation, &evaluation->parts[i])) {
            status = loss_list_state(evaluation->parts[i].run, state, error);
        }
    }
    return status;
}
