/* job_sizes.c: the sizes of a job: its scales, and how large content and styles are at each; see job.h. */
#include "stylize/job.h"

#include "support/error.h"

static bool is_large_enough(const nst_job *job, struct image_size size) {
    const struct model *model = objective_model(job->objective);
    return size.height > 0 && size.width > 0 && model_map_size(model, model_stage_count(model) - 1, size).height > 0;
}

/* The smallest longer side, from size_px to most_px, at which a picture is large enough; 0: none. */
static int smallest_px(const nst_job *job, const nst_picture *picture, int size_px, int most_px) {
    for (int px = size_px; px <= most_px; ++px) {
        if (is_large_enough(job, scales_size(job->recipe, picture, px))) {
            return px;
        }
    }
    return 0;
}

/* ---- Content ----------------------------------------------------------------------------------------------------- */

static nst_status check_content(const nst_job *job, nst_error *error) {
    int size_px = job->settings.size_px, least = model_smallest_side(objective_model(job->objective));
    struct image_size size = scales_size(job->recipe, &job->content, size_px);
    if (is_large_enough(job, size)) {
        return NST_OK;
    }
    int enough_px = smallest_px(job, &job->content, size_px, NST_MAX_SIZE_PX);
    char advice[64] = "choose one that is less narrow";
    if (enough_px > 0) {
        snprintf(advice, sizeof advice, "--size %d is the smallest that works", enough_px);
    }
    return fail(error, NST_ERROR_NETWORK,
                "the content would be %d x %d pixels, too small for the network: each side must have at least %d; %s",
                size.width, size.height, least, advice);
}

/* ---- Styles ------------------------------------------------------------------------------------------------------ */

int job_style_turns(const nst_job *job) {
    return job->recipe->turns_styles ? 4 : 1;
}

struct image_size job_style_size(const nst_job *job, int style, int turn, int size_px) {
    const nst_picture *picture = &job->styles[style];
    struct image_size size = scales_style_size(job->recipe, job->settings.style_scale, picture, size_px);
    int longer = size.height > size.width ? size.height : size.width, least_px = job->least_style_px[style];
    if (longer < least_px) {
        size = scales_size(job->recipe, picture, least_px);
    }
    return turn % 2 ? (struct image_size){size.width, size.height} : size;
}

/* A style that is too small at the size of the result is shown as large as it must be, or at its own size. */
static nst_status fit_style(nst_job *job, int style, nst_error *error) {
    const nst_picture *picture = &job->styles[style];
    int least = model_smallest_side(objective_model(job->objective));
    struct image_size size = job_style_size(job, style, 0, job->settings.size_px);
    if (is_large_enough(job, size)) {
        return NST_OK;
    }
    int longer = size.height > size.width ? size.height : size.width;
    int own_px = picture->width > picture->height ? picture->width : picture->height;
    int enough_px = smallest_px(job, picture, longer, own_px);
    if (enough_px == 0) {
        return fail(error, NST_ERROR_NETWORK,
                    "style %d has %d x %d pixels, too few for the network: each side must have at least %d", style + 1,
                    picture->width, picture->height, least);
    }
    job->least_style_px[style] = enough_px;
    struct image_size enlarged = scales_size(job->recipe, picture, enough_px);
    snprintf(job->style_note, sizeof job->style_note,
             "style %d would be %d x %d pixels, too small for the network: it is shown at %d x %d", style + 1,
             size.width, size.height, enlarged.width, enlarged.height);
    return NST_OK;
}

static bool styles_fit(const nst_job *job, int size_px) {
    bool fit = true;
    for (int i = 0; i < job->style_count; ++i) {
        fit = fit && is_large_enough(job, job_style_size(job, i, 0, size_px));
    }
    return fit;
}

/* ---- Scales ------------------------------------------------------------------------------------------------------ */

nst_status job_choose_sizes(nst_job *job, nst_error *error) {
    const struct model *model = objective_model(job->objective);
    nst_settings settings = job->settings;
    nst_status status = check_content(job, error);
    for (int i = 0; !status && i < job->style_count; ++i) {
        status = fit_style(job, i, error);
    }
    if (status) {
        return status;
    }
    int count = scales_choose(job->recipe, &settings, model, &job->content, job->scales);
    int repeats = job->recipe->phases > 1 ? job->recipe->phases - 1 : 0;
    /* The first scales are left out while a style picture, perhaps a narrow band, is too small there. */
    while (count - repeats > 1 && !styles_fit(job, job->scales[0].size_px)) {
        settings.scale_count = count - repeats - 1;
        count = scales_choose(job->recipe, &settings, model, &job->content, job->scales);
    }
    job->scale_count = count;
    for (int i = 0; i < count; ++i) {
        job->pace.wanted[i] = job->scales[i].iterations;
    }
    return NST_OK;
}

const char *nst_job_note(const nst_job *job) {
    return job->style_note[0] ? job->style_note : NULL;
}
