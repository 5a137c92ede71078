/* heif_references.c: reads the boxes of a HEIF file down to its references; see heif_references.h. A box is its length
 * and type, four bytes each, and its content; of length 1, eight bytes of length follow; of length 0, it is the last. */
#include "image/heif_references.h"

#include <string.h>

enum { MOST_DERIVED = 256, MOST_LEVELS = 8 };

struct span {
    const uint8_t *data;
    size_t bytes;
};

/* A picture that is made of others. */
struct derived {
    uint64_t id;
    struct span parts; /* their numbers */
    int level;         /* 1 more than that of its parts */
};

struct references {
    int id_bytes, count;
    struct derived derived[MOST_DERIVED];
};

static uint64_t take_number(struct span *span, size_t bytes) {
    uint64_t number = 0;
    for (size_t i = 0; i < bytes && i < span->bytes; ++i) {
        number = number << 8 | span->data[i];
    }
    size_t taken = bytes < span->bytes ? bytes : span->bytes;
    span->data += taken;
    span->bytes -= taken;
    return number;
}

/* The next box of the span, its content cut where the span ends; false behind the last. */
static bool take_box(struct span *span, char type[4], struct span *content) {
    if (span->bytes < 8) {
        return false;
    }
    struct span whole = *span;
    uint64_t length = take_number(span, 4);
    memcpy(type, span->data, 4);
    take_number(span, 4);
    length = length == 1 ? take_number(span, 8) : length == 0 ? whole.bytes : length;
    size_t header = whole.bytes - span->bytes;
    if (length < header) {
        return false;
    }
    *content = *span;
    content->bytes = length - header < span->bytes ? (size_t)length - header : span->bytes;
    span->data += content->bytes;
    span->bytes -= content->bytes;
    return true;
}

/* The content of the first box of that type. */
static bool find_box(struct span span, const char *type, struct span *content) {
    char found[4];
    while (take_box(&span, found, content)) {
        if (memcmp(found, type, 4) == 0) {
            return true;
        }
    }
    return false;
}

/* False where there are more than can be told apart. */
static bool list_derived(struct span boxes, struct references *references) {
    char type[4];
    struct span content;
    while (take_box(&boxes, type, &content)) {
        if (memcmp(type, "dimg", 4) != 0) {
            continue;
        }
        if (references->count == MOST_DERIVED) {
            return false;
        }
        struct derived *derived = &references->derived[references->count++];
        derived->id = take_number(&content, (size_t)references->id_bytes);
        size_t bytes = (size_t)take_number(&content, 2) * (size_t)references->id_bytes;
        derived->parts = content;
        derived->parts.bytes = bytes < content.bytes ? bytes : content.bytes;
        derived->level = 1;
    }
    return true;
}

/* Raises the level of a picture above those of its parts; whether that changed it. */
static bool raise_level(struct references *references, struct derived *derived) {
    int before = derived->level;
    struct span parts = derived->parts;
    while (parts.bytes > 0) {
        uint64_t part = take_number(&parts, (size_t)references->id_bytes);
        for (int i = 0; i < references->count; ++i) {
            const struct derived *other = &references->derived[i];
            if (other->id == part && other->level >= derived->level) {
                derived->level = other->level + 1;
            }
        }
    }
    return derived->level > before;
}

bool heif_is_nested_too_deep(const uint8_t *data, size_t bytes) {
    struct span meta, boxes;
    if (!find_box((struct span){data, bytes}, "meta", &meta)) {
        return false;
    }
    take_number(&meta, 4); /* version and flags */
    if (!find_box(meta, "iref", &boxes)) {
        return false;
    }
    struct references references = {.id_bytes = take_number(&boxes, 4) >> 24 == 0 ? 2 : 4};
    bool is_too_deep = !list_derived(boxes, &references), changes = true;
    while (changes && !is_too_deep) {
        changes = false;
        for (int i = 0; i < references.count; ++i) {
            changes = raise_level(&references, &references.derived[i]) || changes;
            is_too_deep = is_too_deep || references.derived[i].level > MOST_LEVELS;
        }
    }
    return is_too_deep;
}
