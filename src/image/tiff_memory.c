/* tiff_memory.c: see tiff_memory.h. */
#include "image/tiff_memory.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ALLOCATION_BYTES ((tmsize_t)1 << 30)

static tmsize_t read_bytes(thandle_t handle, void *to, tmsize_t wanted) {
    struct tiff_memory *memory = handle;
    size_t left = memory->position < memory->bytes ? memory->bytes - memory->position : 0;
    size_t bytes = (size_t)wanted < left ? (size_t)wanted : left;
    memcpy(to, (memory->written ? memory->written : memory->data) + memory->position, bytes);
    memory->position += bytes;
    return (tmsize_t)bytes;
}

static tmsize_t write_bytes(thandle_t handle, void *from, tmsize_t bytes) {
    struct tiff_memory *memory = handle;
    size_t end = memory->position + (size_t)bytes;
    if (end > memory->capacity) {
        size_t capacity = end + end / 2 + 4096;
        unsigned char *larger = realloc(memory->written, capacity);
        if (!larger) {
            return 0;
        }
        memset(larger + memory->capacity, 0, capacity - memory->capacity);
        memory->written = larger;
        memory->capacity = capacity;
    }
    memcpy(memory->written + memory->position, from, (size_t)bytes);
    memory->position = end;
    memory->bytes = end > memory->bytes ? end : memory->bytes;
    return bytes;
}

bool tiff_append(struct tiff_memory *memory, const nst_bytes *data) {
    return write_bytes(memory, data->data, (tmsize_t)data->bytes) == (tmsize_t)data->bytes;
}

static toff_t seek(thandle_t handle, toff_t offset, int from) {
    struct tiff_memory *memory = handle;
    size_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? memory->position : memory->bytes;
    memory->position = base + (size_t)offset;
    return memory->position;
}

static int close_nothing(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) {
    return ((struct tiff_memory *)handle)->bytes;
}

static int map(thandle_t handle, void **base, toff_t *bytes) {
    struct tiff_memory *memory = handle;
    if (memory->written || !memory->data) {
        return 0;
    }
    *base = (void *)memory->data;
    *bytes = memory->bytes;
    return 1;
}

static void unmap(thandle_t handle, void *base, toff_t bytes) {
    (void)handle;
    (void)base;
    (void)bytes;
}

static int take_error(TIFF *tiff, void *user, const char *module, const char *format, va_list list) {
    struct tiff_memory *memory = user;
    (void)tiff;
    (void)module;
    if (!memory->message[0]) {
        vsnprintf(memory->message, sizeof memory->message, format, list);
        size_t length = strlen(memory->message);
        if (length > 0 && memory->message[length - 1] == '.') {
            memory->message[length - 1] = '\0';
        }
    }
    return 1;
}

static int ignore_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list list) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)list;
    return 1;
}

bool tiff_iptc_is_of_longs(TIFF *tiff) {
    const TIFFField *field = TIFFFieldWithTag(tiff, TIFFTAG_RICHTIFFIPTC);
    return field && TIFFFieldDataType(field) == TIFF_LONG;
}

TIFF *tiff_open(struct tiff_memory *memory, const char *path, const char *mode) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) {
        return NULL;
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, MOST_ALLOCATION_BYTES);
    TIFFOpenOptionsSetErrorHandlerExtR(options, take_error, memory);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, NULL);
    TIFF *tiff = TIFFClientOpenExt(path, mode, memory, read_bytes, write_bytes, seek, close_nothing, size_of, map,
                                   unmap, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}
