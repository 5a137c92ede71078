/* evaluated.h: an objective with one evaluation of it, on random pictures. */
#ifndef TESTS_EVALUATE_EVALUATED_H
#define TESTS_EVALUATE_EVALUATED_H

#include "evaluate/evaluation.h"
#include "fixture.h"
#include "reference/network.h"

/* A picture in float for the device, and the same in double. */
struct test_picture {
    struct image_size size;
    float *values;
    float *weights; /* of each pixel, or NULL; those of the content are where losses count */
    struct reference_picture reference;
};

size_t count_of(struct image_size size);
struct test_picture random_picture(uint64_t seed, int height, int width);
void release_picture(struct test_picture *picture);

struct evaluated {
    struct objective *objective;
    struct plan plan;
    struct evaluation *evaluation;
};

void evaluated_open(struct evaluated *on, nst_context *context, const nst_network *network,
                    const struct objective_spec *spec, const struct image_sizes *sizes,
                    const struct evaluation_form *form);
void evaluated_close(struct evaluated *on, nst_context *context);

/* Into the evaluation's image, as the objective wants it: relative to its center. */
void evaluated_put(nst_context *context, const struct evaluated *on, const struct test_picture *picture);

/* The targets of the first phase; a survey of the styles too, and the content as the frame before, if they are wanted. */
void evaluated_set_targets(nst_context *context, const struct evaluated *on, const struct test_picture *content,
                           const struct test_picture *styles, const double *shares, int style_count);

#endif
