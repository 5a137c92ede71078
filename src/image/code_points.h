/* code_points.h: colors by the numbers that video and newer picture formats have for them (ITU-T H.273). For this room
 * only. */
#ifndef IMAGE_CODE_POINTS_H
#define IMAGE_CODE_POINTS_H

#include "image/color_profile.h"

/* Numbers for primaries and for the transfer function (H.273, tables 2 and 3). */
struct code_points {
    int primaries, transfer;
};

/* The colors of such numbers; false, and why in `reason`, if they are not known here, or reserved. */
bool code_points_find(const struct code_points *points, struct color_space *space, char reason[PROFILE_REASON_LENGTH]);

/* Gives a decoded file the profile of such colors; where there is none, `note` says so and they are taken as sRGB.
 * Errors: NST_ERROR_MEMORY. */
struct decoded;
nst_status code_points_apply(const struct code_points *points, const char *path, struct decoded *decoded,
                             nst_note *note, nst_error *error);

#endif
