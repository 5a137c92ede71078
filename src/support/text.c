/* text.c: names and numbers as people type them; see text.h. */
#include "support/text.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 64 };

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* Edit distance with insertion, deletion, substitution and exchange of neighbors (optimal string alignment), ignoring
 * case. */
static int edit_distance(const char *a, const char *b) {
    int rows[3][LONGEST_NAME + 1];
    int length_a = (int)strlen(a), length_b = (int)strlen(b);
    for (int j = 0; j <= length_b; ++j) {
        rows[0][j] = j;
    }
    for (int i = 1; i <= length_a; ++i) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above_that = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= length_b; ++j) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == y) {
                row[j] = smaller(row[j], above_that[j - 2] + 1);
            }
        }
    }
    return rows[length_a % 3][length_b];
}

const char *text_nearest(const char *given, const char *const *names, size_t count) {
    if (strlen(given) > LONGEST_NAME) {
        return NULL;
    }
    const char *nearest = NULL;
    int limit = 1 + (int)strlen(given) / 4, best = limit + 1;
    for (size_t i = 0; i < count; ++i) {
        if (strlen(names[i]) > LONGEST_NAME) {
            continue;
        }
        int distance = edit_distance(given, names[i]);
        if (distance < best && distance < (int)strlen(names[i])) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

static const char *skip_digits(const char *text) {
    while (*text >= '0' && *text <= '9') {
        ++text;
    }
    return text;
}

bool text_to_integer(const char *text, long long *value) {
    const char *digits = text + (*text == '-' || *text == '+');
    const char *end = skip_digits(digits);
    if (end == digits || *end) {
        return false;
    }
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (errno) {
        return false;
    }
    *value = number;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits]; `point` is set to the decimal point, if there is one. */
static bool is_real(const char *text, const char **point) {
    const char *start = text + (*text == '-' || *text == '+');
    const char *end = skip_digits(start);
    size_t digits = (size_t)(end - start);
    *point = NULL;
    if (*end == '.') {
        *point = end;
        end = skip_digits(end + 1);
        digits += (size_t)(end - *point - 1);
    }
    if (digits > 0 && (*end == 'e' || *end == 'E')) {
        const char *exponent = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(exponent);
        digits = end == exponent ? 0 : digits;
    }
    return digits > 0 && !*end;
}

bool text_to_real(const char *text, double *value) {
    const char *point;
    char copy[128];
    if (!is_real(text, &point) || strlen(text) > sizeof copy - 16) {
        return false;
    }
    /* strtod expects the decimal point of the locale. */
    if (point) {
        snprintf(copy, sizeof copy, "%.*s%.8s%s", (int)(point - text), text, localeconv()->decimal_point, point + 1);
    } else {
        snprintf(copy, sizeof copy, "%s", text);
    }
    char *end;
    double number = strtod(copy, &end);
    if (*end || !isfinite(number)) {
        return false;
    }
    *value = number;
    return true;
}

const char *text_bytes(uint64_t bytes, char *buffer, size_t size) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = 0;
    uint64_t rest = 0, value = bytes;
    while (value >= 1024) {
        rest = value % 1024;
        value /= 1024;
        ++unit;
    }
    uint64_t tenths = rest * 10 / 1024;
    if (unit > 0 && value < 100 && tenths > 0) {
        snprintf(buffer, size, "%d.%d %s", (int)value, (int)tenths, units[unit]);
    } else {
        snprintf(buffer, size, "%d %s", (int)value, units[unit]);
    }
    return buffer;
}

void text_hexadecimal(const void *data, size_t bytes, char *text) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = data;
    for (size_t i = 0; i < bytes; ++i) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    text[2 * bytes] = '\0';
}
