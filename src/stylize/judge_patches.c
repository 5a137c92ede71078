/* judge_patches.c: how near the patches of a picture are to those of the style; see judge.h and nst.h. */
#include "stylize/judge.h"

#include "evaluate/evaluation.h"
#include "image/orientation.h"
#include "stylize/recipe.h"
#include "stylize/scales.h"
#include "stylize/transfer.h"
#include "support/error.h"
#include "weights/network.h"

#include <math.h>
#include <stdlib.h>

enum { SIZE_PX = 384, TURNS = 4 };

static const char *const layers[] = {"relu3_1", "relu4_1"};
enum { LAYERS = sizeof layers / sizeof *layers };

/* How pictures are brought to their sizes. */
static const struct recipe fitting = {.rounding = ROUND_HALF_TO_EVEN, .enlarges_styles = true};

struct patches {
    nst_context *context;
    struct objective *objective;
    struct image_size sizes[1 + TURNS]; /* of the picture and of the turned styles */
    struct plan plan;
    struct evaluation *evaluation;
};

/* The layers that the network has. */
static struct objective_spec make_spec(const nst_network *network) {
    struct objective_spec spec = {.pooling = NST_POOLING_MAX};
    for (int i = 0; i < LAYERS; ++i) {
        if (network_find_layer(network, layers[i]) >= 0) {
            struct objective_term *term = &spec.terms[spec.term_count++];
            *term = (struct objective_term){
                .group = "patches",
                .loss = {.kind = "layer neighbors", .layers = {layers[i]}, .layer_count = 1, .weight = 1}};
            snprintf(term->name, sizeof term->name, "%s", layers[i]);
        }
    }
    return spec;
}

static bool fits_network(const struct patches *patches) {
    const struct model *model = objective_model(patches->objective);
    bool fits = true;
    for (int i = 0; i < 1 + TURNS; ++i) {
        fits = fits && model_map_size(model, model_stage_count(model) - 1, patches->sizes[i]).height > 0;
    }
    return fits;
}

static nst_status plan_and_allocate(struct patches *patches, nst_error *error) {
    struct plan *plan = &patches->plan;
    nst_status status =
        evaluation_reserve(patches->objective, plan, patches->sizes, 1 + TURNS, &patches->evaluation, error);
    status = status ? status : plan_assign(plan, error);
    if (!status && !plan_fits(plan, patches->context)) {
        return plan_fail_too_large(plan, patches->context, "judging patches", "choose another device", error);
    }
    return status ? status : plan_allocate(plan, patches->context, error);
}

/* Puts a picture of that very size into the image. */
static nst_status upload(const struct patches *patches, const char *name, const nst_picture *picture,
                         nst_error *error) {
    struct transfer transfer = {.name = name, .center = objective_center(patches->objective)};
    struct image_size size = {.height = picture->height, .width = picture->width};
    return transfer_resized(patches->context, picture, size, &transfer, evaluation_image_vector(patches->evaluation),
                            error);
}

/* The style, turned by a quarter again and again. */
static nst_status add_styles(const struct patches *patches, nst_picture *style, enum loss_picture picture,
                             nst_error *error) {
    const struct orientation quarter = {.exif = 6};
    nst_status status = NST_OK;
    for (int turn = 0; !status && turn < TURNS; ++turn) {
        float *alpha = NULL;
        status = upload(patches, "style", style, error);
        status = status ? status : picture_alpha(style, &alpha, error);
        const struct loss_target target = {.picture = picture, .share = 1.0 / TURNS, .weights = alpha};
        status = status ? status : evaluation_add_target(patches->evaluation, &target, patches->sizes[1 + turn], error);
        free(alpha);
        status = status ? status : orientation_apply(&quarter, style, error);
    }
    return status;
}

static nst_status measure(const struct patches *patches, const nst_picture *picture, nst_picture *style,
                          nst_error *error) {
    struct evaluation *evaluation = patches->evaluation;
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1};
    float *alpha;
    nst_status status = picture_alpha(picture, &alpha, error);
    const float *const planes[] = {alpha};
    const struct evaluation_regions regions = {.image = patches->sizes[0], .styles = alpha ? planes : NULL};
    status = status ? status : evaluation_begin_targets(evaluation, 0, &regions, error);
    free(alpha);
    if (!status && evaluation_wants(evaluation, LOSS_SURVEY)) {
        status = add_styles(patches, style, LOSS_SURVEY, error);
    }
    status = status ? status : upload(patches, "judged", picture, error); /* tells the size */
    status = status ? status : evaluation_add_target(evaluation, &content, patches->sizes[0], error);
    status = status ? status : add_styles(patches, style, LOSS_STYLE, error);
    status = status ? status : evaluation_end_targets(evaluation, error);
    status = status ? status : upload(patches, "judged", picture, error);
    return status ? status : evaluation_run(evaluation, EVALUATE_LOSSES, error);
}

static void copy_distances(const struct patches *patches, nst_judgment *judgment) {
    const nst_layer_loss *losses = evaluation_losses(patches->evaluation, &judgment->patch_count);
    judgment->patches = 0;
    for (int i = 0; i < judgment->patch_count; ++i) {
        nst_layer_distance *layer = &judgment->patch_layers[i];
        snprintf(layer->name, sizeof layer->name, "%s", losses[i].name);
        layer->distance = losses[i].loss;
        judgment->patches += losses[i].loss / judgment->patch_count;
    }
}

nst_status judge_patches(nst_context *context, const nst_network *network, const nst_judge_pictures *pictures,
                         nst_judgment *judgment, nst_error *error) {
    struct objective_spec spec = make_spec(network);
    judgment->patch_count = 0;
    judgment->patches = NAN;
    if (spec.term_count == 0) {
        return NST_OK;
    }
    struct patches patches = {.context = context};
    nst_picture picture = {0}, style = {0};
    struct image_size style_size = scales_size(&fitting, pictures->style, SIZE_PX);
    patches.sizes[0] = scales_size(&fitting, pictures->picture, SIZE_PX);
    for (int turn = 0; turn < TURNS; ++turn) {
        patches.sizes[1 + turn] =
            turn % 2 ? (struct image_size){.height = style_size.width, .width = style_size.height} : style_size;
    }
    spec.weighs = !picture_is_opaque(pictures->picture) || !picture_is_opaque(pictures->style);
    nst_status status = objective_create(context, network, &spec, &patches.objective, error);
    if (!status && fits_network(&patches)) {
        status = picture_resize(pictures->picture, patches.sizes[0].width, patches.sizes[0].height, RESIZE_LANCZOS3,
                                &picture, error);
        status = status ? status
                        : picture_resize(pictures->style, style_size.width, style_size.height, RESIZE_LANCZOS3, &style,
                                         error);
        status = status ? status : plan_and_allocate(&patches, error);
        status = status ? status : measure(&patches, &picture, &style, error);
        if (!status) {
            copy_distances(&patches, judgment);
        }
    }
    nst_picture_free(&picture);
    nst_picture_free(&style);
    evaluation_free(patches.evaluation);
    plan_free(&patches.plan, context);
    objective_destroy(patches.objective);
    return status;
}
