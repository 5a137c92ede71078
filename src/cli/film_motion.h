/* film_motion.h: what a frame of a film has from the one before: the result there, moved to where its things are now. */
#ifndef CLI_FILM_MOTION_H
#define CLI_FILM_MOTION_H

#include "nst.h"

struct film_frame_pair {
    const nst_picture *before, *now; /* frames of the film */
    const nst_picture *painting;     /* what became of the one before */
    const char *flow_files[2];       /* .flo files: from `now` to `before`, and back; NULL: computed, or without one */
};

struct film_motion {
    nst_picture warped, reliable; /* of the painting's size */
    double share;                 /* of the pixels that is reliable */
    bool is_cut;                  /* nearly nothing is: another scene */
};

/* Free with film_motion_free, also after a failure. Errors: those of nst_flow_estimate and nst_flow_read, NST_ERROR_FORMAT
 * (a file of another size than the frames). */
nst_status film_motion_find(nst_context *context, const struct film_frame_pair *pair, struct film_motion *motion,
                            nst_error *error);
void film_motion_free(struct film_motion *motion);

#endif
