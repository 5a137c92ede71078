/* objective.c: the function that is minimized, in float64; see network.h and evaluate/evaluation.h. */
#include "reference/losses.h"
#include "reference/network.h"

#include <stdlib.h>
#include <string.h>

static size_t pixels_of(const struct reference_map *map) {
    return (size_t)map->height * (size_t)map->width;
}
static size_t count_of(const struct reference_map *map) {
    return (size_t)map->channels * pixels_of(map);
}

static double *zeros(size_t count) {
    double *values = calloc(count ? count : 1, sizeof *values);
    if (!values) {
        abort();
    }
    return values;
}

static bool is_normalized(const struct reference_objective *objective) {
    return strcmp(objective->settings->preset, "gram") == 0;
}

/* What the Gram matrix F F^T of a map is multiplied by. */
static double gram_scale(const struct reference_objective *objective, const struct reference_map *map) {
    return 1.0 / (double)(is_normalized(objective) ? pixels_of(map) : count_of(map));
}

/* ---- Targets --------------------------------------------------------------------------------------------------- */

static void set_content(struct reference_objective *objective, const struct reference_picture *content) {
    const nst_layer_list *layers = &objective->settings->content_layers;
    reference_network_forward(&objective->network, content->image);
    for (int i = 0; i < layers->count; ++i) {
        const struct reference_map *map = reference_network_map(&objective->network, layers->layers[i].name);
        objective->content_targets[i] = zeros(count_of(map));
        for (size_t k = 0; k < count_of(map); ++k) {
            objective->content_targets[i][k] = map->values[k];
        }
    }
}

static void add_style(struct reference_objective *objective, const struct reference_picture *style, double share) {
    const nst_layer_list *layers = &objective->settings->style_layers;
    struct reference_network network;
    reference_network_init(&network, objective->network.network, objective->network.pooling, style->height,
                           style->width);
    reference_network_forward(&network, style->image);
    for (int i = 0; i < layers->count; ++i) {
        const struct reference_map *map = reference_network_map(&network, layers->layers[i].name);
        size_t count = (size_t)map->channels * (size_t)map->channels;
        double *gram = zeros(count);
        reference_gram(map->values, map->channels, pixels_of(map), gram);
        if (!objective->style_targets[i]) {
            objective->style_targets[i] = zeros(count);
        }
        for (size_t k = 0; k < count; ++k) {
            objective->style_targets[i][k] += share * gram_scale(objective, map) * gram[k];
        }
        free(gram);
    }
    reference_network_free(&network);
}

void reference_objective_init(struct reference_objective *objective, const nst_network *network,
                              const nst_settings *settings, const struct reference_picture *content,
                              const struct reference_picture *styles, const double *shares, int style_count) {
    *objective = (struct reference_objective){.settings = settings};
    reference_network_init(&objective->network, network, settings->pooling, content->height, content->width);
    set_content(objective, content);
    for (int i = 0; i < style_count; ++i) {
        add_style(objective, &styles[i], shares[i]);
    }
}

void reference_objective_free(struct reference_objective *objective) {
    for (int i = 0; i < NST_MAX_LAYERS; ++i) {
        free(objective->content_targets[i]);
        free(objective->style_targets[i]);
    }
    reference_network_free(&objective->network);
}

/* ---- Evaluation ------------------------------------------------------------------------------------------------ */

/* The weight of a layer: in the normalized objective those of a kind add up to 1, and the target's size divides. */
static double weight_of(const struct reference_objective *objective, const nst_layer_list *layers, int i,
                        const double *target, size_t target_count) {
    if (!is_normalized(objective)) {
        return layers->layers[i].weight / (double)target_count;
    }
    double sum = 0;
    for (int k = 0; k < layers->count; ++k) {
        sum += layers->layers[k].weight;
    }
    return layers->layers[i].weight / sum / reference_squares(target, target_count);
}

static double total_variation(const struct reference_objective *objective, const double *image, double *gradient) {
    const struct reference_map *map = &objective->network.maps[0];
    double elements = (double)count_of(map), weight = objective->settings->tv_weight;
    return is_normalized(objective)
               ? reference_tv_loss(image, 3, map->height, map->width, 2, weight / elements / (255.0 * 255.0), gradient)
               : reference_tv_loss(image, 3, map->height, map->width, 1, weight, gradient);
}

double reference_objective_evaluate(struct reference_objective *objective, const double *image, double *losses,
                                    double *gradient) {
    const nst_settings *settings = objective->settings;
    double total = 0;
    int count = 0;
    reference_network_forward(&objective->network, image);
    reference_network_clear_gradients(&objective->network);
    for (int i = 0; i < settings->content_layers.count; ++i) {
        struct reference_map *map = reference_network_map(&objective->network, settings->content_layers.layers[i].name);
        const double *target = objective->content_targets[i];
        double weight = weight_of(objective, &settings->content_layers, i, target, count_of(map));
        losses[count++] = reference_content_loss(map->values, target, count_of(map), settings->content_weight * weight,
                                                 map->gradient);
    }
    for (int i = 0; i < settings->style_layers.count; ++i) {
        struct reference_map *map = reference_network_map(&objective->network, settings->style_layers.layers[i].name);
        const double *target = objective->style_targets[i];
        double weight =
            weight_of(objective, &settings->style_layers, i, target, (size_t)map->channels * (size_t)map->channels);
        losses[count++] =
            reference_style_loss(map->values, target, map->channels, pixels_of(map), settings->style_weight * weight,
                                 gram_scale(objective, map), map->gradient);
    }
    if (gradient) {
        reference_network_backward(&objective->network, gradient);
    }
    if (settings->tv_weight > 0) {
        losses[count++] = total_variation(objective, image, gradient);
    }
    for (int i = 0; i < count; ++i) {
        total += losses[i];
    }
    return total;
}
