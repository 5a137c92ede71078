/* job_regions.c: where a job's losses count, and which pixels may change: masks and transparency; see job.h. */
#include "stylize/job.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Masks ------------------------------------------------------------------------------------------------------- */

bool job_has_shape_of_content(const nst_job *job, const nst_picture *picture) {
    const nst_picture *content = &job->content;
    double height = (double)picture->width * content->height / content->width;
    double width = (double)picture->height * content->width / content->height;
    return fabs(picture->height - height) <= 1 || fabs(picture->width - width) <= 1;
}

/* Gray and opaque: what is transparent is black. */
static nst_status copy_mask(const nst_job *job, const nst_picture *source, const char *name, nst_picture *mask,
                            nst_error *error) {
    const nst_picture *content = &job->content;
    if (!job_has_shape_of_content(job, source)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "the %s has %d x %d pixels, the content %d x %d: a mask must have the proportions of the content",
                    name, source->width, source->height, content->width, content->height);
    }
    nst_status status = picture_create(source->width, source->height, 3, mask, error);
    size_t pixels = (size_t)source->width * (size_t)source->height, channels = (size_t)source->channels;
    float most = 0;
    for (size_t i = 0; !status && i < pixels; ++i) {
        const float *from = source->values + channels * i;
        float gray = (from[0] + from[1] + from[2]) / 3 * (channels == 4 ? from[3] : 1);
        float value = fminf(fmaxf(gray, 0), 1);
        mask->values[3 * i] = mask->values[3 * i + 1] = mask->values[3 * i + 2] = value;
        most = fmaxf(most, value);
    }
    if (!status && most <= 0) {
        nst_picture_free(mask);
        return fail(error, NST_ERROR_ARGUMENT, "the %s is black everywhere: nothing could change; white marks what may",
                    name);
    }
    return status;
}

static bool is_white(const nst_picture *mask) {
    size_t count = 3 * (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; i < count; ++i) {
        if (mask->values[i] < 1) {
            return false;
        }
    }
    return true;
}

nst_status job_copy_masks(nst_job *job, const nst_job_pictures *pictures, nst_error *error) {
    nst_status status = NST_OK;
    if (pictures->mask) {
        status = copy_mask(job, pictures->mask, "mask", &job->mask, error);
    }
    if (!status && job->mask.values && is_white(&job->mask)) { /* as if there were none */
        nst_picture_free(&job->mask);
    }
    job->has_style_masks = pictures->style_masks != NULL;
    for (int i = 0; !status && job->has_style_masks && i < job->style_count; ++i) {
        char name[40];
        snprintf(name, sizeof name, "mask of style number %d", i + 1);
        status = copy_mask(job, &pictures->style_masks[i], name, &job->style_masks[i], error);
    }
    return status;
}

bool job_has_masks(const nst_job *job) {
    return job->mask.values || job->has_style_masks;
}

bool job_weighs(const nst_job *job) {
    bool weighs = job_has_masks(job) || !picture_is_opaque(&job->content);
    for (int i = 0; i < job->style_count; ++i) {
        weighs = weighs || !picture_is_opaque(&job->styles[i]);
    }
    return weighs;
}

int job_region_count(const nst_job *job) {
    return job->has_style_masks ? job->style_count : 1;
}

/* ---- Planes ------------------------------------------------------------------------------------------------------ */

static nst_status create_plane(size_t pixels, float **plane, nst_error *error) {
    *plane = malloc(pixels * sizeof **plane);
    return *plane ? NST_OK : fail_memory(error, pixels * sizeof **plane, "a mask");
}

/* A mask at a size. */
static nst_status resize_mask(const nst_picture *mask, struct image_size size, float **plane, nst_error *error) {
    nst_picture resized = {0};
    nst_status status = picture_resize(mask, size.width, size.height, RESIZE_TRIANGLE, &resized, error);
    status = status ? status : picture_channel(&resized, 0, plane, error);
    nst_picture_free(&resized);
    return status;
}

/* product *= plane, where there is one */
static void multiply(float *product, const float *plane, size_t pixels) {
    for (size_t i = 0; plane && i < pixels; ++i) {
        product[i] *= plane[i];
    }
}

/* Makes of the masks of styles what each has of a pixel: where they overlap they share by mask and blend, up to 1 in all;
 * `sum` becomes that. */
static void share_out(const nst_job *job, float *const *masks, float *sum, size_t pixels) {
    for (size_t i = 0; i < pixels; ++i) {
        double total = 0, covered = 0;
        for (int s = 0; s < job->style_count; ++s) {
            double share = job_style_share(job, s);
            total += masks[s][i] * share;
            covered += share > 0 ? masks[s][i] : 0;
        }
        sum[i] = (float)fmin(covered, 1);
        for (int s = 0; s < job->style_count; ++s) {
            double part = total > 0 ? masks[s][i] * job_style_share(job, s) / total : 0;
            masks[s][i] = (float)(part * sum[i]);
        }
    }
}

/* How much each pixel may change, by all masks; and, until they are multiplied by the rest, where each style acts. */
static nst_status make_change(const nst_job *job, struct image_size size, struct job_regions *regions,
                              nst_error *error) {
    size_t pixels = (size_t)size.height * (size_t)size.width;
    float *mask = NULL;
    nst_status status = create_plane(pixels, &regions->change, error);
    for (size_t i = 0; !status && i < pixels; ++i) {
        regions->change[i] = 1;
    }
    for (int s = 0; !status && job->has_style_masks && s < job->style_count; ++s) {
        status = resize_mask(&job->style_masks[s], size, &regions->style[s], error);
    }
    if (!status && job->has_style_masks) {
        share_out(job, regions->style, regions->change, pixels);
    }
    if (!status && job->mask.values) {
        status = resize_mask(&job->mask, size, &mask, error);
    }
    if (!status) {
        multiply(regions->change, mask, pixels);
        for (int s = 0; job->has_style_masks && s < job->style_count; ++s) {
            multiply(regions->style[s], mask, pixels);
        }
    }
    free(mask);
    return status;
}

nst_status job_make_regions(const nst_job *job, struct image_size size, struct job_regions *regions, nst_error *error) {
    size_t pixels = (size_t)size.height * (size_t)size.width;
    *regions = (struct job_regions){.all = {.image = size}};
    nst_status status = job_has_masks(job) ? make_change(job, size, regions, error) : NST_OK;
    float *visible = NULL;
    status = status
                 ? status
                 : picture_resized_alpha(&job->content, size.width, size.height, job->recipe->filter, &visible, error);
    if (status || (!visible && !regions->change)) {
        return status;
    }
    status = create_plane(pixels, &regions->content, error);
    for (size_t i = 0; !status && i < pixels; ++i) {
        regions->content[i] = (regions->change ? regions->change[i] : 1) * (visible ? visible[i] : 1);
    }
    for (int r = 0; !status && r < job_region_count(job); ++r) {
        regions->styles[r] = regions->content;
        if (job->has_style_masks) {
            multiply(regions->style[r], visible, pixels);
            regions->styles[r] = regions->style[r];
        }
    }
    free(visible);
    regions->all.content = regions->content;
    regions->all.styles = regions->styles;
    return status;
}

void job_regions_free(struct job_regions *regions) {
    free(regions->change);
    free(regions->content);
    for (int s = 0; s < NST_MAX_STYLES; ++s) {
        free(regions->style[s]);
    }
    *regions = (struct job_regions){0};
}

/* ---- Result ------------------------------------------------------------------------------------------------------ */

nst_status job_apply_masks(const nst_job *job, nst_picture *picture, nst_error *error) {
    if (!job_has_masks(job)) {
        return NST_OK;
    }
    struct job_regions regions;
    const nst_picture *source = job->colored.values ? &job->colored : &job->content;
    nst_picture content = {0};
    nst_status status = job_make_regions(job, (struct image_size){picture->height, picture->width}, &regions, error);
    status =
        status ? status : picture_resize(source, picture->width, picture->height, RESIZE_LANCZOS3, &content, error);
    for (size_t i = 0; !status && i < (size_t)picture->width * (size_t)picture->height; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            float *value = &picture->values[(size_t)picture->channels * i + c];
            float kept = content.values[(size_t)content.channels * i + c], change = regions.change[i];
            *value = change <= 0 ? kept : change < 1 ? kept + change * (*value - kept) : *value;
        }
    }
    nst_picture_free(&content);
    job_regions_free(&regions);
    return status;
}
