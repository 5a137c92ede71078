/* color_profile.h: colors that are not sRGB: ICC profiles (ICC.1), through Little CMS. For this room only. */
#ifndef IMAGE_COLOR_PROFILE_H
#define IMAGE_COLOR_PROFILE_H

#include "nst.h"

/* What the channels of a decoded file mean. */
enum color_model { COLOR_RGB, COLOR_GRAY, COLOR_CMYK };

#define PROFILE_REASON_LENGTH 200

/* A transfer function, from the values of a file to light: for 0 <= value < linear_below it is value * slope, above
 * (value * scale + offset) ^ gamma. */
struct transfer_function {
    double gamma, scale, offset, slope, linear_below;
};

/* Colors by their primaries and white, as CIE 1931 x and y, and one transfer function for all three. */
struct color_space {
    const char *name; /* for people */
    double red[2], green[2], blue[2], white[2];
    struct transfer_function transfer;
};

extern const struct color_space color_space_srgb;      /* IEC 61966-2-1 */
extern const struct color_space color_space_adobe_rgb; /* Adobe RGB (1998), section 4.3 */

/* The profile of such colors, the same bytes each time. `profile->data` is from malloc. Errors: NST_ERROR_FORMAT (no such colors: primaries on
 * one line, a gamma that is none), NST_ERROR_MEMORY. */
nst_status color_profile_create(const struct color_space *space, nst_bytes *profile, nst_error *error);

/* Converts values from the colors of a profile to sRGB, in place, with the profile's perceptual rendering, and clamps
 * them to 0..1: channels 0 to 2 become red, green and blue, of CMYK the fourth has no meaning then; alpha stays. Where
 * the profile is that of sRGB, within half a level of 8 bits, nothing is changed. Returns false, and why in `reason`,
 * if the profile is damaged or for another kind of colors; an RGB profile is one for gray, too. */
bool color_profile_to_srgb(const nst_bytes *profile, nst_picture *picture, enum color_model model,
                           char reason[PROFILE_REASON_LENGTH]);

/* The way back, for RGB profiles that have one. Errors: NST_ERROR_ARGUMENT. */
nst_status color_profile_from_srgb(const nst_bytes *profile, nst_picture *picture, nst_error *error);

#endif
