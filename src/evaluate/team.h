/* team.h: several evaluations of one objective, each on its own device, at one image.
 *
 *     targets      every member makes them all, so that any band of the image can go to any member
 *     statistics   each gathers those of its band; they are added up on the host, member by member, in double, and every
 *                  member goes on with the sums (loss_sums)
 *     gradient     each makes that of its band; they are added up on the host in the same order
 *
 * The first member leads: it has the image, the gradient and the optimizer. Helpers have the image in the host's memory,
 * where it gets from device to device. Members work at the same time, in threads of their own that live as long as a
 * step. The same dealing gives the same bytes, whatever the speeds.
 *
 * A dealing is made from what each member took for the last target, and again every few runs from what it took for these,
 * unless it is given. A helper that fails is left out, and the run is repeated by the others: nothing of it has been used.
 */
#ifndef EVALUATE_TEAM_H
#define EVALUATE_TEAM_H

#include "evaluate/deal.h"
#include "evaluate/evaluation.h"

struct team;

/* Makes the first evaluation the leader of the others. All are of the same terms and sizes, reserved `in_bands`, the others
 * also `on_host`; the leader owns the team, and the others must outlive it. Errors: NST_ERROR_ARGUMENT (a loss that
 * cannot be divided), NST_ERROR_MEMORY. */
nst_status team_create(struct evaluation *const *members, int count, nst_error *error);
void team_free(struct team *team);

/* Whether losses of the objective allow for it. Errors: NST_ERROR_ARGUMENT. */
nst_status team_check(const struct objective *objective, nst_error *error);

/* From the next run on every member has its part of the whole, and nothing is measured; NULL: by what is measured. */
void team_give_parts(struct evaluation *leader, const int *parts);

/* What the last run was dealt like. */
struct deal team_deal(const struct evaluation *leader);

/* The first failure of that member; NULL while it works. */
const nst_error *team_failure(const struct evaluation *leader, int member);

/* The image that the last run was at, or began at: on the host, [3][height][width]. NULL before the first since there are targets, and without a team. */
const float *team_image(const struct evaluation *leader);

/* What evaluation.h's functions of these names do for a leader. */
nst_status team_begin_targets(struct team *team, int phase, const struct evaluation_regions *regions, nst_error *error);
nst_status team_add_target(struct team *team, const struct loss_target *target, struct image_size size,
                           nst_error *error);
nst_status team_end_targets(struct team *team, nst_error *error);
nst_status team_run(struct team *team, enum evaluation_kind kind, nst_error *error);

#endif
