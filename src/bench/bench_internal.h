/* bench_internal.h: the parts of a benchmark, each in a file of its own. For this room only. */
#ifndef BENCH_BENCH_INTERNAL_H
#define BENCH_BENCH_INTERNAL_H

#include "bench/bench.h"
#include "device/context.h"
#include "network/model.h"

/* Words an outcome. */
void outcome_set(struct bench_outcome *outcome, enum bench_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An error becomes an outcome, on one line. */
void outcome_from_error(struct bench_outcome *outcome, const nst_error *error);

/* What is measured: the default recipe with a network, in one precision. */
struct workload {
    const nst_network *network;
    nst_precision precision;
};

/* ---- timing.c ---------------------------------------------------------------------------------------------------- */

double seconds_now(void);

/* Runs the work `count` times and waits for it. */
typedef nst_status timed_work(void *user, int count, nst_error *error);

/* Times the work: two runs to warm up, of which the second tells how many samples fit into `seconds` (3 to 50), and
 * how many runs one sample needs so that the clock is exact. */
nst_status timing_measure(timed_work *work, void *user, double seconds, struct bench_timing *timing, nst_error *error);

/* ---- probe.c ----------------------------------------------------------------------------------------------------- */

/* Fills in peak_gflops, peak_width, peak_chains and bandwidth_gb_per_s. */
nst_status probe_measure(nst_context *context, struct bench_device *device, nst_error *error);
/* Once more the variant that was the best: a greater peak replaces the one found before. */
nst_status probe_again(nst_context *context, struct bench_device *device, nst_error *error);

/* ---- workload.c -------------------------------------------------------------------------------------------------- */

/* VGG-19 up to relu5_1 with random weights of a scale that keeps the features' size. Free with nst_network_destroy. */
nst_status workload_network(nst_network **network, nst_error *error);

/* The recipe that is measured: the default preset at one scale. */
void workload_settings(int size_px, nst_settings *settings);

/* A square picture of noise. Free with nst_picture_free. */
nst_status workload_picture(int size_px, uint64_t seed, nst_picture *picture, nst_error *error);

/* A job with such pictures. */
nst_status workload_job(nst_context *context, const struct workload *workload, int size_px, nst_job **job,
                        nst_error *error);

/* Makes steps of a job, as a timed_work. A loss that is not finite is an error. */
nst_status workload_steps(void *job, int count, nst_error *error);

/* Floating-point operations of one iteration, counted as direct, in 1e9: convolutions forward and backward, half of
 * each Gram matrix (it is symmetric), and the products of the style gradients. */
double workload_gflop(const nst_network *network, int size_px);

/* The size of what goes into the layer of that index; 0 where nothing is left of the picture. */
struct image_size workload_input_size(const nst_network *network, int layer, int size_px);

/* Whether the recipe has a loss of that kind at a layer. */
bool workload_has_style(const char *layer);
bool workload_has_content(const char *layer);

/* The last layer that has a loss, as an index, or that of the last layer. */
int workload_last_layer(const nst_network *network);

/* ---- layer_work.c ------------------------------------------------------------------------------------------------ */

/* One convolution in one direction. */
struct layer_work {
    const char *name, *direction;
    const struct layer *layer; /* NULL for one whose weights are set on the device */
    struct convolution_shape shape;
    struct image_size size; /* of what goes in */
};

/* Those of an iteration, forward and then backward, in their order. Free `*works` with free. */
nst_status layer_works_list(nst_context *context, const struct workload *workload, int size_px,
                            struct layer_work **works, int *count, nst_error *error);
/* Counted as direct, in 1e9. */
double layer_work_gflop(const struct layer_work *work);

/* Such a convolution with its buffers, noise in them. Release with layer_run_release. */
struct layer_run {
    nst_context *context;
    struct convolution *convolution;
    struct convolution_call call;
};
nst_status layer_run_create(nst_context *context, const struct layer_work *work,
                            const struct convolution_choice *choice, struct layer_run *run, nst_error *error);
/* Runs it, as a timed_work. */
nst_status layer_run_times(void *run, int count, nst_error *error);
void layer_run_release(struct layer_run *run);

/* ---- start.c, check.c, layers.c ---------------------------------------------------------------------------------- */

/* Seconds from opening the device to the first loss of a small picture, with empty caches and again with full ones. In
 * child processes; NAN where that is not possible, INFINITY where it takes longer than BENCH_LONGEST_START_SECONDS. */
void start_measure(const char *device, const struct workload *workload, double *cold_seconds, double *warm_seconds);

/* Losses and gradient of a picture of that width by the device's engines against the plain one in single precision.
 * Also about the time of an iteration at that size, 0 if it failed. */
void check_measure(nst_context *context, const struct workload *workload, int size_px, struct bench_check *check,
                   double *iteration_seconds);

/* The convolutions of a row one by one, and the kernels of its iterations. `seconds` are for both. */
nst_status layers_measure(nst_context *context, const struct workload *workload, double seconds, struct bench_row *row,
                          nst_error *error);
nst_status passes_measure(const char *device, const struct workload *workload, bool no_cache, struct bench_row *row,
                          nst_error *error);

#endif
