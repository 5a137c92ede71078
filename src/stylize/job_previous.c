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
