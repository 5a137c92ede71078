/* judge.h: what the files of the judge share. */
#ifndef STYLIZE_JUDGE_H
#define STYLIZE_JUDGE_H

#include "nst.h"

/* How much of each pixel can be seen, float [height][width]; NULL: all of them. */
struct judge_visibility {
    float *picture; /* of what is judged, */
    float *both;    /* of it and of the content at its size, whichever is less, */
    float *style;   /* and of the style at its size */
};

/* Fills in the distances of patches; patch_count is 0 where the network or the pictures do not allow for any. Errors:
 * NST_ERROR_MEMORY, NST_ERROR_OPENCL. */
nst_status judge_patches(nst_context *context, const nst_network *network, const nst_judge_pictures *pictures,
                         nst_judgment *judgment, nst_error *error);

#endif
