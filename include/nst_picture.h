/* nst_picture.h: errors, and pictures from and to files: the part of nst.h that needs neither device nor network. nst.h
 * includes it, and says what holds for both. */
#ifndef NST_PICTURE_H
#define NST_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Only what is declared here is seen from outside the shared library. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- Errors ---------------------------------------------------------------------------------------------------- */

typedef enum nst_status {
    NST_OK = 0,
    NST_CANCELED,       /* the caller's cancel flag was set; the job holds the picture as it is */
    NST_ERROR_ARGUMENT, /* a value out of range, or values that contradict each other */
    NST_ERROR_FILE,     /* a file could not be opened, read or written */
    NST_ERROR_FORMAT,   /* a file was read, but is not what it should be */
    NST_ERROR_NETWORK,  /* the network lacks a layer, or does not fit the pictures */
    NST_ERROR_DEVICE,   /* no such device, or none that can be used */
    NST_ERROR_MEMORY,   /* not enough memory, on the host or on the device */
    NST_ERROR_OPENCL    /* an OpenCL call failed */
} nst_status;

#define NST_ERROR_LENGTH 1024

typedef struct nst_error {
    nst_status status;
    char message[NST_ERROR_LENGTH]; /* one line, without a full stop or a prefix; for a list, further lines follow */
} nst_error;

/* What a person should be told although all went well: one line like those of errors, or none ("" as message). */
typedef struct nst_note {
    char message[NST_ERROR_LENGTH];
} nst_note;

/* ---- Pictures -------------------------------------------------------------------------------------------------- */

/* A picture in host memory: sRGB-encoded values in 0..1, rows from the top, channels interleaved,
 * [height][width][channels]. */
typedef struct nst_picture {
    int width, height;
    int channels;  /* 3: red, green, blue; 4: and straight (not premultiplied) alpha */
    float *values; /* height * width * channels, from malloc */
} nst_picture;

/* One text chunk (keyword and value, UTF-8) for a PNG file; what is recorded there is enough to make the picture
 * again. */
typedef struct nst_picture_text {
    const char *keyword;
    const char *value;
} nst_picture_text;

/* Bytes from malloc, NULL for none. */
typedef struct nst_bytes {
    unsigned char *data;
    size_t bytes;
} nst_bytes;

/* What a picture file says besides its pixels. Start from zeros. */
typedef struct nst_picture_metadata {
    nst_bytes profile; /* the ICC profile of the file's own colors, found in it or made from what it says of them; none:
                        * they are sRGB */
    nst_bytes exif;    /* from its TIFF header on */
    nst_bytes xmp;     /* the packet */
    nst_bytes iptc;    /* the records */
} nst_picture_metadata;

/* Frees what it holds, not itself. */
void nst_picture_metadata_free(nst_picture_metadata *metadata);

/* How a picture is written. */
typedef struct nst_picture_format {
    const char *kind; /* "png", "jpeg" or what else there is, as endings of names are; NULL: the name tells */
    int depth_bits;   /* PNG and TIFF: 8 or 16; TIFF also 32, floats */
    int jpeg_quality; /* JPEG: 1..100 */
    int webp_quality; /* WebP: 1..100, or 0 for a lossless one */
    /* NULL, or what is written besides the pixels, as far as the format has a place for it: orientations are reset,
     * sizes set, thumbnails removed. With a profile, the picture is converted to it from sRGB; without, it is written
     * as sRGB, and tagged as that. */
    const nst_picture_metadata *metadata;
    const nst_picture_text *texts;
    int text_count;
} nst_picture_format;

/* A kind of picture files. */
typedef struct nst_picture_kind {
    const char *name; /* "PNG" */
    bool is_read, is_written;
} nst_picture_kind;

/* The kind of that place in the list, PNG and JPEG first; which others there are depends on the libraries that nst was
 * built with. False behind the last. */
bool nst_picture_kind_at(int index, nst_picture_kind *kind);

/* Reads a picture file; the kind is told from its content, not from its name. Gray, palette and CMYK become RGB,
 * and colors sRGB, by the ICC profile, by PNG's cICP, gAMA and cHRM, or by EXIF where that says Adobe RGB; what says
 * nothing is taken as sRGB. The orientation that EXIF or XMP tells is applied, alpha is kept. `picture` is filled; free it with nst_picture_free.
 * A damaged file of which all rows are there is read, and one whose profile cannot be used is taken as sRGB; `note`,
 * which may be NULL, then says what is wrong. Errors:
 * NST_ERROR_FILE, NST_ERROR_FORMAT, NST_ERROR_MEMORY (a header that promises more than nst can handle). */
nst_status nst_picture_read(const char *path, nst_picture *picture, nst_note *note, nst_error *error);

/* The same, and what the file says besides in `metadata`, to be freed with nst_picture_metadata_free. */
nst_status nst_picture_read_with_metadata(const char *path, nst_picture *picture, nst_picture_metadata *metadata,
                                          nst_note *note, nst_error *error);

/* The same from a stream, to its end, such as standard input. */
nst_status nst_picture_read_stream(FILE *stream, nst_picture *picture, nst_picture_metadata *metadata, nst_note *note,
                                   nst_error *error);

/* Whether a file is there that begins like a picture that nst_picture_read reads: for the files of a folder. */
bool nst_picture_is_readable(const char *path);

/* Checks, before work is spent on it, that a result can be written with the metadata's profile: one for gray or CMYK
 * cannot hold it, and some have no way back. Errors: NST_ERROR_ARGUMENT. */
nst_status nst_picture_check_profile(const nst_picture_metadata *metadata, nst_error *error);

/* Writes a picture, as the kind of file that the ending of `path` tells. It is written beside the target and renamed over
 * it, so that after any failure the old file, if there was one, is untouched. Values are clamped to 0..1 and rounded.
 * JPEG has no alpha: it is dropped. `format` must not be NULL. Errors: NST_ERROR_ARGUMENT (unknown ending, a depth that
 * the kind does not have), NST_ERROR_FILE. */
nst_status nst_picture_write(const nst_picture *picture, const char *path, const nst_picture_format *format,
                             nst_error *error);

/* The same into a stream, such as standard output, at once when all is encoded; the stream is flushed. The kind must be
 * given. Errors: NST_ERROR_ARGUMENT, NST_ERROR_FILE, NST_ERROR_MEMORY. */
nst_status nst_picture_write_stream(const nst_picture *picture, FILE *stream, const nst_picture_format *format,
                                    nst_error *error);

/* Checks that a picture of that name and format can be made: a known kind, that has so many bits. NULL stands for a
 * stream. Errors: NST_ERROR_ARGUMENT. */
nst_status nst_picture_check_format(const char *path, const nst_picture_format *format, nst_error *error);

/* The same, and, before work is spent on it, that `path` could be written: a writable folder. Errors besides:
 * NST_ERROR_FILE. */
nst_status nst_picture_check_writable(const char *path, const nst_picture_format *format, nst_error *error);

/* A picture at another size, by Lanczos's filter of three lobes, antialiased; alpha is kept. Free with nst_picture_free.
 * Errors: NST_ERROR_MEMORY. */
nst_status nst_picture_resize(const nst_picture *picture, int width, int height, nst_picture *resized,
                              nst_error *error);

void nst_picture_free(nst_picture *picture);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
