/* job_plan.c: what a job takes: its scales, its plan in the device's memory, and its time. See job.h and nst.h. */
#include "stylize/job.h"

#include "support/error.h"

int job_picture_sizes(const nst_job *job, int size_px, struct image_size sizes[EVALUATION_MOST_SIZES]) {
    int turns = job_style_turns(job), count = 1 + turns * job->style_count;
    sizes[0] = scales_size(job->recipe, &job->content, size_px);
    for (int i = 0; i < turns * job->style_count; ++i) {
        sizes[i + 1] = job_style_size(job, i / turns, i % turns, size_px);
    }
    return count;
}

nst_status job_reserve(const nst_job *job, const struct objective *objective, int size_px, struct job_buffers *buffers,
                       nst_error *error) {
    *buffers = (struct job_buffers){0};
    struct image_size sizes[EVALUATION_MOST_SIZES];
    int count = job_picture_sizes(job, size_px, sizes);
    struct plan *plan = &buffers->plan;
    plan->limit_bytes = job_memory_limit(job);
    nst_status status = evaluation_reserve_in_tiles(objective, plan, &(struct image_sizes){sizes, count}, &job->form,
                                                    &buffers->evaluation, error);
    if (!status) {
        status = variables_reserve(job->variables, plan, buffers->evaluation, sizes[0], &buffers->variables, error);
    }
    if (!status) {
        size_t elements = variables_count(job->variables, sizes[0]);
        status = optimizer_reserve(job->optimizer, plan, elements, &buffers->optimizer, error);
    }
    buffers->average = -1;
    if (!status && job->recipe->average_decay > 0 && job->form.on_host) {
        status = fail(error, NST_ERROR_ARGUMENT, "images are averaged on the device only");
    }
    if (job->recipe->average_decay > 0) {
        size_t elements = optimizer_padded(3 * (size_t)sizes[0].height * (size_t)sizes[0].width);
        buffers->average = plan_add_always(plan, elements * sizeof(float), "average image");
    }
    return status ? status : plan_assign(&buffers->plan, error);
}

void job_buffers_free(nst_context *context, struct job_buffers *buffers) {
    evaluation_free(buffers->evaluation);
    variables_run_free(buffers->variables);
    optimizer_run_free(buffers->optimizer);
    plan_free(&buffers->plan, context);
    *buffers = (struct job_buffers){0};
}

/* The largest size below size_px, a multiple of 16, whose plan fits; 0 if none does. */
static int largest_size_that_fits(const nst_job *job, const struct objective *objective) {
    int low = 0, high = job->settings.size_px / 16;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        struct job_buffers buffers;
        bool fits = !job_reserve(job, objective, 16 * middle, &buffers, NULL) && plan_fits(&buffers.plan, job->context);
        job_buffers_free(job->context, &buffers);
        low = fits ? middle : low;
        high = fits ? high : middle - 1;
    }
    return 16 * low;
}

/* Scales and plan on job->objective. */
static nst_status plan_job(nst_job *job, nst_error *error) {
    nst_status status = job_choose_sizes(job, error);
    return status ? status : job_reserve(job, job->objective, job->settings.size_px, &job->buffers, error);
}

static struct recipe_use use_of(const nst_job *job) {
    return (struct recipe_use){
        .regions = job_region_count(job), .weighs = job_weighs(job), .follows = job->previous.values != NULL};
}

/* Whether job->objective, which a job for other pictures may have left, is the one that this job would make. */
static bool suits(const nst_job *job) {
    const struct recipe_use made = job->use, wanted = use_of(job);
    return job->objective && made.regions == wanted.regions && made.weighs == wanted.weighs &&
           made.follows == wanted.follows &&
           model_has_half_maps(objective_model(job->objective)) == (job->settings.precision == NST_PRECISION_HALF);
}

/* Objective, plan and scales in the precision of job->settings, in place of those that may be there. */
static nst_status plan_in_precision(nst_job *job, const nst_network *network, nst_error *error) {
    job_buffers_free(job->context, &job->buffers);
    if (suits(job)) {
        return plan_job(job, error);
    }
    objective_destroy(job->objective);
    job->objective = NULL;
    job->use = use_of(job);
    nst_status status =
        recipe_create_objective(job->context, network, &job->settings, &job->use, &job->objective, error);
    status = status ? status : job_check_devices(job, error);
    return status ? status : plan_job(job, error);
}

/* Words the error for a job that fits in no form. */
static nst_status fail_too_large(nst_job *job, nst_error *error) {
    char what[64], advice[80] = "it cannot be tiled: give more with --memory, or choose another device";
    const struct plan *plan = &job->buffers.plan;
    if (plan->slot_count > 0) {
        snprintf(what, sizeof what, "%d px, even in tiles of %d,", job->settings.size_px, job->form.core_px);
        return plan_fail_too_large(plan, job->context, what, "give more with --memory, or choose another device",
                                   error);
    }
    /* It cannot be tiled. */
    job->form = (struct evaluation_form){0};
    job_buffers_free(job->context, &job->buffers);
    int fitting_px = largest_size_that_fits(job, job->objective);
    if (fitting_px > 0) {
        snprintf(advice, sizeof advice, "it cannot be tiled, and the largest size that fits is %d", fitting_px);
    }
    nst_status status = job_reserve(job, job->objective, job->settings.size_px, &job->buffers, error);
    snprintf(what, sizeof what, "%d px", job->settings.size_px);
    return status ? status : plan_fail_too_large(plan, job->context, what, advice, error);
}

/* job->buffers are planned whole: allocates them, or else tiles. */
static nst_status allocate(nst_job *job, nst_error *error) {
    bool found = false;
    if (plan_fits(&job->buffers.plan, job->context)) {
        nst_status status = plan_allocate(&job->buffers.plan, job->context, error);
        if (status != NST_ERROR_MEMORY) {
            return status;
        }
    }
    nst_status status = job_allocate_in_tiles(job, &found, error);
    return status || found ? status : fail_too_large(job, error);
}

nst_status job_plan_and_allocate(nst_job *job, const nst_network *network, nst_error *error) {
    nst_precision wanted = job->settings.precision;
    job->settings.precision = wanted == NST_PRECISION_HALF ? NST_PRECISION_HALF : NST_PRECISION_SINGLE;
    nst_status status = plan_in_precision(job, network, error);
    if (!status && wanted == NST_PRECISION_AUTO && !plan_fits(&job->buffers.plan, job->context)) {
        job->settings.precision = NST_PRECISION_HALF;
        bool fits = !plan_in_precision(job, network, NULL) && /* else a device that cannot */
                    plan_fits(&job->buffers.plan, job->context);
        if (!fits) {
            job->settings.precision = NST_PRECISION_SINGLE;
            status = plan_in_precision(job, network, error);
        }
    }
    return status ? status : allocate(job, error);
}

nst_status job_allocate(nst_job *job, nst_error *error) {
    bool half = model_has_half_maps(objective_model(job->objective));
    if (job_region_count(job) != objective_region_count(job->objective) ||
        (job_weighs(job) && !objective_weighs(job->objective))) {
        return fail(error, NST_ERROR_ARGUMENT, "the objective that is shared was not made for masks or transparency");
    }
    job->settings.precision = half ? NST_PRECISION_HALF : NST_PRECISION_SINGLE;
    nst_status status = plan_job(job, error);
    return status ? status : allocate(job, error);
}

/* ---- Told to the user -------------------------------------------------------------------------------------------- */

nst_precision nst_job_precision(const nst_job *job) {
    return job->settings.precision;
}

uint64_t nst_job_memory_bytes(const nst_job *job) {
    return plan_bytes(&job->buffers.plan) + objective_weight_bytes(job->objective);
}

/* By the speed that `nst bench` measured on this device, for iterations of one evaluation each. */
static void print_time(const nst_job *job, FILE *stream) {
    double gflops = job->context->info.measured_gflops, seconds = 0;
    if (job->settings.seconds > 0) {
        fprintf(stream, "time: %.0f s, as asked for, with as many iterations as fit\n", job->settings.seconds);
        return;
    }
    if (gflops <= 0) {
        fprintf(stream, "time: not known, since this device was not measured yet: 'nst bench' does that\n");
        return;
    }
    for (int i = 0; i < job->scale_count; ++i) {
        const struct scale *scale = &job->scales[i];
        double each =
            job_tile_overhead(job, scale->size) * model_gflop(objective_model(job->objective), scale->size) / gflops;
        fprintf(stream, "time: about %.2g s for each of %d iterations at %d x %d\n", each, scale->iterations,
                scale->size.width, scale->size.height);
        seconds += each * scale->iterations;
    }
    fprintf(stream, "time: about %.0f s in all, by the speed measured before (%.0f GFLOP/s)\n", seconds, gflops);
}

/* A fixed part and so many bytes for each pixel, from the plans for this size and for twice this size. */
static void print_growth(const nst_job *job, FILE *stream) {
    double pixels[2], bytes[2], weights = (double)objective_weight_bytes(job->objective);
    bool complete = true;
    for (int i = 0; i < 2; ++i) {
        int size_px = (i + 1) * job->settings.size_px;
        struct image_size size = scales_size(job->recipe, &job->content, size_px);
        struct job_buffers buffers;
        complete = !job_reserve(job, job->objective, size_px, &buffers, NULL) && complete;
        pixels[i] = (double)size.height * size.width;
        bytes[i] = weights + (double)plan_bytes(&buffers.plan);
        job_buffers_free(job->context, &buffers);
    }
    if (!complete) {
        return;
    }
    double slope = (bytes[1] - bytes[0]) / (pixels[1] - pixels[0]);
    fprintf(stream, "%-40s %14.0f, %.0f of it weights, and %.0f for each of %.0f pixels\n", "fixed part",
            bytes[0] - slope * pixels[0], weights, slope, pixels[0]);
}

void nst_job_print_plan(const nst_job *job, FILE *stream) {
    model_print(objective_model(job->objective), stream);
    fprintf(stream, "\nfeature maps, and filters where the engine gains by it, in %s\n\n",
            job->settings.precision == NST_PRECISION_HALF ? "16 bits" : "single precision");
    job_print_tiles(job, stream);
    job_print_devices(job, stream);
    plan_print(&job->buffers.plan, stream);
    if (job->form.core_px == 0) {
        print_growth(job, stream);
    }
    print_time(job, stream);
}
