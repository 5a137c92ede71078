/* codec.c: the file formats of pictures: which one a file has, by its content when reading and by its ending when
 * writing. The formats themselves are in files of their own. */
#include "image/codec.h"
#include "image/metadata.h"
#include "image/picture.h"
#include "support/error.h"

#include <stdio.h>
#include <string.h>

static const struct codec *const built_in[] = {
    &codec_png,     &codec_jpeg,
#ifdef NST_TIFF
    &codec_tiff,
#endif
#ifdef NST_WEBP
    &codec_webp,
#endif
#ifdef NST_HEIF
    &codec_heif,    &codec_avif,
#endif
#ifdef NST_JPEG_XL
    &codec_jpeg_xl,
#endif
    NULL,
};

const struct codec *const *codecs_built_in(void) {
    return built_in;
}

/* ---- Lists for messages ------------------------------------------------------------------------------------------ */

/* "A, B or C". */
struct list {
    char text[128];
    const char *last; /* not in the text yet */
};

static void list_add(struct list *list, const char *name) {
    size_t length = strlen(list->text);
    if (list->last) {
        snprintf(list->text + length, sizeof list->text - length, "%s%s", length ? ", " : "", list->last);
    }
    list->last = name;
}

static const char *list_end(struct list *list) {
    size_t length = strlen(list->text);
    snprintf(list->text + length, sizeof list->text - length, "%s%s", length ? " or " : "",
             list->last ? list->last : "");
    return list->text;
}

static const char *list_readable(const struct codec *const *codecs, struct list *list) {
    for (; *codecs; ++codecs) {
        if ((*codecs)->read) {
            list_add(list, (*codecs)->name);
        }
    }
    return list_end(list);
}

static const char *list_endings(const struct codec *const *codecs, struct list *list) {
    for (; *codecs; ++codecs) {
        for (int i = 0; (*codecs)->write && (*codecs)->endings[i]; ++i) {
            list_add(list, (*codecs)->endings[i]);
        }
    }
    return list_end(list);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* What people have instead, most telling first. */
static const struct {
    const char *name;
    struct codec_signature signature;
} others[] = {
    {"GIF picture", {0, 4, "GIF8"}},
    {"WebP picture", {8, 4, "WEBP"}},
    {"TIFF picture", {0, 4, "II*\0"}},
    {"TIFF picture", {0, 4, "MM\0*"}},
    {"TIFF picture", {0, 4, "II+\0"}},
    {"TIFF picture", {0, 4, "MM\0+"}},
    {"AVIF picture", {4, 8, "ftypavif"}},
    {"HEIC picture", {4, 7, "ftyphei"}},
    {"HEIC picture", {4, 7, "ftyphev"}},
    {"HEIF picture", {4, 8, "ftypmif1"}},
    {"JPEG XL picture", {0, 2, "\xff\x0a"}},
    {"JPEG XL picture", {4, 4, "JXL "}},
    {"JPEG 2000 picture", {4, 4, "jP  "}},
    {"Photoshop picture", {0, 4, "8BPS"}},
    {"GIMP picture", {0, 8, "gimp xcf"}},
    {"OpenEXR picture", {0, 4, "\x76\x2f\x31\x01"}},
    {"Radiance picture", {0, 10, "#?RADIANCE"}},
    {"Windows icon", {0, 4, "\0\0\1\0"}},
    {"QOI picture", {0, 4, "qoif"}},
    {"netpbm picture", {0, 3, "P5\n"}},
    {"netpbm picture", {0, 3, "P6\n"}},
    {"SVG drawing", {0, 4, "<svg"}},
    {"SVG or XML file", {0, 5, "<?xml"}},
    {"PDF document", {0, 4, "%PDF"}},
    {"PostScript document", {0, 4, "%!PS"}},
    {"BMP picture", {0, 2, "BM"}},
};

static bool matches(const struct picture_source *source, const struct codec_signature *signature) {
    return source->bytes >= signature->offset + signature->bytes &&
           memcmp(source->data + signature->offset, signature->magic, signature->bytes) == 0;
}

static bool has_signature(const struct picture_source *source, const struct codec *codec) {
    bool found = false;
    for (const struct codec_signature *signature = codec->signatures; !found && signature->bytes > 0; ++signature) {
        found = matches(source, signature);
    }
    return found;
}

const struct codec *codec_find_reader(const struct codec *const *codecs, const struct picture_source *source) {
    while (*codecs && !((*codecs)->read && has_signature(source, *codecs))) {
        ++codecs;
    }
    return *codecs;
}

nst_status codec_read(const struct codec *codec, const struct picture_source *source, nst_picture *picture,
                      nst_picture_metadata *metadata, nst_error *error) {
    struct decoded decoded = {0};
    nst_status status = codec->read(source, &decoded, error);
    return status ? status : decoded_finish(&decoded, source->path, picture, metadata, source->note, error);
}

nst_status codec_decode(const struct codec *const *codecs, const struct picture_source *source, nst_picture *picture,
                        nst_picture_metadata *metadata, nst_error *error) {
    struct list list = {.last = NULL};
    if (source->bytes == 0) {
        return fail(error, NST_ERROR_FORMAT, "%s is empty: expected a %s picture", source->path,
                    list_readable(codecs, &list));
    }
    const struct codec *codec = codec_find_reader(codecs, source);
    if (codec) {
        return codec_read(codec, source, picture, metadata, error);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (matches(source, &others[i].signature)) {
            return fail(error, NST_ERROR_FORMAT, "%s is a %s; convert it to %s", source->path, others[i].name,
                        list_readable(codecs, &list));
        }
    }
    return fail(error, NST_ERROR_FORMAT, "%s is not a picture that can be read: expected %s", source->path,
                list_readable(codecs, &list));
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* Whether a text is `letters`, which are in lower case. */
static bool is_spelled(const char *text, const char *letters) {
    while (*letters && lower(*text) == *letters) {
        text++;
        letters++;
    }
    return !*text && !*letters;
}

static bool ends_with(const char *path, const char *ending) {
    size_t path_length = strlen(path), length = strlen(ending);
    return path_length > length && is_spelled(path + path_length - length, ending);
}

nst_status codec_find_kind(const struct codec *const *codecs, const char *kind, const struct codec **codec,
                           nst_error *error) {
    struct list list = {.last = NULL};
    for (const struct codec *const *one = codecs; *one; ++one) {
        for (int i = 0; (*one)->write && (*one)->endings[i]; ++i) {
            if (is_spelled(kind, (*one)->endings[i] + 1)) {
                *codec = *one;
                return NST_OK;
            }
            list_add(&list, (*one)->endings[i] + 1);
        }
    }
    return fail(error, NST_ERROR_ARGUMENT, "pictures of kind '%s' cannot be written: expected %s", kind,
                list_end(&list));
}

nst_status codec_find_writer(const struct codec *const *codecs, const char *path, const struct codec **codec,
                             nst_error *error) {
    struct list list = {.last = NULL};
    for (const struct codec *const *one = codecs; *one; ++one) {
        for (int i = 0; (*one)->write && (*one)->endings[i]; ++i) {
            if (ends_with(path, (*one)->endings[i])) {
                *codec = *one;
                return NST_OK;
            }
        }
    }
    return fail(error, NST_ERROR_ARGUMENT, "cannot tell from the name %s how to write it: expected %s", path,
                list_endings(codecs, &list));
}

/* The picture in the colors of a profile: a copy, or an empty picture where that is sRGB. */
static nst_status copy_in_profile(const nst_picture *picture, const nst_bytes *profile, nst_picture *copy,
                                  nst_error *error) {
    *copy = (nst_picture){0};
    if (!profile->data) {
        return NST_OK;
    }
    nst_status status = picture_create(picture->width, picture->height, picture->channels, copy, error);
    if (!status) {
        size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
        memcpy(copy->values, picture->values, count * sizeof *copy->values);
        status = color_profile_from_srgb(profile, copy, error);
    }
    if (status) {
        nst_picture_free(copy);
    }
    return status;
}

nst_status codec_write(const struct codec *codec, const nst_picture *picture, struct picture_target *target,
                       nst_error *error) {
    const nst_picture_metadata *given = target->format->metadata;
    const nst_bytes none = {0};
    nst_picture converted = {0};
    nst_picture_metadata metadata = {0};
    nst_status status = copy_in_profile(picture, given ? &given->profile : &none, &converted, error);
    status = status ? status : metadata_adapt(given, picture, &metadata, error);
    if (!status) {
        target->metadata = &metadata;
        target->is_srgb = !converted.values;
        status = codec->write(converted.values ? &converted : picture, target, error);
    }
    nst_picture_free(&converted);
    nst_picture_metadata_free(&metadata);
    return status;
}
