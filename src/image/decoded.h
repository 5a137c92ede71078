/* decoded.h: what a decoder makes of a file, and how it becomes a picture: sRGB, upright. For this room only. */
#ifndef IMAGE_DECODED_H
#define IMAGE_DECODED_H

#include "image/color_profile.h"
#include "image/orientation.h"

/* Start from zeros. */
struct decoded {
    /* Values are what the file says divided by the largest value of its depth, in the file's own colors. Gray is three
     * times the same value. Of CMYK there are four channels: amounts of ink, 1 being all. */
    nst_picture picture;
    enum color_model model;
    bool colors_are_told; /* by the file format itself: EXIF does not count */
    bool is_upright;      /* the decoder has turned it: what is told of its orientation does not count */
    bool lacks_memory;    /* for a piece of metadata */
    struct orientation orientation;
    nst_picture_metadata metadata; /* as in the file */
};

void decoded_free(struct decoded *decoded);

/* Takes in a piece of metadata: EXIF data, with or without "Exif\0\0" before them; XMP; IPTC records, alone or among the
 * resources of Photoshop. Of each kind the first counts, but a later one may tell the orientation. Other pieces are
 * ignored. */
void decoded_add_metadata(struct decoded *decoded, const unsigned char *data, size_t bytes);

/* The same for a piece as ImageMagick keeps it in a PNG's text ("Raw profile type exif"): a name, a count of bytes and
 * the bytes in hexadecimal digits. `text` is overwritten. */
void decoded_add_raw_profile(struct decoded *decoded, char *text);

/* Sets the ICC profile, unless there is one. */
void decoded_set_profile(struct decoded *decoded, const unsigned char *data, size_t bytes);

/* Clamps the values to 0..1 (not a number: 0), for formats that have floats, and divides colors by alpha where they were
 * multiplied by it. */
void decoded_normalize(struct decoded *decoded, bool is_premultiplied);

/* The picture as nst_picture_read gives it, with its metadata, if `metadata` is not NULL. Colors that no profile can be
 * used for are taken as sRGB, and `note` says so. `decoded` is used up, whatever the status. `path` is for messages.
 * Errors: NST_ERROR_MEMORY. */
nst_status decoded_finish(struct decoded *decoded, const char *path, nst_picture *picture,
                          nst_picture_metadata *metadata, nst_note *note, nst_error *error);

#endif
