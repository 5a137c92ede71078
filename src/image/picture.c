/* picture.c: pictures in memory (create, free, fit), and the way to and from files, whose formats are in codec.c. */
#include "image/picture.h"
#include "image/codec.h"
#include "image/color_profile.h"
#include "support/error.h"
#include "support/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT_BYTES ((size_t)1 << 30)

/* ---- In memory ------------------------------------------------------------------------------------------------- */

static bool size_is_valid(int64_t width, int64_t height) {
    return width >= 1 && height >= 1 && width <= PICTURE_MAX_SIDE_PX && height <= PICTURE_MAX_SIDE_PX &&
           width * height <= PICTURE_MAX_PIXELS;
}

nst_status picture_create(int width, int height, int channels, nst_picture *picture, nst_error *error) {
    memset(picture, 0, sizeof *picture);
    if (!size_is_valid(width, height)) {
        return fail(error, NST_ERROR_ARGUMENT,
                    "a picture of %d x %d pixels cannot be made: expected 1 to %d on each side and at most %lld in all",
                    width, height, PICTURE_MAX_SIDE_PX, (long long)PICTURE_MAX_PIXELS);
    }
    if (channels != 3 && channels != 4) {
        return fail(error, NST_ERROR_ARGUMENT, "a picture of %d channels cannot be made: expected 3 or 4", channels);
    }
    size_t count = (size_t)width * (size_t)height * (size_t)channels;
    float *values = count <= SIZE_MAX / sizeof *values ? calloc(count, sizeof *values) : NULL;
    if (!values) {
        return fail_memory(error, count * sizeof *values, "a picture");
    }
    *picture = (nst_picture){width, height, channels, values};
    return NST_OK;
}

void nst_picture_free(nst_picture *picture) {
    if (!picture) {
        return;
    }
    free(picture->values);
    memset(picture, 0, sizeof *picture);
}

static int scaled_side(int side, int longer, int size_px) {
    double scaled = floor((double)side * size_px / longer + 0.5);
    return scaled < 1 ? 1 : (int)scaled;
}

void picture_fit(const nst_picture *picture, int size_px, int *width, int *height) {
    int longer = picture->width > picture->height ? picture->width : picture->height;
    *width = scaled_side(picture->width, longer, size_px);
    *height = scaled_side(picture->height, longer, size_px);
}

unsigned picture_quantize(float value, unsigned max) {
    if (!(value > 0)) {
        return 0;
    }
    return value >= 1 ? max : (unsigned)((double)value * max + 0.5);
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

nst_status picture_check_header(const char *path, uint32_t width, uint32_t height, nst_error *error) {
    if (size_is_valid(width, height)) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_MEMORY,
                "%s promises %lu x %lu pixels: the limit is %d on each side and %lld in all; make it smaller first",
                path, (unsigned long)width, (unsigned long)height, PICTURE_MAX_SIDE_PX, (long long)PICTURE_MAX_PIXELS);
}

nst_status nst_picture_read(const char *path, nst_picture *picture, nst_note *note, nst_error *error) {
    return nst_picture_read_with_metadata(path, picture, NULL, note, error);
}

/* What is filled only on success. */
static void clear(nst_picture *picture, nst_picture_metadata *metadata, nst_note *note) {
    memset(picture, 0, sizeof *picture);
    if (metadata) {
        memset(metadata, 0, sizeof *metadata);
    }
    if (note) {
        note->message[0] = '\0';
    }
}

nst_status nst_picture_read_with_metadata(const char *path, nst_picture *picture, nst_picture_metadata *metadata,
                                          nst_note *note, nst_error *error) {
    clear(picture, metadata, note);
    unsigned char *data = NULL;
    size_t bytes = 0;
    nst_status status = file_read(path, "picture", FILE_LIMIT_BYTES, &data, &bytes, error);
    if (!status) {
        struct picture_source source = {path, data, bytes, note};
        status = codec_decode(codecs_built_in(), &source, picture, metadata, error);
    }
    free(data);
    return status;
}

nst_status nst_picture_read_stream(FILE *stream, nst_picture *picture, nst_picture_metadata *metadata, nst_note *note,
                                   nst_error *error) {
    static const struct file_kind kind = {"standard input", "picture from", FILE_LIMIT_BYTES};
    clear(picture, metadata, note);
    unsigned char *data = NULL;
    size_t bytes = 0;
    nst_status status = file_read_stream(stream, &kind, &data, &bytes, error);
    if (!status) {
        struct picture_source source = {kind.path, data, bytes, note};
        status = codec_decode(codecs_built_in(), &source, picture, metadata, error);
    }
    free(data);
    return status;
}

bool nst_picture_is_readable(const char *path) {
    unsigned char data[CODEC_SIGNATURE_BYTES];
    struct stat info;
    /* A pipe would wait for someone to write. */
    FILE *stream = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    if (!stream) {
        return false;
    }
    struct picture_source source = {.path = path, .data = data, .bytes = fread(data, 1, sizeof data, stream)};
    fclose(stream);
    return codec_find_reader(codecs_built_in(), &source) != NULL;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

nst_status nst_picture_check_profile(const nst_picture_metadata *metadata, nst_error *error) {
    float values[3] = {0};
    nst_picture picture = {1, 1, 3, values};
    return metadata->profile.data ? color_profile_from_srgb(&metadata->profile, &picture, error) : NST_OK;
}

static nst_status find_codec(const char *path, const nst_picture_format *format, const struct codec **codec,
                             nst_error *error) {
    if (!path && !format->kind) {
        return fail(error, NST_ERROR_ARGUMENT, "expected the kind of picture to be written, found none");
    }
    return format->kind ? codec_find_kind(codecs_built_in(), format->kind, codec, error)
                        : codec_find_writer(codecs_built_in(), path, codec, error);
}

static nst_status check_picture(const nst_picture *picture, const char *path, nst_error *error) {
    if (!picture->values || !size_is_valid(picture->width, picture->height) ||
        (picture->channels != 3 && picture->channels != 4)) {
        return fail(error, NST_ERROR_ARGUMENT, "%s cannot be written: %d x %d pixels with %d channels are no picture",
                    path, picture->width, picture->height, picture->channels);
    }
    return NST_OK;
}

nst_status nst_picture_write(const nst_picture *picture, const char *path, const nst_picture_format *format,
                             nst_error *error) {
    const struct codec *codec = NULL;
    nst_status status = find_codec(path, format, &codec, error);
    status = status ? status : check_picture(picture, path, error);
    if (status) {
        return status;
    }
    struct file_replacement replacement = {0};
    status = file_replacement_begin(&replacement, path, error);
    if (status) {
        return status;
    }
    struct picture_target target = {.path = path, .stream = replacement.stream, .format = format};
    status = codec_write(codec, picture, &target, error);
    if (!status) {
        status = file_replacement_commit(&replacement, error);
    }
    file_replacement_abort(&replacement);
    return status;
}

nst_status nst_picture_write_stream(const nst_picture *picture, FILE *stream, const nst_picture_format *format,
                                    nst_error *error) {
    static const char name[] = "standard output";
    const struct codec *codec = NULL;
    char *data = NULL;
    size_t bytes = 0;
    nst_status status = find_codec(NULL, format, &codec, error);
    status = status ? status : check_picture(picture, name, error);
    FILE *memory = status ? NULL : open_memstream(&data, &bytes);
    if (!status && !memory) {
        status = fail_memory(error, 1, "a picture");
    }
    if (!status) {
        struct picture_target target = {.path = name, .stream = memory, .format = format};
        status = codec_write(codec, picture, &target, error);
    }
    if (memory && fclose(memory) != 0 && !status) {
        status = fail_memory(error, bytes, "a picture");
    }
    if (!status && (fwrite(data, 1, bytes, stream) != bytes || fflush(stream) != 0)) {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: %s", name, strerror(errno));
    }
    free(data);
    return status;
}

bool nst_picture_kind_at(int index, nst_picture_kind *kind) {
    const struct codec *const *codecs = codecs_built_in();
    for (int i = 0; codecs[i] && index >= 0; i++) {
        if (i == index) {
            *kind = (nst_picture_kind){codecs[i]->name, codecs[i]->read != NULL, codecs[i]->write != NULL};
            return true;
        }
    }
    return false;
}

nst_status nst_picture_check_format(const char *path, const nst_picture_format *format, nst_error *error) {
    const struct codec *codec = NULL;
    nst_status status = find_codec(path, format, &codec, error);
    /* Depth 16 means at most: JPEG and WebP have 8 all the same. */
    if (!status && format->depth_bits > 16 && format->depth_bits > codec->most_depth_bits) {
        status = fail(error, NST_ERROR_ARGUMENT, "a %s picture cannot have %d bits per value: expected at most %d",
                      codec->name, format->depth_bits, codec->most_depth_bits);
    }
    return status;
}

nst_status nst_picture_check_writable(const char *path, const nst_picture_format *format, nst_error *error) {
    nst_status status = nst_picture_check_format(path, format, error);
    if (status || !path) {
        return status;
    }
    /* Beginning to write is the one test that knows about permissions, read-only disks and all else. */
    struct file_replacement replacement = {0};
    status = file_replacement_begin(&replacement, path, error);
    file_replacement_abort(&replacement);
    return status;
}
