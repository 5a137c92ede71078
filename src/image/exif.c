/* exif.c: which side of a picture is up. Reads the orientation from EXIF data, the only field used, and applies it. */
#include "image/codec.h"
#include "image/picture.h"

#include <string.h>

/* A number of 2 or 4 bytes; the caller has checked that it lies within the data. */
static uint32_t read_number(const unsigned char *data, int bytes, bool big_endian) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint32_t)data[i] << (8 * (big_endian ? bytes - 1 - i : i));
    }
    return value;
}

int exif_orientation(const unsigned char *tiff, size_t bytes) {
    const uint32_t orientation_tag = 0x0112, type_short = 3;
    const size_t header_bytes = 8, entry_bytes = 12;
    if (bytes < header_bytes) {
        return 1;
    }
    bool big_endian = memcmp(tiff, "MM\0*", 4) == 0;
    if (!big_endian && memcmp(tiff, "II*\0", 4) != 0) {
        return 1;
    }

    size_t position = read_number(tiff + 4, 4, big_endian);
    if (position > bytes || bytes - position < 2) {
        return 1;
    }
    uint32_t count = read_number(tiff + position, 2, big_endian);
    position += 2;
    for (; count > 0 && bytes - position >= entry_bytes; count--, position += entry_bytes) {
        const unsigned char *entry = tiff + position;
        if (read_number(entry, 2, big_endian) != orientation_tag) {
            continue;
        }
        uint32_t orientation = read_number(entry + 8, 2, big_endian);
        bool valid = read_number(entry + 2, 2, big_endian) == type_short &&
                     read_number(entry + 4, 4, big_endian) == 1 && orientation >= 1 && orientation <= 8;
        return valid ? (int)orientation : 1;
    }
    return 1;
}

nst_status picture_orient(nst_picture *picture, int orientation, nst_error *error) {
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
