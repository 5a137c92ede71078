/* orientation.c: see orientation.h. */
#include "image/orientation.h"
#include "image/picture.h"

#include <string.h>

/* ---- EXIF ------------------------------------------------------------------------------------------------------ */

/* A number of 1, 2 or 4 bytes; the caller has checked that it lies within the data. */
static uint32_t read_number(const unsigned char *data, int bytes, bool big_endian) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint32_t)data[i] << (8 * (big_endian ? bytes - 1 - i : i));
    }
    return value;
}

/* The bytes of one value of an integer type (TIFF 6.0, section 2: BYTE, SHORT, LONG and their signed kinds); else 0. */
static int integer_bytes(uint32_t type) {
    static const int bytes[] = {[1] = 1, [3] = 2, [4] = 4, [6] = 1, [8] = 2, [9] = 4};
    return type < sizeof bytes / sizeof *bytes ? bytes[type] : 0;
}

/* The first value of a directory's entry at `position`, which lies within the data; 0 if it has none. Values lie in the
 * entry itself where they fit, else at the offset that is there. */
static uint32_t entry_value(const unsigned char *tiff, size_t bytes, size_t position, bool big_endian) {
    const unsigned char *entry = tiff + position;
    int value_bytes = integer_bytes(read_number(entry + 2, 2, big_endian));
    uint64_t count = read_number(entry + 4, 4, big_endian);
    if (value_bytes == 0 || count == 0) {
        return 0;
    }
    if (count * (unsigned)value_bytes <= 4) {
        return read_number(entry + 8, value_bytes, big_endian);
    }
    size_t offset = read_number(entry + 8, 4, big_endian);
    if (offset > bytes || bytes - offset < (size_t)value_bytes) {
        return 0;
    }
    return read_number(tiff + offset, value_bytes, big_endian);
}

static bool is_tiff(const unsigned char *data, size_t bytes) {
    return bytes >= 4 && (memcmp(data, "MM\0*", 4) == 0 || memcmp(data, "II*\0", 4) == 0);
}

/* The orientation in the first directory; 0 if there is none. */
static int find_in_tiff(const unsigned char *tiff, size_t bytes) {
    const uint32_t orientation_tag = 0x0112;
    const size_t header_bytes = 8, entry_bytes = 12;
    if (bytes < header_bytes) {
        return 0;
    }
    bool big_endian = tiff[0] == 'M';
    size_t position = read_number(tiff + 4, 4, big_endian);
    if (position > bytes || bytes - position < 2) {
        return 0;
    }
    uint32_t count = read_number(tiff + position, 2, big_endian);
    position += 2;
    for (; count > 0 && bytes - position >= entry_bytes; count--, position += entry_bytes) {
        if (read_number(tiff + position, 2, big_endian) == orientation_tag) {
            uint32_t value = entry_value(tiff, bytes, position, big_endian);
            return value <= 8 ? (int)value : 0;
        }
    }
    return 0;
}

/* ---- XMP ------------------------------------------------------------------------------------------------------- */

static size_t skip_space(const unsigned char *text, size_t length, size_t at) {
    while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n')) {
        at++;
    }
    return at;
}

/* The number behind the property's name, as an attribute ( = "6") or as an element ( >6<); 0 if there is none. */
static int value_behind_name(const unsigned char *text, size_t length, size_t at) {
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
    return found && !more ? text[at] - '0' : 0;
}

static int find_in_xmp(const unsigned char *text, size_t length) {
    static const char name[] = "tiff:Orientation";
    const size_t name_length = sizeof name - 1;
    int orientation = 0;
    for (size_t at = 0; orientation == 0 && at + name_length < length; at++) {
        if (memcmp(text + at, name, name_length) == 0) {
            orientation = value_behind_name(text, length, at + name_length);
        }
    }
    return orientation;
}

/* ---- What files tell ------------------------------------------------------------------------------------------- */

void orientation_add(struct orientation *told, const unsigned char *data, size_t bytes) {
    static const char identifier[6] = "Exif\0"; /* and the array's own zero */
    if (bytes >= sizeof identifier && memcmp(data, identifier, sizeof identifier) == 0) {
        data += sizeof identifier;
        bytes -= sizeof identifier;
    }
    if (is_tiff(data, bytes)) {
        told->exif = told->exif ? told->exif : find_in_tiff(data, bytes);
    } else {
        told->xmp = told->xmp ? told->xmp : find_in_xmp(data, bytes);
    }
}

/* -1 for what is no hexadecimal digit. */
static int hexadecimal_digit(char letter) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = letter ? strchr(digits, letter) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

void orientation_add_raw_profile(struct orientation *told, char *text) {
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
    orientation_add(told, bytes, digits / 2);
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
