/* evaluation.c: network and losses run together; see evaluation.h. */
#include "evaluate/evaluation.h"

#include "optimizer/optimizer.h"
#include "support/error.h"

#include <stdlib.h>

struct evaluation {
    const struct objective *objective;
    const struct plan *plan;
    int image, gradient, partials; /* plan entries; partials: a slot for each term */
    struct model_run *model;
    int term_count;
    struct loss_run *terms[OBJECTIVE_MOST_TERMS];
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

static nst_status reserve_terms(struct evaluation *evaluation, struct plan *plan, const struct image_size *sizes,
                                int size_count, nst_error *error) {
    const struct objective *objective = evaluation->objective;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < objective_term_count(objective); ++i) {
        status = loss_reserve(objective_loss(objective, i), plan, sizes, size_count, &evaluation->terms[i], error);
        evaluation->term_count += !status;
        evaluation->losses[i] =
            (nst_layer_loss){.name = objective_term_name(objective, i), .kind = objective_term_group(objective, i)};
    }
    size_t bytes = reduction_bytes(objective_context(objective), objective_term_count(objective));
    evaluation->partials = plan_add_always(plan, bytes, "losses");
    for (int i = 0; i < evaluation->term_count; ++i) {
        loss_run_set_partials(evaluation->terms[i], evaluation->partials, i);
    }
    evaluation->numbers = status ? NULL : malloc(bytes + 1);
    return status || evaluation->numbers ? status : fail_memory(error, bytes, "the losses");
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
    if (!status) {
        status = reserve_terms(evaluation, plan, sizes, size_count, error);
    }
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
    for (int i = 0; i < evaluation->term_count; ++i) {
        loss_run_free(evaluation->terms[i]);
    }
    model_run_free(evaluation->model);
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

static struct loss_map map_at(const struct evaluation *evaluation, const struct loss *loss, int site,
                              struct image_size size) {
    if (loss->site_count == 0) {
        return (struct loss_map){
            .map = {.values = evaluation_image(evaluation), .channels = 3, .height = size.height, .width = size.width},
            .image = size};
    }
    return (struct loss_map){
        .site = site, .map = model_feature_map(evaluation->model, loss->stages[site]), .image = size};
}

static bool counts(const struct evaluation *evaluation, int term) {
    return objective_term_counts(evaluation->objective, term, evaluation->phase);
}

static nst_status for_each_place(struct evaluation *evaluation, struct image_size size, at_place *act, void *user,
                                 nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->term_count; ++i) {
        const struct loss *loss = evaluation->terms[i]->loss;
        int sites = !counts(evaluation, i) ? 0 : loss->site_count > 0 ? loss->site_count : 1;
        for (int site = 0; !status && site < sites; ++site) {
            struct loss_map at = map_at(evaluation, loss, site, size);
            status = act(evaluation->terms[i], &at, user, error);
        }
    }
    return status;
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

nst_status evaluation_begin_targets(struct evaluation *evaluation, int phase, nst_error *error) {
    nst_status status = NST_OK;
    evaluation->phase = phase;
    for (int i = 0; !status && i < evaluation->term_count; ++i) {
        status = counts(evaluation, i) ? loss_target_begin(evaluation->terms[i], error) : NST_OK;
    }
    return status;
}

bool evaluation_wants(const struct evaluation *evaluation, enum loss_picture picture) {
    bool wants = false;
    for (int i = 0; i < evaluation->term_count; ++i) {
        unsigned pictures = evaluation->terms[i]->loss->methods->pictures;
        wants = wants || (counts(evaluation, i) && (pictures & (unsigned)picture));
    }
    return wants;
}

static nst_status add_at(struct loss_run *run, const struct loss_map *at, void *target, nst_error *error) {
    return loss_target_add(run, at, target, error);
}

nst_status evaluation_add_target(struct evaluation *evaluation, const struct loss_target *target,
                                 struct image_size size, nst_error *error) {
    struct loss_target copy = *target;
    if (target->picture == LOSS_CONTENT) {
        evaluation->size = size;
    }
    nst_status status = model_forward(evaluation->model, evaluation_image(evaluation), size, error);
    return status ? status : for_each_place(evaluation, size, add_at, &copy, error);
}

nst_status evaluation_end_targets(struct evaluation *evaluation, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->term_count; ++i) {
        status = counts(evaluation, i) ? loss_target_end(evaluation->terms[i], error) : NST_OK;
    }
    return status;
}

void evaluation_copy_factors(struct evaluation *evaluation, const struct evaluation *other) {
    for (int i = 0; i < evaluation->term_count; ++i) {
        evaluation->terms[i]->factor = other->terms[i]->factor;
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
    for (int i = 0; !status && i < evaluation->term_count; ++i) {
        struct loss_run *run = evaluation->terms[i];
        if (counts(evaluation, i) && (kind == EVALUATE_LOSSES || !run->loss->methods->value_with_gradient)) {
            struct loss_map at = map_at(evaluation, run->loss, 0, evaluation->size);
            status = loss_value(run, &at, error);
        }
    }
    return status;
}

/* Adds to the gradient at a stage what the losses that sit there contribute, those of the image for -1. The last term
 * comes first, which decides how sums are rounded. */
static nst_status add_gradients(struct evaluation *evaluation, int stage, cl_mem gradient, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = evaluation->term_count - 1; !status && i >= 0; --i) {
        struct loss_run *run = evaluation->terms[i];
        int site = run->loss->site_count == 0 ? (stage < 0 ? 0 : -1) : loss_site(run->loss, stage);
        if (site >= 0 && counts(evaluation, i)) {
            struct loss_map at = map_at(evaluation, run->loss, site, evaluation->size);
            status = loss_add_gradient(run, &at, gradient, error);
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
                                    evaluation->numbers, reduction_bytes(context, evaluation->term_count), error);
    for (int i = 0; !status && i < evaluation->term_count; ++i) {
        const float *numbers = evaluation->numbers + (size_t)i * (size_t)partials;
        evaluation->losses[i].loss = counts(evaluation, i) ? reduction_sum(numbers, partials) : 0;
    }
    return status;
}

nst_status evaluation_run(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error) {
    nst_status status = model_forward(evaluation->model, evaluation_image(evaluation), evaluation->size, error);
    if (!status) {
        status = for_each_place(evaluation, evaluation->size, gather_at, NULL, error);
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
    *count = evaluation->term_count;
    return evaluation->losses;
}

double evaluation_total(const struct evaluation *evaluation) {
    double total = 0;
    for (int i = 0; i < evaluation->term_count; ++i) {
        total += evaluation->losses[i].loss;
    }
    return total;
}

nst_status evaluation_list_state(struct evaluation *evaluation, struct state *state, nst_error *error) {
    size_t pixels = (size_t)evaluation->size.height * (size_t)evaluation->size.width;
    nst_status status =
        state_buffer(state, "image", evaluation_image(evaluation), optimizer_padded(3 * pixels) * sizeof(float), error);
    for (int i = 0; !status && i < evaluation->term_count; ++i) {
        if (counts(evaluation, i)) {
            status = loss_list_state(evaluation->terms[i], state, error);
        }
    }
    return status;
}
