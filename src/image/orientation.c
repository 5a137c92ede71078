/* orientation.c: see orientation.h. */
#include "image/orientation.h"
#include "image/exif.h"
#include "image/picture.h"

#include <string.h>

/* ---- XMP ------------------------------------------------------------------------------------------------------- */

static size_t skip_space(const unsigned char *text, size_t length, size_t at) {
    while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n')) {
        at++;
    }
    return at;
}

/* The number behind the property's name, as an attribute ( = "6") or as an element ( >6<), which is at `*place`; 0 if
 * there is none. */
static int value_behind_name(const unsigned char *text, size_t length, size_t at, size_t *place) {
    at = skip_space(text, length, at);
    if (at == length || (text[at] != '=' && text[at] != '>')) {
        return 0;
    }
    at = skip_space(text, length, at + 1);
    if (at < length && (text[at] == '"' || text[at] == '\'')) {
        at = skip_space(text, length, at + 1);
    }
    bool found = at < length && text[at] >= '1' && text[at] <= '8';
    bool more = at + 1 < length && text[at + 1] >= '0' && text[at + 1] <= '9';
    *place = at;
    return found && !more ? text[at] - '0' : 0;
}

/* The first orientation in XMP at or behind `*at`, which is set to where its number is; 0 if there is none. */
static int find_in_xmp(const unsigned char *text, size_t length, size_t *at) {
    static const char name[] = "tiff:Orientation";
    const size_t name_length = sizeof name - 1;
    int orientation = 0;
    for (size_t begin = *at; orientation == 0 && begin + name_length < length; begin++) {
        if (memcmp(text + begin, name, name_length) == 0) {
            orientation = value_behind_name(text, length, begin + name_length, at);
        }
    }
    return orientation;
}

void orientation_reset_xmp(unsigned char *text, size_t length) {
    for (size_t at = 0; find_in_xmp(text, length, &at) != 0; at++) {
        text[at] = '1';
    }
}

/* ---- What files tell ------------------------------------------------------------------------------------------- */

void orientation_add(struct orientation *told, const unsigned char *data, size_t bytes) {
    static const char identifier[6] = "Exif\0"; /* and the array's own zero */
    if (bytes >= sizeof identifier && memcmp(data, identifier, sizeof identifier) == 0) {
        data += sizeof identifier;
        bytes -= sizeof identifier;
    }
    if (exif_is_tiff(data, bytes)) {
        told->exif = told->exif ? told->exif : exif_orientation(data, bytes);
    } else {
        size_t at = 0;
        told->xmp = told->xmp ? told->xmp : find_in_xmp(data, bytes, &at);
    }
}

/* ---- Turning --------------------------------------------------------------------------------------------------- */

nst_status orientation_apply(const struct orientation *told, nst_picture *picture, nst_error *error) {
    int orientation = told->exif ? told->exif : told->xmp;
    if (orientation <= 1 || orientation > 8) {
        return NST_OK;
    }
    /* Where the pixel (x, y) of the upright picture comes from: swap x and y, then count from the other end. */
    bool swap = orientation >= 5;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;

    nst_picture upright;
    nst_status status = picture_create(swap ? picture->height : picture->width, swap ? picture->width : picture->height,
                                       picture->channels, &upright, error);
    if (status) {
        return status;
    }
    float *to = upright.values;
    size_t channels = (size_t)picture->channels;
    for (int y = 0; y < upright.height; y++) {
        for (int x = 0; x < upright.width; x++, to += channels) {
            int column = swap ? y : x, row = swap ? x : y;
            column = from_right ? picture->width - 1 - column : column;
            row = from_bottom ? picture->height - 1 - row : row;
            size_t pixel = (size_t)row * (size_t)picture->width + (size_t)column;
            memcpy(to, picture->values + pixel * channels, channels * sizeof *to);
        }
    }
    nst_picture_free(picture);
    *picture = upright;
    return NST_OK;
}
