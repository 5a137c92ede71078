/* orientation.h: which side of a picture is up: finding it in what a file says of itself, and turning the picture. */
#ifndef IMAGE_ORIENTATION_H
#define IMAGE_ORIENTATION_H

#include "nst.h"

/* What a file has told so far: an orientation, 1..8 as EXIF counts them, or 0 for none. Start from zeros. */
struct orientation {
    int exif, xmp;
};

/* Takes in a piece of metadata: EXIF data, with or without "Exif\0\0" before it (Exif 2.32, section 4.6.4, tag 0x0112,
 * any integer type, of several values the first); anything else is searched for XMP's tiff:Orientation. What was told
 * before stays. A piece that tells nothing, or makes no sense, is ignored. */
void orientation_add(struct orientation *told, const unsigned char *data, size_t bytes);

/* Makes every orientation that XMP tells an upright one, in place. */
void orientation_reset_xmp(unsigned char *text, size_t length);

/* Turns and mirrors a picture upright, as EXIF told or else XMP. `picture` is replaced; on failure it is untouched. */
nst_status orientation_apply(const struct orientation *told, nst_picture *picture, nst_error *error);

#endif
