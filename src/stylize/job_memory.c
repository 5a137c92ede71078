/* job_memory.c: what a job that does not fit as it is does to fit into the memory it may use: tiles, a shorter history of
 * L-BFGS, Adam in its place, image and moments on the host. See job.h. */
#include "stylize/job.h"

#include "evaluate/tiling.h"
#include "support/error.h"
#include "support/text.h"

#include <stdlib.h>

/* From large to small: the halos of small ones take more time than the rest. */
static const int cores_px[] = {4096, 3072, 2048, 1536, 1024, 768, 512, 384, TILING_LEAST_CORE_PX};
enum { CORES = sizeof cores_px / sizeof *cores_px };

int job_smaller_core(int core_px) {
    for (int c = 0; c < CORES; ++c) {
        if (cores_px[c] < core_px) {
            return cores_px[c];
        }
    }
    return 0;
}

/* Ways to keep the optimizer's state, each with tiles down to a size: first as it was asked for, then with less. */
static const struct way {
    int history; /* of L-BFGS, at most */
    bool adam, on_host;
    int least_px;
    bool instead; /* only if the one before is not possible */
} ways[] = {
    {NST_MAX_HISTORY, false, false, 512, false},
    {10, false, false, 512, false},
    {5, false, false, 512, false},
    {0, true, false, 512, false},
    {0, true, true, TILING_LEAST_CORE_PX, false},
    {5, false, false, TILING_LEAST_CORE_PX, true},
};
enum { WAYS = sizeof ways / sizeof *ways };

uint64_t job_memory_limit(const nst_job *job) {
    uint64_t device = job->context->info.memory_bytes, asked = job->settings.memory_bytes;
    if (asked > 0) {
        return asked < device ? asked : device;
    }
    /* What is free is not told: tiles leave some to other programs. */
    return job->form.core_px > 0 ? device / 4 * 3 : device;
}

/* The settings of the optimizer that this way asks for; false if it is no other than an earlier one. */
static bool optimizer_of(const nst_job *job, const struct way *way, nst_settings *settings) {
    *settings = job->asked;
    bool is_adam = recipe_optimizer_settings(job->recipe, &job->asked).kind == NST_ADAM;
    if (way->adam && !is_adam) {
        settings->optimizer = NST_ADAM;
        settings->learning_rate = 0; /* the one that was given is for the other */
    }
    if (!way->adam && !is_adam && way->history < settings->history) {
        settings->history = way->history;
    }
    bool repeats = (is_adam && (way->history < NST_MAX_HISTORY && !way->on_host && way->least_px == 512)) ||
                   (!is_adam && !way->adam && way->history < NST_MAX_HISTORY && way->least_px == 512 &&
                    settings->history == job->asked.history);
    return !repeats;
}

static nst_status use_optimizer(nst_job *job, const nst_settings *settings, bool on_host, nst_error *error) {
    job->settings.optimizer = settings->optimizer;
    job->settings.history = settings->history;
    job->settings.learning_rate = settings->learning_rate;
    struct optimizer_settings chosen = recipe_optimizer_settings(job->recipe, &job->settings);
    chosen.on_host = on_host;
    job_buffers_free(job->context, &job->buffers); /* they are of the optimizer before */
    optimizer_destroy(job->optimizer);
    job->optimizer = NULL;
    return optimizer_create(job->context, &chosen, &job->optimizer, error);
}

/* One line: what is different from what was asked for, and why. */
static void note(nst_job *job, uint64_t wanted_bytes) {
    char wanted[32], limit[32], optimizer[64] = "", host[64] = "";
    bool was_adam = recipe_optimizer_settings(job->recipe, &job->asked).kind == NST_ADAM;
    bool is_adam = recipe_optimizer_settings(job->recipe, &job->settings).kind == NST_ADAM;
    if (is_adam && !was_adam) {
        snprintf(optimizer, sizeof optimizer, ", by Adam instead of L-BFGS");
    } else if (!is_adam && job->settings.history < job->asked.history) {
        snprintf(optimizer, sizeof optimizer, ", with a history of %d pairs", job->settings.history);
    }
    if (job->form.on_host) {
        snprintf(host, sizeof host, ", image and moments in the host's memory");
    }
    snprintf(job->memory_note, sizeof job->memory_note,
             "in tiles of up to %d pixels%s%s: the whole needs %s of device memory where %s may be used",
             job->form.core_px, optimizer, host, text_bytes(wanted_bytes, wanted, sizeof wanted),
             text_bytes(job_memory_limit(job), limit, sizeof limit));
}

/* Plans one way with tiles of one size, and allocates it if it fits. */
static nst_status try_form(nst_job *job, struct evaluation_form form, bool *fits, nst_error *error) {
    job->form = form;
    nst_status status = job_reserve(job, job->objective, job->settings.size_px, &job->buffers, error);
    *fits = !status && plan_fits(&job->buffers.plan, job->context);
    return status || !*fits ? status : plan_allocate(&job->buffers.plan, job->context, error);
}

/* Whether another form may do where this one failed so. */
static bool may_go_on(nst_status status) {
    return !status || status == NST_ERROR_MEMORY || status == NST_ERROR_ARGUMENT || status == NST_ERROR_NETWORK;
}

nst_status job_allocate_in_tiles(nst_job *job, bool *found, nst_error *error) {
    uint64_t wanted_bytes = plan_bytes(&job->buffers.plan) + job->context->allocated_bytes;
    nst_status status = NST_OK;
    *found = false;
    for (int w = 0; !*found && w < WAYS && may_go_on(status); ++w) {
        nst_settings settings;
        bool is_planned = job->buffers.plan.slot_count > 0;
        if ((ways[w].instead && is_planned) || !optimizer_of(job, &ways[w], &settings)) {
            continue;
        }
        status = use_optimizer(job, &settings, ways[w].on_host, error);
        if (status) {
            return status;
        }
        for (int c = 0; !*found && c < CORES && may_go_on(status); ++c) {
            bool fits = false;
            if (cores_px[c] >= ways[w].least_px) {
                struct evaluation_form form = {
                    .core_px = cores_px[c], .on_host = ways[w].on_host, .in_bands = job->form.in_bands};
                job_buffers_free(job->context, &job->buffers);
                status = try_form(job, form, &fits, error);
                *found = fits && !status;
            }
        }
    }
    if (*found) {
        note(job, wanted_bytes);
        return NST_OK;
    }
    return may_go_on(status) ? NST_OK : status;
}

/* ---- Told to the user -------------------------------------------------------------------------------------------- */

double job_tile_overhead(const nst_job *job, struct image_size size) {
    struct tiling tiling;
    if (tiling_make(objective_model(job->objective), size, job->form.core_px, &tiling, NULL) ||
        job->form.core_px == 0) {
        return 1;
    }
    /* Two passes forward, of which the last tile's is not made twice, and one backward, which takes as long as one. */
    return tiling_overlap(&tiling) * (1.5 - 0.5 / tiling_count(&tiling));
}

void job_print_tiles(const nst_job *job, FILE *stream) {
    struct image_size size = job->scales[job->scale_count - 1].size;
    struct tiling tiling;
    if (job->form.core_px == 0 || job->form.in_bands ||
        tiling_make(objective_model(job->objective), size, job->form.core_px, &tiling, NULL)) {
        return;
    }
    fprintf(stream,
            "in tiles: %d x %d of %d x %d pixels, which see %d pixels beyond: about %.2f times the time of the whole\n",
            tiling.columns, tiling.rows, tiling.core.width, tiling.core.height, tiling.halo.before,
            job_tile_overhead(job, size));
    fprintf(stream, "image, gradient and the optimizer's vectors %s\n\n",
            job->form.on_host ? "in the host's memory, where Adam's steps are made" : "on the device");
}

const char *nst_job_memory_note(const nst_job *job) {
    return job->memory_note[0] ? job->memory_note : NULL;
}
