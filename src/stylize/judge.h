/* judge.h: what the files of the judge share. */
#ifndef STYLIZE_JUDGE_H
#define STYLIZE_JUDGE_H

#include "nst.h"

/* Fills in the distances of patches; patch_count is 0 where the network or the pictures do not allow for any. Errors:
 * NST_ERROR_MEMORY, NST_ERROR_OPENCL. */
nst_status judge_patches(nst_context *context, const nst_network *network, const nst_judge_pictures *pictures,
                         nst_judgment *judgment, nst_error *error);

#endif
