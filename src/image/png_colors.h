/* png_colors.h: what the values of a PNG file mean as colors. For this room only. */
#ifndef IMAGE_PNG_COLORS_H
#define IMAGE_PNG_COLORS_H

#include "image/codec.h"

/* Gives a decoded file the profile that its chunks before the picture's data tell: cICP goes before iCCP, that before
 * sRGB, and that before gAMA and cHRM (PNG, third edition, section 4.3). A chunk that cannot be used, or has a wrong
 * checksum, is passed over, an iCCP chunk with a line in the source's note. Errors: NST_ERROR_MEMORY. */
nst_status png_colors_find(const struct picture_source *source, struct decoded *decoded, nst_error *error);

#endif
