/* text.h: names and numbers as people type and read them. */
#ifndef SUPPORT_TEXT_H
#define SUPPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name in names[0..count) nearest to `given` by edit distance, or NULL if none is near enough to suggest. */
const char *text_nearest(const char *given, const char *const *names, size_t count);

/* Whole numbers and reals, independent of the locale; false unless the whole text is one number (not nan, not inf). */
bool text_to_integer(const char *text, long long *value);
bool text_to_real(const char *text, double *value);

/* "1.5 GiB", "320 KiB", "12 bytes": into `buffer`, which is returned. */
const char *text_bytes(uint64_t bytes, char *buffer, size_t size);

/* Bytes as hexadecimal digits, two for each: `text` has room for 2 * bytes + 1 characters. */
void text_hexadecimal(const void *data, size_t bytes, char *text);

#endif
