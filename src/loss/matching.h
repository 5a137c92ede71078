/* matching.h: nearest neighbors by cosine: for each content vector the style vector of the same direction as nearly as
 * possible, both sets centered on their means. The matrix of similarities is never stored. The formulas are in
 * cl/matching.cl. Everything here enqueues and does not wait.
 *
 * The style may come in parts (pictures, turned copies), whose vectors are numbered one part after the other:
 *
 *     matching_begin;  for each part: matching_run, then matching_gather (the part is not needed any more)
 *
 * A later part replaces what is worse; the targets of the positions that it wins are gathered anew.
 */
#ifndef LOSS_MATCHING_H
#define LOSS_MATCHING_H

#include "device/context.h"
#include "loss/samples.h"

struct matching {
    cl_kernel pack, product, begin, merge, gather; /* pack: CPUs only */
};

/* Release with matching_release, also after a failure. Errors: NST_ERROR_OPENCL; NST_ERROR_ARGUMENT for maps in blocks
 * on a device that computes as GPUs do. */
nst_status matching_create(nst_context *context, struct matching *matching, nst_error *error);
void matching_release(struct matching *matching);

/* Vectors; all layers that are to be compared together are blocks of one stack. */
struct matching_set {
    struct sample_stack stack;
    cl_mem mean;    /* of samples_mean, or whatever is to be the center */
    cl_mem squares; /* of samples_squares, after subtracting the mean */
};

/* For each content position the similarity, float, and the number, int, of the best style vector; -1: none yet. */
struct matching_best {
    cl_mem similarity, index;
};

struct matching_bytes {
    uint64_t candidates, panels, rows; /* 0: not needed on this device */
};
/* For content and style of at most so many positions. */
struct matching_bytes matching_scratch_bytes(const nst_context *context, int blocks, int positions,
                                             int style_positions);
struct matching_scratch {
    cl_mem candidates, panels, rows;
};

nst_status matching_begin(nst_context *context, const struct matching *matching, const struct matching_best *best,
                          int positions, nst_error *error);

/* One part of the style against the content. */
struct matching_part {
    struct matching_set content, style; /* of as many blocks */
    int first_index;                    /* the number of the part's first vector */
    double factor, summand;             /* similarity = factor * cosine + summand; factor > 0 */
    cl_mem allowed; /* float [positions]: the part is only for positions where this is above zero; or NULL */
};
nst_status matching_run(nst_context *context, const struct matching *matching, const struct matching_part *part,
                        const struct matching_scratch *scratch, const struct matching_best *best, nst_error *error);

/* The targets of the positions that this part has won: style vectors scaled to length 1, all blocks of the stack
 * together. Of the others nothing changes. */
struct matching_targets {
    struct matching_set style; /* mean: subtracted, or NULL; squares: after that */
    int first_index;
    struct sample_stack targets;
};
nst_status matching_gather(nst_context *context, const struct matching *matching,
                           const struct matching_targets *targets, const struct matching_best *best, nst_error *error);

#endif
