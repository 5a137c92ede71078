/* objective.c: network and losses put together; see objective.h. */
#include "stylize/objective.h"

#include "support/error.h"

#include <stdlib.h>
#include <string.h>

struct content_term {
    struct content_loss *loss;
    int stage;
    double layer_weight; /* of the settings */
    double weight;       /* a of loss.h, once the target is known */
};

struct style_term {
    struct style_loss *loss;
    int stage;
    double layer_weight, weight;
};

struct objective {
    nst_context *context;
    nst_objective kind;
    double content_weight, style_weight, tv_weight;
    float center[3];
    struct model *model;

    int content_count, style_count;
    struct content_term content[NST_MAX_LAYERS];
    struct style_term style[NST_MAX_LAYERS];
    struct tv_loss *tv; /* NULL if its weight is 0 */

    int partials; /* plan entry; slots: content, style, tv */
    struct image_size size;
    int loss_count;
    nst_layer_loss losses[2 * NST_MAX_LAYERS + 1];
    char names[2 * NST_MAX_LAYERS][LAYER_NAME_LENGTH];
    float *numbers; /* partial sums read back */
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

/* What the weights are divided by: their sum, or 1 where all are 0. */
static double sum_of_weights(const nst_layer_list *list) {
    double sum = 0;
    for (int i = 0; i < list->count; ++i) {
        sum += list->layers[i].weight;
    }
    return sum > 0 ? sum : 1;
}

static void name_loss(struct objective *objective, const char *kind, const char *name) {
    int index = objective->loss_count++;
    nst_layer_loss *loss = &objective->losses[index];
    *loss = (nst_layer_loss){.kind = kind, .name = name};
    if (index < 2 * NST_MAX_LAYERS) {
        snprintf(objective->names[index], LAYER_NAME_LENGTH, "%s", name);
        loss->name = objective->names[index];
    }
}

static nst_status create_terms(struct objective *objective, const nst_settings *settings, nst_error *error) {
    bool normalized = objective->kind == NST_OBJECTIVE_NORMALIZED;
    double content_sum = normalized ? sum_of_weights(&settings->content_layers) : 1;
    double style_sum = normalized ? sum_of_weights(&settings->style_layers) : 1;
    for (int i = 0; i < settings->content_layers.count; ++i) {
        const nst_layer_weight *layer = &settings->content_layers.layers[i];
        struct content_term *term = &objective->content[objective->content_count++];
        term->stage = model_find_stage(objective->model, layer->name);
        term->layer_weight = layer->weight / content_sum;
        nst_status status = content_loss_create(objective->context, objective->model, term->stage, &term->loss, error);
        if (status) {
            return status;
        }
        name_loss(objective, "content", layer->name);
    }
    for (int i = 0; i < settings->style_layers.count; ++i) {
        const nst_layer_weight *layer = &settings->style_layers.layers[i];
        struct style_term *term = &objective->style[objective->style_count++];
        term->stage = model_find_stage(objective->model, layer->name);
        term->layer_weight = layer->weight / style_sum;
        nst_status status =
            style_loss_create(objective->context, objective->model, term->stage, NULL, &term->loss, error);
        if (status) {
            return status;
        }
        name_loss(objective, "style", layer->name);
    }
    if (objective->tv_weight > 0) {
        name_loss(objective, "tv", "tv");
        return tv_loss_create(objective->context, normalized ? 2 : 1, &objective->tv, error);
    }
    return NST_OK;
}

nst_status objective_create(nst_context *context, const nst_network *network, const nst_settings *settings,
                            const struct convolution_engine *engine, struct objective **result, nst_error *error) {
    *result = NULL;
    struct objective *objective = calloc(1, sizeof *objective);
    if (!objective) {
        return fail_memory(error, sizeof *objective, "the objective");
    }
    *objective = (struct objective){
        .context = context,
        .kind = settings->objective,
        .content_weight = settings->content_weight,
        .style_weight = settings->style_weight,
        .tv_weight = settings->tv_weight,
    };
    const char *taps[2 * NST_MAX_LAYERS];
    struct model_options options = {.taps = taps,
                                    .pooling = settings->pooling,
                                    .engine = engine,
                                    .centered = settings->objective == NST_OBJECTIVE_NEURAL_STYLE,
                                    .half = settings->precision == NST_PRECISION_HALF,
                                    .losses_in_place = true};
    for (int c = 0; options.centered && c < 3; ++c) {
        objective->center[network->input.order[c]] = -network->input.offset[c] / network->input.scale[c];
    }
    for (int i = 0; i < settings->content_layers.count; ++i) {
        taps[options.tap_count++] = settings->content_layers.layers[i].name;
    }
    for (int i = 0; i < settings->style_layers.count; ++i) {
        taps[options.tap_count++] = settings->style_layers.layers[i].name;
    }
    nst_status status = model_create(context, network, &options, &objective->model, error);
    if (!status) {
        status = create_terms(objective, settings, error);
    }
    if (!status) {
        size_t bytes = reduction_bytes(context, objective->loss_count);
        objective->numbers = malloc(bytes);
        status = objective->numbers ? NST_OK : fail_memory(error, bytes, "the losses");
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
    for (int i = 0; i < objective->content_count; ++i) {
        content_loss_destroy(objective->content[i].loss);
    }
    for (int i = 0; i < objective->style_count; ++i) {
        style_loss_destroy(objective->style[i].loss);
    }
    tv_loss_destroy(objective->tv);
    model_destroy(objective->model);
    free(objective->numbers);
    free(objective);
}

const struct model *objective_model(const struct objective *objective) {
    return objective->model;
}
const float *objective_center(const struct objective *objective) {
    return objective->center;
}

nst_status objective_add_to_plan(struct objective *objective, struct plan *plan, const struct image_size *sizes,
                                 int size_count, nst_error *error) {
    nst_status status = model_add_to_plan(objective->model, plan, sizes, size_count, error);
    for (int i = 0; !status && i < objective->content_count; ++i) {
        content_loss_add_to_plan(objective->content[i].loss, plan, sizes, 1);
    }
    for (int i = 0; !status && i < objective->style_count; ++i) {
        style_loss_add_to_plan(objective->style[i].loss, plan, sizes, size_count);
    }
    objective->partials = plan_add_always(plan, reduction_bytes(objective->context, objective->loss_count), "losses");
    return status;
}

static struct loss_output output_at(const struct objective *objective, const struct plan *plan, int slot) {
    return (struct loss_output){.partials = plan_buffer(plan, objective->partials), .slot = slot};
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

static double pixels_of(const struct feature_map *map) {
    return (double)map->height * map->width;
}

/* How the Gram matrix is scaled: s of loss.h. */
static double gram_scale(const struct objective *objective, const struct feature_map *map) {
    bool normalized = objective->kind == NST_OBJECTIVE_NORMALIZED;
    return 1 / (pixels_of(map) * (normalized ? 1 : map->channels));
}

/* 1 / size, but 0 for a target that is all zero: nothing can be asked of it. */
static double one_over(double size) {
    return size > 0 ? 1 / size : 0;
}

nst_status objective_set_content(struct objective *objective, const struct plan *plan, cl_mem image,
                                 struct image_size size, nst_error *error) {
    objective->size = size;
    nst_status status = model_forward(objective->model, plan, image, size, error);
    for (int i = 0; !status && i < objective->content_count; ++i) {
        struct content_term *term = &objective->content[i];
        struct feature_map map = model_feature_map(objective->model, plan, term->stage);
        double divisor = pixels_of(&map) * map.channels;
        status = content_loss_set_target(term->loss, plan, &map, error);
        if (!status && objective->kind == NST_OBJECTIVE_NORMALIZED) {
            status = content_loss_target_size(term->loss, plan, &map, output_at(objective, plan, i), &divisor, error);
        }
        term->weight = objective->content_weight * term->layer_weight * one_over(divisor);
    }
    return status;
}

nst_status objective_begin_styles(struct objective *objective, const struct plan *plan, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < objective->style_count; ++i) {
        status = style_loss_clear_target(objective->style[i].loss, plan, error);
    }
    return status;
}

nst_status objective_add_style(struct objective *objective, const struct plan *plan, cl_mem image,
                               struct image_size size, double share, nst_error *error) {
    nst_status status = model_forward(objective->model, plan, image, size, error);
    for (int i = 0; !status && i < objective->style_count; ++i) {
        struct style_term *term = &objective->style[i];
        struct feature_map map = model_feature_map(objective->model, plan, term->stage);
        status = style_loss_gram(term->loss, plan, &map, error);
        if (!status) {
            status = style_loss_add_to_target(term->loss, plan, share * gram_scale(objective, &map), error);
        }
    }
    return status;
}

nst_status objective_end_styles(struct objective *objective, const struct plan *plan, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < objective->style_count; ++i) {
        struct style_term *term = &objective->style[i];
        double channels = model_channels(objective->model, term->stage), divisor = channels * channels;
        if (objective->kind == NST_OBJECTIVE_NORMALIZED) {
            status = style_loss_target_size(term->loss, plan, &divisor, error);
        }
        term->weight = objective->style_weight * term->layer_weight * one_over(divisor);
    }
    return status;
}

void objective_copy_weights(struct objective *objective, const struct objective *other) {
    for (int i = 0; i < objective->content_count; ++i) {
        objective->content[i].weight = other->content[i].weight;
    }
    for (int i = 0; i < objective->style_count; ++i) {
        objective->style[i].weight = other->style[i].weight;
    }
}

/* ---- Evaluation -------------------------------------------------------------------------------------------------- */

static nst_status style_values(struct objective *objective, const struct plan *plan, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < objective->style_count; ++i) {
        struct style_term *term = &objective->style[i];
        struct feature_map map = model_feature_map(objective->model, plan, term->stage);
        struct style_loss_weights weights = {.weight = term->weight, .scale = gram_scale(objective, &map)};
        status = style_loss_gram(term->loss, plan, &map, error);
        if (!status) {
            status = style_loss_value(term->loss, plan, weights,
                                      output_at(objective, plan, objective->content_count + i), error);
        }
    }
    return status;
}

/* Adds to the gradient at a stage what the losses that sit there contribute. */
static nst_status add_gradients(struct objective *objective, const struct plan *plan, int stage, nst_error *error) {
    struct feature_map map = model_feature_map(objective->model, plan, stage);
    cl_mem gradient = model_gradient(objective->model, plan, stage);
    nst_status status = NST_OK;
    for (int i = 0; !status && i < objective->style_count; ++i) {
        if (objective->style[i].stage == stage) {
            status = style_loss_add_gradient(objective->style[i].loss, plan, &map, gradient, error);
        }
    }
    for (int i = 0; !status && i < objective->content_count; ++i) {
        if (objective->content[i].stage == stage) {
            status = content_loss_run(objective->content[i].loss, plan, &map, objective->content[i].weight,
                                      output_at(objective, plan, i), gradient, error);
        }
    }
    return status;
}

/* From the deepest stage down, with the losses' gradients on the way. */
static nst_status backward(struct objective *objective, const struct plan *plan, cl_mem image_gradient,
                           nst_error *error) {
    struct model *model = objective->model;
    int deepest = model_stage_count(model) - 1;
    nst_status status = model_backward_begin(model, plan, error);
    for (int stage = deepest; !status && stage >= 0; --stage) {
        bool in_place = model_gradient_in_place(model, stage);
        if (in_place) {
            status = add_gradients(objective, plan, stage, error);
        }
        if (!status && stage < deepest) {
            status = model_backward(model, plan, stage + 1, stage, NULL, error);
        }
        if (!status && !in_place) {
            status = add_gradients(objective, plan, stage, error);
        }
    }
    return status ? status : model_backward(model, plan, 0, -1, image_gradient, error);
}

static nst_status total_variation(struct objective *objective, const struct plan *plan, cl_mem image, cl_mem gradient,
                                  nst_error *error) {
    if (!objective->tv) {
        return NST_OK;
    }
    double elements = 3.0 * objective->size.height * objective->size.width;
    bool normalized = objective->kind == NST_OBJECTIVE_NORMALIZED;
    double weight = objective->tv_weight / (normalized ? elements * 255 * 255 : 1);
    return tv_loss_run(objective->tv, image, objective->size, weight,
                       output_at(objective, plan, objective->content_count + objective->style_count), gradient, error);
}

static nst_status read_losses(struct objective *objective, const struct plan *plan, nst_error *error) {
    int partials = reduction_partials(objective->context);
    nst_status status = buffer_read(objective->context, plan_buffer(plan, objective->partials), 0, objective->numbers,
                                    reduction_bytes(objective->context, objective->loss_count), error);
    for (int i = 0; !status && i < objective->loss_count; ++i) {
        objective->losses[i].loss = reduction_sum(objective->numbers + (size_t)i * (size_t)partials, partials);
    }
    return status;
}

nst_status objective_evaluate(struct objective *objective, const struct plan *plan, cl_mem image, cl_mem gradient,
                              nst_error *error) {
    nst_status status = model_forward(objective->model, plan, image, objective->size, error);
    if (!status) {
        status = style_values(objective, plan, error);
    }
    if (!status) {
        status = backward(objective, plan, gradient, error);
    }
    if (!status) {
        status = total_variation(objective, plan, image, gradient, error);
    }
    return status ? status : read_losses(objective, plan, error);
}

const nst_layer_loss *objective_losses(const struct objective *objective, int *count) {
    *count = objective->loss_count;
    return objective->losses;
}

double objective_total(const struct objective *objective) {
    double total = 0;
    for (int i = 0; i < objective->loss_count; ++i) {
        total += objective->losses[i].loss;
    }
    return total;
}
