/* job_scale.c: how a scale begins: the targets of the losses, and what the image is at first; see job.h. */
#include "image/orientation.h"
#include "stylize/job.h"
#include "stylize/transfer.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* Resizes a picture and makes an image of it. */
static nst_status upload_to(nst_job *job, const nst_picture *picture, struct image_size size, struct vector image,
                            nst_error *error) {
    struct transfer transfer = {.name = "picture",
                                .center = objective_center(job->objective),
                                .filter = job->recipe->filter,
                                .rounds_to_bytes = job->recipe->rounds_to_bytes};
    return transfer_resized(job->context, picture, size, &transfer, image, error);
}

/* Puts it into the image that is evaluated. */
static nst_status upload(nst_job *job, const nst_picture *picture, struct image_size size, nst_error *error) {
    return upload_to(job, picture, size, evaluation_image_vector(job->buffers.evaluation), error);
}

/* ---- What it leads to -------------------------------------------------------------------------------------------- */

static bool averages(const nst_job *job) {
    return job->recipe->average_decay > 0;
}
static cl_mem average_image(const nst_job *job) {
    return plan_buffer(&job->buffers.plan, job->buffers.average);
}
static struct optimizer_shape shape_of(struct image_size size) {
    return (struct optimizer_shape){3, size.height, size.width};
}

nst_status job_download(const nst_job *job, nst_picture *picture, nst_error *error) {
    struct vector image =
        averages(job) ? vector_on_device(average_image(job)) : evaluation_image_vector(job->buffers.evaluation);
    return transfer_from_device(job->context, image, job->scales[job->scale].size, objective_center(job->objective),
                                picture, error);
}

nst_status job_average(nst_job *job, nst_error *error) {
    if (!averages(job)) {
        return NST_OK;
    }
    size_t count = optimizer_elements(shape_of(job->scales[job->scale].size));
    return average_add(&job->average, evaluation_image(job->buffers.evaluation), average_image(job), count, error);
}

/* ---- Styles ------------------------------------------------------------------------------------------------------ */

double job_style_share(const nst_job *job, int style) {
    const nst_settings *s = &job->settings;
    if (s->style_blend_count == 0) {
        return 1.0 / job->style_count;
    }
    double sum = 0;
    for (int i = 0; i < s->style_blend_count; ++i) {
        sum += s->style_blend[i];
    }
    return s->style_blend[style] / sum;
}

/* EXIF's numbers for pictures that lie on their sides or heads. */
static const int turned_orientations[] = {1, 6, 3, 8};

/* A style at a scale, turned. Free with nst_picture_free. */
static nst_status make_style(const nst_job *job, int style, int turn, struct image_size size, nst_picture *shown,
                             nst_error *error) {
    struct image_size before = turn % 2 ? (struct image_size){size.width, size.height} : size;
    struct orientation orientation = {.exif = turned_orientations[turn]};
    nst_status status =
        picture_resize(&job->styles[style], before.width, before.height, job->recipe->filter, shown, error);
    if (!status) {
        status = orientation_apply(&orientation, shown, error);
    }
    if (status) {
        nst_picture_free(shown);
    }
    return status;
}

static nst_status add_style(nst_job *job, const nst_picture *shown, const struct loss_target *target,
                            nst_error *error) {
    struct image_size size = {.height = shown->height, .width = shown->width};
    struct loss_target seen = *target;
    float *alpha;
    nst_status status = picture_alpha(shown, &alpha, error);
    seen.weights = alpha;
    status = status ? status : upload(job, shown, size, error);
    status = status ? status : evaluation_add_target(job->buffers.evaluation, &seen, size, error);
    free(alpha);
    return status;
}

static nst_status add_styles(nst_job *job, const struct scale *scale, enum loss_picture picture, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < job->style_count * job_style_turns(job); ++i) {
        int style = i / job_style_turns(job), turn = i % job_style_turns(job);
        struct image_size size = job_style_size(job, style, turn, scale->size_px);
        double share = job->has_style_masks ? 1 : job_style_share(job, style);
        struct loss_target target = {
            .picture = picture, .share = share / job_style_turns(job), .region = job->has_style_masks ? style : 0};
        nst_picture shown = {0};
        status = make_style(job, style, turn, size, &shown, error);
        status = status ? status : add_style(job, &shown, &target, error);
        nst_picture_free(&shown);
    }
    return status;
}

/* ---- Content ----------------------------------------------------------------------------------------------------- */

/* Replaces the content at this scale by a mixture: so much of it, and for the rest the image so far with the finest
 * level of the content's Laplacian pyramid (Kolkin et al. 2022, section 4.2). */
static nst_status mix(const nst_picture *last, float share, nst_picture *content, nst_error *error) {
    int width = content->width, height = content->height, channels = content->channels;
    nst_picture image = {0}, half = {0}, coarse = {0};
    nst_status status = picture_resize(last, width, height, RESIZE_TRIANGLE, &image, error);
    status = status ? status
                    : picture_resize(content, width / 2 > 0 ? width / 2 : 1, height / 2 > 0 ? height / 2 : 1,
                                     RESIZE_TRIANGLE, &half, error);
    status = status ? status : picture_resize(&half, width, height, RESIZE_TRIANGLE, &coarse, error);
    for (size_t i = 0; !status && i < (size_t)width * (size_t)height; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            float *value = &content->values[i * (size_t)channels + c];
            float detail = *value - coarse.values[i * (size_t)channels + c];
            *value = share * *value + (1 - share) * (image.values[3 * i + c] + detail);
        }
    }
    nst_picture_free(&image);
    nst_picture_free(&half);
    nst_picture_free(&coarse);
    return status;
}

static nst_status add_content(nst_job *job, const struct scale *scale, const nst_picture *last, nst_error *error) {
    struct loss_target target = {.picture = LOSS_CONTENT, .share = 1};
    nst_picture content = {0};
    nst_status status = NST_OK;
    if (!last || !job->recipe->mixes_content) {
        status = upload(job, &job->content, scale->size, error);
    } else {
        status =
            picture_resize(&job->content, scale->size.width, scale->size.height, job->recipe->filter, &content, error);
        status = status ? status : mix(last, (float)fmin(job->settings.content_weight, 1), &content, error);
        status = status ? status : upload(job, &content, scale->size, error);
    }
    nst_picture_free(&content);
    return status ? status : evaluation_add_target(job->buffers.evaluation, &target, scale->size, error);
}

/* ---- The frame before -------------------------------------------------------------------------------------------- */

static nst_status add_previous(nst_job *job, const struct scale *scale, nst_error *error) {
    struct loss_target target = {.picture = LOSS_PREVIOUS, .share = 1};
    float *weights = NULL;
    if (!evaluation_wants(job->buffers.evaluation, LOSS_PREVIOUS)) {
        return NST_OK;
    }
    nst_status status = job_reliable_weights(job, scale->size, &weights, error);
    target.weights = weights;
    status = status ? status : upload(job, &job->previous, scale->size, error);
    status = status ? status : evaluation_add_target(job->buffers.evaluation, &target, scale->size, error);
    free(weights);
    return status;
}

/* ---- What it begins with ------------------------------------------------------------------------------------------ */

/* A picture with the content's finest detail. */
static nst_status upload_detailed(nst_job *job, const nst_picture *picture, struct image_size size, nst_error *error) {
    nst_picture detailed = {0};
    nst_status status = picture_resize(&job->content, size.width, size.height, job->recipe->filter, &detailed, error);
    status = status ? status : mix(picture, 0, &detailed, error);
    status = status ? status : upload(job, &detailed, size, error);
    nst_picture_free(&detailed);
    return status;
}

/* One pixel of the color that the styles have on average, by their shares and where they can be seen. */
static nst_status make_mean_color(const nst_job *job, nst_picture *color, nst_error *error) {
    nst_status status = picture_create(1, 1, 3, color, error);
    for (int s = 0; !status && s < job->style_count; ++s) {
        const nst_picture *style = &job->styles[s];
        size_t pixels = (size_t)style->width * (size_t)style->height, channels = (size_t)style->channels;
        double sum[3] = {0}, seen = 0;
        for (size_t i = 0; i < pixels; ++i) {
            double alpha = channels == 4 ? style->values[channels * i + 3] : 1;
            seen += alpha;
            for (size_t c = 0; c < 3; ++c) {
                sum[c] += alpha * style->values[channels * i + c];
            }
        }
        for (size_t c = 0; c < 3; ++c) {
            color->values[c] += (float)(job_style_share(job, s) * sum[c] / fmax(seen, 1e-6));
        }
    }
    return status;
}

/* The image of a scale from that of the one before, `last` as a picture. */
static nst_status continue_image(nst_job *job, int number, const nst_picture *last, nst_error *error) {
    if (!averages(job) && job->recipe->starts_from_detail && number < job->scale_count - 1) {
        return upload_detailed(job, last, job->scales[number].size, error);
    }
    if (!averages(job)) {
        return upload(job, last, job->scales[number].size, error);
    }
    struct optimizer_shape to = shape_of(job->scales[number].size);
    cl_mem image = evaluation_image(job->buffers.evaluation);
    const struct resample_call call = {.from = shape_of(job->scales[number - 1].size),
                                       .to = to,
                                       .is_cubic = true,
                                       .high = 255,
                                       .input = average_image(job),
                                       .output = image};
    nst_status status =
        buffer_fill_zero(job->context, image, optimizer_padded(optimizer_elements(to)) * sizeof(float), error);
    return status ? status : resample_run(job->context, &job->resample, &call, error);
}

/* What the first scale begins with. */
static nst_status upload_init(nst_job *job, const struct scale *scale, nst_error *error) {
    if (job->last.values) {
        return upload(job, &job->last, scale->size, error);
    }
    if (job->settings.init == NST_INIT_CONTENT && job->recipe->starts_from_detail) {
        nst_picture color = {0};
        nst_status status = make_mean_color(job, &color, error);
        status = status ? status : upload_detailed(job, &color, scale->size, error);
        nst_picture_free(&color);
        return status;
    }
    if (job->settings.init != NST_INIT_RANDOM) {
        bool is_content = job->settings.init == NST_INIT_CONTENT;
        return upload(job, is_content ? &job->content : &job->init, scale->size, error);
    }
    struct transfer_noise noise = {
        .seed = job->settings.seed, .mean = job->recipe->random_mean, .deviation = job->recipe->random_deviation};
    return transfer_random(job->context, &noise, scale->size, evaluation_image_vector(job->buffers.evaluation), error);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

/* `last`: the image of the scale before, or NULL. */
static nst_status set_targets(nst_job *job, const struct scale *scale, const nst_picture *last, nst_error *error) {
    struct evaluation *evaluation = job->buffers.evaluation;
    struct job_regions regions;
    double factors[OBJECTIVE_MOST_TERMS];
    nst_status status = job_make_regions(job, scale->size, &regions, error);
    recipe_scale_factors(job->recipe, &job->settings, scale->size_px, factors);
    evaluation_set_factors(evaluation, factors);
    status = status ? status : evaluation_begin_targets(evaluation, scale->phase, &regions.all, error);
    if (!status && regions.change) {
        status = variables_set_free(job->buffers.variables, regions.change, scale->size, error);
        status = status ? status
                        : upload_to(job, &job->content, scale->size,
                                    vector_on_device(variables_kept(job->buffers.variables)), error);
    }
    job_regions_free(&regions);
    if (!status && evaluation_wants(evaluation, LOSS_SURVEY)) {
        status = add_styles(job, scale, LOSS_SURVEY, error);
    }
    status = status ? status : add_content(job, scale, last, error);
    status = status ? status : add_previous(job, scale, error);
    status = status ? status : add_styles(job, scale, LOSS_STYLE, error);
    return status ? status : evaluation_end_targets(evaluation, error);
}

static nst_status begin_optimizer(nst_job *job, const struct scale *scale, nst_error *error) {
    struct job_buffers *buffers = &job->buffers;
    size_t elements = optimizer_elements((struct optimizer_shape){3, scale->size.height, scale->size.width});
    nst_status status = variables_begin(buffers->variables, scale->size, error);
    if (!status) {
        status = optimizer_begin(buffers->optimizer, variables_shape(buffers->variables), error);
    }
    bool is_last = scale == &job->scales[job->scale_count - 1];
    if (!status && is_last && job->recipe->last_rate > 0) {
        optimizer_set_rate(buffers->optimizer, job->recipe->last_rate);
    }
    /* What lies behind its end stays zero from now on, as the optimizer wants it. */
    return status ? status
                  : vector_fill_zero(job->context, evaluation_gradient_vector(buffers->evaluation),
                                     optimizer_padded(elements), error);
}

static nst_status begin_average(nst_job *job, const struct scale *scale, nst_error *error) {
    return !averages(job) ? NST_OK
                          : average_begin(&job->average, evaluation_image(job->buffers.evaluation), average_image(job),
                                          optimizer_elements(shape_of(scale->size)), error);
}

nst_status job_begin_scale(nst_job *job, int number, nst_error *error) {
    const struct scale *scale = &job->scales[number];
    bool is_first = number == 0;
    nst_picture_free(&job->last);
    nst_status status = is_first ? NST_OK : job_download(job, &job->last, error);
    if (is_first && job->previous.values) {
        status = job_begin_previous(job, scale->size, &job->last, error);
    }
    status = status ? status : set_targets(job, scale, job->last.values ? &job->last : NULL, error);
    if (!status) {
        status = is_first ? upload_init(job, scale, error) : continue_image(job, number, &job->last, error);
    }
    status = status ? status : begin_optimizer(job, scale, error);
    return status ? status : begin_average(job, scale, error);
}

nst_status job_restart_scale(nst_job *job, const float *image, nst_error *error) {
    const struct scale *scale = &job->scales[job->scale];
    struct vector vector = evaluation_image_vector(job->buffers.evaluation);
    size_t count = optimizer_elements(shape_of(scale->size));
    nst_status status = set_targets(job, scale, job->last.values ? &job->last : NULL, error);
    status = status ? status : vector_fill_zero(job->context, vector, optimizer_padded(count), error);
    status = status ? status : vector_write(job->context, vector, image, count, error);
    status = status ? status : begin_optimizer(job, scale, error);
    return status ? status : begin_average(job, scale, error);
}

nst_status job_prepare_scale(nst_job *job, int number, nst_error *error) {
    const struct scale *scale = &job->scales[number];
    nst_status status = set_targets(job, scale, job->last.values ? &job->last : NULL, error);
    return status ? status : begin_optimizer(job, scale, error);
}

nst_status job_list_average(nst_job *job, struct state *state, nst_error *error) {
    if (!averages(job)) {
        return NST_OK;
    }
    size_t count = optimizer_elements(shape_of(job->scales[job->scale].size));
    return average_list_state(&job->average, average_image(job), count, state, error);
}
