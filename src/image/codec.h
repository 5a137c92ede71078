/* codec.h: the file formats of pictures, and what they share. For this room only. */
#ifndef IMAGE_CODEC_H
#define IMAGE_CODEC_H

#include "image/decoded.h"

/* Larger pictures are refused, from their header, before anything is allocated for them. */
#define PICTURE_MAX_SIDE_PX 32767
#ifndef PICTURE_MAX_PIXELS /* the fuzzers have a smaller one */
#define PICTURE_MAX_PIXELS (INT64_C(1) << 28)
#endif

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
    const nst_picture_metadata *metadata; /* made true of this picture; it always has a profile, */
    bool is_srgb;                         /* which may be that of sRGB */
};

/* What files of a format have: `bytes` bytes of `magic` at `offset`. */
struct codec_signature {
    size_t offset, bytes;
    const char *magic;
};

/* A file format. A new one is a file, and a line in codec.c. */
struct codec {
    const char *name;                     /* "PNG" */
    const char *const endings[4];         /* of file names, in lower case; NULL behind the last */
    int most_depth_bits;                  /* per value, that are written */
    struct codec_signature signatures[8]; /* one of them; no bytes behind the last */
    /* Decodes a whole file; NULL: cannot be read. `decoded` is filled only on success. A file that ends before its last row, or whose rows libpng or
     * libjpeg cannot decode, is an error, never half a picture; where they can, and only warn, or what is damaged lies
     * behind the last row, the picture is read and the source's note says so. Errors: NST_ERROR_FORMAT,
     * NST_ERROR_MEMORY. */
    nst_status (*read)(const struct picture_source *source, struct decoded *decoded, nst_error *error);
    /* Encodes a picture into `target->stream`, which is neither flushed nor closed; NULL: cannot be written. Errors:
     * NST_ERROR_ARGUMENT (depth, quality, keyword), NST_ERROR_FILE (a write that failed), NST_ERROR_MEMORY. */
    nst_status (*write)(const nst_picture *picture, const struct picture_target *target, nst_error *error);
};

/* The formats that are built in, NULL behind the last; all but the first two only where their libraries were found. */
extern const struct codec codec_png, codec_jpeg, codec_tiff, codec_webp, codec_heif, codec_avif, codec_jpeg_xl;
const struct codec *const *codecs_built_in(void);

/* The format that the content tells, of those that are read; its first CODEC_SIGNATURE_BYTES are enough. NULL: none. */
enum { CODEC_SIGNATURE_BYTES = 16 };
const struct codec *codec_find_reader(const struct codec *const *codecs, const struct picture_source *source);

/* Reads with the format that the content tells; `metadata` may be NULL. Errors: NST_ERROR_FORMAT for other content, and
 * those of `read` and decoded_finish. */
nst_status codec_decode(const struct codec *const *codecs, const struct picture_source *source, nst_picture *picture,
                        nst_picture_metadata *metadata, nst_error *error);

/* Reads with a format. */
nst_status codec_read(const struct codec *codec, const struct picture_source *source, nst_picture *picture,
                      nst_picture_metadata *metadata, nst_error *error);

/* Writes with a format, in the colors and with the metadata that `target->format` asks for. Path, stream and format of the
 * target are given; the rest is filled in. Errors: those of `write`, and NST_ERROR_ARGUMENT (a profile that cannot be
 * written in). */
nst_status codec_write(const struct codec *codec, const nst_picture *picture, struct picture_target *target,
                       nst_error *error);

/* The format that the ending of a name tells. Errors: NST_ERROR_ARGUMENT. */
nst_status codec_find_writer(const struct codec *const *codecs, const char *path, const struct codec **codec,
                             nst_error *error);

/* The format whose name, or ending without its dot, is `kind`. Errors: NST_ERROR_ARGUMENT. */
nst_status codec_find_kind(const struct codec *const *codecs, const char *kind, const struct codec **codec,
                           nst_error *error);

/* NST_ERROR_MEMORY if a file's header promises a picture beyond the limits above. */
nst_status picture_check_header(const char *path, uint32_t width, uint32_t height, nst_error *error);

/* A value as an integer in 0..max: clamped, rounded to nearest; a NaN becomes 0. */
unsigned picture_quantize(float value, unsigned max);

#endif
