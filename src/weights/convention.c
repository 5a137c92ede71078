/* convention.c: reads the text of an input convention. See convention.h. */
#include "weights/convention.h"
#include "support/text.h"
#include <math.h>
#include <string.h>

static const struct {
    const char *name, *text;
} named[] = {
    {"caffe", "BGR, 0..255, minus (103.939, 116.779, 123.68)"},
    {"torchvision", "RGB, 0..1, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225)"},
};

#define NAMED_COUNT (sizeof named / sizeof *named)

/* Moves *cursor behind `word` if the text goes on with it. */
static bool skip(const char **cursor, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*cursor, word, length) != 0) {
        return false;
    }
    *cursor += length;
    return true;
}

/* "(A, B, C)" */
static bool read_triple(const char **cursor, double numbers[3]) {
    if (!skip(cursor, "(")) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        char number[32];
        size_t length = strcspn(*cursor, ",)");
        if (length >= sizeof number) {
            return false;
        }
        memcpy(number, *cursor, length);
        number[length] = 0;
        *cursor += length;
        if (!text_to_real(number, &numbers[i]) || fabs(numbers[i]) > 1e6 || !skip(cursor, i < 2 ? ", " : ")")) {
            return false;
        }
    }
    return true;
}

static bool read_general(const char *text, struct input_convention *convention) {
    double range, minus[3] = {0, 0, 0}, over[3] = {1, 1, 1};
    bool reversed = skip(&text, "BGR, ");
    if (!reversed && !skip(&text, "RGB, ")) {
        return false;
    }
    if (skip(&text, "0..255")) {
        range = 255;
    } else if (skip(&text, "0..1")) {
        range = 1;
    } else {
        return false;
    }
    if (skip(&text, ", minus ") && !read_triple(&text, minus)) {
        return false;
    }
    if (skip(&text, ", over ") && !read_triple(&text, over)) {
        return false;
    }
    if (*text != 0) {
        return false;
    }
    *convention = (struct input_convention){{0}, {0}, {0}, {0}};
    for (int i = 0; i < 3; i++) {
        if (fabs(over[i]) < 1e-6) {
            return false;
        }
        convention->order[i] = reversed ? 2 - i : i;
        convention->scale[i] = (float)(range / 255 / over[i]);
        convention->offset[i] = (float)(0 - minus[i] / over[i]); /* 0, not -0 */
    }
    return true;
}

bool convention_equal(const struct input_convention *a, const struct input_convention *b) {
    for (int i = 0; i < 3; i++) {
        if (a->order[i] != b->order[i] || fabsf(a->scale[i] - b->scale[i]) > 1e-5f * fabsf(a->scale[i]) ||
            fabsf(a->offset[i] - b->offset[i]) > 1e-5f * fabsf(a->offset[i]) + 1e-6f) {
            return false;
        }
    }
    return true;
}

const char *convention_in_words(const char *text) {
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        if (strcmp(named[i].name, text) == 0) {
            return named[i].text;
        }
    }
    return text;
}

bool convention_from_text(const char *text, struct input_convention *convention) {
    if (!read_general(convention_in_words(text), convention)) {
        return false;
    }
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        struct input_convention known;
        if (read_general(named[i].text, &known) && convention_equal(&known, convention)) {
            strcpy(convention->name, named[i].name);
        }
    }
    return true;
}
