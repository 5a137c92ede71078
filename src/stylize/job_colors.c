/* job_colors.c: which colors a job paints in (nst_colors): what is done to its pictures before, and to the result. */
#include "image/chroma.h"
#include "stylize/job.h"

/* What the result's chroma is, where its luminance stays. */
enum chroma_source { CHROMA_AS_PAINTED, CHROMA_OF_CONTENT, CHROMA_IN_PALETTE };

static const struct color_scheme {
    bool makes_gray;     /* content, styles, the picture to begin with and the previous one */
    bool matches_styles; /* to the content */
    enum chroma_source chroma;
} schemes[] = {
    [NST_COLORS_STYLE] = {.chroma = CHROMA_AS_PAINTED},
    [NST_COLORS_CONTENT] = {.chroma = CHROMA_OF_CONTENT},
    [NST_COLORS_LUMINANCE] = {.makes_gray = true, .chroma = CHROMA_OF_CONTENT},
    [NST_COLORS_MATCH] = {.matches_styles = true, .chroma = CHROMA_AS_PAINTED},
    [NST_COLORS_PALETTE] = {.chroma = CHROMA_IN_PALETTE},
};

/* ---- Before ------------------------------------------------------------------------------------------------------ */

static void match_styles(nst_job *job) {
    struct color_moments wanted = color_moments_of(&job->content);
    for (int i = 0; i < job->style_count; ++i) {
        struct color_moments found = color_moments_of(&job->styles[i]);
        struct color_map map = color_map_between(&found, &wanted);
        picture_map_colors(&job->styles[i], &map);
    }
}

static nst_status make_gray(nst_job *job, nst_error *error) {
    const nst_picture *content = &job->content;
    nst_status status = picture_resize(content, content->width, content->height, RESIZE_LANCZOS3, &job->colored, error);
    if (status) {
        return status;
    }
    picture_make_gray(&job->content);
    if (job->init.values) {
        picture_make_gray(&job->init);
    }
    if (job->previous.values) {
        picture_make_gray(&job->previous);
    }
    for (int i = 0; i < job->style_count; ++i) {
        picture_make_gray(&job->styles[i]);
    }
    return NST_OK;
}

static nst_status measure_palette(nst_job *job, nst_error *error) {
    struct color_moments moments[NST_MAX_STYLES];
    double shares[NST_MAX_STYLES];
    nst_status status = NST_OK;
    for (int i = 0; !status && i < job->style_count; ++i) {
        shares[i] = job_style_share(job, i);
        status = picture_chroma_moments(&job->styles[i], &moments[i], error);
    }
    if (!status) {
        job->palette = color_moments_mix(moments, shares, job->style_count);
    }
    return status;
}

nst_status job_prepare_colors(nst_job *job, nst_error *error) {
    const struct color_scheme *scheme = &schemes[job->settings.colors];
    if (scheme->matches_styles) {
        match_styles(job);
    }
    if (scheme->makes_gray) {
        return make_gray(job, error);
    }
    return scheme->chroma == CHROMA_IN_PALETTE ? measure_palette(job, error) : NST_OK;
}

/* ---- After ------------------------------------------------------------------------------------------------------- */

/* Luma of the picture, chroma of the content. */
static nst_status restore_original(nst_picture *picture, const nst_picture *content, nst_error *error) {
    nst_picture result;
    nst_status status = picture_recolor(picture, content, &result, error);
    if (!status) {
        nst_picture_free(picture);
        *picture = result;
    }
    return status;
}

nst_status job_color(const nst_job *job, nst_picture *picture, nst_error *error) {
    enum chroma_source source = schemes[job->settings.colors].chroma;
    if (source == CHROMA_AS_PAINTED && !job->settings.original_colors) {
        return NST_OK;
    }
    const nst_picture *colored = job->colored.values ? &job->colored : &job->content;
    nst_picture content = {0};
    nst_status status = picture_resize(colored, picture->width, picture->height, RESIZE_LANCZOS3, &content, error);
    if (!status && job->settings.original_colors) {
        status = restore_original(picture, &content, error);
    } else if (!status && source == CHROMA_OF_CONTENT) {
        status = picture_take_chroma(picture, &content, error);
    } else if (!status) {
        status = picture_take_palette(picture, &content, &job->palette, error);
    }
    nst_picture_free(&content);
    return status;
}
