/* output.c: see output.h. */
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/error.h"

bool output_is_stream(const char *name) {
    return name && strcmp(name, "-") == 0;
}

bool output_is_folder(const char *path) {
    struct stat info;
    size_t length = strlen(path);
    return (length > 0 && path[length - 1] == '/') || (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

const char *output_base_name(const char *path, size_t *length) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    *length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    return name;
}

nst_status output_find_path(const char *output, const char *content, const char *kind, char **path, nst_error *error) {
    *path = NULL;
    if (output_is_stream(output)) {
        return NST_OK;
    }
    size_t length;
    const char *name = output_base_name(output_is_stream(content) ? "stdin" : content, &length);
    kind = kind ? kind : "png";
    size_t size = strlen(output) + length + strlen(kind) + 16;
    *path = malloc(size);
    if (!*path) {
        return fail_memory(error, size, "a file name");
    }
    if (output_is_folder(output)) {
        const char *between = output[strlen(output) - 1] == '/' ? "" : "/";
        snprintf(*path, size, "%s%s%.*s-nst.%s", output, between, (int)length, name, kind);
    } else {
        snprintf(*path, size, "%s", output);
    }
    return NST_OK;
}
