/* kernel_source.c: puts a kernel's source together; see kernel_source.h. */
#include "device/kernel_source.h"

#include "support/error.h"
#include "support/file.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FILES = 16, LONGEST_NAME = 64, LARGEST_FILE_BYTES = 4 << 20 };

struct assembly {
    const char *folder;
    char *text;
    size_t length, capacity;
    char included[MOST_FILES][LONGEST_NAME];
    int included_count;
};

static nst_status append(struct assembly *assembly, const char *text, size_t length, nst_error *error) {
    if (assembly->length + length + 1 > assembly->capacity) {
        size_t capacity = 2 * (assembly->length + length + 1);
        char *larger = realloc(assembly->text, capacity);
        if (!larger) {
            return fail_memory(error, capacity, "the source of a kernel");
        }
        assembly->text = larger;
        assembly->capacity = capacity;
    }
    memcpy(assembly->text + assembly->length, text, length);
    assembly->length += length;
    assembly->text[assembly->length] = 0;
    return NST_OK;
}

/* `*copy` must be freed; it is NULL for embedded text. */
static nst_status find_text(const struct assembly *assembly, const char *file, const char **text, char **copy,
                            nst_error *error) {
    *copy = NULL;
    if (assembly->folder) {
        char path[1024];
        unsigned char *data;
        size_t bytes;
        snprintf(path, sizeof path, "%s/%s", assembly->folder, file);
        nst_status status = file_read(path, "kernel file", LARGEST_FILE_BYTES, &data, &bytes, error);
        *text = *copy = (char *)data;
        return status;
    }
    for (const struct embedded_kernel *kernel = embedded_kernels; kernel->file; ++kernel) {
        if (strcmp(kernel->file, file) == 0) {
            *text = kernel->text;
            return NST_OK;
        }
    }
    return fail(error, NST_ERROR_FILE, "there is no kernel file %s in this program: build it again", file);
}

/* If the line is #include "name", copies the name. */
static bool parse_include(const char *line, size_t length, char name[LONGEST_NAME]) {
    static const char directive[] = "#include \"";
    size_t start = sizeof directive - 1;
    if (length <= start || strncmp(line, directive, start) != 0) {
        return false;
    }
    const char *end = memchr(line + start, '"', length - start);
    if (!end || (size_t)(end - line) - start >= LONGEST_NAME) {
        return false;
    }
    memcpy(name, line + start, (size_t)(end - line) - start);
    name[(size_t)(end - line) - start] = 0;
    return true;
}

static nst_status add_file(struct assembly *assembly, const char *file, nst_error *error) {
    for (int i = 0; i < assembly->included_count; ++i) {
        if (strcmp(assembly->included[i], file) == 0) {
            return NST_OK;
        }
    }
    if (assembly->included_count == MOST_FILES) {
        return fail(error, NST_ERROR_FILE, "kernel file %s: more than %d files are included", file, MOST_FILES);
    }
    snprintf(assembly->included[assembly->included_count++], LONGEST_NAME, "%s", file);

    const char *text = "";
    char *copy;
    nst_status status = find_text(assembly, file, &text, &copy, error);
    int line_number = 1;
    char marker[LONGEST_NAME + 32], name[LONGEST_NAME];
    if (!status) {
        snprintf(marker, sizeof marker, "#line 1 \"%s\"\n", file);
        status = append(assembly, marker, strlen(marker), error);
    }
    for (const char *line = text; !status && *line; ++line_number) {
        const char *end = strchr(line, '\n');
        size_t length = end ? (size_t)(end - line) + 1 : strlen(line);
        if (parse_include(line, length, name)) {
            status = add_file(assembly, name, error);
            if (!status) {
                snprintf(marker, sizeof marker, "\n#line %d \"%s\"\n", line_number + 1, file);
                status = append(assembly, marker, strlen(marker), error);
            }
        } else {
            status = append(assembly, line, length, error);
        }
        line += length;
    }
    free(copy);
    return status;
}

nst_status kernel_source_assemble(const char *folder, const char *file, char **source, nst_error *error) {
    struct assembly assembly = {.folder = folder && *folder ? folder : NULL};
    nst_status status = add_file(&assembly, file, error);
    if (status) {
        free(assembly.text);
        assembly.text = NULL;
    }
    *source = assembly.text;
    return status;
}
