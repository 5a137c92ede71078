/* exif_copy.h: EXIF directories moved to another place, where their offsets are others: into and out of TIFF files, among
 * whose own directories they lie. For this room only. */
#ifndef IMAGE_EXIF_COPY_H
#define IMAGE_EXIF_COPY_H

#include "image/exif.h"

/* What a TIFF file says of the picture's making, as EXIF data of its own: texts and resolution from the first directory,
 * and the directories of EXIF and GPS. Empty if there is nothing, or no memory. `data` of the result is from malloc. */
nst_bytes exif_extract(const unsigned char *data, size_t bytes);

/* One directory that the first one refers to, EXIF_DIRECTORY or EXIF_GPS_DIRECTORY, with all that it refers to, for a
 * place `base` bytes behind the beginning of a file of the same byte order. Empty if there is none, or no memory. */
nst_bytes exif_relocate(const nst_bytes *exif, enum exif_tag directory, uint32_t base);

#endif
