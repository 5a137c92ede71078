/* decoded.c: see decoded.h. */
#include "image/decoded.h"
#include "image/exif.h"
#include "image/picture.h"
#include "support/error.h"

#include <stdlib.h>
#include <string.h>

void decoded_free(struct decoded *decoded) {
    nst_picture_free(&decoded->picture);
    nst_picture_metadata_free(&decoded->metadata);
}

/* ---- Metadata -------------------------------------------------------------------------------------------------- */

static bool begins_with(const unsigned char *data, size_t bytes, const char *start, size_t start_bytes) {
    return bytes >= start_bytes && memcmp(data, start, start_bytes) == 0;
}

/* Copies a piece, unless there is one of its kind. */
static void keep(struct decoded *decoded, nst_bytes *kept, const unsigned char *data, size_t bytes) {
    if (kept->data || bytes == 0) {
        return;
    }
    kept->data = malloc(bytes);
    if (!kept->data) {
        decoded->lacks_memory = true;
        return;
    }
    memcpy(kept->data, data, bytes);
    kept->bytes = bytes;
}

void decoded_set_profile(struct decoded *decoded, const unsigned char *data, size_t bytes) {
    keep(decoded, &decoded->metadata.profile, data, bytes);
}

/* The IPTC records among Photoshop's image resources: each is "8BIM", a number of two bytes, a name behind its length,
 * a length of four bytes, the data; name and data are padded to an even length. */
static void add_resources(struct decoded *decoded, const unsigned char *data, size_t bytes) {
    const size_t frame_bytes = 4 + 2 + 2 + 4; /* with an empty name */
    while (bytes >= frame_bytes && memcmp(data, "8BIM", 4) == 0) {
        size_t name_bytes = (size_t)data[6] + 1 + (data[6] + 1) % 2, start = 6 + name_bytes + 4;
        if (start > bytes) {
            return;
        }
        const unsigned char *length = data + start - 4;
        size_t length_bytes =
            (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | (size_t)length[3];
        if (length_bytes > bytes - start) {
            return;
        }
        if (data[4] == 0x04 && data[5] == 0x04) {
            keep(decoded, &decoded->metadata.iptc, data + start, length_bytes);
            return;
        }
        size_t step = start + length_bytes + length_bytes % 2;
        step = step < bytes ? step : bytes;
        data += step;
        bytes -= step;
    }
}

static bool is_xmp(const unsigned char *data, size_t bytes) {
    static const char *const starts[] = {"<?xpacket", "<x:xmpmeta", "<rdf:RDF", "<?xml"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (begins_with(data, bytes, starts[i], strlen(starts[i]))) {
            return true;
        }
    }
    return false;
}

void decoded_add_metadata(struct decoded *decoded, const unsigned char *data, size_t bytes) {
    static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/", photoshop[] = "Photoshop 3.0";
    orientation_add(&decoded->orientation, data, bytes);
    if (begins_with(data, bytes, exif, sizeof exif)) { /* these have a zero at their end, like the arrays */
        data += sizeof exif;
        bytes -= sizeof exif;
    } else if (begins_with(data, bytes, xmp, sizeof xmp)) {
        data += sizeof xmp;
        bytes -= sizeof xmp;
    } else if (begins_with(data, bytes, photoshop, sizeof photoshop)) {
        data += sizeof photoshop;
        bytes -= sizeof photoshop;
    }
    if (exif_is_tiff(data, bytes)) {
        keep(decoded, &decoded->metadata.exif, data, bytes);
    } else if (begins_with(data, bytes, "8BIM", 4)) {
        add_resources(decoded, data, bytes);
    } else if (begins_with(data, bytes, "\x1c", 1)) {
        keep(decoded, &decoded->metadata.iptc, data, bytes);
    } else if (is_xmp(data, bytes)) {
        keep(decoded, &decoded->metadata.xmp, data, bytes);
    }
}

/* -1 for what is no hexadecimal digit. */
static int hexadecimal_digit(char letter) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = letter ? strchr(digits, letter) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

void decoded_add_raw_profile(struct decoded *decoded, char *text) {
    static const char space[] = " \t\r\n";
    const char *from = text + strspn(text, space);
    from += strcspn(from, space); /* the name */
    from += strspn(from, space);
    from += strcspn(from, space); /* the count of bytes: as many as there are digits for */

    size_t digits = 0;
    unsigned char *bytes = (unsigned char *)text;
    for (; *from; from++) {
        int digit = hexadecimal_digit(*from);
        if (digit >= 0) { /* what is written is behind what is read */
            bytes[digits / 2] = (unsigned char)(digits % 2 == 0 ? digit << 4 : bytes[digits / 2] | digit);
            digits++;
        }
    }
    decoded_add_metadata(decoded, bytes, digits / 2);
}

/* ---- Values ---------------------------------------------------------------------------------------------------- */

static float clamp(float value) {
    return !(value > 0) ? 0 : value > 1 ? 1 : value;
}

void decoded_normalize(struct decoded *decoded, bool is_premultiplied) {
    const nst_picture *picture = &decoded->picture;
    size_t channels = (size_t)picture->channels;
    size_t count = (size_t)picture->width * (size_t)picture->height * channels;
    bool divides = is_premultiplied && channels == 4;
    for (float *pixel = picture->values; pixel < picture->values + count; pixel += channels) {
        float alpha = divides && pixel[3] > 0 ? pixel[3] : 1;
        for (size_t channel = 0; channel < channels; channel++) {
            pixel[channel] = clamp(channel < 3 ? pixel[channel] / alpha : pixel[channel]);
        }
    }
}

/* ---- Colors ---------------------------------------------------------------------------------------------------- */

/* Without a profile: red is (1 - C) (1 - K), and so on. */
static void mix_inks(nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < pixels; i++) {
        float *ink = picture->values + 4 * i;
        for (int channel = 0; channel < 3; channel++) {
            ink[channel] = (float)((1.0 - (double)ink[channel]) * (1.0 - (double)ink[3]));
        }
    }
}

/* Leaves out the fourth channel. */
static void drop_channel(nst_picture *picture) {
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; i < pixels; i++) {
        memmove(picture->values + 3 * i, picture->values + 4 * i, 3 * sizeof *picture->values);
    }
    picture->channels = 3;
}

static nst_status convert_colors(struct decoded *decoded, const char *path, nst_note *note, nst_error *error) {
    nst_bytes *profile = &decoded->metadata.profile;
    const nst_bytes *exif = &decoded->metadata.exif;
    nst_status status = NST_OK;
    if (!profile->data && !decoded->colors_are_told && exif->data && exif_is_adobe_rgb(exif->data, exif->bytes)) {
        status = color_profile_create(&color_space_adobe_rgb, profile, error);
    }
    if (status) {
        return status;
    }
    char reason[PROFILE_REASON_LENGTH] = "";
    bool converted = profile->data && color_profile_to_srgb(profile, &decoded->picture, decoded->model, reason);
    if (profile->data && !converted) {
        remark(note, "%s: its color profile cannot be used, and its colors are taken as sRGB: %s", path, reason);
        free(profile->data);
        *profile = (nst_bytes){0};
    }
    if (decoded->model == COLOR_CMYK) {
        if (!converted) {
            mix_inks(&decoded->picture);
        }
        drop_channel(&decoded->picture);
    }
    return NST_OK;
}

nst_status decoded_finish(struct decoded *decoded, const char *path, nst_picture *picture,
                          nst_picture_metadata *metadata, nst_note *note, nst_error *error) {
    nst_status status = NST_OK;
    if (decoded->lacks_memory) {
        status = fail(error, NST_ERROR_MEMORY, "not enough memory to read %s", path);
    }
    status = status ? status : convert_colors(decoded, path, note, error);
    if (!status && !decoded->is_upright) {
        status = orientation_apply(&decoded->orientation, &decoded->picture, error);
    }
    if (!status) {
        *picture = decoded->picture;
        decoded->picture = (nst_picture){0};
    }
    if (!status && metadata) {
        *metadata = decoded->metadata;
        decoded->metadata = (nst_picture_metadata){0};
    }
    decoded_free(decoded);
    return status;
}
