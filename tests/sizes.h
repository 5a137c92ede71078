/* sizes.h: how much of their tables of sizes the suites go through. NST_TEST_SIZES=small is for implementations that
 * are hundreds of times slower than others, such as Oclgrind. */
#ifndef TESTS_SIZES_H
#define TESTS_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static inline bool sizes_are_small(void) {
    const char *sizes = getenv("NST_TEST_SIZES");
    return sizes && strcmp(sizes, "small") == 0;
}

/* A table's count, or how many of its first entries do where sizes are to be small. */
static inline size_t sizes_to_try(size_t all, size_t small) {
    return sizes_are_small() ? small : all;
}

#endif
