/* product.c: which Gram product is the fastest. */
#include "check/known.h"
#include "support/error.h"
#include "tune/tune_internal.h"

/* Relative to the largest value, as for `nst selftest`. */
static const double bound = 1e-5;

/* INFINITY for one that cannot be done, computes wrongly or fails. */
static double try_product(nst_context *context, const struct product_engine *product, int channels,
                          struct image_size size, double seconds, struct tune_line *line) {
    struct bench_timing timing;
    double found;
    nst_error why;
    nst_status status = known_product_check(context, product, channels, &found, &why);
    if (status == NST_ERROR_ARGUMENT) {
        return INFINITY;
    }
    line->tried++;
    if (status || !(found <= bound) || known_product_time(context, product, channels, size, seconds, &timing, &why)) {
        line->wrong++;
        return INFINITY;
    }
    return timing.least_ms;
}

nst_status tune_product(nst_context *context, int channels, struct image_size size, const struct tune_search *how,
                        struct tune_line *line, nst_error *error) {
    struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = channels};
    const struct product_engine *const *engines = product_engines(context);
    const struct product_engine *built_in = product_default(context, &shape), *best = built_in;
    double best_ms = INFINITY, default_ms = INFINITY;
    int count = 0;
    while (engines[count]) {
        ++count;
    }
    for (int i = 0; i < count; ++i) {
        if (how->tell(how->user, (double)i / count, product_engine_name(engines[i]))) {
            return fail(error, NST_CANCELLED, "stopped");
        }
        double ms = try_product(context, engines[i], channels, size, how->seconds, line);
        default_ms = engines[i] == built_in ? ms : default_ms;
        if (ms < best_ms) {
            best = engines[i];
            best_ms = ms;
        }
    }
    if (best_ms > (1 - tune_least_gain) * default_ms) {
        best = built_in;
        best_ms = default_ms;
    }
    if (!isfinite(best_ms)) {
        outcome_set(&line->outcome, BENCH_WRONG, "no product computes this rightly here");
        return NST_OK;
    }
    snprintf(line->default_choice, sizeof line->default_choice, "%s", product_engine_name(built_in));
    snprintf(line->row.choice, sizeof line->row.choice, "%s", product_engine_name(best));
    line->row.time_ns = tune_nanoseconds(best_ms);
    line->row.default_ns = tune_nanoseconds(default_ms);
    return NST_OK;
}
