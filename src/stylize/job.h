/* job.h: a job as its two files share it: job.c runs it, job_plan.c says what it takes. */
#ifndef STYLIZE_JOB_H
#define STYLIZE_JOB_H

#include "optimizer/optimizer.h"
#include "stylize/objective.h"
#include "stylize/scales.h"

#include <time.h>

struct nst_job {
    nst_context *context;
    nst_settings settings;
    nst_picture content, init;
    nst_picture styles[NST_MAX_STYLES];
    int style_count;

    struct objective *objective;
    struct optimizer *optimizer;
    struct plan plan;
    int image, gradient; /* plan entries */

    int scale_count;
    struct scale scales[NST_MAX_SCALES];
    int scale;     /* in hand, -1 before the first */
    int iteration; /* done in this scale */
    int evaluation;

    double last_good_loss; /* of this scale, infinite before the first */
    int retreats;          /* in a row */
    char note[160];
    struct timespec begin, scale_begin; /* the latter: of the scale, then of its second iteration */
    double first_seconds;               /* what the first iteration of the scale took */
};

/* Makes the objective, once the optimizer is there, chooses the scales, makes the plan for the largest and allocates
 * it. Where the settings leave the precision to the program, it is half if the plan fits in no other; what was chosen
 * then stands in job->settings. Errors: NST_ERROR_MEMORY with the largest size that fits, NST_ERROR_NETWORK for a
 * picture that is too small. */
nst_status job_plan_and_allocate(nst_job *job, const nst_network *network, nst_error *error);

#endif
