/* list.c: `nst weights list`: the networks in the folders. See tools.h. */
#include "support/error.h"
#include "support/text.h"
#include "weights/locate.h"
#include "weights/tools.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void weights_list_free(struct weights_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i].name);
        free(list->files[i].path);
    }
    free(list->files);
    for (int i = 0; i < list->folder_count; i++) {
        free(list->folders[i]);
    }
    *list = (struct weights_list){0};
}

static bool has_name(const struct weights_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static nst_status add_file(struct weights_list *list, int folder, const char *file_name, nst_error *error) {
    struct stat status;
    size_t size = strlen(list->folders[folder]) + strlen(file_name) + 2;
    char *path = malloc(size), *name = malloc(strlen(file_name) + 1);
    if (path == NULL || name == NULL) {
        free(path);
        free(name);
        return fail_memory(error, size, "a file name");
    }
    snprintf(path, size, "%s/%s", list->folders[folder], file_name);
    network_base_name(file_name, name, strlen(file_name) + 1);
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        free(path);
        free(name);
        return NST_OK;
    }
    bool hidden = has_name(list, name);
    list->files[list->count++] = (struct weights_file){.name = name,
                                                       .path = path,
                                                       .bytes = (uint64_t)status.st_size,
                                                       .folder = list->folder_titles[folder],
                                                       .is_default = !hidden && strcmp(name, WEIGHTS_DEFAULT_NAME) == 0,
                                                       .is_hidden = hidden};
    return NST_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the networks of one folder in the order of their names; a folder that is not there has none. */
static nst_status add_folder(struct weights_list *list, int folder, nst_error *error) {
    char *names[WEIGHTS_LIST_MAX];
    size_t count = 0;
    nst_status status = NST_OK;
    DIR *directory = opendir(list->folders[folder]);
    if (directory == NULL) {
        return NST_OK;
    }
    for (struct dirent *entry;
         !status && count + list->count < WEIGHTS_LIST_MAX && (entry = readdir(directory)) != NULL;) {
        if (!network_has_ending(entry->d_name) || entry->d_name[0] == '.') {
            continue;
        }
        names[count] = strdup(entry->d_name);
        if (names[count] == NULL) {
            status = fail_memory(error, strlen(entry->d_name) + 1, "a file name");
        } else {
            count++;
        }
    }
    closedir(directory);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (!status) {
            status = add_file(list, folder, names[i], error);
        }
        free(names[i]);
    }
    return status;
}

nst_status weights_list_create(struct weights_list *list, nst_error *error) {
    struct network_folders folders;
    *list = (struct weights_list){0};
    nst_status status = network_folders_find(&folders, error);
    if (status) {
        return status;
    }
    for (int i = 0; i < folders.count; i++) { /* the list takes the paths over */
        list->folders[i] = folders.paths[i];
        list->folder_titles[i] = folders.titles[i];
    }
    list->folder_count = folders.count;
    list->files = calloc(WEIGHTS_LIST_MAX, sizeof *list->files);
    if (list->files == NULL) {
        status = fail_memory(error, WEIGHTS_LIST_MAX * sizeof *list->files, "the list of networks");
    }
    for (int i = 0; i < list->folder_count && !status; i++) {
        status = add_folder(list, i, error);
    }
    if (status) {
        weights_list_free(list);
    }
    return status;
}

void weights_list_print(const struct weights_list *list, FILE *stream) {
    int width = 4;
    char size[32];
    for (size_t i = 0; i < list->count; i++) {
        width = (int)strlen(list->files[i].name) > width ? (int)strlen(list->files[i].name) : width;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct weights_file *file = &list->files[i];
        fprintf(stream, "%-*s  %9s  %s%s\n", width, file->name, text_bytes(file->bytes, size, sizeof size), file->path,
                file->is_default  ? "  (default)"
                : file->is_hidden ? "  (hidden by the same name above)"
                                  : "");
    }
    if (list->count == 0) {
        fprintf(stream, "no networks here: reinstall nst for the default one, " WEIGHTS_DEFAULT_NAME
                        ", or get one with weights/get.sh\n");
    }
    fprintf(stream, "looked for in this order:\n");
    for (int i = 0; i < list->folder_count; i++) {
        fprintf(stream, "  %s  (%s)\n", list->folders[i], list->folder_titles[i]);
    }
}
