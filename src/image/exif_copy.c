/* exif_copy.c: see exif_copy.h. */
#include "image/exif_copy.h"

#include <stdlib.h>
#include <string.h>

/* More than any camera writes; entries of a damaged file may all refer to the same bytes. */
#define MOST_BYTES   ((size_t)16 << 20)
#define MOST_ENTRIES 100000
#define MOST_DEPTH   3

/* A copy in the making. */
struct copy {
    const struct exif *from;
    unsigned char *data;
    size_t bytes;
    uint32_t base;  /* of offsets, in the file that it is for */
    size_t entries; /* looked at so far */
    bool has_failed;
};

/* Of the first directory of a TIFF file: texts, resolution, and the two directories. All else describes its pixels. */
static bool is_wanted_of_first(uint32_t tag) {
    static const uint16_t wanted[] = {0x010e, 0x010f, 0x0110, 0x011a, 0x011b, 0x0128,
                                      0x0131, 0x0132, 0x013b, 0x8298, 0x8769, 0x8825};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (wanted[i] == tag) {
            return true;
        }
    }
    return false;
}

static bool is_directory(uint32_t tag) {
    return tag == EXIF_DIRECTORY || tag == EXIF_GPS_DIRECTORY || tag == EXIF_INTEROPERABILITY_DIRECTORY;
}

/* The bytes of all values of an entry; 0 for an unknown type. */
static uint64_t value_bytes(const struct exif *exif, size_t entry) {
    static const unsigned char bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    uint32_t type = exif_number(exif, entry + 2, 2);
    return type < sizeof bytes ? (uint64_t)bytes[type] * exif_number(exif, entry + 4, 4) : 0;
}

/* Whether an entry is copied: a known type, its values within the data. */
static bool is_copied(const struct copy *copy, size_t entry, int depth) {
    uint32_t tag = exif_number(copy->from, entry, 2);
    uint64_t bytes = value_bytes(copy->from, entry);
    if ((depth == 0 && !is_wanted_of_first(tag)) || bytes == 0 || bytes > MOST_BYTES ||
        (is_directory(tag) && depth == MOST_DEPTH)) {
        return false;
    }
    return bytes <= 4 || exif_holds(copy->from, exif_number(copy->from, entry + 8, 4), (size_t)bytes);
}

/* Room for so many bytes more, of zeros, at an even place, which is returned. */
static size_t add_room(struct copy *copy, size_t bytes) {
    size_t at = copy->bytes + copy->bytes % 2;
    unsigned char *larger = at + bytes <= MOST_BYTES ? realloc(copy->data, at + bytes + 1) : NULL;
    if (!larger) {
        copy->has_failed = true;
        return 0;
    }
    memset(larger + copy->bytes, 0, at + bytes - copy->bytes);
    copy->data = larger;
    copy->bytes = at + bytes;
    return at;
}

static void put_number(struct copy *copy, size_t at, uint32_t value, int bytes) {
    exif_put_number(copy->from, copy->data + at, value, bytes);
}

static size_t copy_directory(struct copy *copy, size_t directory, int depth);

/* Copies what an entry refers to, and lets the copied entry, at `to`, refer to the copy. */
static void copy_values(struct copy *copy, size_t entry, size_t to, int depth) {
    size_t bytes = (size_t)value_bytes(copy->from, entry), at = 0;
    if (is_directory(exif_number(copy->from, entry, 2))) {
        at = copy_directory(copy, exif_number(copy->from, entry + 8, 4), depth + 1);
    } else if (bytes > 4) {
        at = add_room(copy, bytes);
        if (!copy->has_failed) {
            memcpy(copy->data + at, copy->from->data + exif_number(copy->from, entry + 8, 4), bytes);
        }
    } else {
        return;
    }
    if (!copy->has_failed) {
        put_number(copy, to + 8, copy->base + (uint32_t)at, 4);
    }
}

/* Returns where the copy begins. One that does not lie within the data is copied as an empty one. */
static size_t copy_directory(struct copy *copy, size_t directory, int depth) {
    size_t first = directory + 2, count = 0, copied = 0;
    bool is_there = directory > 0 && exif_holds(copy->from, directory, 2);
    uint32_t entries = is_there ? exif_number(copy->from, directory, 2) : 0;
    for (; count < entries && exif_holds(copy->from, first + count * EXIF_ENTRY_BYTES, EXIF_ENTRY_BYTES); count++) {
        copied += is_copied(copy, first + count * EXIF_ENTRY_BYTES, depth);
    }
    copy->entries += count;
    copy->has_failed = copy->has_failed || copy->entries > MOST_ENTRIES;
    size_t start = add_room(copy, 2 + copied * EXIF_ENTRY_BYTES + 4), to = start + 2;
    if (copy->has_failed) {
        return 0;
    }
    put_number(copy, start, (uint32_t)copied, 2);
    for (size_t i = 0; i < count && !copy->has_failed; i++) {
        size_t entry = first + i * EXIF_ENTRY_BYTES;
        if (is_copied(copy, entry, depth)) {
            memcpy(copy->data + to, copy->from->data + entry, EXIF_ENTRY_BYTES);
            copy_values(copy, entry, to, depth);
            to += EXIF_ENTRY_BYTES;
        }
    }
    return start;
}

static nst_bytes end_copy(struct copy *copy) {
    if (copy->has_failed) {
        free(copy->data);
        return (nst_bytes){0};
    }
    return (nst_bytes){copy->data, copy->bytes};
}

nst_bytes exif_extract(const unsigned char *data, size_t bytes) {
    enum { HEADER_BYTES = 8 };
    struct exif exif = exif_open(data, bytes);
    size_t first = exif_first_directory(&exif);
    struct copy copy = {.from = &exif};
    if (first == 0) {
        return (nst_bytes){0};
    }
    add_room(&copy, HEADER_BYTES);
    if (!copy.has_failed) {
        memcpy(copy.data, data, 4);
        put_number(&copy, 4, HEADER_BYTES, 4);
        copy_directory(&copy, first, 0);
    }
    if (!copy.has_failed && exif_number(&(struct exif){copy.data, copy.bytes, exif.big_endian}, HEADER_BYTES, 2) == 0) {
        copy.has_failed = true; /* nothing was wanted */
    }
    return end_copy(&copy);
}

nst_bytes exif_relocate(const nst_bytes *exif, enum exif_tag directory, uint32_t base) {
    struct exif from = exif_open(exif->data, exif->bytes);
    size_t at = exif_find_number(&from, exif_first_directory(&from), directory);
    struct copy copy = {.from = &from, .base = base};
    if (at == 0) {
        return (nst_bytes){0};
    }
    copy_directory(&copy, at, 1);
    return end_copy(&copy);
}
