/* job_devices.c: a job that several devices work on: what each has, how the picture is dealt out to them, and what becomes
 * of it when one fails. See job.h and evaluate/team.h. */
#include "stylize/job.h"

#include "evaluate/team.h"
#include "support/error.h"
#include "support/text.h"

#include <stdlib.h>
#include <string.h>

static bool has_helpers(const nst_job *job) {
    return job->devices.helper_count > 0;
}

/* ---- Making them ------------------------------------------------------------------------------------------------- */

nst_status job_take_devices(nst_job *job, const nst_devices *devices, nst_error *error) {
    struct job_devices *own = &job->devices;
    if (devices->count < 1 || devices->count > NST_MAX_DEVICES) {
        return fail(error, NST_ERROR_ARGUMENT, "expected 1 to %d devices, found %d", NST_MAX_DEVICES, devices->count);
    }
    if (devices->count == 1) {
        return devices->deal ? fail(error, NST_ERROR_ARGUMENT, "a dealing needs several devices, found one (%s)",
                                    nst_context_device(devices->contexts[0])->name)
                             : NST_OK;
    }
    own->given = own->made.device_count = devices->count;
    for (int i = 1; i < devices->count; ++i) {
        own->helpers[own->helper_count++] = (struct job_helper){.context = devices->contexts[i], .number = i};
    }
    job->form = (struct evaluation_form){.core_px = JOB_WHOLE_PX, .in_bands = true};
    return devices->deal ? deal_steps_read(devices->deal, devices->count, &own->asked, error) : NST_OK;
}

/* Plans a helper with tiles of one size, and allocates them if they fit. */
static nst_status try_tiles(const nst_job *job, struct job_helper *helper, int core_px, bool *fits, nst_error *error) {
    struct image_size sizes[EVALUATION_MOST_SIZES];
    int count = job_picture_sizes(job, job->settings.size_px, sizes);
    uint64_t memory = helper->context->info.memory_bytes / 4 * 3, asked = job->settings.memory_bytes;
    helper->form = (struct evaluation_form){.core_px = core_px, .on_host = true, .in_bands = true};
    helper->plan.limit_bytes = asked > 0 && asked < memory ? asked : memory;
    nst_status status =
        evaluation_reserve_in_tiles(helper->objective, &helper->plan, &(struct image_sizes){sizes, count},
                                    &helper->form, &helper->evaluation, error);
    status = status ? status : plan_assign(&helper->plan, error);
    *fits = !status && plan_fits(&helper->plan, helper->context);
    return status || !*fits ? status : plan_allocate(&helper->plan, helper->context, error);
}

static void free_buffers(struct job_helper *helper) {
    evaluation_free(helper->evaluation);
    plan_free(&helper->plan, helper->context);
    helper->evaluation = NULL;
    helper->plan = (struct plan){0};
}

static nst_status allocate_helper(const nst_job *job, struct job_helper *helper, nst_error *error) {
    bool fits = false;
    nst_status status = NST_OK;
    int core_px = JOB_WHOLE_PX;
    while (!status && !fits && core_px > 0) {
        free_buffers(helper);
        status = try_tiles(job, helper, core_px, &fits, error);
        core_px = job_smaller_core(core_px);
    }
    if (status || fits) {
        return status;
    }
    char what[64];
    snprintf(what, sizeof what, "%d px, even in tiles of %d,", job->settings.size_px, TILING_LEAST_CORE_PX);
    return plan_fail_too_large(&helper->plan, helper->context, what, "leave this device out", error);
}

/* The others' tiles, beside the leader's, which are there. */
static nst_status make_team(nst_job *job, nst_error *error) {
    struct evaluation *members[NST_MAX_DEVICES] = {job->buffers.evaluation};
    nst_status status = NST_OK;
    for (int i = 0; !status && i < job->devices.helper_count; ++i) {
        struct job_helper *helper = &job->devices.helpers[i];
        status = allocate_helper(job, helper, error);
        members[i + 1] = helper->evaluation;
    }
    job->devices.parts = NULL;
    return status ? status : team_create(members, 1 + job->devices.helper_count, error);
}

nst_status job_add_helpers(nst_job *job, const nst_network *network, nst_error *error) {
    nst_status status = NST_OK;
    for (int i = 0; !status && i < job->devices.helper_count; ++i) {
        struct job_helper *helper = &job->devices.helpers[i];
        status =
            recipe_create_objective(helper->context, network, &job->settings, &job->use, &helper->objective, error);
    }
    return status || !has_helpers(job) ? status : make_team(job, error);
}

nst_status job_check_devices(const nst_job *job, nst_error *error) {
    return has_helpers(job) ? team_check(job->objective, error) : NST_OK;
}

void job_free_devices(nst_job *job) {
    for (int i = 0; i < job->devices.helper_count; ++i) {
        free_buffers(&job->devices.helpers[i]);
        objective_destroy(job->devices.helpers[i].objective);
    }
    deal_steps_free(&job->devices.asked);
    deal_steps_free(&job->devices.made);
    free(job->devices.text);
}

/* Its own pictures and buffers are made first, as in another job. */
nst_status job_renew_on_devices(nst_job **job, const nst_network *network, const nst_job_pictures *pictures,
                                nst_error *error) {
    nst_job *before = *job;
    const nst_settings settings = before->asked;
    nst_context *contexts[NST_MAX_DEVICES] = {before->context};
    int count = 1;
    for (int i = 0; i < before->devices.helper_count; ++i) {
        if (!before->devices.helpers[i].is_lost) {
            contexts[count++] = before->devices.helpers[i].context;
        }
    }
    bool keeps_deal = before->devices.asked.count > 0 && count == before->devices.given;
    char *deal = keeps_deal ? deal_steps_text(&before->devices.asked) : NULL;
    if (keeps_deal && !deal) {
        return fail_memory(error, sizeof before->devices, "the dealing");
    }
    const nst_devices devices = {.contexts = contexts, .count = count, .deal = deal};
    nst_job *renewed;
    job_buffers_free(before->context, &before->buffers); /* its memory is what this one is planned in */
    job_free_devices(before);
    before->devices = (struct job_devices){0};
    nst_status status = nst_job_create_on(&devices, network, &settings, pictures, &renewed, error);
    free(deal);
    if (!status) {
        nst_job_destroy(before);
        *job = renewed;
    }
    return status;
}

/* ---- Dealing ----------------------------------------------------------------------------------------------------- */

/* Which of the devices that were given is a member of the team. */
static int number_of(const nst_job *job, int member) {
    return member == 0 ? job->devices.leader : job->devices.helpers[member - 1].number;
}

void job_deal(nst_job *job) {
    const int *parts = deal_steps_at(&job->devices.asked, job->evaluation_count + 1);
    int own[NST_MAX_DEVICES], sum = 0;
    if (!has_helpers(job) || !parts || parts == job->devices.parts) {
        return;
    }
    for (int i = 0; i <= job->devices.helper_count; ++i) {
        own[i] = parts[number_of(job, i)];
        sum += own[i];
    }
    own[0] += sum == 0; /* all of it was for devices that are gone */
    job->devices.parts = parts;
    team_give_parts(job->buffers.evaluation, own);
}

static void tell_lost(nst_job *job, const nst_context *context, const char *why) {
    snprintf(job->devices.note, sizeof job->devices.note, "%d:%d (%.100s) is left out from now on: %.300s",
             context->info.platform_index, context->info.device_index, context->info.name, why);
}

/* Notes helpers that failed since the last time. */
static void note_lost(nst_job *job) {
    for (int i = 0; i < job->devices.helper_count; ++i) {
        struct job_helper *helper = &job->devices.helpers[i];
        const nst_error *failure = team_failure(job->buffers.evaluation, i + 1);
        if (failure && !helper->is_lost) {
            helper->is_lost = true;
            tell_lost(job, helper->context, failure->message);
        }
    }
}

nst_status job_note_deal(nst_job *job, nst_error *error) {
    int parts[NST_MAX_DEVICES] = {0};
    if (job->devices.given == 0) {
        return NST_OK;
    }
    if (has_helpers(job)) {
        struct deal deal = team_deal(job->buffers.evaluation);
        for (int i = 0; i < deal.count; ++i) {
            parts[number_of(job, i)] = deal.units[i];
        }
        note_lost(job);
    } else { /* it is the last one that works */
        parts[job->devices.leader] = 1;
    }
    return deal_steps_add(&job->devices.made, job->evaluation_count, parts, error);
}

nst_status job_list_devices(nst_job *job, struct state *state, nst_error *error) {
    struct deal_steps *made = &job->devices.made;
    int count = made->count;
    if (job->devices.given == 0) {
        return NST_OK;
    }
    nst_status status = state_value(state, "dealings", count, error);
    if (!status && state->reader) {
        deal_steps_free(made);
        status = count >= 0 && count <= NST_MAX_ITERATIONS
                     ? NST_OK
                     : fail(error, NST_ERROR_FORMAT, "the checkpoint tells of %d dealings", count);
    }
    for (int i = 0; !status && i < count; ++i) {
        struct deal_step step = {0};
        step = state->reader ? step : made->steps[i];
        status = state_value(state, "dealing", step, error);
        if (!status && state->reader) {
            status = deal_steps_add(made, step.evaluation, step.parts, error);
        }
    }
    return status;
}

const char *nst_job_deal(nst_job *job) {
    free(job->devices.text);
    job->devices.text = job->devices.given ? deal_steps_text(&job->devices.made) : NULL;
    return job->devices.text;
}

/* ---- When the leader fails --------------------------------------------------------------------------------------- */

/* The first helper that works takes its place, with its objective; the others keep theirs. */
static bool promote(nst_job *job) {
    struct job_devices *devices = &job->devices;
    struct job_helper next = {0};
    int left = 0;
    for (int i = 0; i < devices->helper_count; ++i) {
        struct job_helper *helper = &devices->helpers[i];
        free_buffers(helper);
        if (helper->is_lost) {
            objective_destroy(helper->objective);
        } else if (!next.context) {
            next = *helper;
        } else {
            devices->helpers[left++] = *helper;
        }
    }
    devices->helper_count = left;
    if (next.context) {
        objective_destroy(job->objective);
        job->objective = next.objective;
        job->context = next.context;
        devices->leader = next.number;
    }
    return next.context != NULL;
}

static nst_status move_to_next(nst_job *job, const float *image, nst_error *error) {
    bool is_alone = !has_helpers(job);
    job->settings.optimizer = job->asked.optimizer;
    job->settings.history = job->asked.history;
    job->settings.learning_rate = job->asked.learning_rate;
    job->form = (struct evaluation_form){.core_px = is_alone ? 0 : JOB_WHOLE_PX, .in_bands = !is_alone};
    nst_status status = job_create_parts(job, error);
    status = status ? status : job_allocate(job, error);
    status = status || is_alone ? status : make_team(job, error);
    return status ? status : job_restart_scale(job, image, error);
}

bool job_may_move(const nst_job *job) {
    bool may = false;
    for (int i = 0; i < job->devices.helper_count; ++i) {
        may = may || !job->devices.helpers[i].is_lost;
    }
    return may && job->buffers.evaluation && team_image(job->buffers.evaluation);
}

nst_status job_move(nst_job *job, const char *why, nst_error *error) {
    const struct image_size size = job->scales[job->scale].size;
    size_t bytes = 3 * (size_t)size.height * (size_t)size.width * sizeof(float);
    float *image = malloc(bytes);
    if (!image) {
        return fail_memory(error, bytes, "the last good image");
    }
    memcpy(image, team_image(job->buffers.evaluation), bytes);
    tell_lost(job, job->context, why);
    job_buffers_free(job->context, &job->buffers);
    job_free_parts(job);
    nst_status status = promote(job) ? move_to_next(job, image, error) : NST_ERROR_DEVICE;
    free(image);
    return status;
}

/* ---- Told to the user -------------------------------------------------------------------------------------------- */

static void print_device(const nst_job *job, int member, const struct tiling *tiling, const struct deal *deal,
                         FILE *stream) {
    const struct job_helper *helper = member > 0 ? &job->devices.helpers[member - 1] : NULL;
    const nst_context *context = helper ? helper->context : job->context;
    const struct objective *objective = helper ? helper->objective : job->objective;
    const struct plan *plan = helper ? &helper->plan : &job->buffers.plan;
    char bytes[32], part[32] = "";
    if (context->part.count > 1) {
        snprintf(part, sizeof part, "#%d/%d", context->part.number, context->part.count);
    }
    fprintf(stream, "device %d:%d%s %s: %s", context->info.platform_index, context->info.device_index, part,
            context->info.name,
            text_bytes(plan_bytes(plan) + model_weight_bytes(objective_model(objective)), bytes, sizeof bytes));
    if (deal) {
        struct span band = deal_band(deal, tiling, member);
        fprintf(stream, ", rows %d to %d", band.begin, band.end);
    }
    fprintf(stream, "\n");
}

void job_print_devices(const nst_job *job, FILE *stream) {
    const int *parts = deal_steps_at(&job->devices.asked, 1);
    double speeds[NST_MAX_DEVICES];
    int members = 1 + job->devices.helper_count;
    bool known = true;
    struct tiling tiling;
    struct deal deal;
    if (!has_helpers(job) || tiling_make(objective_model(job->objective), job->scales[job->scale_count - 1].size,
                                         job->form.core_px, &tiling, NULL)) {
        return;
    }
    for (int i = 0; i < members; ++i) {
        speeds[i] = (i ? job->devices.helpers[i - 1].context : job->context)->info.measured_gflops;
        known = known && speeds[i] > 0;
    }
    deal = parts   ? deal_by_parts(&tiling, parts, members)
           : known ? deal_by_speed(&tiling, speeds, members)
                   : (struct deal){0};
    fprintf(stream, "%d devices share the picture by bands of %d rows%s:\n", members, tiling.unit,
            parts   ? ", as given"
            : known ? ", about so by the speeds measured before, and by those that it has then"
                    : ", by the speeds that they will have");
    for (int i = 0; i < members; ++i) {
        print_device(job, i, &tiling, parts || known ? &deal : NULL, stream);
    }
    fprintf(stream, "\n");
}
