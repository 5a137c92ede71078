/* exif.c: see exif.h. Offsets come from the file: none is used before it is compared with the number of bytes. */
#include "image/exif.h"

#include <string.h>

enum { HEADER_BYTES = 8, ENTRY_BYTES = EXIF_ENTRY_BYTES };

/* ---- Reading --------------------------------------------------------------------------------------------------- */

uint32_t exif_number(const struct exif *exif, size_t offset, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint32_t)exif->data[offset + (size_t)i] << (8 * (exif->big_endian ? bytes - 1 - i : i));
    }
    return value;
}

void exif_put_number(const struct exif *exif, unsigned char *to, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(value >> (8 * (exif->big_endian ? bytes - 1 - i : i)));
    }
}

bool exif_holds(const struct exif *exif, size_t offset, size_t bytes) {
    return offset <= exif->bytes && bytes <= exif->bytes - offset;
}

/* The bytes of one value of an integer type (BYTE, SHORT, LONG, their signed kinds, and IFD); else 0. */
static int integer_bytes(uint32_t type) {
    static const int bytes[] = {[1] = 1, [3] = 2, [4] = 4, [6] = 1, [8] = 2, [9] = 4, [13] = 4};
    return type < sizeof bytes / sizeof *bytes ? bytes[type] : 0;
}

/* Where the first value of an entry lies, if it is an integer: in the entry itself where all values fit, else at the
 * offset that is there; 0 for none. `*bytes` is its size. */
static size_t find_value(const struct exif *exif, size_t entry, int *bytes) {
    *bytes = integer_bytes(exif_number(exif, entry + 2, 2));
    uint64_t count = exif_number(exif, entry + 4, 4);
    if (*bytes == 0 || count == 0) {
        return 0;
    }
    if (count * (unsigned)*bytes <= 4) {
        return entry + 8;
    }
    size_t offset = exif_number(exif, entry + 8, 4);
    return exif_holds(exif, offset, (size_t)*bytes) ? offset : 0;
}

size_t exif_find_entry(const struct exif *exif, size_t directory, enum exif_tag tag) {
    if (directory == 0 || !exif_holds(exif, directory, 2)) {
        return 0;
    }
    uint32_t count = exif_number(exif, directory, 2);
    for (size_t entry = directory + 2; count > 0 && exif_holds(exif, entry, ENTRY_BYTES);
         count--, entry += ENTRY_BYTES) {
        if (exif_number(exif, entry, 2) == (uint32_t)tag) {
            return entry;
        }
    }
    return 0;
}

uint32_t exif_find_number(const struct exif *exif, size_t directory, enum exif_tag tag) {
    int bytes = 0;
    size_t entry = exif_find_entry(exif, directory, tag);
    size_t value = entry ? find_value(exif, entry, &bytes) : 0;
    return value ? exif_number(exif, value, bytes) : 0;
}

struct exif exif_open(const unsigned char *data, size_t bytes) {
    bool is_exif = exif_is_tiff(data, bytes) && bytes >= HEADER_BYTES;
    return (struct exif){data, is_exif ? bytes : 0, is_exif && data[0] == 'M'};
}

size_t exif_first_directory(const struct exif *exif) {
    return exif->bytes ? exif_number(exif, 4, 4) : 0;
}

/* Where the offset of the directory behind this one lies; 0 if it is cut off. */
static size_t find_link(const struct exif *exif, size_t directory) {
    if (directory == 0 || !exif_holds(exif, directory, 2)) {
        return 0;
    }
    size_t link = directory + 2 + (size_t)ENTRY_BYTES * exif_number(exif, directory, 2);
    return exif_holds(exif, link, 4) ? link : 0;
}

bool exif_is_tiff(const unsigned char *data, size_t bytes) {
    return bytes >= 4 && (memcmp(data, "MM\0*", 4) == 0 || memcmp(data, "II*\0", 4) == 0);
}

int exif_orientation(const unsigned char *data, size_t bytes) {
    struct exif exif = exif_open(data, bytes);
    uint32_t value = exif_find_number(&exif, exif_first_directory(&exif), EXIF_ORIENTATION);
    return value <= 8 ? (int)value : 0;
}

/* The entry that holds the interoperability index, text of four bytes in the entry itself; 0 if there is none. */
static size_t find_interoperability(const struct exif *exif, size_t details) {
    size_t directory = exif_find_number(exif, details, EXIF_INTEROPERABILITY_DIRECTORY);
    size_t entry = exif_find_entry(exif, directory, EXIF_INTEROPERABILITY_INDEX);
    bool is_text = entry && exif_number(exif, entry + 2, 2) == 2 && exif_number(exif, entry + 4, 4) == 4;
    return is_text ? entry : 0;
}

bool exif_is_adobe_rgb(const unsigned char *data, size_t bytes) {
    struct exif exif = exif_open(data, bytes);
    size_t details = exif_find_number(&exif, exif_first_directory(&exif), EXIF_DIRECTORY);
    size_t index = find_interoperability(&exif, details);
    return index && memcmp(data + index + 8, "R03", 4) == 0 &&
           exif_find_number(&exif, details, EXIF_COLOR_SPACE) == 65535;
}

/* ---- Changing -------------------------------------------------------------------------------------------------- */

/* Sets the first value of the entry with that tag, if there is one and its type has room. */
static void set_number(unsigned char *data, const struct exif *exif, size_t directory, enum exif_tag tag,
                       uint32_t value) {
    int bytes = 0;
    size_t entry = exif_find_entry(exif, directory, tag);
    size_t at = entry ? find_value(exif, entry, &bytes) : 0;
    if (at) {
        exif_put_number(exif, data + at, value, bytes);
    }
}

/* Unlinks the second directory, and wipes the picture that it holds. Returns how many bytes are left. */
static size_t remove_thumbnail(unsigned char *data, const struct exif *exif) {
    size_t link = find_link(exif, exif_first_directory(exif));
    size_t directory = link ? exif_number(exif, link, 4) : 0;
    if (directory == 0) {
        return exif->bytes;
    }
    size_t picture = exif_find_number(exif, directory, EXIF_THUMBNAIL);
    size_t bytes = exif_find_number(exif, directory, EXIF_THUMBNAIL_BYTES);
    memset(data + link, 0, 4);
    if (picture < HEADER_BYTES || bytes == 0 || !exif_holds(exif, picture, bytes)) {
        return exif->bytes;
    }
    memset(data + picture, 0, bytes);
    return picture + bytes == exif->bytes ? picture : exif->bytes;
}

size_t exif_adapt(unsigned char *data, size_t bytes, const struct exif_result *result) {
    struct exif exif = exif_open(data, bytes);
    size_t first = exif_first_directory(&exif), details = exif_find_number(&exif, first, EXIF_DIRECTORY);
    if (exif.bytes == 0) {
        return 0;
    }
    set_number(data, &exif, first, EXIF_ORIENTATION, 1);
    set_number(data, &exif, first, EXIF_WIDTH, (uint32_t)result->width);
    set_number(data, &exif, first, EXIF_HEIGHT, (uint32_t)result->height);
    set_number(data, &exif, details, EXIF_PIXEL_WIDTH, (uint32_t)result->width);
    set_number(data, &exif, details, EXIF_PIXEL_HEIGHT, (uint32_t)result->height);
    size_t index = find_interoperability(&exif, details);
    if (result->is_srgb) {
        set_number(data, &exif, details, EXIF_COLOR_SPACE, 1);
    }
    if (result->is_srgb && index) {
        memcpy(data + index + 8, "R98", 4);
    }
    return remove_thumbnail(data, &exif);
}
