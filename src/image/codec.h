/* codec.h: what the files of this room share: one decoder and one encoder per file format, limits. */
#ifndef IMAGE_CODEC_H
#define IMAGE_CODEC_H

#include "nst.h"

/* Larger pictures are refused, from their header, before anything is allocated for them. */
#define PICTURE_MAX_SIDE_PX 32767
#define PICTURE_MAX_PIXELS  (INT64_C(1) << 28)

/* A picture file in memory. */
struct picture_source {
    const char *path; /* for messages */
    const unsigned char *data;
    size_t bytes;
    nst_note *note; /* where to say what is wrong with a file that is read nevertheless; or NULL */
};

/* A picture file being written. */
struct picture_target {
    const char *path; /* for messages: the name that the file will have */
    FILE *stream;
    const nst_picture_format *format;
};

/* Decode a whole file. `picture` is filled only on success; values are what the file says divided by the largest value
 * of its depth, taken as sRGB: embedded profiles (iCCP, gAMA, cHRM; ICC in JPEG) are ignored. The orientation that is
 * told is applied. A file that ends before its last row, or whose rows libpng or libjpeg cannot decode, is an error,
 * never half a picture; where they can, and only warn, or what is damaged lies behind the last row, the picture is read
 * and the source's note says so. Errors: NST_ERROR_FORMAT, NST_ERROR_MEMORY. */
nst_status picture_read_png(const struct picture_source *source, nst_picture *picture, nst_error *error);
nst_status picture_read_jpeg(const struct picture_source *source, nst_picture *picture, nst_error *error);

/* Encode a picture into `target->stream`, which is neither flushed nor closed. Errors: NST_ERROR_ARGUMENT (depth,
 * quality, keyword), NST_ERROR_FILE (a write that failed), NST_ERROR_MEMORY. */
nst_status picture_write_png(const nst_picture *picture, const struct picture_target *target, nst_error *error);
nst_status picture_write_jpeg(const nst_picture *picture, const struct picture_target *target, nst_error *error);

/* NST_ERROR_MEMORY if a file's header promises a picture beyond the limits above. */
nst_status picture_check_header(const char *path, uint32_t width, uint32_t height, nst_error *error);

/* A value as an integer in 0..max: clamped, rounded to nearest; a NaN becomes 0. */
unsigned picture_quantize(float value, unsigned max);

#endif
