/* loss_case.h: one loss at the only layer of a small model, with its plan allocated. */
#ifndef TESTS_LOSS_CASE_H
#define TESTS_LOSS_CASE_H

#include "fixture.h"
#include "loss/loss.h"

struct loss_case {
    nst_context *context;
    nst_network *network;
    struct model *model;
    struct plan plan;
    struct model_run *model_run;
    struct loss *loss;
    struct loss_run *run;
};

/* A model that takes three channels to size.channels (1x1, ReLU), planned for pictures of that size. */
void loss_case_open(struct loss_case *test, nst_context *context, struct map_size size, struct image_size planned,
                    const struct loss_spec *spec, bool in_place);
void loss_case_close(struct loss_case *test);

/* The partial sums of the last value, added up. */
double loss_case_value(const struct loss_case *test);

#endif
