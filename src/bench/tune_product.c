/* tune_product.c: which Gram product is the fastest. */
#include "bench/known.h"
#include "bench/tune_internal.h"
#include "support/error.h"

/* Relative to the largest value, as for `nst selftest`. */
static const double bound = 1e-5;

/* INFINITY for one that cannot be done, computes wrongly or fails. */
static double try_product(nst_context *context, enum product_engine product, int channels, struct image_size size,
                          double seconds, struct tune_line *line) {
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
    enum product_engine built_in = product_default(context, false, channels), best = built_in;
    double best_ms = INFINITY, default_ms = INFINITY;
    for (int product = PRODUCT_PACKED; product <= PRODUCT_TILES; ++product) {
        if (how->tell(how->user, (double)(product - PRODUCT_PACKED) / PRODUCT_TILES, product_engine_name(product))) {
            return fail(error, NST_CANCELLED, "stopped");
        }
        double ms = try_product(context, product, channels, size, how->seconds, line);
        default_ms = product == (int)built_in ? ms : default_ms;
        if (ms < best_ms) {
            best = product;
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
