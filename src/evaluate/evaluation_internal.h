/* evaluation_internal.h: an evaluation as its two files share it: evaluation_plan.c says what it takes, evaluation.c runs
 * it. */
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
    bool is_first, is_last; /* the tile in hand, in a pass over all of them */
    struct part *parts;
    int part_count;
    int phase;
    double factors[OBJECTIVE_MOST_TERMS]; /* of each term's loss */
    struct image_size size;               /* of the content */
    nst_layer_loss losses[OBJECTIVE_MOST_TERMS];
    float *numbers; /* partial sums read back */
};

#endif
