/* job_plan.c: what a job takes: its scales, its plan in the device's memory, and its time. See job.h and nst.h. */
#include "stylize/job.h"

#include "support/error.h"
#include "support/text.h"

static uint64_t image_bytes(const struct image_size *sizes, int count) {
    size_t most = 0;
    for (int i = 0; i < count; ++i) {
        size_t elements = optimizer_padded(3 * (size_t)sizes[i].height * (size_t)sizes[i].width);
        most = elements > most ? elements : most;
    }
    return (uint64_t)most * sizeof(float);
}

/* The plan for a result whose longer side is size_px. */
static nst_status make_plan(nst_job *job, int size_px, struct plan *plan, nst_error *error) {
    struct image_size sizes[NST_MAX_STYLES + 1] = {scales_size(&job->settings, &job->content, size_px)};
    for (int i = 0; i < job->style_count; ++i) {
        sizes[i + 1] = scales_style_size(&job->settings, &job->styles[i], size_px);
    }
    int count = job->style_count + 1;
    job->image = plan_add_always(plan, image_bytes(sizes, count), "image");
    job->gradient = plan_add_always(plan, image_bytes(sizes, 1), "gradient of the image");
    nst_status status = objective_add_to_plan(job->objective, plan, sizes, count, error);
    optimizer_add_to_plan(job->optimizer, plan, 3 * (size_t)sizes[0].height * (size_t)sizes[0].width);
    return status ? status : plan_assign(plan, error);
}

static bool plan_fits(const nst_context *context, const struct plan *plan) {
    return !plan->is_uncountable && plan_bytes(plan) + context->allocated_bytes <= context->info.memory_bytes &&
           plan_largest_bytes(plan) <= context->info.largest_allocation_bytes;
}

/* The largest size below size_px, a multiple of 16, whose plan fits; 0 if none does. */
static int largest_size_that_fits(nst_job *job, int size_px) {
    int low = 0, high = size_px / 16;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        struct plan plan = {0};
        bool fits = !make_plan(job, 16 * middle, &plan, NULL) && plan_fits(job->context, &plan);
        plan_free(&plan, job->context);
        low = fits ? middle : low;
        high = fits ? high : middle - 1;
    }
    return 16 * low;
}

static bool styles_fit(const nst_job *job, const struct model *model, int size_px) {
    bool fit = true;
    for (int i = 0; i < job->style_count; ++i) {
        struct image_size size = scales_style_size(&job->settings, &job->styles[i], size_px);
        fit = fit && model_map_size(model, model_stage_count(model) - 1, size).height > 0;
    }
    return fit;
}

/* The first scales are left out while a style picture, perhaps a narrow band, is too small there for the network. */
static int choose_scales(nst_job *job, const struct model *model) {
    nst_settings settings = job->settings;
    int count = scales_choose(&settings, model, &job->content, job->scales);
    while (count > 1 && !styles_fit(job, model, job->scales[0].size_px)) {
        settings.scale_count = count - 1;
        count = scales_choose(&settings, model, &job->content, job->scales);
    }
    return count;
}

/* Objective, scales and plan in the precision of job->settings, in place of those that may be there. */
static nst_status plan_job(nst_job *job, const nst_network *network, nst_error *error) {
    plan_free(&job->plan, job->context);
    objective_destroy(job->objective);
    job->objective = NULL;
    nst_status status = objective_create(job->context, network, &job->settings, NULL, &job->objective, error);
    if (!status) {
        status = make_plan(job, job->settings.size_px, &job->plan, error);
    }
    if (status) {
        return status;
    }
    const struct model *model = objective_model(job->objective);
    job->scale_count = choose_scales(job, model);
    if (job->scale_count == 0) {
        struct image_size size = scales_size(&job->settings, &job->content, job->settings.size_px);
        return fail(error, NST_ERROR_NETWORK, "a picture of %dx%d pixels is too small for the network: at least %d",
                    size.width, size.height, model_smallest_side(model));
    }
    return NST_OK;
}

/* What a plan needs that does not fit. */
struct shortage {
    uint64_t bytes, largest_bytes;
    bool is_uncountable;
    int fitting_px; /* the largest size that fits, 0 if none does */
};

static struct shortage measure_shortage(nst_job *job) {
    return (struct shortage){.bytes = plan_bytes(&job->plan) + job->context->allocated_bytes,
                             .largest_bytes = plan_largest_bytes(&job->plan),
                             .is_uncountable = job->plan.is_uncountable,
                             .fitting_px = largest_size_that_fits(job, job->settings.size_px)};
}

/* `half_px`: the largest size that fits in halves, 0 where they are no advice. */
static nst_status fail_too_large(nst_job *job, const struct shortage *shortage, int half_px, nst_error *error) {
    const nst_device_info *device = &job->context->info;
    char needed[32], total[32], largest_needed[32], largest[32], advice[96] = "choose another device";
    int single_px = shortage->fitting_px;
    if (single_px > 0 && half_px > single_px) {
        snprintf(advice, sizeof advice, "the largest size that fits is %d, in half precision %d", single_px, half_px);
    } else if (single_px > 0) {
        snprintf(advice, sizeof advice, "the largest size that fits is %d", single_px);
    } else if (half_px > 0) {
        snprintf(advice, sizeof advice, "the largest size that fits is %d, in half precision", half_px);
    }
    if (shortage->is_uncountable) {
        return fail(error, NST_ERROR_MEMORY,
                    "%d px need feature maps of 2^31 elements or more, too many for any memory: %s",
                    job->settings.size_px, advice);
    }
    return fail(error, NST_ERROR_MEMORY,
                "%d px need %s of device memory, %s of it in one piece, but %s has %s and allows %s: %s",
                job->settings.size_px, text_bytes(shortage->bytes, needed, sizeof needed),
                text_bytes(shortage->largest_bytes, largest_needed, sizeof largest_needed), device->name,
                text_bytes(device->memory_bytes, total, sizeof total),
                text_bytes(device->largest_allocation_bytes, largest, sizeof largest), advice);
}

nst_status job_plan_and_allocate(nst_job *job, const nst_network *network, nst_error *error) {
    nst_precision wanted = job->settings.precision;
    job->settings.precision = wanted == NST_PRECISION_HALF ? NST_PRECISION_HALF : NST_PRECISION_SINGLE;
    nst_status status = plan_job(job, network, error);
    if (status) {
        return status;
    }
    if (!plan_fits(job->context, &job->plan)) {
        struct shortage shortage = measure_shortage(job);
        if (wanted == NST_PRECISION_HALF) {
            return fail_too_large(job, &shortage, 0, error);
        }
        job->settings.precision = NST_PRECISION_HALF;
        if (plan_job(job, network, NULL)) { /* a device that cannot */
            return fail_too_large(job, &shortage, 0, error);
        }
        bool fits = plan_fits(job->context, &job->plan);
        if (!fits || wanted == NST_PRECISION_SINGLE) {
            int half_px = fits ? job->settings.size_px : largest_size_that_fits(job, job->settings.size_px);
            return fail_too_large(job, &shortage, half_px, error);
        }
    }
    return plan_allocate(&job->plan, job->context, error);
}

/* ---- Told to the user -------------------------------------------------------------------------------------------- */

nst_precision nst_job_precision(const nst_job *job) {
    return job->settings.precision;
}

uint64_t nst_job_memory_bytes(const nst_job *job) {
    return plan_bytes(&job->plan) + model_weight_bytes(objective_model(job->objective));
}

/* By the speed that `nst bench` measured on this device, for iterations of one evaluation each. */
static void print_time(const nst_job *job, FILE *stream) {
    double gflops = job->context->info.measured_gflops, seconds = 0;
    if (gflops <= 0) {
        fprintf(stream, "time: not known, since this device was not measured yet: 'nst bench' does that\n");
        return;
    }
    for (int i = 0; i < job->scale_count; ++i) {
        const struct scale *scale = &job->scales[i];
        double each = model_gflop(objective_model(job->objective), scale->size) / gflops;
        fprintf(stream, "time: about %.2g s for each of %d iterations at %d x %d\n", each, scale->iterations,
                scale->size.width, scale->size.height);
        seconds += each * scale->iterations;
    }
    fprintf(stream, "time: about %.0f s in all, by the speed measured before (%.0f GFLOP/s)\n", seconds, gflops);
}

/* A fixed part and so many bytes for each pixel, from the plans for twice this size and for this one. The latter comes
 * last: the parts of the job remember their entries of the last plan made, which must be those of the job's own. */
static void print_growth(nst_job *job, FILE *stream) {
    double pixels[2], bytes[2], weights = (double)model_weight_bytes(objective_model(job->objective));
    bool complete = true;
    for (int i = 1; i >= 0; --i) {
        struct image_size size = scales_size(&job->settings, &job->content, (i + 1) * job->settings.size_px);
        struct plan plan = {0};
        complete = !make_plan(job, (i + 1) * job->settings.size_px, &plan, NULL) && complete;
        pixels[i] = (double)size.height * size.width;
        bytes[i] = weights + (double)plan_bytes(&plan);
        plan_free(&plan, job->context);
    }
    if (!complete) {
        return;
    }
    double slope = (bytes[1] - bytes[0]) / (pixels[1] - pixels[0]);
    fprintf(stream, "%-40s %14.0f, %.0f of it weights, and %.0f for each of %.0f pixels\n", "fixed part",
            bytes[0] - slope * pixels[0], weights, slope, pixels[0]);
}

void nst_job_print_plan(nst_job *job, FILE *stream) {
    model_print(objective_model(job->objective), stream);
    fprintf(stream, "\nfeature maps, and filters where the engine gains by it, in %s\n\n",
            job->settings.precision == NST_PRECISION_HALF ? "16 bits" : "single precision");
    plan_print(&job->plan, stream);
    print_growth(job, stream);
    print_time(job, stream);
}
