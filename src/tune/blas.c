/* blas.c: which parameters of its kernel Xgemm suit CLBlast best on a device, measured at the products of a
 * Winograd convolution. Its own database knows many devices, but by far not all. */
#include "device/blas.h"
#include "check/convolution.h"
#include "support/child.h"
#include "support/error.h"
#include "tune/search.h"

enum { PATIENCE_MS = 120000 };

/* Tiles of MWG x NWG results and KWG deep, by MDIMC x NDIMC work-items, of which each loads VWM and VWN wide; SA, SB:
 * through local memory. KREG is for GEMMK 1, which is wrong in some versions of CLBlast (its issue 340). */
#define XGEMM(mwg, nwg, kwg, kwi, mdim, ndim, local, vwm, vwn)                                                         \
    "GEMMK=0 KREG=1 KWG=" #kwg " KWI=" #kwi " MDIMA=" #mdim " MDIMC=" #mdim " MWG=" #mwg " NDIMB=" #ndim               \
    " NDIMC=" #ndim " NWG=" #nwg " SA=" #local " SB=" #local " STRM=0 STRN=0 VWM=" #vwm " VWN=" #vwn

static const char *const candidates[] = {
    XGEMM(64, 64, 16, 2, 8, 8, 1, 4, 4),     XGEMM(64, 64, 32, 2, 16, 16, 1, 2, 2),
    XGEMM(128, 64, 16, 2, 16, 8, 1, 4, 4),   XGEMM(128, 128, 16, 2, 16, 16, 1, 4, 2),
    XGEMM(128, 128, 32, 2, 16, 16, 1, 4, 4), XGEMM(128, 128, 16, 8, 16, 8, 1, 8, 8),
    XGEMM(64, 64, 16, 2, 8, 8, 0, 4, 4),     XGEMM(32, 32, 16, 2, 8, 8, 0, 4, 4),
    XGEMM(128, 64, 32, 2, 32, 8, 1, 4, 4),   XGEMM(32, 8, 16, 1, 1, 1, 0, 8, 8), /* processors */
};
enum { CANDIDATES = sizeof candidates / sizeof *candidates };

/* One choice in one child. */
struct trial {
    const char *device;
    const struct layer_case *layer;
    double seconds;
    const char *parameters; /* NULL: CLBlast's own */
};

struct trial_result {
    nst_status status;
    double error, bound, ms;
};

static nst_status try_in_child(const struct trial *trial, struct trial_result *result) {
    nst_context *context;
    struct check_convolution *check = NULL;
    struct layer_run run;
    struct timing timing;
    /* Without the table, which would bring parameters of its own. */
    nst_context_options options = {.device = trial->device, .no_cache = true, .unchecked = true};
    nst_status status = nst_context_create(&options, &context, NULL);
    if (status) {
        return status;
    }
    const struct convolution_engine *engine = convolution_find_engine(context, "winograd-clblast");
    struct convolution_choice choice = convolution_default_choice(context, &trial->layer->shape, engine);
    result->bound = check_convolution_bound(&trial->layer->shape, choice.engine);
    status = trial->parameters ? blas_set_parameters(context, trial->parameters, NULL) : NST_OK;
    status = status ? status : check_convolution_create(context, &trial->layer->shape, 11, 14, &check, NULL);
    status = status ? status : check_convolution_run(check, &choice, &result->error, NULL);
    status = status ? status : layer_run_create(context, trial->layer, &choice, &run, NULL);
    if (!status) {
        status = timing_measure(layer_run_repeat, &run, 3 * trial->seconds, &timing, NULL);
        result->ms = timing.least_ms;
        layer_run_release(&run);
    }
    check_convolution_free(check);
    nst_context_destroy(context);
    return status;
}

static void run_trial(void *user, void *result) {
    struct trial_result *filled = result;
    filled->status = try_in_child(user, result);
}

/* Milliseconds, INFINITY for what crashes, fails or computes wrongly. */
static double measure(const struct trial *trial) {
    struct trial_result result = {.status = NST_ERROR_OPENCL, .ms = INFINITY};
    bool fine = child_run(run_trial, (void *)trial, &result, sizeof result, PATIENCE_MS) && !result.status &&
                result.error <= result.bound;
    return fine ? result.ms : INFINITY;
}

nst_status tune_blas(const char *device, const struct layer_case *layer, const struct tune_search *how,
                     struct tune_line *line, nst_error *error) {
    struct trial trial = {.device = device, .layer = layer, .seconds = how->seconds};
    double default_ms = measure(&trial), best_ms = default_ms;
    for (int i = 0; i < CANDIDATES; ++i) {
        if (how->tell(how->user, (double)i / CANDIDATES, candidates[i])) {
            return fail(error, NST_CANCELED, "stopped");
        }
        trial.parameters = candidates[i];
        double ms = measure(&trial);
        line->tried++;
        line->wrong += !isfinite(ms);
        if (ms < (1 - tune_least_gain) * best_ms) {
            best_ms = ms;
            snprintf(line->row.choice, sizeof line->row.choice, "%s", candidates[i]);
        }
    }
    line->row.time_ns = tune_nanoseconds(best_ms);
    line->row.default_ns = tune_nanoseconds(default_ms);
    return NST_OK;
}
