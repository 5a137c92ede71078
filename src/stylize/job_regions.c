/* job_regions.c: where a job's losses count: in what can be seen of the content; see job.h. */
#include "stylize/job.h"

#include "support/error.h"

#include <stdlib.h>

bool job_weighs(const nst_job *job) {
    bool weighs = !picture_is_opaque(&job->content);
    for (int i = 0; i < job->style_count; ++i) {
        weighs = weighs || !picture_is_opaque(&job->styles[i]);
    }
    return weighs;
}

nst_status job_read_alpha(const nst_picture *picture, float **alpha, nst_error *error) {
    size_t pixels = (size_t)picture->height * (size_t)picture->width;
    *alpha = NULL;
    if (picture_is_opaque(picture)) {
        return NST_OK;
    }
    *alpha = malloc(pixels * sizeof **alpha);
    if (!*alpha) {
        return fail_memory(error, pixels * sizeof **alpha, "the alpha of a picture");
    }
    for (size_t i = 0; i < pixels; ++i) {
        (*alpha)[i] = picture->values[4 * i + 3];
    }
    return NST_OK;
}

nst_status job_make_regions(const nst_job *job, struct image_size size, struct job_regions *regions, nst_error *error) {
    *regions = (struct job_regions){.all = {.image = size}};
    if (picture_is_opaque(&job->content)) {
        return NST_OK;
    }
    nst_picture content = {0};
    nst_status status = picture_resize(&job->content, size.width, size.height, job->recipe->filter, &content, error);
    status = status ? status : job_read_alpha(&content, &regions->content, error);
    nst_picture_free(&content);
    for (int r = 0; r < NST_MAX_STYLES; ++r) {
        regions->styles[r] = regions->content;
    }
    regions->all.content = regions->content;
    regions->all.styles = regions->styles;
    return status;
}

void job_regions_free(struct job_regions *regions) {
    free(regions->content);
    *regions = (struct job_regions){0};
}
