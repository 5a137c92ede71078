/* exif.h: tags of EXIF data, which are laid out as a TIFF file (TIFF 6.0, section 2; Exif 2.32, section 4.6): finding
 * them and changing them where they are. For this room only. */
#ifndef IMAGE_EXIF_H
#define IMAGE_EXIF_H

#include "nst.h"

/* Tags that are asked for here. */
enum exif_tag {
    EXIF_INTEROPERABILITY_INDEX = 0x0001,
    EXIF_WIDTH = 0x0100,
    EXIF_HEIGHT = 0x0101,
    EXIF_ORIENTATION = 0x0112,
    EXIF_THUMBNAIL = 0x0201,
    EXIF_THUMBNAIL_BYTES = 0x0202,
    EXIF_DIRECTORY = 0x8769,
    EXIF_GPS_DIRECTORY = 0x8825,
    EXIF_COLOR_SPACE = 0xa001,
    EXIF_PIXEL_WIDTH = 0xa002,
    EXIF_PIXEL_HEIGHT = 0xa003,
    EXIF_INTEROPERABILITY_DIRECTORY = 0xa005
};

/* Data that begin with a TIFF header. */
struct exif {
    const unsigned char *data;
    size_t bytes; /* 0: they are none */
    bool big_endian;
};

enum { EXIF_ENTRY_BYTES = 12 };

struct exif exif_open(const unsigned char *data, size_t bytes);

/* Whether that many bytes lie within the data. */
bool exif_holds(const struct exif *exif, size_t offset, size_t bytes);

/* A number of 1, 2 or 4 bytes; the caller has checked that it lies within the data. */
uint32_t exif_number(const struct exif *exif, size_t offset, int bytes);
/* Writes such a number, in the order of bytes that `exif` has. */
void exif_put_number(const struct exif *exif, unsigned char *to, uint32_t value, int bytes);

/* Where the first directory lies, and the entry with that tag in a directory; 0 for none. */
size_t exif_first_directory(const struct exif *exif);
size_t exif_find_entry(const struct exif *exif, size_t directory, enum exif_tag tag);

/* The first value of the entry with that tag, an integer; 0 if there is none. */
uint32_t exif_find_number(const struct exif *exif, size_t directory, enum exif_tag tag);

/* True if data begins as TIFF's does. */
bool exif_is_tiff(const unsigned char *data, size_t bytes);

/* The orientation that the first directory tells, 1..8; 0 if it tells none. `data` begins with the TIFF header. */
int exif_orientation(const unsigned char *data, size_t bytes);

/* True if the data say that the picture's values are Adobe RGB: color space 65535 ("uncalibrated") with the
 * interoperability index R03 (DCF 2.0, section 3.2). */
bool exif_is_adobe_rgb(const unsigned char *data, size_t bytes);

/* What a result made from a picture is. */
struct exif_result {
    int width, height;
    bool is_srgb; /* its values: else the color space that is told stays */
};

/* Makes the data true of a result, in place: it is upright, has that size and those colors; the thumbnail, which shows
 * what was there before, is removed. What is not told stays untold. Returns how many bytes are left. */
size_t exif_adapt(unsigned char *data, size_t bytes, const struct exif_result *result);

#endif
