/* evaluation_internal.h: an evaluation as its files share it: evaluation_plan.c says what it takes, evaluation.c runs it on
 * its device, team.c on several. */
#ifndef EVALUATE_EVALUATION_INTERNAL_H
#define EVALUATE_EVALUATION_INTERNAL_H

#include "evaluate/evaluation.h"

/* A term, or, of one with a style, what it is in a region. */
struct part {
    int term, region;
    struct loss_run *run;
};

struct evaluation {
    const struct objective *objective;
    const struct plan *plan;
    int image, gradient, partials; /* plan entries; partials: a slot for each part */
    int copy, *stage_copies; /* plan entries: weighted copies of maps, when losses are computed and going backward */
    struct model_run *model;
    struct evaluation_form form;
    struct tile_run *tiles; /* NULL where the image is whole */
    struct span band;       /* in a team: the rows of the image that this evaluation is of */
    struct team *team;      /* that it leads; NULL: it is alone, or a helper */
    bool is_first, is_last; /* the tile in hand, in a pass over all of them */
    struct part *parts;
    int part_count;
    int phase;
    double factors[OBJECTIVE_MOST_TERMS]; /* of each term's loss */
    struct image_size size;               /* of the content */
    nst_layer_loss losses[OBJECTIVE_MOST_TERMS];
    float *numbers; /* partial sums read back */
};

/* ---- On one device: evaluation.c ---------------------------------------------------------------------------------- */

/* What is done by one evaluation alone; see the functions of evaluation.h. */
nst_status own_begin_targets(struct evaluation *evaluation, int phase, const struct evaluation_regions *regions,
                             nst_error *error);
nst_status own_add_target(struct evaluation *evaluation, const struct loss_target *target, struct image_size size,
                          nst_error *error);
nst_status own_end_targets(struct evaluation *evaluation, nst_error *error);

/* The steps of a run over its band: statistics; then, from those of the whole, values, which `adds` adds to the losses; the
 * gradient, with the losses that are sums over tiles. Where no gradient is wanted these come with the statistics. */
nst_status own_gather(struct evaluation *evaluation, enum evaluation_kind kind, nst_error *error);
nst_status own_values(struct evaluation *evaluation, bool adds, nst_error *error);
nst_status own_differentiate(struct evaluation *evaluation, nst_error *error);

/* Whether a part counts in the phase in hand. */
bool part_counts(const struct evaluation *evaluation, const struct part *part);

#endif
