/* picture.c: pictures in memory (create, free, fit) and the way to and from files: which format a file has, by its
 * content when reading and by its ending when writing. The formats themselves are in png.c and jpeg.c. */
#include "image/picture.h"
#include "image/codec.h"
#include "support/error.h"
#include "support/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* How to recognize a file: `bytes` bytes of `magic` at `offset`. */
struct signature {
    const char *name;
    size_t offset, bytes;
    const char *magic;
};

static const struct signature png_signature = {"PNG picture", 0, 4, "\x89PNG"};
static const struct signature jpeg_signature = {"JPEG picture", 0, 3, "\xff\xd8\xff"};

/* What people have instead, most telling first. */
static const struct signature other_signatures[] = {
    {"GIF picture", 0, 4, "GIF8"},
    {"WebP picture", 8, 4, "WEBP"},
    {"TIFF picture", 0, 4, "II*\0"},
    {"TIFF picture", 0, 4, "MM\0*"},
    {"AVIF picture", 4, 8, "ftypavif"},
    {"HEIC picture", 4, 7, "ftyphei"},
    {"HEIC picture", 4, 7, "ftyphev"},
    {"HEIF picture", 4, 8, "ftypmif1"},
    {"JPEG XL picture", 0, 2, "\xff\x0a"},
    {"JPEG XL picture", 4, 4, "JXL "},
    {"JPEG 2000 picture", 4, 4, "jP  "},
    {"Photoshop picture", 0, 4, "8BPS"},
    {"GIMP picture", 0, 8, "gimp xcf"},
    {"OpenEXR picture", 0, 4, "\x76\x2f\x31\x01"},
    {"Radiance picture", 0, 10, "#?RADIANCE"},
    {"Windows icon", 0, 4, "\0\0\1\0"},
    {"QOI picture", 0, 4, "qoif"},
    {"netpbm picture", 0, 3, "P5\n"},
    {"netpbm picture", 0, 3, "P6\n"},
    {"SVG drawing", 0, 4, "<svg"},
    {"SVG or XML file", 0, 5, "<?xml"},
    {"PDF document", 0, 4, "%PDF"},
    {"PostScript document", 0, 4, "%!PS"},
    {"BMP picture", 0, 2, "BM"},
};

static bool matches(const struct picture_source *source, const struct signature *signature) {
    return source->bytes >= signature->offset + signature->bytes &&
           memcmp(source->data + signature->offset, signature->magic, signature->bytes) == 0;
}

nst_status picture_check_header(const char *path, uint32_t width, uint32_t height, nst_error *error) {
    if (size_is_valid(width, height)) {
        return NST_OK;
    }
    return fail(error, NST_ERROR_MEMORY,
                "%s promises %lu x %lu pixels: the limit is %d on each side and %lld in all; make it smaller first",
                path, (unsigned long)width, (unsigned long)height, PICTURE_MAX_SIDE_PX, (long long)PICTURE_MAX_PIXELS);
}

static nst_status decode(const struct picture_source *source, nst_picture *picture, nst_error *error) {
    if (source->bytes == 0) {
        return fail(error, NST_ERROR_FORMAT, "%s is empty: expected a PNG or JPEG picture", source->path);
    }
    if (matches(source, &png_signature)) {
        return picture_read_png(source, picture, error);
    }
    if (matches(source, &jpeg_signature)) {
        return picture_read_jpeg(source, picture, error);
    }
    for (size_t i = 0; i < sizeof other_signatures / sizeof *other_signatures; i++) {
        if (matches(source, &other_signatures[i])) {
            return fail(error, NST_ERROR_FORMAT, "%s is a %s; convert it to PNG or JPEG", source->path,
                        other_signatures[i].name);
        }
    }
    return fail(error, NST_ERROR_FORMAT, "%s is not a picture that can be read: expected PNG or JPEG", source->path);
}

nst_status nst_picture_read(const char *path, nst_picture *picture, nst_note *note, nst_error *error) {
    memset(picture, 0, sizeof *picture);
    if (note) {
        note->message[0] = '\0';
    }
    unsigned char *data = NULL;
    size_t bytes = 0;
    nst_status status = file_read(path, "picture", FILE_LIMIT_BYTES, &data, &bytes, error);
    if (status) {
        return status;
    }
    struct picture_source source = {path, data, bytes, note};
    status = decode(&source, picture, error);
    free(data);
    return status;
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

typedef nst_status picture_encoder(const nst_picture *picture, const struct picture_target *target, nst_error *error);

static const struct {
    const char *ending;
    picture_encoder *encode;
} encoders[] = {{".png", picture_write_png}, {".jpg", picture_write_jpeg}, {".jpeg", picture_write_jpeg}};

static char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool ends_with(const char *path, const char *ending) {
    size_t path_length = strlen(path), length = strlen(ending);
    if (path_length <= length) {
        return false;
    }
    const char *tail = path + path_length - length;
    for (size_t i = 0; i < length; i++) {
        if (lower(tail[i]) != ending[i]) {
            return false;
        }
    }
    return true;
}

static nst_status find_encoder(const char *path, picture_encoder **encode, nst_error *error) {
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++) {
        if (ends_with(path, encoders[i].ending)) {
            *encode = encoders[i].encode;
            return NST_OK;
        }
    }
    return fail(error, NST_ERROR_ARGUMENT, "cannot tell from the name %s how to write it: expected .png, .jpg or .jpeg",
                path);
}

nst_status nst_picture_write(const nst_picture *picture, const char *path, const nst_picture_format *format,
                             nst_error *error) {
    picture_encoder *encode = NULL;
    nst_status status = find_encoder(path, &encode, error);
    if (status) {
        return status;
    }
    if (!picture->values || !size_is_valid(picture->width, picture->height) ||
        (picture->channels != 3 && picture->channels != 4)) {
        return fail(error, NST_ERROR_ARGUMENT, "%s cannot be written: %d x %d pixels with %d channels are no picture",
                    path, picture->width, picture->height, picture->channels);
    }

    struct file_replacement replacement = {0};
    status = file_replacement_begin(&replacement, path, error);
    if (status) {
        return status;
    }
    struct picture_target target = {path, replacement.stream, format};
    status = encode(picture, &target, error);
    if (!status) {
        status = file_replacement_commit(&replacement, error);
    }
    file_replacement_abort(&replacement);
    return status;
}

nst_status nst_picture_check_writable(const char *path, nst_error *error) {
    picture_encoder *encode = NULL;
    nst_status status = find_encoder(path, &encode, error);
    if (status) {
        return status;
    }
    /* Beginning to write is the one test that knows about permissions, read-only disks and all else. */
    struct file_replacement replacement = {0};
    status = file_replacement_begin(&replacement, path, error);
    file_replacement_abort(&replacement);
    return status;
}
