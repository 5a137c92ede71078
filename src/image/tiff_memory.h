/* tiff_memory.h: TIFF files in memory, for libtiff. For this room only. */
#ifndef IMAGE_TIFF_MEMORY_H
#define IMAGE_TIFF_MEMORY_H

#include "image/codec.h"

#include <tiffio.h>

/* A file in memory: read as it is, or growing while it is written. Its messages are kept, the first one. */
struct tiff_memory {
    const unsigned char *data; /* that is read; of one that is written, `written` */
    unsigned char *written;    /* from malloc */
    size_t bytes, capacity, position;
    char message[200];
};

/* Opens it for reading or, with mode "w", for writing. NULL without memory, or if it is no TIFF file. */
TIFF *tiff_open(struct tiff_memory *memory, const char *path, const char *mode);

/* Whether libtiff takes IPTC for numbers of four bytes, and swaps them in files of the other byte order, as its versions
 * did for long. */
bool tiff_iptc_is_of_longs(TIFF *tiff);

/* Puts bytes at the position of a file that is written; false without memory. */
bool tiff_append(struct tiff_memory *memory, const nst_bytes *data);

/* Writes a picture: the `write` of codec_tiff. */
nst_status tiff_write(const nst_picture *picture, const struct picture_target *target, nst_error *error);

#endif
