/* product.c: which engine for Gram matrices is the fastest. */
#include "check/product.h"
#include "measure/noise.h"
#include "network/feature_map.h"
#include "support/error.h"
#include "tune/search.h"

/* ---- One engine -------------------------------------------------------------------------------------------------- */

/* A product with its buffers, noise in the map. */
struct run {
    nst_context *context;
    struct product *product;
    struct product_call call;
};

static nst_status open_run(struct run *run, const struct product_engine *engine, int channels, struct image_size size,
                           nst_error *error) {
    const struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = channels};
    nst_context *context = run->context;
    uint64_t bytes = feature_map_bytes(context, false, channels, size.height, size.width), scratch = 0;
    run->call.extent = size.height * size.width;
    nst_status status = product_create(context, &shape, engine, &run->product, error);
    if (!status) {
        scratch = product_scratch_bytes(run->product, run->call.extent);
        status = noise_buffer(context, bytes, NOISE_FLOATS, &run->call.a, error);
    }
    if (!status) {
        size_t matrix_bytes = (size_t)channels * (size_t)channels * sizeof(float);
        status = buffer_create(context, matrix_bytes, "a Gram matrix", &run->call.c, error);
    }
    return status || !scratch
               ? status
               : buffer_create(context, (size_t)scratch, "scratch of a product", &run->call.scratch, error);
}

static void close_run(struct run *run) {
    buffer_release(run->context, &run->call.a);
    buffer_release(run->context, &run->call.c);
    buffer_release(run->context, &run->call.scratch);
    product_destroy(run->product);
}

/* A timed_run. */
static nst_status repeat(void *user, int count, nst_error *error) {
    struct run *run = user;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < count; ++i) {
        status = product_run(run->product, &run->call, error);
    }
    return status ? status : context_finish(run->context, error);
}

/* INFINITY for one that computes wrongly or fails. */
static double try_product(nst_context *context, const struct product_engine *engine, int channels,
                          struct image_size size, double seconds, struct tune_line *line) {
    struct run run = {.context = context};
    struct timing timing;
    double found;
    nst_status status = check_product(context, engine, channels, &found, NULL);
    line->tried++;
    bool is_right = !status && found <= check_product_bound();
    if (is_right) {
        status = open_run(&run, engine, channels, size, NULL);
        status = status ? status : timing_measure(repeat, &run, seconds, &timing, NULL);
        close_run(&run);
    }
    if (!is_right || status) {
        line->wrong++;
        return INFINITY;
    }
    return timing.least_ms;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

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
        if (!product_is_possible(context, &shape, engines[i])) {
            continue;
        }
        if (how->tell(how->user, (double)i / count, product_engine_name(engines[i]))) {
            return fail(error, NST_CANCELED, "stopped");
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
        outcome_set(&line->outcome, OUTCOME_WRONG, "no product computes this rightly here");
        return NST_OK;
    }
    snprintf(line->default_choice, sizeof line->default_choice, "%s", product_engine_name(built_in));
    snprintf(line->row.choice, sizeof line->row.choice, "%s", product_engine_name(best));
    line->row.time_ns = tune_nanoseconds(best_ms);
    line->row.default_ns = tune_nanoseconds(default_ms);
    return NST_OK;
}
