/* origin.c: see origin.h. POSIX does not say where code lies: dladdr is known to glibc, musl, macOS and the BSDs, the
 * files in /proc to Linux and NetBSD. For a program that was found through PATH, Linux's dladdr has its bare name only,
 * and /proc the answer; elsewhere dladdr knows the path of a program, too. */
#include "support/origin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What lies at `way` as seen from the folder of `file`, or NULL. */
static char *beside(const char *file, const char *way) {
    char *path = realpath(file, NULL), *found = NULL;
    size_t size = path ? strlen(path) + strlen(way) + 2 : 0;
    char *joined = path ? malloc(size) : NULL;
    if (joined) {
        *strrchr(path, '/') = '\0';
        snprintf(joined, size, "%s/%s", path, way);
        found = realpath(joined, NULL);
    }
    free(joined);
    free(path);
    return found;
}

char *origin_of_code(const char *way) {
    static const char here; /* an address in this code, of data: ISO C makes no pointer to void of a function */
    Dl_info info = {0};
    if (!dladdr(&here, &info) || !info.dli_fname || !strchr(info.dli_fname, '/')) {
        return NULL;
    }
    return beside(info.dli_fname, way);
}

char *origin_of_program(const char *way) {
    static const char *const links[] = {"/proc/self/exe", "/proc/curproc/exe", "/proc/curproc/file"};
    char *found = NULL;
    for (size_t i = 0; i < sizeof links / sizeof *links && !found; i++) {
        found = beside(links[i], way);
    }
    return found;
}
