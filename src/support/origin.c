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
    char *folder = realpath(file, NULL), *found = NULL;
    if (!folder) {
        return NULL;
    }
    *strrchr(folder, '/') = '\0';
    size_t size = strlen(folder) + 1 + strlen(way) + 1;
    char *path = malloc(size);
    if (path) {
        snprintf(path, size, "%s/%s", folder, way);
        found = realpath(path, NULL);
    }
    free(path);
    free(folder);
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
