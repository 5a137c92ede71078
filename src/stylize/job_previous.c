/* job_previous.c: of a job for a frame of a film, the result before, moved to where its things are now: a target of the
 * temporal loss, and where the job begins as if it had been there already. See job.h. */
#include "stylize/job.h"

#include "support/error.h"

#include <stdlib.h>

static nst_status copy(const nst_picture *source, const char *name, const nst_job *job, nst_picture *copy,
                       nst_error *error) {
    if (!job_has_shape_of_content(job, source)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "the %s has %d x %d pixels, the content %d x %d: it must have the proportions of the content", name,
                    source->width, source->height, job->content.width, job->content.height);
    }
    return picture_resize(source, source->width, source->height, RESIZE_TRIANGLE, copy, error);
}

nst_status job_copy_previous(nst_job *job, const nst_job_pictures *pictures, nst_error *error) {
    nst_status status = NST_OK;
    if (pictures->previous) {
        status = copy(pictures->previous, "previous picture", job, &job->previous, error);
    }
    if (!status && pictures->previous && pictures->reliable) {
        status = copy(pictures->reliable, "picture of what is reliable", job, &job->reliable, error);
    }
    return status;
}

nst_status job_reliable_weights(const nst_job *job, struct image_size size, float **weights, nst_error *error) {
    nst_picture resized = {0};
    *weights = NULL;
    if (!job->reliable.values) {
        return NST_OK;
    }
    nst_status status = picture_resize(&job->reliable, size.width, size.height, RESIZE_TRIANGLE, &resized, error);
    status = status ? status : picture_channel(&resized, 0, weights, error);
    nst_picture_free(&resized);
    return status;
}

/* picture = picture + share * (other - picture), the share from another picture's first channel; all of three channels. */
static void mix(nst_picture *picture, const nst_picture *other, const nst_picture *share) {
    for (size_t i = 0; i < (size_t)picture->width * (size_t)picture->height; ++i) {
        for (size_t c = 0; c < 3; ++c) {
            float *value = &picture->values[3 * i + c];
            *value += share->values[3 * i] * (other->values[3 * i + c] - *value);
        }
    }
}

/* Without alpha. */
static nst_status resize(const nst_picture *source, struct image_size size, nst_picture *resized, nst_error *error) {
    nst_picture opaque = {0};
    nst_status status = picture_with_alpha(source, NULL, &opaque, error);
    status = status ? status : picture_resize(&opaque, size.width, size.height, RESIZE_LANCZOS3, resized, error);
    nst_picture_free(&opaque);
    return status;
}

nst_status job_begin_previous(const nst_job *job, struct image_size size, nst_picture *picture, nst_error *error) {
    nst_picture previous = {0}, reliable = {0};
    nst_status status = resize(&job->previous, size, &previous, error);
    if (!status && !job->reliable.values) {
        *picture = previous;
        return NST_OK;
    }
    status = status ? status : resize(&job->content, size, picture, error);
    status = status ? status : resize(&job->reliable, size, &reliable, error);
    if (!status) {
        struct color_moments wanted = color_moments_of(&previous), found = color_moments_of(picture);
        struct color_map map = color_map_between(&found, &wanted);
        picture_map_colors(picture, &map);
        mix(picture, &previous, &reliable);
    }
    nst_picture_free(&previous);
    nst_picture_free(&reliable);
    return status;
}
