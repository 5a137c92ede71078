/* convolution.c: the search for the fastest engine and parameters of one convolution: from what is built in for
 * each engine, one parameter after the other, as long as that helps. */
#include "check/convolution.h"
#include "check/map.h"
#include "support/error.h"
#include "tune/search.h"

#include <stdlib.h>
#include <string.h>

/* The small map on which a choice is checked: no tile or area divides it. */
enum { CHECK_HEIGHT = 11, CHECK_WIDTH = 14 };

/* An engine that is so much slower than the best is not searched any further. */
static const double hopeless = 2.5;

struct candidate {
    struct convolution_choice choice;
    double ms; /* INFINITY: wrong, or failed */
};

enum { MOST_CANDIDATES = 128, MOST_ENGINES = 16, SWEEPS = 2 };

struct search {
    nst_context *context;
    const struct layer_case *layer;
    struct check_convolution *check;
    const struct tune_search *how;
    struct tune_line *line;
    struct candidate tried[MOST_CANDIDATES];
    int expected; /* about how many there are to try */
};

static bool is_same(const struct convolution_choice *a, const struct convolution_choice *b) {
    return a->engine == b->engine && memcmp(a->parameters, b->parameters, sizeof a->parameters) == 0;
}

static nst_status time_choice(struct search *search, const struct convolution_choice *choice, double *ms,
                              nst_error *error) {
    struct layer_run run;
    struct timing timing;
    nst_status status = layer_run_create(search->context, search->layer, choice, &run, error);
    if (!status) {
        status = timing_measure(layer_run_repeat, &run, search->how->seconds, &timing, error);
        layer_run_release(&run);
    }
    *ms = status ? INFINITY : timing.least_ms;
    return status;
}

/* Checks and times a choice that was not tried yet. Only what the host or the user stops is an error. */
static nst_status try_choice(struct search *search, const struct convolution_choice *choice, double *ms,
                             nst_error *error) {
    struct tune_line *line = search->line;
    *ms = INFINITY;
    for (int i = 0; i < line->tried; ++i) {
        if (is_same(&search->tried[i].choice, choice)) {
            *ms = search->tried[i].ms;
            return NST_OK;
        }
    }
    if (line->tried == MOST_CANDIDATES) {
        return NST_OK;
    }
    char text[TUNING_CHOICE_LENGTH];
    convolution_choice_format(choice, text, sizeof text);
    double share = search->expected ? (double)line->tried / search->expected : 0, found;
    if (search->how->tell(search->how->user, share < 1 ? share : 1, text)) {
        return fail(error, NST_CANCELED, "stopped");
    }
    /* One that fails is passed over like one that computes wrongly: *ms stays infinite. */
    if (!check_convolution_run(search->check, choice, &found, error) &&
        found <= check_convolution_bound(&search->layer->shape, choice->engine)) {
        (void)time_choice(search, choice, ms, error);
    }
    line->wrong += !isfinite(*ms);
    search->tried[line->tried++] = (struct candidate){*choice, *ms};
    return NST_OK;
}

/* An engine that computes wrongly as it is built in is not chosen for anything on this device. */
static nst_status distrust(struct search *search, const struct convolution_engine *engine, nst_error *error) {
    struct tuning_row row = {.choice = ""};
    convolution_engine_key(engine, row.key, sizeof row.key);
    return tuning_set(&search->context->tuning, &row, error);
}

/* Goes from one choice to better ones. */
static nst_status improve(struct search *search, struct candidate *best, nst_error *error) {
    nst_status status = NST_OK;
    for (int sweep = 0; !status && sweep < SWEEPS; ++sweep) {
        double before = best->ms;
        struct convolution_choice next;
        for (int parameter = 0; convolution_next_choice(&best->choice, parameter, 0, &next); ++parameter) {
            for (int i = 0; !status && convolution_next_choice(&best->choice, parameter, i, &next); ++i) {
                double ms;
                status = try_choice(search, &next, &ms, error);
                if (ms < best->ms) {
                    *best = (struct candidate){next, ms};
                }
            }
        }
        if (best->ms > (1 - tune_least_gain) * before) {
            break;
        }
    }
    return status;
}

static int count_values(const struct convolution_choice *choice) {
    struct convolution_choice next;
    int count = 1;
    for (int parameter = 0; convolution_next_choice(choice, parameter, 0, &next); ++parameter) {
        for (int i = 0; convolution_next_choice(choice, parameter, i, &next); ++i) {
            count += !is_same(choice, &next);
        }
    }
    return count;
}

/* An engine as it is built in. False if it cannot do the shape, or not rightly. */
static bool start_from(struct search *search, const struct convolution_engine *engine, struct candidate *start,
                       nst_status *status, nst_error *error) {
    if (!convolution_engine_can(search->context, &search->layer->shape, engine)) {
        return false;
    }
    start->choice = convolution_default_choice(search->context, &search->layer->shape, engine);
    *status = try_choice(search, &start->choice, &start->ms, error);
    return !*status && isfinite(start->ms);
}

static void keep_faster(struct candidate *best, const struct candidate *other) {
    *best = other->ms < best->ms ? *other : *best;
}

/* Every engine as it is built in, and then better parameters for those that are not much slower than the best. The
 * reference, the last of them, is there for what no other does rightly. */
static nst_status search_engines(struct search *search, struct candidate *best, nst_error *error) {
    const struct convolution_engine *const *engines = convolution_engines(search->context);
    const struct convolution_engine *reference = convolution_reference_engine(search->context);
    nst_status status = NST_OK;
    struct candidate start;
    for (int i = 0; engines[i] != reference; ++i) {
        struct convolution_choice choice =
            convolution_default_choice(search->context, &search->layer->shape, engines[i]);
        bool can = convolution_engine_can(search->context, &search->layer->shape, engines[i]);
        search->expected += can ? count_values(&choice) : 0;
    }
    for (int i = 0; !status && engines[i] != reference; ++i) {
        if (start_from(search, engines[i], &start, &status, error)) {
            keep_faster(best, &start);
        } else if (!status && convolution_engine_can(search->context, &search->layer->shape, engines[i])) {
            status = distrust(search, engines[i], error);
        }
    }
    if (!status && !isfinite(best->ms) && start_from(search, reference, &start, &status, error)) {
        *best = start;
    }
    for (int i = 0; !status && engines[i] != reference; ++i) {
        if (start_from(search, engines[i], &start, &status, error) && start.ms <= hopeless * best->ms) {
            status = improve(search, &start, error);
            keep_faster(best, &start);
        }
    }
    return status;
}

/* ---- The winner against what is built in ------------------------------------------------------------------------- */

/* What one run at the full size makes; from malloc. */
static nst_status run_once(struct search *search, const struct convolution_choice *choice, float **output,
                           size_t *count, nst_error *error) {
    const struct convolution_shape *shape = &search->layer->shape;
    struct layer_run run;
    int height, width, divisor = shape->epilogue == EPILOGUE_RELU_POOL ? 2 : 1;
    convolution_output_size(shape, search->layer->size.height, search->layer->size.width, &height, &width);
    size_t bytes =
        (size_t)feature_map_bytes(search->context, false, shape->out_channels, height / divisor, width / divisor);
    *count = bytes / sizeof(float);
    *output = malloc(bytes);
    if (!*output) {
        return fail_memory(error, bytes, "the output of a convolution");
    }
    nst_status status = layer_run_create(search->context, search->layer, choice, &run, error);
    if (!status) {
        status = buffer_fill_zero(search->context, run.call.output, bytes, error);
        status = status ? status : layer_run_repeat(&run, 1, error);
        status = status ? status : buffer_read(search->context, run.call.output, 0, *output, bytes, error);
        layer_run_release(&run);
    }
    return status;
}

/* The largest difference at the full size, relative to the largest value; not a number if any is. */
static nst_status compare_outputs(struct search *search, const struct convolution_choice *a,
                                  const struct convolution_choice *b, double *difference, nst_error *error) {
    float *outputs[2] = {NULL, NULL};
    size_t count;
    double largest = 0;
    *difference = 0;
    nst_status status = run_once(search, a, &outputs[0], &count, error);
    status = status ? status : run_once(search, b, &outputs[1], &count, error);
    for (size_t i = 0; !status && i < count; ++i) {
        check_keep_largest(difference, fabs((double)outputs[0][i] - outputs[1][i]));
        check_keep_largest(&largest, fabs((double)outputs[0][i]));
    }
    *difference /= largest;
    free(outputs[0]);
    free(outputs[1]);
    return status;
}

/* Once more by turns: neither may have had the quieter moment. True if the winner is still better, and right. */
static bool is_confirmed(struct search *search, struct candidate *built_in, struct candidate *winner) {
    enum { TURNS = 2 };
    const double most_difference = 1e-4; /* two engines, each with its own rounding */
    double difference, ms;
    if (compare_outputs(search, &built_in->choice, &winner->choice, &difference, NULL) ||
        !(difference <= most_difference)) {
        return false;
    }
    built_in->ms = winner->ms = INFINITY;
    for (int turn = 0; turn < 2 * TURNS; ++turn) {
        struct candidate *candidate = turn % 2 ? winner : built_in;
        if (time_choice(search, &candidate->choice, &ms, NULL)) {
            return false;
        }
        candidate->ms = ms < candidate->ms ? ms : candidate->ms;
    }
    return winner->ms < (1 - tune_least_gain) * built_in->ms;
}

nst_status tune_convolution(nst_context *context, const struct layer_case *layer, const struct tune_search *how,
                            struct tune_line *line, nst_error *error) {
    struct search *search = calloc(1, sizeof *search);
    struct candidate winner = {.ms = INFINITY}, built_in;
    if (!search) {
        return fail_memory(error, sizeof *search, "the tuner");
    }
    *search = (struct search){.context = context, .layer = layer, .how = how, .line = line};
    nst_status status =
        check_convolution_create(context, &layer->shape, CHECK_HEIGHT, CHECK_WIDTH, &search->check, error);
    status = status ? status : search_engines(search, &winner, error);
    if (!status && isfinite(winner.ms)) {
        built_in.choice = convolution_default_choice(context, &layer->shape, NULL);
        status = try_choice(search, &built_in.choice, &built_in.ms, error);
        if (!status && !is_same(&winner.choice, &built_in.choice) && !is_confirmed(search, &built_in, &winner)) {
            winner = built_in;
        }
        convolution_choice_format(&built_in.choice, line->default_choice, sizeof line->default_choice);
        convolution_choice_format(&winner.choice, line->row.choice, sizeof line->row.choice);
        line->row.time_ns = tune_nanoseconds(winner.ms);
        line->row.default_ns = tune_nanoseconds(built_in.ms);
    } else if (!status) {
        outcome_set(&line->outcome, OUTCOME_WRONG, "no engine computes this rightly here");
    }
    check_convolution_free(search->check);
    free(search);
    return status;
}
