/* job.c: one run of the optimization: scales, targets, loop, guards; see nst.h. */
#include "nst.h"

#include "image/picture.h"
#include "stylize/job.h"
#include "stylize/settings.h"
#include "stylize/transfer.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_RETREATS = 12 };

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status copy_picture(const nst_picture *source, nst_picture *copy, nst_error *error) {
    return picture_resize(source, source->width, source->height, RESIZE_LANCZOS3, copy, error);
}

static nst_status copy_pictures(nst_job *job, const nst_job_pictures *pictures, nst_error *error) {
    nst_status status = copy_picture(pictures->content, &job->content, error);
    if (!status && job->settings.init == NST_INIT_PICTURE) {
        status = copy_picture(pictures->init, &job->init, error);
    }
    for (int i = 0; !status && i < pictures->style_count; ++i) {
        status = copy_picture(&pictures->styles[i], &job->styles[i], error);
        job->style_count += !status;
    }
    return status;
}

/* Of the automatic optimizer in neural-style-pt's objective: found by trial, see docs/design.md. */
static const double METRIC_CORRELATION = 0.5, FIRST_MATRIX = 4;

/* Bounded only in our own objective: the peer's is not, and its optimization is to be reproduced exactly. The automatic
 * optimizer is the plain method there, since the metric did not help. */
static struct optimizer_settings optimizer_settings(const nst_settings *s) {
    bool ours = s->objective == NST_OBJECTIVE_NORMALIZED, has_metric = s->optimizer == NST_AUTO && !ours;
    double usual = s->optimizer == NST_ADAM && ours ? 5 : 1;
    return (struct optimizer_settings){
        .kind = s->optimizer == NST_ADAM ? NST_ADAM : NST_LBFGS,
        .history = s->history,
        .learning_rate = s->learning_rate > 0 ? s->learning_rate : usual,
        .beta1 = 0.9,
        .beta2 = ours ? 0.99 : 0.999,
        .epsilon = 1e-8,
        .first_step_rms = ours || has_metric ? 2 : 0,
        .largest_step_rms = ours || has_metric ? 40 : 0,
        .correlation = has_metric ? METRIC_CORRELATION : 0,
        .first_matrix = has_metric ? FIRST_MATRIX : 1,
        .bounded = ours,
        .low = 0,
        .high = 255,
    };
}

nst_status nst_job_create(nst_context *context, const nst_network *network, const nst_settings *settings,
                          const nst_job_pictures *pictures, nst_job **result, nst_error *error) {
    *result = NULL;
    nst_status status = settings_check(settings, pictures, error);
    if (status) {
        return status;
    }
    nst_job *job = calloc(1, sizeof *job);
    if (!job) {
        return fail_memory(error, sizeof *job, "the job");
    }
    job->context = context;
    job->settings = *settings;
    job->scale = -1;
    clock_gettime(CLOCK_MONOTONIC, &job->begin);
    status = copy_pictures(job, pictures, error);
    if (!status) {
        struct optimizer_settings chosen = optimizer_settings(settings);
        status = optimizer_create(context, &chosen, &job->optimizer, error);
    }
    if (!status) {
        status = job_plan_and_allocate(job, network, error);
    }
    if (status) {
        nst_job_destroy(job);
        return status;
    }
    *result = job;
    return NST_OK;
}

void nst_job_destroy(nst_job *job) {
    if (!job) {
        return;
    }
    plan_free(&job->plan, job->context);
    optimizer_destroy(job->optimizer);
    objective_destroy(job->objective);
    nst_picture_free(&job->content);
    nst_picture_free(&job->init);
    for (int i = 0; i < job->style_count; ++i) {
        nst_picture_free(&job->styles[i]);
    }
    free(job);
}

/* ---- Scales ------------------------------------------------------------------------------------------------------ */

static bool is_neural_style(const nst_job *job) {
    return job->settings.objective == NST_OBJECTIVE_NEURAL_STYLE;
}

/* Resizes a picture and puts it into the image buffer. */
static nst_status upload(nst_job *job, const nst_picture *picture, struct image_size size, nst_error *error) {
    nst_picture resized = {0};
    enum resize_filter filter = is_neural_style(job) ? RESIZE_TRIANGLE : RESIZE_LANCZOS3;
    nst_status status = picture_resize(picture, size.width, size.height, filter, &resized, error);
    if (!status) {
        status = transfer_to_device(job->context, &resized, objective_center(job->objective), is_neural_style(job),
                                    plan_buffer(&job->plan, job->image), error);
    }
    nst_picture_free(&resized);
    return status;
}

static double blend_share(const nst_job *job, int style) {
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

static nst_status set_targets(nst_job *job, const struct scale *scale, nst_error *error) {
    cl_mem image = plan_buffer(&job->plan, job->image);
    nst_status status = upload(job, &job->content, scale->size, error);
    if (!status) {
        status = objective_set_content(job->objective, &job->plan, image, scale->size, error);
    }
    if (!status) {
        status = objective_begin_styles(job->objective, &job->plan, error);
    }
    for (int i = 0; !status && i < job->style_count; ++i) {
        struct image_size size = scales_style_size(&job->settings, &job->styles[i], scale->size_px);
        status = upload(job, &job->styles[i], size, error);
        if (!status) {
            status = objective_add_style(job->objective, &job->plan, image, size, blend_share(job, i), error);
        }
    }
    return status ? status : objective_end_styles(job->objective, &job->plan, error);
}

/* What the first scale begins with. */
static nst_status upload_init(nst_job *job, const struct scale *scale, nst_error *error) {
    if (job->settings.init != NST_INIT_RANDOM) {
        bool is_content = job->settings.init == NST_INIT_CONTENT;
        return upload(job, is_content ? &job->content : &job->init, scale->size, error);
    }
    /* Middle gray with clear noise; the peer begins at the mean that it subtracts, with very little. */
    return transfer_random(job->context, job->settings.seed, is_neural_style(job) ? 0 : 127.5,
                           is_neural_style(job) ? 1e-3 : 30, plan_buffer(&job->plan, job->image), scale->size, error);
}

static nst_status begin_scale(nst_job *job, nst_error *error) {
    const struct scale *scale = &job->scales[job->scale + 1];
    nst_picture last = {0};
    nst_status status = NST_OK;
    if (job->scale >= 0) {
        status = transfer_from_device(job->context, plan_buffer(&job->plan, job->image), job->scales[job->scale].size,
                                      objective_center(job->objective), &last, error);
    }
    if (!status) {
        status = set_targets(job, scale, error);
    }
    if (!status) {
        status = job->scale >= 0 ? upload(job, &last, scale->size, error) : upload_init(job, scale, error);
    }
    nst_picture_free(&last);
    if (!status) {
        struct optimizer_shape shape = {3, scale->size.height, scale->size.width};
        status = optimizer_begin(job->optimizer, &job->plan, shape, error);
        if (!status) { /* what lies behind its end stays zero from now on, as the optimizer wants it */
            status = buffer_fill_zero(job->context, plan_buffer(&job->plan, job->gradient),
                                      optimizer_padded(optimizer_elements(shape)) * sizeof(float), error);
        }
    }
    if (status) {
        return status;
    }
    job->scale++;
    job->iteration = 0;
    job->retreats = 0;
    job->last_good_loss = INFINITY;
    clock_gettime(CLOCK_MONOTONIC, &job->scale_begin);
    return NST_OK;
}

/* ---- Iterations -------------------------------------------------------------------------------------------------- */

static double seconds_since(const struct timespec *then) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + 1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

/* A loss that is not finite; in our own objective also one that explodes: without a line search some steps go uphill,
 * but none should go up by so much. */
static bool is_bad(const nst_job *job, double loss) {
    const double explosion = 5;
    bool exact = is_neural_style(job) && job->settings.optimizer != NST_AUTO;
    return !isfinite(loss) || (!exact && loss > explosion * job->last_good_loss);
}

static nst_status retreat(nst_job *job, const char *why, nst_error *error) {
    if (++job->retreats > MOST_RETREATS) {
        return fail(
            error, NST_ERROR_OPENCL,
            "%s, again and again, however small the steps: check the device with another one (-d), and the network",
            why);
    }
    snprintf(job->note, sizeof job->note, "%s: back to the last good image, with steps half as long", why);
    return optimizer_retreat(job->optimizer, &job->plan, plan_buffer(&job->plan, job->image), error);
}

static nst_status iterate(nst_job *job, nst_error *error) {
    cl_mem image = plan_buffer(&job->plan, job->image), gradient = plan_buffer(&job->plan, job->gradient);
    nst_status status = objective_evaluate(job->objective, &job->plan, image, gradient, error);
    if (status) {
        return status;
    }
    if (job->iteration == 0) { /* the first one also builds kernels: it says nothing of the others */
        job->first_seconds = seconds_since(&job->scale_begin);
        clock_gettime(CLOCK_MONOTONIC, &job->scale_begin);
    }
    job->evaluation++;
    job->iteration++;
    job->note[0] = '\0';
    double loss = objective_total(job->objective);
    if (is_bad(job, loss)) {
        return retreat(job, isfinite(loss) ? "the loss exploded" : "the loss is not finite", error);
    }
    bool finite = true;
    status = optimizer_step(job->optimizer, &job->plan, image, gradient, &finite, error);
    if (!status && !finite) {
        return retreat(job, "the gradient is not finite", error);
    }
    job->last_good_loss = loss;
    job->retreats = 0;
    return status;
}

/* Time for what is left, taking time as proportional to pixels. */
static double estimate_seconds_left(const nst_job *job, double seconds_per_iteration) {
    const struct scale *now = &job->scales[job->scale];
    double per_pixel = seconds_per_iteration / ((double)now->size.height * now->size.width);
    double left = seconds_per_iteration * (now->iterations - job->iteration);
    for (int i = job->scale + 1; i < job->scale_count; ++i) {
        const struct scale *scale = &job->scales[i];
        left += per_pixel * scale->size.height * scale->size.width * scale->iterations;
    }
    return left;
}

static bool is_finished(const nst_job *job) {
    return job->scale == job->scale_count - 1 && job->iteration >= job->scales[job->scale].iterations;
}

static void fill_progress(const nst_job *job, nst_progress *progress) {
    const struct scale *scale = &job->scales[job->scale];
    double per_iteration =
        job->iteration > 1 ? seconds_since(&job->scale_begin) / (job->iteration - 1) : job->first_seconds;
    *progress = (nst_progress){
        .scale = job->scale,
        .scale_count = job->scale_count,
        .width = scale->size.width,
        .height = scale->size.height,
        .iteration = job->iteration,
        .iteration_count = scale->iterations,
        .evaluation = job->evaluation,
        .loss = objective_total(job->objective),
        .seconds = seconds_since(&job->begin),
        .seconds_per_iteration = per_iteration,
        .seconds_left = estimate_seconds_left(job, per_iteration),
        .note = job->note[0] ? job->note : NULL,
        .finished = is_finished(job),
    };
    progress->layers = objective_losses(job->objective, &progress->layer_count);
}

nst_status nst_job_step(nst_job *job, nst_progress *progress, nst_error *error) {
    nst_status status = NST_OK;
    bool finished = job->scale >= 0 && is_finished(job);
    /* Again where a scale has no iterations. */
    while (!status && !finished && (job->scale < 0 || job->iteration >= job->scales[job->scale].iterations)) {
        status = begin_scale(job, error);
        finished = !status && is_finished(job);
    }
    if (!status && !finished) {
        status = iterate(job, error);
    }
    if (!status) {
        fill_progress(job, progress);
    }
    return status;
}

nst_status nst_job_run(nst_job *job, nst_progress_callback *callback, void *user, const volatile int *cancel,
                       nst_error *error) {
    nst_progress progress = {0};
    while (!progress.finished) {
        nst_status status = nst_job_step(job, &progress, error);
        if (status) {
            return status;
        }
        if (callback) {
            callback(&progress, user);
        }
        if (cancel && *cancel && !progress.finished) {
            return fail(error, NST_CANCELLED, "stopped after %d evaluations", job->evaluation);
        }
    }
    return NST_OK;
}

/* ---- Result ------------------------------------------------------------------------------------------------------ */

/* What takes something from another picture of the same size: picture_recolor, picture_with_alpha. */
typedef nst_status merge_pictures(const nst_picture *picture, const nst_picture *other, nst_picture *result,
                                  nst_error *error);

/* Replaces the picture by what `merge` makes of it and of the content at its size. */
static nst_status merge_content(const nst_job *job, nst_picture *picture, merge_pictures *merge, nst_error *error) {
    nst_picture content = {0}, merged = {0};
    nst_status status =
        picture_resize(&job->content, picture->width, picture->height, RESIZE_LANCZOS3, &content, error);
    if (!status) {
        status = merge(picture, &content, &merged, error);
    }
    nst_picture_free(&content);
    if (!status) {
        nst_picture_free(picture);
        *picture = merged;
    }
    return status;
}

nst_status nst_job_picture(nst_job *job, nst_picture *picture, nst_error *error) {
    *picture = (nst_picture){0};
    if (job->scale < 0) {
        return fail(error, NST_ERROR_ARGUMENT, "the job has not begun: there is no picture yet");
    }
    nst_status status =
        transfer_from_device(job->context, plan_buffer(&job->plan, job->image), job->scales[job->scale].size,
                             objective_center(job->objective), picture, error);
    if (!status && job->settings.original_colors) {
        status = merge_content(job, picture, picture_recolor, error);
    }
    if (!status && job->content.channels == 4) {
        status = merge_content(job, picture, picture_with_alpha, error);
    }
    if (status) {
        nst_picture_free(picture);
    }
    return status;
}
