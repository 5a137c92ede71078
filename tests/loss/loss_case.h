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

/* A region without weights. */
extern const struct region everywhere;

/* A model that takes three channels to size.channels (1x1, ReLU), planned for pictures of that size. */
void loss_case_open(struct loss_case *test, nst_context *context, struct map_size size, struct image_size planned,
                    const struct loss_spec *spec, bool in_place);
void loss_case_close(struct loss_case *test);

/* The partial sums of the last value, added up. */
double loss_case_value(const struct loss_case *test);

/* A feature map of our own making on the device. */
struct given_map {
    struct feature_map map;
    double *values;
    bool *mask;
};

/* Positive where its mask lets pass, else zero; every `dead`-th channel is zero, with 0 none. */
struct given_map give_map(nst_context *context, struct map_size size, uint64_t seed, int dead);
void release_map(nst_context *context, struct given_map *given);

#endif
