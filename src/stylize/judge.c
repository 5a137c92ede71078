/* judge.c: the distances of a picture from content and style: losses relative to their targets, evaluated once with
 * every weight at 1; see nst.h. */
#include "nst.h"

#include "evaluate/evaluation.h"
#include "stylize/judge.h"
#include "stylize/recipe.h"
#include "stylize/scales.h"
#include "stylize/settings.h"
#include "stylize/transfer.h"
#include "support/error.h"
#include "support/text.h"
#include "weights/network.h"

#include <math.h>
#include <stdlib.h>

struct judge {
    nst_context *context;
    struct objective *objective;
    struct image_size size, style_size;
    struct plan plan;
    struct evaluation *evaluation;
};

/* No preset: the distances are the same whatever a job minimizes. */
static const struct recipe distances = {
    .name = "distances",
    .filter = RESIZE_LANCZOS3,
    .losses = {{.kind = "content", .group = RECIPE_CONTENT, .options = {.relative = true}},
               {.kind = "gram", .group = RECIPE_STYLE, .options = {.relative = true}},
               {.kind = "wasserstein", .group = RECIPE_STYLE, .options = {.relative = true}}},
    .loss_count = 3,
};

/* Settings with which the loss of each layer is its distance. */
static nst_settings judging_settings(const nst_settings *settings) {
    nst_settings judging;
    nst_settings_init(&judging, NULL, NULL);
    judging.content_layers = settings->content_layers;
    judging.style_layers = settings->style_layers;
    judging.pooling = settings->pooling;
    judging.style_scale = settings->style_scale;
    judging.content_weight = judging.style_weight = 1;
    judging.precision = NST_PRECISION_SINGLE;
    for (int i = 0; i < judging.content_layers.count; ++i) {
        judging.content_layers.layers[i].weight = 1;
    }
    for (int i = 0; i < judging.style_layers.count; ++i) {
        judging.style_layers.layers[i].weight = 1;
    }
    return judging;
}

/* One more term, if the network has the layer. */
static void add_structure(const nst_network *network, struct objective_spec *spec) {
    static const char layer[] = "relu3_1";
    if (network_find_layer(network, layer) < 0) {
        return;
    }
    struct objective_term *term = &spec->terms[spec->term_count++];
    *term = (struct objective_term){.group = "structure",
                                    .name = "relu3_1",
                                    .loss = {.kind = "self-similarity",
                                             .layers = {layer},
                                             .layer_count = 1,
                                             .weight = 1,
                                             .options = {.feature_scale = recipe_feature_scale(network)}}};
}

static nst_status check_size(const struct judge *judge, const char *whose, struct image_size size, nst_error *error) {
    const struct model *model = objective_model(judge->objective);
    if (model_map_size(model, model_stage_count(model) - 1, size).height > 0) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_NETWORK, "the %s, at %dx%d pixels, is too small for the network: at least %d", whose,
                size.width, size.height, model_smallest_side(model));
}

static nst_status plan_and_allocate(struct judge *judge, nst_error *error) {
    struct image_size sizes[] = {judge->size, judge->style_size};
    struct plan *plan = &judge->plan;
    nst_status status = evaluation_reserve(judge->objective, plan, sizes, 2, &judge->evaluation, error);
    if (!status) {
        status = plan_assign(plan, error);
    }
    if (!status && !plan_fits(plan, judge->context)) {
        char what[64];
        snprintf(what, sizeof what, "%dx%d pixels", judge->size.width, judge->size.height);
        return plan_fail_too_large(plan, judge->context, what, "choose another device", error);
    }
    return status ? status : plan_allocate(plan, judge->context, error);
}

/* Resizes a picture and puts it into the image buffer. */
static nst_status upload(const struct judge *judge, const char *name, const nst_picture *picture,
                         struct image_size size, nst_error *error) {
    struct transfer transfer = {.name = name, .center = objective_center(judge->objective), .filter = distances.filter};
    return transfer_resized(judge->context, picture, size, &transfer, evaluation_image_vector(judge->evaluation),
                            error);
}

static nst_status measure(const struct judge *judge, const nst_judge_pictures *pictures,
                          const struct judge_visibility *visible, nst_error *error) {
    struct evaluation *evaluation = judge->evaluation;
    const float *const regions[] = {visible->picture};
    const struct evaluation_regions all = {
        .image = judge->size, .content = visible->both, .styles = visible->picture ? regions : NULL};
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE, .share = 1, .weights = visible->style};
    nst_status status = evaluation_begin_targets(evaluation, 0, &all, error);
    status = status ? status : upload(judge, "content", pictures->content, judge->size, error);
    status = status ? status : evaluation_add_target(evaluation, &content, judge->size, error);
    status = status ? status : upload(judge, "style", pictures->style, judge->style_size, error);
    status = status ? status : evaluation_add_target(evaluation, &style, judge->style_size, error);
    status = status ? status : evaluation_end_targets(evaluation, error);
    status = status ? status : upload(judge, "judged", pictures->picture, judge->size, error);
    return status ? status : evaluation_run(evaluation, EVALUATE_LOSSES, error);
}

static nst_status find_visibility(const struct judge *judge, const nst_judge_pictures *pictures,
                                  struct judge_visibility *visible, nst_error *error) {
    struct image_size size = judge->size, style = judge->style_size;
    size_t pixels = (size_t)size.height * (size_t)size.width;
    nst_status status = picture_alpha(pictures->picture, &visible->picture, error);
    status = status ? status
                    : picture_resized_alpha(pictures->content, size.width, size.height, distances.filter,
                                            &visible->both, error);
    status = status ? status
                    : picture_resized_alpha(pictures->style, style.width, style.height, distances.filter,
                                            &visible->style, error);
    if (status || !visible->picture) {
        return status;
    }
    if (!visible->both) {
        return picture_alpha(pictures->picture, &visible->both, error);
    }
    for (size_t i = 0; i < pixels; ++i) {
        visible->both[i] = fminf(visible->both[i], visible->picture[i]);
    }
    return NST_OK;
}

static void free_visibility(struct judge_visibility *visible) {
    free(visible->picture);
    free(visible->both);
    free(visible->style);
}

/* Copies the distances out of losses; returns their mean. */
static double copy_distances(const nst_layer_loss *losses, int count, nst_layer_distance *distances) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
        snprintf(distances[i].name, sizeof distances[i].name, "%s", losses[i].name);
        distances[i].distance = losses[i].loss;
        sum += losses[i].loss;
    }
    return sum / count;
}

nst_status nst_judge(nst_context *context, const nst_network *network, const nst_settings *settings,
                     const nst_judge_pictures *pictures, nst_judgment *judgment, nst_error *error) {
    int content_count = settings->content_layers.count, style_count = settings->style_layers.count;
    if (content_count < 1 || content_count > NST_MAX_LAYERS || style_count < 1 || style_count > NST_MAX_LAYERS) {
        return fail(error, NST_ERROR_ARGUMENT, "expected 1 to %d layers of each kind, found %d of content, %d of style",
                    NST_MAX_LAYERS, content_count, style_count);
    }
    nst_settings judging = judging_settings(settings);
    struct objective_spec spec;
    nst_status status = settings_check_ranges(&judging, error);
    if (status) {
        return status;
    }
    recipe_objective(&distances, &judging, &spec);
    add_structure(network, &spec);
    spec.weighs = !picture_is_opaque(pictures->picture) || !picture_is_opaque(pictures->content) ||
                  !picture_is_opaque(pictures->style);
    const nst_picture *picture = pictures->picture;
    int size_px = picture->width > picture->height ? picture->width : picture->height;
    struct judge judge = {
        .context = context,
        .size = {.height = picture->height, .width = picture->width},
        .style_size = scales_style_size(&distances, judging.style_scale, pictures->style, size_px),
    };
    struct judge_visibility visible = {0};
    status = objective_create(context, network, &spec, &judge.objective, error);
    status = status ? status : check_size(&judge, "picture", judge.size, error);
    status = status ? status : check_size(&judge, "style", judge.style_size, error);
    status = status ? status : plan_and_allocate(&judge, error);
    status = status ? status : find_visibility(&judge, pictures, &visible, error);
    status = status ? status : measure(&judge, pictures, &visible, error);
    if (!status) {
        int loss_count;
        const nst_layer_loss *losses = evaluation_losses(judge.evaluation, &loss_count);
        *judgment = (nst_judgment){.width = picture->width,
                                   .height = picture->height,
                                   .content_count = content_count,
                                   .style_count = style_count};
        judgment->content = copy_distances(losses, content_count, judgment->content_layers);
        judgment->style = copy_distances(losses + content_count, style_count, judgment->style_layers);
        losses += content_count + style_count;
        judgment->wasserstein = copy_distances(losses, style_count, judgment->wasserstein_layers);
        bool has_structure = loss_count > content_count + 2 * style_count;
        judgment->structure = has_structure ? losses[style_count].loss : NAN;
    }
    free_visibility(&visible);
    evaluation_free(judge.evaluation);
    plan_free(&judge.plan, context);
    objective_destroy(judge.objective);
    return status ? status : judge_patches(context, network, pictures, judgment, error);
}
