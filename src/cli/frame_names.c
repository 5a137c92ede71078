/* frame_names.c: numbered files; see frame_names.h. */
#include "cli/frame_names.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "support/error.h"
#include "support/file.h"

bool frame_names_are_meant(const char *name) {
    return strchr(name, '%') != NULL;
}

/* Where the number begins, how many digits it has at least (0: as many as it needs), and what follows. False if that is no
 * number. */
static bool find_number(const char *pattern, const char **begin, int *digits, const char **end) {
    *begin = strchr(pattern, '%');
    const char *next = *begin ? *begin + 1 : "";
    *digits = 0;
    if (next[0] == '0' && next[1] >= '1' && next[1] <= '9') {
        *digits = next[1] - '0';
        next += 2;
    }
    *end = next + 1;
    return *next == 'd';
}

nst_status frame_names_check(const char *pattern, const char *option, nst_error *error) {
    const char *begin, *end;
    int digits;
    char quoted[64];
    bool is_number = find_number(pattern, &begin, &digits, &end);
    if (!is_number || strchr(end, '%') || strchr(end, '/')) {
        return fail(error, NST_ERROR_ARGUMENT, "%s: expected one number in the file's name, such as %%04d, found '%s'",
                    option, option_quote(pattern, quoted, sizeof quoted));
    }
    return NST_OK;
}

nst_status frame_name(const char *pattern, int number, char **name, nst_error *error) {
    const char *begin, *end;
    int digits;
    size_t size = strlen(pattern) + 32;
    *name = malloc(size);
    if (!*name) {
        return fail_memory(error, size, "the name of a frame");
    }
    find_number(pattern, &begin, &digits, &end);
    snprintf(*name, size, "%.*s%0*d%s", (int)(begin - pattern), pattern, digits, number, end);
    return NST_OK;
}

/* The number of a file of the folder, if it is one of the pattern's, whose last part is `base`; else -1. */
static int number_of(const char *base, const char *file) {
    const char *begin, *end;
    int digits;
    find_number(base, &begin, &digits, &end);
    size_t before = (size_t)(begin - base),
           count = strspn(file + (strncmp(file, base, before) ? 0 : before), "0123456789");
    if (strncmp(file, base, before) != 0 || count == 0 || count > 9 || strcmp(file + before + count, end) != 0) {
        return -1;
    }
    int number = (int)strtol(file + before, NULL, 10);
    char again[32];
    int length = snprintf(again, sizeof again, "%0*d", digits, number);
    return length == (int)count ? number : -1;
}

nst_status frame_names_find(const char *pattern, int *first, int *last, nst_error *error) {
    const char *slash = strrchr(pattern, '/'), *base = slash ? slash + 1 : pattern;
    char *folder = slash ? strndup(pattern, (size_t)(base - pattern)) : strdup(".");
    DIR *directory = folder ? opendir(folder) : NULL;
    if (!directory) {
        nst_status status = folder
                                ? fail(error, NST_ERROR_FILE, "cannot open the folder %s: %s", folder, strerror(errno))
                                : fail_memory(error, strlen(pattern), "the name of a folder");
        free(folder);
        return status;
    }
    int count = 0;
    *first = INT_MAX;
    *last = -1;
    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        int number = number_of(base, entry->d_name);
        count += number >= 0;
        *first = number >= 0 && number < *first ? number : *first;
        *last = number > *last ? number : *last;
    }
    closedir(directory);
    free(folder);
    if (count == 0) {
        return fail(error, NST_ERROR_FILE, "%s: expected numbered files, found none", pattern);
    }
    for (int number = *first; count < *last - *first + 1 && number < *last; number++) {
        char *name;
        nst_status status = frame_name(pattern, number, &name, error);
        if (!status && !file_exists(name)) {
            status =
                fail(error, NST_ERROR_FILE, "%s is missing: expected every number from %d to %d", name, *first, *last);
        }
        free(name);
        if (status) {
            return status;
        }
    }
    return NST_OK;
}
