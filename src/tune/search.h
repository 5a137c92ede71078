/* search.h: the searches of the tuner, each in the file of its name, and what they share. For this room only. */
#ifndef TUNE_SEARCH_H
#define TUNE_SEARCH_H

#include "device/context.h"
#include "measure/layer_case.h"
#include "measure/timing.h"
#include "network/product.h"
#include "tune/line.h"

#include <math.h>

/* What all searches are given. */
struct tune_search {
    double seconds; /* for which each choice is measured */
    /* Called before each choice that is tried; `share` is the part of the row that is done, 0 to 1. True stops the run. */
    bool (*tell)(void *user, double share, const char *choice);
    void *user;
};

/* The fastest choice must beat the built-in one by this share of its time: less may be chance. */
static const double tune_least_gain = 0.02;

/* The time for the table: 0 for a choice that failed or computed wrongly, whose time is infinite. */
static inline int64_t tune_nanoseconds(double ms) {
    return isfinite(ms) ? (int64_t)(ms * 1e6 + 0.5) : 0;
}

/* convolution.c: all engines and parameters for one convolution. Engines that compute wrongly get a row of their
 * own in the context's table. A line without a right choice says so in its outcome. Errors: NST_CANCELED, and those of
 * the host. */
nst_status tune_convolution(nst_context *context, const struct layer_case *layer, const struct tune_search *how,
                            struct tune_line *line, nst_error *error);

/* product.c: the engines for the Gram matrix of a map of that many channels and that size. Errors as above. */
nst_status tune_product(nst_context *context, int channels, struct image_size size, const struct tune_search *how,
                        struct tune_line *line, nst_error *error);

/* block.c: the channel block of the feature maps, by whole iterations with the built-in engines. Times are 0 where the
 * built-in block computes wrongly. Errors: NST_CANCELED. */
nst_status tune_block(const char *device, const nst_network *network, int size_px, const struct tune_search *how,
                      struct tune_line *line, nst_error *error);
/* Whether the device has good engines for more than one block, and the environment does not set it. */
bool tune_block_has_choice(const nst_context *context);

/* blas.c: CLBlast's parameters, in child processes, because they hold for a whole process and some drivers crash
 * on some of them. The choice is "" where CLBlast's own are the fastest. */
nst_status tune_blas(const char *device, const struct layer_case *layer, const struct tune_search *how,
                     struct tune_line *line, nst_error *error);

#endif
