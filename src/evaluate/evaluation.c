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

/* Terms and, of those with a style, regions, in this order. */
static nst_status reserve_parts(struct evaluation *evaluation, struct plan *plan, const struct image_size *sizes,
                                int size_count, nst_error *error) {
    const struct objective *objective = evaluation->objective;
    int terms = objective_term_count(objective), regions = objective_region_count(objective);
    int styles = (size_count - 1) / regions;
    struct image_size of_region[EVALUATION_MOST_SIZES] = {sizes[0]};
    nst_status status = NST_OK;
    for (int term = 0; !status && term < terms; ++term) {
        bool has_style = objective_term_has_style(objective, term);
        for (int region = 0; !status && region < (has_style ? regions : 1); ++region) {
            struct part *part = &evaluation->parts[evaluation->part_count++];
            *part = (struct part){.term = term, .region = region};
            memcpy(of_region + 1, sizes + 1 + region * styles, (size_t)styles * sizeof *sizes);
            status = loss_reserve(objective_loss(objective, term), plan, of_region, 1 + styles, &part->run, error);
        }
        evaluation->losses[term] = (nst_layer_loss){.name = objective_term_name(objective, term),
                                                    .kind = objective_term_group(objective, term)};
    }
    return status;
}

static nst_status reserve_terms(struct evaluation *evaluation, struct plan *plan, const struct image_size *sizes,
                                int size_count, nst_error *error) {
    const struct objective *objective = evaluation->objective;
    size_t most = (size_t)(objective_term_count(objective) * objective_region_count(objective));
    evaluation->parts = calloc(most + 1, sizeof *evaluation->parts);
    if (!evaluation->parts) {
        return fail_memory(error, most * sizeof *evaluation->parts, "the losses");
    }
    nst_status status = reserve_parts(evaluation, plan, sizes, size_count, error);
    size_t bytes = reduction_bytes(objective_context(objective), evaluation->part_count);
    evaluation->partials = plan_add_always(plan, bytes, "losses");
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        loss_run_set_partials(evaluation->parts[i].run, evaluation->partials, i);
    }
    evaluation->numbers = status ? NULL : malloc(bytes + 1);
    return status || evaluation->numbers ? status : fail_memory(error, bytes, "the losses");
}

/* Room for weighted copies of the maps that losses copy. */
static nst_status reserve_copies(struct evaluation *evaluation, struct plan *plan, const struct image_size *sizes,
                                 int size_count, nst_error *error) {
    const struct objective *objective = evaluation->objective;
    const struct model *model = objective_model(objective);
    int stages = model_stage_count(model);
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
        for (int i = 0; is_copied && i < size_count; ++i) {
            struct image_size size = model_map_size(model, s, sizes[i]);
            uint64_t bytes = feature_map_bytes(objective_context(objective), model_has_half_maps(model),
                                               model_channels(model, s), size.height, size.width);
            largest = bytes > largest ? bytes : largest;
            if (i == 0) {
                int step = model_backward_step(model, s);
                evaluation->stage_copies[s] = plan_add(plan, bytes, step, step, "weighted copy of %d", s);
            }
        }
    }
    evaluation->copy = largest > 0 ? plan_add(plan, largest, stages, stages, "weighted copy of a map") : -1;
    return NST_OK;
}

nst_status evaluation_reserve(const struct objective *objective, struct plan *plan, const struct image_size *sizes,
                              int size_count, struct evaluation **result, nst_error *error) {
    *result = NULL;
    struct evaluation *evaluation = calloc(1, sizeof *evaluation);
    if (!evaluation) {
        return fail_memory(error, sizeof *evaluation, "an evaluation");
    }
    *evaluation = (struct evaluation){.objective = objective, .plan = plan};
    evaluation->image = plan_add_always(plan, image_bytes(sizes, size_count), "image");
    evaluation->gradient = plan_add_always(plan, image_bytes(sizes, 1), "gradient of the image");
    nst_status status = model_reserve(objective_model(objective), plan, sizes, size_count, &evaluation->model, error);
    status = status ? status : reserve_copies(evaluation, plan, sizes, size_count, error);
    status = status ? status : reserve_terms(evaluation, plan, sizes, size_count, error);
    if (status) {
        evaluation_free(evaluation);
        return status;
    }
    *result = evaluation;
    return NST_OK;
}

void evaluation_free(struct evaluation *evaluation) {
    if (!evaluation) {
        return;
    }
    for (int i = 0; i < evaluation->part_count; ++i) {
        loss_run_free(evaluation->parts[i].run);
    }
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

/* ---- Places of losses -------------------------------------------------------------------------------------------- */

/* Something that is done with a loss at each of its places. */
typedef nst_status at_place(struct loss_run *run, const struct loss_map *at, void *user, nst_error *error);

/* `copy`: the plan entry of a weighted copy, or -1. */
static struct loss_map map_at(const struct evaluation *evaluation, const struct loss *loss, int site,
                              struct image_size size, int copy) {
    if (loss->site_count == 0) {
        return (struct loss_map){
            .map = {.values = evaluation_image(evaluation), .channels = 3, .height = size.height, .width = size.width},
            .image = size};
    }
    return (struct loss_map){.site = site,
                             .map = model_feature_map(evaluation->model, loss->stages[site]),
                             .image = size,
                             .scratch = copy < 0 ? NULL : plan_buffer(evaluation->plan, copy)};
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
        struct loss_map at = map_at(evaluation, loss, site, size, evaluation->copy);
        status = act(part->run, &at, user, error);
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
    nst_status status = model_forward(evaluation->model, evaluation_image(evaluation), size, error);
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        if (is_content || part->region == target->region) {
            status = for_each_place(evaluation, part, size, add_at, &copy, error);
        }
    }
    return status;
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

static nst_status gather_at(struct loss_run *run, const struct loss_map *at, void *user, nst_error *error) {
    (void)user;
    return loss_gather(run, at, error);
}

/* Those whose value does not come with the gradient, if there is one. */
static nst_status values(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        const struct loss *loss = part->run->loss;
        if (counts(evaluation, part) && (kind == EVALUATE_LOSSES || !loss->methods->value_with_gradient)) {
            struct loss_map at = map_at(evaluation, loss, 0, evaluation->size, -1);
            status = loss_value(part->run, &at, error);
        }
    }
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
            struct loss_map at = map_at(evaluation, loss, site, evaluation->size, copy);
            status = loss_add_gradient(part->run, &at, gradient, error);
        }
    }
    return status;
}

/* From the deepest stage down, with the losses' gradients on the way. */
static nst_status backward(struct evaluation *evaluation, nst_error *error) {
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
    cl_mem image_gradient = evaluation_gradient(evaluation);
    if (!status) {
        status = model_backward(run, 0, -1, image_gradient, error);
    }
    return status ? status : add_gradients(evaluation, -1, image_gradient, error);
}

static nst_status read_losses(struct evaluation *evaluation, nst_error *error) {
    nst_context *context = objective_context(evaluation->objective);
    int partials = reduction_partials(context);
    nst_status status = buffer_read(context, plan_buffer(evaluation->plan, evaluation->partials), 0,
                                    evaluation->numbers, reduction_bytes(context, evaluation->part_count), error);
    for (int i = 0; !status && i < objective_term_count(evaluation->objective); ++i) {
        evaluation->losses[i].loss = 0;
    }
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        const struct part *part = &evaluation->parts[i];
        const float *numbers = evaluation->numbers + (size_t)i * (size_t)partials;
        evaluation->losses[part->term].loss += counts(evaluation, part) ? reduction_sum(numbers, partials) : 0;
    }
    return status;
}

nst_status evaluation_run(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    nst_status status = model_forward(evaluation->model, evaluation_image(evaluation), evaluation->size, error);
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        status = for_each_place(evaluation, &evaluation->parts[i], evaluation->size, gather_at, NULL, error);
    }
    if (!status) {
        status = values(evaluation, kind, error);
    }
    if (!status && kind == EVALUATE_GRADIENT) {
        status = backward(evaluation, error);
    }
    return status ? status : read_losses(evaluation, error);
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
