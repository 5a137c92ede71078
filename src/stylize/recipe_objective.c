/* recipe_objective.c: what settings ask for, by the recipe that they name, as an objective and an optimizer; see recipe.h. */
#include "stylize/recipe.h"

#include <math.h>
#include <stdio.h>

static const nst_layer_list *layers_of(const nst_settings *settings, enum recipe_group group) {
    static const nst_layer_list none;
    const nst_layer_list *lists[] = {&settings->content_layers, &settings->style_layers, &none};
    return lists[group];
}

static double weight_of(const struct recipe *recipe, const nst_settings *settings, enum recipe_group group) {
    double content = settings->content_weight;
    const double weights[] = {recipe->mixes_content ? fmax(content - 1, 0) : content, settings->style_weight,
                              settings->tv_weight};
    return weights[group];
}

/* A loss that most jobs do without costs nothing then. */
static bool is_left_out(const struct recipe *recipe, const nst_settings *settings, enum recipe_group group) {
    bool is_optional = group == RECIPE_TOTAL_VARIATION || (group == RECIPE_CONTENT && recipe->mixes_content);
    return is_optional && !(weight_of(recipe, settings, group) > 0);
}

/* What the weights of layers are divided by: their sum, or 1 where all are 0. */
static double sum_of_weights(const nst_layer_list *list) {
    double sum = 0;
    for (int i = 0; i < list->count; ++i) {
        sum += list->layers[i].weight;
    }
    return sum > 0 ? sum : 1;
}

/* On the image, until layers are added. */
static struct objective_term *add_term(struct objective_spec *spec, const struct recipe_loss *loss, double weight,
                                       uint64_t seed) {
    static const char *const groups[] = {"content", "style", "tv"};
    struct objective_term *term = &spec->terms[spec->term_count++];
    weight *= loss->weight > 0 ? loss->weight : 1;
    *term = (struct objective_term){.loss = {.kind = loss->kind, .weight = weight, .options = loss->options},
                                    .phases = loss->phases};
    term->loss.options.seed = seed;
    snprintf(term->group, sizeof term->group, "%s", groups[loss->group]);
    term->loss.joins_image = loss->joins_image;
    snprintf(term->name, sizeof term->name, "%s", loss->joins_layers ? "all layers" : groups[loss->group]);
    return term;
}

static void add_layers(struct objective_spec *spec, const struct recipe *recipe, const struct recipe_loss *loss,
                       const nst_settings *settings) {
    const nst_layer_list *list = layers_of(settings, loss->group);
    double weight = weight_of(recipe, settings, loss->group);
    double divisor = recipe->divides_layer_weights ? sum_of_weights(list) : 1;
    struct objective_term *term = NULL;
    for (int l = 0; l < list->count; ++l) {
        const nst_layer_weight *layer = &list->layers[l];
        if (!loss->joins_layers) {
            term = add_term(spec, loss, weight * (layer->weight / divisor), settings->seed + (uint64_t)l);
            snprintf(term->name, sizeof term->name, "%s", layer->name);
        } else if (!term) {
            term = add_term(spec, loss, weight, settings->seed);
        }
        term->loss.layers[term->loss.layer_count++] = layer->name;
    }
}

void recipe_objective(const struct recipe *recipe, const nst_settings *settings, struct objective_spec *spec) {
    *spec = (struct objective_spec){.pooling = settings->pooling,
                                    .half = settings->precision == NST_PRECISION_HALF,
                                    .replicates_border = recipe->replicates_border,
                                    .centered = recipe->centered};
    for (int i = 0; i < recipe->loss_count; ++i) {
        const struct recipe_loss *loss = &recipe->losses[i];
        int first = spec->term_count;
        if (is_left_out(recipe, settings, loss->group)) {
            continue;
        }
        if (loss->group == RECIPE_TOTAL_VARIATION || loss->is_on_image) {
            add_term(spec, loss, weight_of(recipe, settings, loss->group), settings->seed);
        } else {
            add_layers(spec, recipe, loss, settings);
        }
        for (int t = first; t < spec->term_count; ++t) {
            spec->terms[t].source = i;
        }
    }
}

void recipe_scale_factors(const struct recipe *recipe, const nst_settings *settings, int size_px, double *factors) {
    struct objective_spec spec;
    recipe_objective(recipe, settings, &spec);
    double by_size = recipe->content_by_size ? (double)recipe->smallest_scale_px / size_px : 1;
    double content = by_size * settings->content_weight, sum = content + recipe->style_share * settings->style_weight;
    for (int t = 0; t < OBJECTIVE_MOST_TERMS; ++t) {
        factors[t] = 1;
    }
    for (int t = 0; t < spec.term_count; ++t) {
        const struct recipe_loss *loss = &recipe->losses[spec.terms[t].source];
        factors[t] = recipe->style_share > 0 && sum > 0 ? 1 / sum : 1;
        factors[t] *= loss->group == RECIPE_CONTENT ? by_size : loss->yields ? 1 / fmax(content, 1) : 1;
    }
}

double recipe_feature_scale(const nst_network *network) {
    const double torchvision = (1 / 0.229 + 1 / 0.224 + 1 / 0.225) / 3 / 255;
    const float *scale = network->input.scale;
    return torchvision / (((double)scale[0] + scale[1] + scale[2]) / 3);
}

double recipe_vector_scale(const nst_network *network) {
    const float *scale = network->input.scale;
    return 1 / (255 * ((double)scale[0] + scale[1] + scale[2]) / 3);
}

/* Losses are squares of features. */
static void scale_features(const nst_network *network, struct objective_spec *spec) {
    double factor = recipe_feature_scale(network), square = factor * factor;
    for (int i = 0; i < spec->term_count; ++i) {
        struct loss_spec *loss = &spec->terms[i].loss;
        if (loss->layer_count > 0) {
            loss->weight *= square;
            loss->options.epsilon /= square;
        }
    }
}

static void add_temporal(struct objective_spec *spec, double weight) {
    spec->terms[spec->term_count++] = (struct objective_term){
        .loss = {.kind = "temporal", .weight = weight}, .group = "temporal", .name = "temporal"};
}

nst_status recipe_create_objective(nst_context *context, const nst_network *network, const nst_settings *settings,
                                   const struct recipe_use *use, struct objective **objective, nst_error *error) {
    const struct recipe *recipe;
    struct objective_spec spec;
    *objective = NULL;
    nst_status status = recipe_find(recipe_table(context), settings->preset, &recipe, error);
    if (status) {
        return status;
    }
    recipe_objective(recipe, settings, &spec);
    if (recipe->scales_features) {
        scale_features(network, &spec);
    }
    for (int i = 0; recipe->scales_vectors && i < spec.term_count; ++i) {
        spec.terms[i].loss.options.feature_scale = recipe_vector_scale(network);
    }
    if (use) {
        spec.regions = use->regions;
        spec.weighs = use->weighs;
        spec.engine = use->engine;
        if (use->follows && settings->temporal_weight > 0) {
            add_temporal(&spec, settings->temporal_weight);
        }
    }
    return objective_create(context, network, &spec, objective, error);
}

struct optimizer_settings recipe_optimizer_settings(const struct recipe *recipe, const nst_settings *settings) {
    struct optimizer_settings chosen = recipe->optimizers[settings->optimizer].settings;
    chosen.history = settings->history;
    if (settings->learning_rate > 0) {
        chosen.learning_rate = settings->learning_rate;
    }
    return chosen;
}
