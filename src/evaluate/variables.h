/* variables.h: what the optimizer changes: the image's pixels themselves, or the coefficients of its Laplacian pyramid,
 * in which large shapes and fine detail move by steps of the same size (Kolkin et al. 2022, section 4.3).
 *
 * Pixels are the evaluation's own image and gradient, in place; coefficients are vectors beside them. Some pixels of the
 * image may be held: they keep what they are whatever the vector says. Then pixels too are a vector beside the image. */
#ifndef EVALUATE_VARIABLES_H
#define EVALUATE_VARIABLES_H

#include "evaluate/evaluation.h"
#include "optimizer/optimizer.h"

struct variables;
struct variables_run;

/* `levels` of a pyramid, at most PYRAMID_MOST_LEVELS, without the rest; 0: pixels. `holds`: pixels may be held. Free with
 * variables_destroy. */
nst_status variables_create(nst_context *context, int levels, bool holds, struct variables **variables,
                            nst_error *error);
void variables_destroy(struct variables *variables);

/* Elements of the vector for an image of that size. */
size_t variables_count(const struct variables *variables, struct image_size size);

/* Adds to the plan what images of up to this size need. Variables, evaluation and plan must outlive the run, which is
 * freed with variables_run_free. Errors: NST_ERROR_MEMORY, NST_ERROR_ARGUMENT (a pyramid of an image on the host). */
nst_status variables_reserve(const struct variables *variables, struct plan *plan, const struct evaluation *evaluation,
                             struct image_size size, struct variables_run **run, nst_error *error);
void variables_run_free(struct variables_run *run);

/* What held pixels keep, an image like that of the evaluation, to be filled before variables_begin; and which ones are
 * held: where float [height][width] on the host is 0. Only for variables that hold. The latter waits. */
cl_mem variables_kept(const struct variables_run *run);
nst_status variables_set_free(const struct variables_run *run, const float *free, struct image_size size,
                              nst_error *error);

/* Takes the evaluation's image, of that size, as the vector, once held pixels are put there. */
nst_status variables_begin(struct variables_run *run, struct image_size size, nst_error *error);

/* What the optimizer works on. */
struct vector variables_vector(const struct variables_run *run);
struct vector variables_gradient(const struct variables_run *run);
struct optimizer_shape variables_shape(const struct variables_run *run);

/* The evaluation's image from the vector; and the gradient for the vector from that of the image. Enqueue it. */
nst_status variables_to_image(const struct variables_run *run, nst_error *error);
nst_status variables_from_gradient(const struct variables_run *run, nst_error *error);

/* Lists the coefficients; pixels are the evaluation's. */
nst_status variables_list_state(struct variables_run *run, struct state *state, nst_error *error);

#endif
