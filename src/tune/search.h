/* search.h: the searches of the tuner, each in the file of its name, and what they share. For this room only. */
#ifndef TUNE_SEARCH_H
#define TUNE_SEARCH_H

#include "device/context.h"
#include "measure/layer_case.h"
#include "measure/timing.h"
#include "network/product.h"
#include "tune/line.h"

#include <math.h>

/* How the searches are run. */
struct tune_search {
    double seconds; /* for which each choice is measured */
    /* Told before each choice that is tried: how far the row in hand is, 0 to 1. True if the run is to stop.
     */
    bool (*tell)(void *user, double share, const char *choice);
    void *user;
};

/* The fastest of some choices must beat the one that is built in by so much: the rest is chance. */
static const double tune_least_gain = 0.02;

/* For the table; 0 for a choice that failed or computed wrongly, whose time is infinite. */
static inline int64_t tune_nanoseconds(double ms) {
    return isfinite(ms) ? (int64_t)(ms * 1e6 + 0.5) : 0;
}

/* convolution.c: all engines and parameters for one convolution. Engines that compute wrongly get a row of their
 * own in the context's table. A line without a right choice says so in its outcome. Errors: NST_CANCELLED, and those of
 * the host. */
nst_status tune_convolution(nst_context *context, const struct layer_case *layer, const struct tune_search *how,
                            struct tune_line *line, nst_error *error);

/* product.c: the Gram products for so many channels and pixels. */
nst_status tune_product(nst_context *context, int channels, struct image_size size, const struct tune_search *how,
                        struct tune_line *line, nst_error *error);

/* block.c: the channel block of the feature maps, by whole iterations with what is built in. Times are 0 where the
 * built-in one is wrong. Errors: NST_CANCELLED. */
nst_status tune_block(const char *device, const nst_network *network, int size_px, const struct tune_search *how,
                      struct tune_line *line, nst_error *error);
/* Whether there is more than one for which the device has good engines, and the environment leaves the choice. */
bool tune_block_has_choice(const nst_context *context);

/* blas.c: CLBlast's parameters, in child processes, because they hold for a whole process and some drivers crash
 * on some of them. The choice is "" where its own are the best. */
nst_status tune_blas(const char *device, const struct layer_case *layer, const struct tune_search *how,
                     struct tune_line *line, nst_error *error);

#endif
