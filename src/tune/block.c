/* block.c: which layout of the feature maps is the fastest on a device: how many channels lie innermost. It is one
 * choice for all layers, so whole iterations are timed, with the engines and parameters that are built in. */
#include "check/gradient.h"
#include "device/traits.h"
#include "network/convolution.h"
#include "support/error.h"
#include "tune/search.h"

static const int blocks[] = {1, 4, 8, 16};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

/* Whether an engine other than the plain one does the bulk of the work with that block. */
static bool is_worth_trying(const nst_context *context, int block) {
    const struct convolution_shape bulk = {.in_channels = 64, .out_channels = 64, .kernel_size = 3, .padding = 1};
    nst_context like = *context;
    like.channel_block = block;
    return convolution_default_choice(&like, &bulk, NULL).engine != convolution_reference_engine(&like);
}

bool tune_block_has_choice(const nst_context *context) {
    int count = 0;
    for (int i = 0; i < BLOCKS; ++i) {
        count += is_worth_trying(context, blocks[i]);
    }
    return count > 1 && !traits_block_is_given();
}

/* ---- One block --------------------------------------------------------------------------------------------------- */

struct block_search {
    const char *device;
    struct workload workload;
    int size_px;
    double seconds;
};

/* A job with a block. */
struct contender {
    nst_context *context;
    nst_job *job;
    double ms; /* the least for an iteration; INFINITY: wrong, or failed */
};

static void close_contender(struct contender *contender) {
    nst_job_destroy(contender->job);
    nst_context_destroy(contender->context);
    *contender = (struct contender){.ms = INFINITY};
}

static void time_iterations(const struct block_search *search, struct contender *contender) {
    struct timing timing;
    nst_status status = timing_measure(workload_steps, contender->job, search->seconds, &timing, NULL);
    contender->ms = status ? INFINITY : fmin(contender->ms, timing.least_ms);
}

/* Opens and times it; `block` 0 is the one that is built in. What fails or computes wrongly takes for ever. */
static void open_contender(const struct block_search *search, int block, struct contender *contender) {
    enum { CHECK_PX = 62 };
    struct gradient_check check;
    double once;
    /* Without the table, which is made for another block. */
    nst_context_options options = {.device = search->device, .no_cache = true, .unchecked = true};
    *contender = (struct contender){.ms = INFINITY};
    if (nst_context_create(&options, &contender->context, NULL)) {
        return;
    }
    if (block) {
        contender->context->channel_block = block;
    }
    gradient_check_run(contender->context, &search->workload, CHECK_PX, &check, &once);
    if (check.outcome.state == OUTCOME_OK &&
        !workload_job(contender->context, &search->workload, search->size_px, &contender->job, NULL)) {
        time_iterations(search, contender);
    }
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

/* Once more by turns, if there is something to compare: neither may have had the quieter moment. */
static bool is_faster(const struct block_search *search, struct contender *challenger, struct contender *best) {
    enum { TURNS = 2 };
    bool is_better = challenger->ms < (1 - tune_least_gain) * best->ms;
    if (is_better && isfinite(best->ms)) {
        challenger->ms = best->ms = INFINITY;
        for (int turn = 0; turn < TURNS; ++turn) {
            time_iterations(search, best);
            time_iterations(search, challenger);
        }
        is_better = challenger->ms < (1 - tune_least_gain) * best->ms;
    }
    return is_better;
}

nst_status tune_block(const char *device, const nst_network *network, int size_px, const struct tune_search *how,
                      struct tune_line *line, nst_error *error) {
    enum { LONGER = 10 }; /* an iteration is more than a layer */
    const struct block_search search = {device, {network, NST_PRECISION_AUTO}, size_px, LONGER * how->seconds};
    struct contender best;
    nst_status status = NST_OK;
    if (how->tell(how->user, 0, "built in")) {
        return fail(error, NST_CANCELED, "stopped");
    }
    open_contender(&search, 0, &best);
    int built_in = best.context ? best.context->channel_block : 0;
    double built_in_ms = best.ms;
    for (int i = 0; !status && i < BLOCKS; ++i) {
        char name[8];
        snprintf(name, sizeof name, "%d", blocks[i]);
        if (how->tell(how->user, (double)(i + 1) / (BLOCKS + 1), name)) {
            status = fail(error, NST_CANCELED, "stopped");
        } else if (best.context && blocks[i] != built_in && is_worth_trying(best.context, blocks[i])) {
            struct contender challenger;
            open_contender(&search, blocks[i], &challenger);
            line->tried++;
            line->wrong += !isfinite(challenger.ms);
            bool wins = is_faster(&search, &challenger, &best);
            if (best.context->channel_block == built_in) {
                built_in_ms = best.ms;
            }
            struct contender loser = wins ? best : challenger;
            best = wins ? challenger : best;
            close_contender(&loser);
        }
    }
    if (!isfinite(best.ms)) {
        outcome_set(&line->outcome, OUTCOME_WRONG, "no layout of the feature maps computes rightly here");
    } else {
        snprintf(line->default_choice, sizeof line->default_choice, "%d", built_in);
        snprintf(line->row.choice, sizeof line->row.choice, "%d", best.context->channel_block);
        line->row.time_ns = tune_nanoseconds(best.ms);
        line->row.default_ns = tune_nanoseconds(built_in_ms);
    }
    close_contender(&best);
    return status;
}
