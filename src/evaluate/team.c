/* team.c: several evaluations at one image; see team.h. */
#include "evaluate/team.h"

#include "evaluate/evaluation_internal.h"
#include "support/clock.h"
#include "support/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* After a new dealing, one run that builds kernels, and then so many that are measured; and how much sooner a run must be
 * done for tiles to be moved. */
enum { MEASURED_RUNS = 3 };
static const double least_gain = 0.9;

struct member {
    struct evaluation *evaluation;
    nst_error failure; /* status NST_OK while it works */
    float *sums;       /* of its band, from malloc */
    double speed;      /* pixels per second; 0: not known */
    double seconds;    /* since the measured runs began */
};

struct team {
    int count;
    struct member members[NST_MAX_DEVICES];
    struct deal deal;
    bool is_dealt;              /* since there are targets */
    int runs;                   /* with this dealing */
    int parts[NST_MAX_DEVICES]; /* given */
    bool has_parts;
    float *total;          /* sums of all, from malloc */
    size_t sum_count;      /* of floats of each member */
    float *images[2];      /* on the host, from malloc: that of the last run, and room for the next */
    size_t image_elements; /* in each */
    bool has_image;
};

static struct evaluation *leader_of(const struct team *team) {
    return team->members[0].evaluation;
}

static bool works(const struct member *member) {
    return member->failure.status == NST_OK;
}
static bool has_band(const struct member *member) {
    return member->evaluation->band.end > member->evaluation->band.begin;
}

/* ---- Making it --------------------------------------------------------------------------------------------------- */

nst_status team_check(const struct objective *objective, nst_error *error) {
    for (int i = 0; i < objective_term_count(objective); ++i) {
        const struct loss *loss = objective_loss(objective, i);
        if (!loss_is_divisible(loss)) {
            return fail(error, NST_ERROR_ARGUMENT,
                        "the loss '%s' compares places all over the picture, which cannot be dealt out to several "
                        "devices: choose one of them",
                        loss->methods->kind);
        }
    }
    return NST_OK;
}

/* All sums of all parts, one after another. */
static size_t count_sums(const struct evaluation *evaluation) {
    size_t count = 0;
    for (int i = 0; i < evaluation->part_count; ++i) {
        struct loss_sum sums[LOSS_MOST_SUMS];
        int n = loss_sums(evaluation->parts[i].run, sums);
        for (int k = 0; k < n; ++k) {
            count += sums[k].count;
        }
    }
    return count;
}

nst_status team_create(struct evaluation *const *members, int count, nst_error *error) {
    nst_status status = team_check(members[0]->objective, error);
    struct team *team = status ? NULL : calloc(1, sizeof *team);
    if (!team) {
        return status ? status : fail_memory(error, sizeof *team, "the devices");
    }
    members[0]->team = team;
    team->count = count;
    team->sum_count = count_sums(members[0]);
    team->total = calloc(team->sum_count + 1, sizeof *team->total);
    if (!team->total) {
        status = fail_memory(error, team->sum_count * sizeof *team->total, "statistics");
    }
    for (int i = 0; !status && i < count; ++i) {
        struct member *member = &team->members[i];
        member->evaluation = members[i];
        member->sums = calloc(team->sum_count + 1, sizeof *member->sums);
        if (!member->sums) {
            status = fail_memory(error, team->sum_count * sizeof *member->sums, "statistics");
        }
    }
    if (status) {
        team_free(team);
        members[0]->team = NULL;
    }
    return status;
}

void team_free(struct team *team) {
    if (team) {
        for (int i = 0; i < team->count; ++i) {
            free(team->members[i].sums);
        }
        free(team->total);
        free(team->images[0]);
        free(team->images[1]);
        free(team);
    }
}

/* ---- At the same time -------------------------------------------------------------------------------------------- */

/* What each member does, with what. */
struct work {
    nst_status (*act)(struct team *team, int member, const void *user, nst_error *error);
    const void *user;
};

struct worker {
    struct team *team;
    int member;
    const struct work *work;
    pthread_t thread;
    bool has_thread;
    nst_error error;
};

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    double begin = seconds_now();
    worker->error.status = worker->work->act(worker->team, worker->member, worker->work->user, &worker->error);
    worker->team->members[worker->member].seconds += seconds_now() - begin;
    return NULL;
}

/* Lets every member that works do it, the leader in this thread. A helper that fails is left out from then on; `lost` is
 * then true. Returns what the leader says. */
static nst_status do_all(struct team *team, const struct work *work, bool *lost, nst_error *error) {
    struct worker workers[NST_MAX_DEVICES] = {{0}};
    for (int i = 0; i < team->count; ++i) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){.team = team, .member = i, .work = work};
        worker->has_thread =
            i > 0 && works(&team->members[i]) && pthread_create(&worker->thread, NULL, run_worker, worker) == 0;
    }
    for (int i = 0; i < team->count; ++i) {
        struct worker *worker = &workers[i];
        if (worker->has_thread) {
            pthread_join(worker->thread, NULL);
        } else if (works(&team->members[i])) {
            run_worker(worker); /* without a thread one after the other */
        }
        if (i > 0 && worker->error.status) {
            team->members[i].failure = worker->error;
            team->is_dealt = false;
            *lost = true;
        }
    }
    if (workers[0].error.status && error) {
        *error = workers[0].error;
    }
    return workers[0].error.status;
}

/* ---- The image --------------------------------------------------------------------------------------------------- */

static nst_status make_room(struct team *team, size_t elements, nst_error *error) {
    for (int i = 0; elements > team->image_elements && i < 2; ++i) {
        float *image = realloc(team->images[i], elements * sizeof *image);
        if (!image) {
            return fail_memory(error, elements * sizeof *image, "the image");
        }
        team->images[i] = image;
    }
    team->image_elements = elements > team->image_elements ? elements : team->image_elements;
    return NST_OK;
}

/* From the leader to the host, and to every helper. */
static nst_status share_image(struct team *team, struct image_size size, nst_error *error) {
    struct evaluation *leader = leader_of(team);
    size_t count = 3 * (size_t)size.height * (size_t)size.width;
    nst_status status = make_room(team, count, error);
    float *image = team->images[1];
    status = status ? status
                    : vector_read(objective_context(leader->objective), evaluation_image_vector(leader), image, count,
                                  error);
    if (status) {
        return status;
    }
    team->images[1] = team->images[0];
    team->images[0] = image;
    for (int i = 1; i < team->count; ++i) {
        memcpy(evaluation_image_vector(team->members[i].evaluation).host, image, count * sizeof *image);
    }
    return NST_OK;
}

const float *team_image(const struct evaluation *leader) {
    return leader->team && leader->team->has_image ? leader->team->images[0] : NULL;
}

/* ---- Targets ----------------------------------------------------------------------------------------------------- */

struct beginning {
    int phase;
    const struct evaluation_regions *regions;
};

static nst_status begin_member(struct team *team, int member, const void *user, nst_error *error) {
    const struct beginning *beginning = user;
    return own_begin_targets(team->members[member].evaluation, beginning->phase, beginning->regions, error);
}

nst_status team_begin_targets(struct team *team, int phase, const struct evaluation_regions *regions,
                              nst_error *error) {
    const struct beginning beginning = {phase, regions};
    bool lost = false;
    team->has_image = false;
    for (int i = 1; i < team->count; ++i) {
        evaluation_set_factors(team->members[i].evaluation, leader_of(team)->factors);
    }
    return do_all(team, &(struct work){begin_member, &beginning}, &lost, error);
}

struct shown {
    const struct loss_target *target;
    struct image_size size;
};

static nst_status add_to_member(struct team *team, int member, const void *user, nst_error *error) {
    const struct shown *shown = user;
    struct evaluation *evaluation = team->members[member].evaluation;
    nst_status status = own_add_target(evaluation, shown->target, shown->size, error);
    return status ? status : context_finish(objective_context(evaluation->objective), error);
}

/* The last target tells each member's speed: it is a pass forward over a whole picture. */
nst_status team_add_target(struct team *team, const struct loss_target *target, struct image_size size,
                           nst_error *error) {
    const struct shown shown = {target, size};
    bool lost = false;
    nst_status status = share_image(team, size, error);
    for (int i = 0; i < team->count; ++i) {
        team->members[i].seconds = 0;
    }
    status = status ? status : do_all(team, &(struct work){add_to_member, &shown}, &lost, error);
    for (int i = 0; i < team->count; ++i) {
        struct member *member = &team->members[i];
        member->speed = member->seconds > 0 ? (double)size.height * size.width / member->seconds : 0;
    }
    return status;
}

static nst_status end_member(struct team *team, int member, const void *user, nst_error *error) {
    (void)user;
    return own_end_targets(team->members[member].evaluation, error);
}

nst_status team_end_targets(struct team *team, nst_error *error) {
    bool lost = false;
    team->is_dealt = false;
    return do_all(team, &(struct work){end_member, NULL}, &lost, error);
}

/* ---- Dealing ----------------------------------------------------------------------------------------------------- */

void team_give_parts(struct evaluation *leader, const int *parts) {
    struct team *team = leader->team;
    team->has_parts = parts != NULL;
    team->is_dealt = team->is_dealt && !parts;
    for (int i = 0; parts && i < team->count; ++i) {
        team->parts[i] = parts[i];
    }
}

struct deal team_deal(const struct evaluation *leader) {
    return leader->team->deal;
}

const nst_error *team_failure(const struct evaluation *leader, int member) {
    const struct member *asked = &leader->team->members[member];
    return works(asked) ? NULL : &asked->failure;
}

static struct deal deal_given(const struct team *team, const struct tiling *tiling) {
    int parts[NST_MAX_DEVICES] = {0}, sum = 0;
    for (int i = 0; i < team->count; ++i) {
        parts[i] = works(&team->members[i]) ? team->parts[i] : 0;
        sum += parts[i];
    }
    parts[0] += sum == 0; /* none is left that was given any */
    return deal_by_parts(tiling, parts, team->count);
}

static void use_deal(struct team *team, const struct deal *deal) {
    team->deal = *deal;
    team->is_dealt = true;
    team->runs = 0;
}

/* By the speeds of those that work; at first all get something. Where there was a dealing, only if it is worth it. */
static void deal_measured(struct team *team, const struct tiling *tiling) {
    double speeds[NST_MAX_DEVICES] = {0}, fastest = 0;
    for (int i = 0; i < team->count; ++i) {
        speeds[i] = works(&team->members[i]) ? team->members[i].speed : 0;
        fastest = speeds[i] > fastest ? speeds[i] : fastest;
    }
    speeds[0] = fastest > 0 ? speeds[0] : 1;
    struct deal deal = deal_by_speed(tiling, speeds, team->count);
    if (!team->is_dealt) {
        deal_to_all(&deal, speeds);
        use_deal(team, &deal);
    } else if (deal_seconds(&deal, tiling, speeds) < least_gain * deal_seconds(&team->deal, tiling, speeds)) {
        use_deal(team, &deal);
    }
}

/* What the members took for the runs that were measured. */
static void take_speeds(struct team *team, const struct tiling *tiling) {
    for (int i = 0; i < team->count; ++i) {
        struct member *member = &team->members[i];
        double pixels = MEASURED_RUNS * deal_pixels(&team->deal, tiling, i);
        if (works(member) && pixels > 0 && member->seconds > 0) {
            member->speed = pixels / member->seconds;
        }
    }
}

/* Before each run. */
static nst_status deal_out(struct team *team, nst_error *error) {
    const struct evaluation *leader = leader_of(team);
    struct tiling tiling;
    const struct model *model = objective_model(leader->objective);
    nst_status status = tiling_make(model, leader->size, leader->form.core_px, &tiling, error);
    if (status) {
        return status;
    }
    if (!team->is_dealt && team->has_parts) {
        struct deal deal = deal_given(team, &tiling);
        use_deal(team, &deal);
    } else if (!team->is_dealt) {
        deal_measured(team, &tiling);
    } else if (!team->has_parts && team->runs > MEASURED_RUNS) {
        take_speeds(team, &tiling);
        deal_measured(team, &tiling);
        team->runs = team->runs > 0; /* the run that builds kernels comes with a new dealing only */
    }
    for (int i = 0; i < team->count; ++i) {
        team->members[i].evaluation->band = deal_band(&team->deal, &tiling, i);
        team->members[i].seconds *= team->runs > 1;
    }
    team->runs++;
    return NST_OK;
}

/* ---- Statistics -------------------------------------------------------------------------------------------------- */

enum way { TO_HOST, TO_DEVICE };

static nst_status move_sums(struct evaluation *evaluation, enum way way, float *values, nst_error *error) {
    nst_context *context = objective_context(evaluation->objective);
    nst_status status = NST_OK;
    for (int i = 0; !status && i < evaluation->part_count; ++i) {
        struct loss_sum sums[LOSS_MOST_SUMS];
        int n = loss_sums(evaluation->parts[i].run, sums);
        for (int k = 0; !status && k < n; ++k) {
            cl_mem buffer = plan_buffer(evaluation->plan, sums[k].entry);
            size_t offset = sums[k].offset * sizeof *values, bytes = sums[k].count * sizeof *values;
            if (part_counts(evaluation, &evaluation->parts[i])) {
                status = way == TO_HOST ? buffer_read(context, buffer, offset, values, bytes, error)
                                        : buffer_write(context, buffer, offset, values, bytes, error);
            }
            values += sums[k].count;
        }
    }
    return status;
}

static nst_status gather_member(struct team *team, int member, const void *user, nst_error *error) {
    const enum evaluation_kind *kind = user;
    struct member *own = &team->members[member];
    nst_status status = own_gather(own->evaluation, *kind, error);
    return status || !has_band(own) ? status : move_sums(own->evaluation, TO_HOST, own->sums, error);
}

static void add_up(struct team *team) {
    for (size_t i = 0; i < team->sum_count; ++i) {
        double sum = 0;
        for (int k = 0; k < team->count; ++k) {
            sum += has_band(&team->members[k]) ? team->members[k].sums[i] : 0;
        }
        team->total[i] = (float)sum;
    }
}

/* ---- A run ------------------------------------------------------------------------------------------------------- */

/* The first one that has a band tells the losses that are not sums over tiles. */
static int first_with_band(const struct team *team) {
    int first = 0;
    while (!has_band(&team->members[first])) {
        ++first;
    }
    return first;
}

static nst_status finish_member(struct team *team, int member, const void *user, nst_error *error) {
    const enum evaluation_kind *kind = user;
    struct member *own = &team->members[member];
    nst_status status = NST_OK;
    if (has_band(own)) {
        status = move_sums(own->evaluation, TO_DEVICE, team->total, error);
        status = status ? status : own_values(own->evaluation, member == first_with_band(team), error);
    }
    bool wants_gradient = *kind == EVALUATE_GRADIENT && (member == 0 || has_band(own));
    return status || !wants_gradient ? status : own_differentiate(own->evaluation, error);
}

/* Where the regions of a helper lie, its gradient is added to that of the leader. */
static void add_helper(const struct member *helper, const struct tiling *tiling, float *gradient) {
    const struct span *band = &helper->evaluation->band;
    size_t width = (size_t)tiling->picture.width, height = (size_t)tiling->picture.height;
    size_t first = (size_t)tiling_tile(tiling, 0).region.y, end = (size_t)band->end + (size_t)tiling->halo.after;
    const float *own = evaluation_gradient_vector(helper->evaluation).host;
    end = end < height ? end : height;
    for (size_t plane = 0; plane < 3; ++plane) {
        for (size_t i = (plane * height + first) * width; i < (plane * height + end) * width; ++i) {
            gradient[i] += own[i];
        }
    }
}

static nst_status join_gradients(struct team *team, nst_error *error) {
    struct evaluation *leader = leader_of(team);
    nst_context *context = objective_context(leader->objective);
    struct vector gradient = evaluation_gradient_vector(leader);
    size_t count = 3 * (size_t)leader->size.height * (size_t)leader->size.width;
    float *values = malloc(count * sizeof *values);
    nst_status status = values ? vector_read(context, gradient, values, count, error)
                               : fail_memory(error, count * sizeof *values, "the gradient");
    for (int i = 1; !status && i < team->count; ++i) {
        struct evaluation *helper = team->members[i].evaluation;
        struct tiling tiling;
        if (has_band(&team->members[i])) {
            status = tiling_make_band(objective_model(helper->objective), helper->size, helper->band,
                                      helper->form.core_px, &tiling, error);
            if (!status) {
                add_helper(&team->members[i], &tiling, values);
            }
        }
    }
    status = status ? status : vector_write(context, gradient, values, count, error);
    free(values);
    return status;
}

static void join_losses(struct team *team) {
    struct evaluation *leader = leader_of(team);
    for (int term = 0; term < objective_term_count(leader->objective); ++term) {
        for (int i = 1; i < team->count; ++i) {
            const struct member *helper = &team->members[i];
            leader->losses[term].loss += has_band(helper) ? helper->evaluation->losses[term].loss : 0;
        }
    }
}

nst_status team_run(struct team *team, enum evaluation_kind kind, nst_error *error) {
    bool lost = true;
    nst_status status = share_image(team, leader_of(team)->size, error);
    team->has_image = team->has_image || !status;
    while (!status && lost) {
        lost = false;
        status = deal_out(team, error);
        status = status ? status : do_all(team, &(struct work){gather_member, &kind}, &lost, error);
        if (!status && !lost) {
            add_up(team);
            status = do_all(team, &(struct work){finish_member, &kind}, &lost, error);
        }
    }
    if (status) {
        return status;
    }
    join_losses(team);
    return kind == EVALUATE_GRADIENT ? join_gradients(team, error) : NST_OK;
}
