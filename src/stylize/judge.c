/* judge.c: the distances of a picture from content and style: the normalized objective, evaluated once with every
 * weight at 1; see nst.h. */
#include "nst.h"

#include "image/picture.h"
#include "optimizer/optimizer.h"
#include "stylize/objective.h"
#include "stylize/scales.h"
#include "stylize/settings.h"
#include "stylize/transfer.h"
#include "support/error.h"
#include "support/text.h"

struct judge {
    nst_context *context;
    struct objective *objective;
    struct image_size size, style_size;
    struct plan plan;
    int image, gradient; /* plan entries */
};

/* Settings with which the loss of each layer is its distance. */
static nst_settings judging_settings(const nst_settings *settings) {
    nst_settings judging;
    nst_settings_init(&judging, NULL, NULL);
    judging.content_layers = settings->content_layers;
    judging.style_layers = settings->style_layers;
    judging.pooling = settings->pooling;
    judging.style_scale = settings->style_scale;
    judging.content_weight = judging.content_layers.count;
    judging.style_weight = judging.style_layers.count;
    judging.tv_weight = 0;
    judging.precision = NST_PRECISION_SINGLE;
    for (int i = 0; i < judging.content_layers.count; ++i) {
        judging.content_layers.layers[i].weight = 1;
    }
    for (int i = 0; i < judging.style_layers.count; ++i) {
        judging.style_layers.layers[i].weight = 1;
    }
    return judging;
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
    uint64_t bytes = 0;
    for (int i = 0; i < 2; ++i) {
        uint64_t needed = optimizer_padded(3 * (size_t)sizes[i].height * (size_t)sizes[i].width) * sizeof(float);
        bytes = needed > bytes ? needed : bytes;
    }
    struct plan *plan = &judge->plan;
    judge->image = plan_add_always(plan, bytes, "image");
    judge->gradient = plan_add_always(plan, bytes, "gradient of the image");
    nst_status status = objective_add_to_plan(judge->objective, plan, sizes, 2, error);
    if (!status) {
        status = plan_assign(plan, error);
    }
    const nst_device_info *device = &judge->context->info;
    if (!status && plan_bytes(plan) + judge->context->allocated_bytes > device->memory_bytes) {
        char needed[32], total[32];
        return fail(error, NST_ERROR_MEMORY,
                    "%dx%d pixels need %s of device memory, but %s has %s: choose another device", judge->size.width,
                    judge->size.height,
                    text_bytes(plan_bytes(plan) + judge->context->allocated_bytes, needed, sizeof needed), device->name,
                    text_bytes(device->memory_bytes, total, sizeof total));
    }
    return status ? status : plan_allocate(plan, judge->context, error);
}

/* Resizes a picture and puts it into the image buffer. */
static nst_status upload(struct judge *judge, const nst_picture *picture, struct image_size size, nst_error *error) {
    nst_picture resized = {0};
    nst_status status = picture_resize(picture, size.width, size.height, RESIZE_LANCZOS3, &resized, error);
    if (!status) {
        status = transfer_to_device(judge->context, &resized, objective_center(judge->objective), false,
                                    plan_buffer(&judge->plan, judge->image), error);
    }
    nst_picture_free(&resized);
    return status;
}

static nst_status measure(struct judge *judge, const nst_picture *picture, const nst_picture *content,
                          const nst_picture *style, nst_error *error) {
    cl_mem image = plan_buffer(&judge->plan, judge->image), gradient = plan_buffer(&judge->plan, judge->gradient);
    struct objective *objective = judge->objective;
    const struct plan *plan = &judge->plan;
    nst_status status = upload(judge, content, judge->size, error);
    if (!status) {
        status = objective_set_content(objective, plan, image, judge->size, error);
    }
    if (!status) {
        status = objective_begin_styles(objective, plan, error);
    }
    if (!status) {
        status = upload(judge, style, judge->style_size, error);
    }
    if (!status) {
        status = objective_add_style(objective, plan, image, judge->style_size, 1, error);
    }
    if (!status) {
        status = objective_end_styles(objective, plan, error);
    }
    if (!status) {
        status = upload(judge, picture, judge->size, error);
    }
    return status ? status : objective_evaluate(objective, plan, image, gradient, error);
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
                     const nst_picture *picture, const nst_picture *content, const nst_picture *style,
                     nst_judgement *judgement, nst_error *error) {
    int content_count = settings->content_layers.count, style_count = settings->style_layers.count;
    if (content_count < 1 || content_count > NST_MAX_LAYERS || style_count < 1 || style_count > NST_MAX_LAYERS) {
        return fail(error, NST_ERROR_ARGUMENT, "expected 1 to %d layers of each kind, found %d of content, %d of style",
                    NST_MAX_LAYERS, content_count, style_count);
    }
    nst_settings judging = judging_settings(settings);
    nst_status status = settings_check_ranges(&judging, error);
    if (status) {
        return status;
    }
    int size_px = picture->width > picture->height ? picture->width : picture->height;
    struct judge judge = {
        .context = context,
        .size = {.height = picture->height, .width = picture->width},
        .style_size = scales_style_size(&judging, style, size_px),
    };
    status = objective_create(context, network, &judging, NULL, &judge.objective, error);
    if (!status) {
        status = check_size(&judge, "picture", judge.size, error);
    }
    if (!status) {
        status = check_size(&judge, "style", judge.style_size, error);
    }
    if (!status) {
        status = plan_and_allocate(&judge, error);
    }
    if (!status) {
        status = measure(&judge, picture, content, style, error);
    }
    if (!status) {
        int loss_count;
        const nst_layer_loss *losses = objective_losses(judge.objective, &loss_count);
        *judgement = (nst_judgement){.width = picture->width,
                                     .height = picture->height,
                                     .content_count = content_count,
                                     .style_count = style_count};
        judgement->content = copy_distances(losses, content_count, judgement->content_layers);
        judgement->style = copy_distances(losses + content_count, style_count, judgement->style_layers);
    }
    plan_free(&judge.plan, context);
    objective_destroy(judge.objective);
    return status;
}
