/* job.c: one run of the optimization: the loop and its guards; see nst.h. How a scale begins is in job_scale.c. */
#include "nst.h"

#include "stylize/job.h"
#include "stylize/settings.h"
#include "support/clock.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RETREATS = 12 };

/* ---- Making it --------------------------------------------------------------------------------------------------- */

/* A copy in which what cannot be seen continues what can; `name` is for messages. On failure `copy` is empty. */
static nst_status copy_picture(const nst_picture *source, const char *name, nst_picture *copy, nst_error *error) {
    nst_status status = picture_resize(source, source->width, source->height, RESIZE_LANCZOS3, copy, error);
    if (!status) {
        status = picture_fill_hidden(copy, name, error);
    }
    if (status) {
        nst_picture_free(copy);
    }
    return status;
}

static nst_status copy_pictures(nst_job *job, const nst_job_pictures *pictures, nst_error *error) {
    nst_status status = copy_picture(pictures->content, "content", &job->content, error);
    if (!status && job->settings.init == NST_INIT_PICTURE) {
        status = copy_picture(pictures->init, "init", &job->init, error);
    }
    for (int i = 0; !status && i < pictures->style_count; ++i) {
        char name[32] = "style";
        if (pictures->style_count > 1) {
            snprintf(name, sizeof name, "style number %d", i + 1);
        }
        status = copy_picture(&pictures->styles[i], name, &job->styles[i], error);
        job->style_count += !status;
    }
    status = status ? status : job_copy_masks(job, pictures, error);
    return status ? status : job_copy_previous(job, pictures, error);
}

nst_status job_create_parts(nst_job *job, nst_error *error) {
    nst_context *context = job->context;
    struct optimizer_settings chosen = recipe_optimizer_settings(job->recipe, &job->settings);
    nst_status status = optimizer_create(context, &chosen, &job->optimizer, error);
    if (!status) {
        status = variables_create(context, job->recipe->pyramid_levels, job_has_masks(job), &job->variables, error);
    }
    if (!status && job->recipe->average_decay > 0) {
        status = average_create(context, job->recipe->average_decay, &job->average, error);
        status = status ? status : resample_create(context, &job->resample, error);
    }
    return status;
}

void job_free_parts(nst_job *job) {
    optimizer_destroy(job->optimizer);
    variables_destroy(job->variables);
    job->optimizer = NULL;
    job->variables = NULL;
    average_release(&job->average);
    resample_release(&job->resample);
}

static nst_status create_job(nst_context *context, const nst_settings *settings, const nst_job_pictures *pictures,
                             nst_job **result, nst_error *error) {
    *result = NULL;
    const struct recipe *recipe;
    nst_status status = recipe_find(recipe_table(context), settings->preset, &recipe, error);
    if (!status) {
        status = settings_check(settings, pictures, error);
    }
    if (status) {
        return status;
    }
    nst_job *job = calloc(1, sizeof *job);
    if (!job) {
        return fail_memory(error, sizeof *job, "the job");
    }
    *job = (nst_job){.context = context, .settings = *settings, .asked = *settings, .recipe = recipe, .scale = -1};
    job->begin_seconds = seconds_now();
    status = copy_pictures(job, pictures, error);
    status = status ? status : job_prepare_colors(job, error);
    status = status ? status : job_create_parts(job, error);
    if (status) {
        nst_job_destroy(job);
        return status;
    }
    *result = job;
    return NST_OK;
}

nst_status nst_job_create_on(const nst_devices *devices, const nst_network *network, const nst_settings *settings,
                             const nst_job_pictures *pictures, nst_job **job, nst_error *error) {
    nst_status status = create_job(devices->contexts[0], settings, pictures, job, error);
    if (status) {
        return status;
    }
    snprintf((*job)->network, sizeof(*job)->network, "%s, sha256 %s", nst_network_name(network),
             nst_network_sha256(network));
    status = job_take_devices(*job, devices, error);
    status = status ? status : job_plan_and_allocate(*job, network, error);
    status = status ? status : job_add_helpers(*job, network, error);
    if (status) {
        nst_job_destroy(*job);
        *job = NULL;
    }
    return status;
}

nst_status nst_job_create(nst_context *context, const nst_network *network, const nst_settings *settings,
                          const nst_job_pictures *pictures, nst_job **job, nst_error *error) {
    const nst_devices devices = {.contexts = &context, .count = 1};
    return nst_job_create_on(&devices, network, settings, pictures, job, error);
}

nst_status job_create_on(struct objective *objective, const nst_settings *settings, const nst_job_pictures *pictures,
                         nst_job **job, nst_error *error) {
    nst_status status = create_job(objective_context(objective), settings, pictures, job, error);
    if (status) {
        return status;
    }
    (*job)->objective = objective;
    (*job)->shares_objective = true;
    status = job_allocate(*job, error);
    if (status) {
        nst_job_destroy(*job);
        *job = NULL;
    }
    return status;
}

nst_status nst_job_renew(nst_job **job, const nst_network *network, const nst_job_pictures *pictures,
                         nst_error *error) {
    nst_job *before = *job, *renewed;
    if (before->devices.given > 1) {
        return job_renew_on_devices(job, network, pictures, error);
    }
    nst_status status = create_job(before->context, &before->asked, pictures, &renewed, error);
    if (status) {
        return status;
    }
    renewed->objective = before->objective;
    renewed->use = before->use;
    memcpy(renewed->network, before->network, sizeof renewed->network);
    before->objective = NULL;
    nst_job_destroy(before); /* its memory is what this one is planned in */
    *job = renewed;
    return job_plan_and_allocate(renewed, network, error);
}

void nst_job_destroy(nst_job *job) {
    if (!job) {
        return;
    }
    job_buffers_free(job->context, &job->buffers);
    job_free_devices(job);
    job_free_parts(job);
    if (!job->shares_objective) {
        objective_destroy(job->objective);
    }
    nst_picture_free(&job->content);
    nst_picture_free(&job->colored);
    nst_picture_free(&job->init);
    nst_picture_free(&job->last);
    nst_picture_free(&job->previous);
    nst_picture_free(&job->reliable);
    for (int i = 0; i < job->style_count; ++i) {
        nst_picture_free(&job->styles[i]);
        nst_picture_free(&job->style_masks[i]);
    }
    free(job->identity);
    nst_picture_free(&job->mask);
    free(job);
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

double job_seconds(const nst_job *job) {
    return seconds_now() - job->begin_seconds;
}

void job_set_seconds(nst_job *job, double seconds) {
    job->begin_seconds = seconds_now() - seconds;
}

/* ---- Scales ------------------------------------------------------------------------------------------------------ */

static nst_status begin_next_scale(nst_job *job, nst_error *error) {
    job->pace.scale_start = job_seconds(job);
    nst_status status = job_begin_scale(job, job->scale + 1, error);
    if (status) {
        return status;
    }
    job->scale++;
    job->iteration = job->untimed = 0;
    job->retreats = 0;
    job->last_good_loss = INFINITY;
    job_fit_schedule(job);
    return NST_OK;
}

/* ---- Iterations -------------------------------------------------------------------------------------------------- */

/* What a loss must be above to mean something: below, even a multiple of it is rounding noise. */
static double least_loss(const nst_job *job) {
    const nst_settings *s = &job->settings;
    return job->recipe->least_loss * (s->content_weight + s->style_weight + s->tv_weight);
}

/* A loss that is not finite, or one that explodes: without a line search some steps go uphill, but none should go up by
 * so much. */
static bool is_bad(const nst_job *job, double loss) {
    double explosion = job->recipe->optimizers[job->settings.optimizer].explosion;
    return !isfinite(loss) || (explosion > 0 && loss > explosion * fmax(job->last_good_loss, least_loss(job)));
}

static nst_status retreat(nst_job *job, const char *why, nst_error *error) {
    if (++job->retreats > MOST_RETREATS) {
        return fail(
            error, NST_ERROR_OPENCL,
            "%s, again and again, however small the steps: check the device with another one (-d), and the network",
            why);
    }
    snprintf(job->note, sizeof job->note, "%s: back to the last good image, with steps half as long", why);
    nst_status status = optimizer_retreat(job->buffers.optimizer, variables_vector(job->buffers.variables), error);
    return status ? status : variables_to_image(job->buffers.variables, error);
}

static nst_status iterate(nst_job *job, nst_error *error) {
    struct evaluation *evaluation = job->buffers.evaluation;
    job_deal(job);
    nst_status status = evaluation_run(evaluation, EVALUATE_GRADIENT, error);
    if (status) {
        return status;
    }
    job->evaluation_count++;
    job->iteration++;
    job->note[0] = '\0';
    status = job_note_deal(job, error);
    if (status) {
        return status;
    }
    double loss = evaluation_total(job->buffers.evaluation);
    if (is_bad(job, loss)) {
        return retreat(job, isfinite(loss) ? "the loss exploded" : "the loss is not finite", error);
    }
    bool finite = true;
    struct variables_run *variables = job->buffers.variables;
    status = variables_from_gradient(variables, error);
    if (!status) {
        status = optimizer_step(job->buffers.optimizer, variables_vector(variables), variables_gradient(variables),
                                &finite, error);
    }
    if (!status && !finite) {
        return retreat(job, "the gradient is not finite", error);
    }
    job->last_good_loss = loss;
    job->retreats = 0;
    status = status ? status : variables_to_image(variables, error);
    return status ? status : job_average(job, error);
}

/* Where the device that leads fails, another one goes on from the image that the iteration began with. */
static nst_status iterate_on_what_works(nst_job *job, nst_error *error) {
    int iteration = job->iteration, evaluations = job->evaluation_count;
    nst_error failure = {0};
    job->devices.note[0] = '\0';
    nst_status status = iterate(job, &failure);
    while (status == NST_ERROR_OPENCL && job->retreats <= MOST_RETREATS && job_may_move(job)) {
        job->iteration = iteration;
        job->evaluation_count = evaluations;
        status = job_move(job, failure.message, &failure);
        status = status ? status : iterate(job, &failure);
    }
    if (status && error) {
        *error = failure;
    }
    return status;
}

static bool is_finished(const nst_job *job) {
    return job->scale == job->scale_count - 1 && job->iteration >= job->scales[job->scale].iterations;
}

/* Time for what is left, taking time as proportional to pixels. */
static double estimate_seconds_left(const nst_job *job, double seconds_per_iteration) {
    if (job->settings.seconds > 0) {
        return is_finished(job) ? 0 : fmax(job->settings.seconds - job_seconds(job), 0);
    }
    const struct scale *now = &job->scales[job->scale];
    double per_pixel = seconds_per_iteration / ((double)now->size.height * now->size.width);
    double left = seconds_per_iteration * (now->iterations - job->iteration);
    for (int i = job->scale + 1; i < job->scale_count; ++i) {
        const struct scale *scale = &job->scales[i];
        left += per_pixel * scale->size.height * scale->size.width * scale->iterations;
    }
    return left;
}

/* Of the work of all scales, taking that of an iteration as proportional to pixels; or of the time that is given. */
static double share_done(const nst_job *job) {
    if (job->settings.seconds > 0) {
        return is_finished(job) ? 1 : fmin(job_seconds(job) / job->settings.seconds, 0.999);
    }
    double all = 0, done = 0;
    for (int i = 0; i < job->scale_count; ++i) {
        const struct scale *scale = &job->scales[i];
        double pixels = (double)scale->size.height * scale->size.width;
        all += pixels * scale->iterations;
        done += pixels * (i < job->scale ? scale->iterations : i == job->scale ? job->iteration : 0);
    }
    return all > 0 ? done / all : 1;
}

static void fill_progress(const nst_job *job, nst_progress *progress) {
    const struct scale *scale = &job->scales[job->scale];
    const struct job_pace *pace = &job->pace;
    double mean = pace->iteration_seconds[job->scale];
    double per_iteration = mean > 0 ? mean : pace->first_end - pace->scale_start;
    *progress = (nst_progress){
        .scale = job->scale,
        .scale_count = job->scale_count,
        .width = scale->size.width,
        .height = scale->size.height,
        .iteration = job->iteration,
        .iteration_count = scale->iterations,
        .evaluation = job->evaluation_count,
        .share = share_done(job),
        .loss = evaluation_total(job->buffers.evaluation),
        .seconds = job_seconds(job),
        .seconds_per_iteration = per_iteration,
        .seconds_left = estimate_seconds_left(job, per_iteration),
        .note = job->devices.note[0] ? job->devices.note
                : job->note[0]       ? job->note
                                     : NULL,
        .finished = is_finished(job),
    };
    progress->layers = evaluation_losses(job->buffers.evaluation, &progress->layer_count);
}

nst_status nst_job_step(nst_job *job, nst_progress *progress, nst_error *error) {
    nst_status status = NST_OK;
    bool finished = job->scale >= 0 && is_finished(job);
    /* Again where a scale has no iterations. */
    while (!status && !finished && (job->scale < 0 || job->iteration >= job->scales[job->scale].iterations)) {
        status = begin_next_scale(job, error);
        finished = !status && is_finished(job);
    }
    if (!status && !finished) {
        status = iterate_on_what_works(job, error);
        job_pace_measure(job);
        job_fit_schedule(job);
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
            return fail(error, NST_CANCELED, "stopped after %d evaluations", job->evaluation_count);
        }
    }
    return NST_OK;
}

/* ---- Result ------------------------------------------------------------------------------------------------------ */

/* Replaces the picture by a copy with the content's alpha. */
static nst_status add_alpha(const nst_job *job, nst_picture *picture, nst_error *error) {
    nst_picture content = {0}, merged = {0};
    nst_status status =
        picture_resize(&job->content, picture->width, picture->height, RESIZE_LANCZOS3, &content, error);
    status = status ? status : picture_with_alpha(picture, &content, &merged, error);
    nst_picture_free(&content);
    if (!status) {
        nst_picture_free(picture);
        *picture = merged;
    }
    return status;
}

nst_status nst_job_painting(nst_job *job, nst_picture *painting, nst_error *error) {
    *painting = (nst_picture){0};
    if (job->scale < 0) {
        return fail(error, NST_ERROR_ARGUMENT, "the job has not begun: there is no picture yet");
    }
    return job_download(job, painting, error);
}

nst_status nst_job_picture(nst_job *job, nst_picture *picture, nst_error *error) {
    nst_status status = nst_job_painting(job, picture, error);
    status = status ? status : job_color(job, picture, error);
    status = status ? status : job_apply_masks(job, picture, error);
    if (!status && job->content.channels == 4) {
        status = add_alpha(job, picture, error);
    }
    if (status) {
        nst_picture_free(picture);
    }
    return status;
}
