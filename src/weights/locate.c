/* locate.c: the folders in which networks are found by name. See locate.h. */
#include "weights/locate.h"
#include "support/error.h"
#include "support/file.h"
#include "support/origin.h"
#include "support/text.h"
#include "weights/tools.h"
#include <stdlib.h>
#include <string.h>

static const char *const endings[] = {".safetensors", ".pth", ".pt"};

/* Files that are usually kept under the name they were published with. */
static const struct {
    const char *name, *file;
} published[] = {
    {"vgg19", "vgg19-d01eb7cb.pth"},
    {"vgg16", "vgg16-00b39a1b.pth"},
    {"vgg19-torchvision", "vgg19-dcbb9e9d.pth"},
    {"vgg16-torchvision", "vgg16-397923af.pth"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

bool network_is_path(const char *name_or_path) {
    return strpbrk(name_or_path, "/.\\") != NULL;
}

bool network_has_ending(const char *file_name) {
    size_t length = strlen(file_name);
    for (size_t i = 0; i < COUNT(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(file_name + length - ending, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

void network_base_name(const char *path, char *name, size_t size) {
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name) {
        *dot = 0;
    }
}

static nst_status add_folder(struct network_folders *folders, const char *base, const char *below, const char *title,
                             nst_error *error) {
    char *path = below[0] == 0 ? strdup(base) : file_join(base, below, "");
    if (path == NULL) {
        return fail_memory(error, strlen(base), "a file name");
    }
    folders->titles[folders->count] = title;
    folders->paths[folders->count++] = path;
    return NST_OK;
}

static bool has_folder(const struct network_folders *folders, const char *path) {
    for (int i = 0; i < folders->count; i++) {
        if (strcmp(folders->paths[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds the share folders of the installation that this code, or this program, belongs to. */
static nst_status add_moved_folders(struct network_folders *folders, nst_error *error) {
    char *found[] = {
        origin_of_code(NST_WEIGHTS_FROM_LIBRARY),
        origin_of_code(NST_WEIGHTS_FROM_PROGRAM), /* where the library is linked into the program */
        origin_of_program(NST_WEIGHTS_FROM_PROGRAM),
    };
    nst_status status = NST_OK;
    for (size_t i = 0; i < COUNT(found); i++) {
        if (!status && found[i] != NULL && !has_folder(folders, found[i])) {
            status = add_folder(folders, found[i], "", "installed", error);
        }
        free(found[i]);
    }
    return status;
}

nst_status network_folders_find(struct network_folders *folders, nst_error *error) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    nst_status status = NST_OK;
    *folders = (struct network_folders){0};
    if (data != NULL && data[0] == '/') { /* the XDG specification: a relative path is to be ignored */
        status = add_folder(folders, data, "nst/weights", "yours", error);
    } else if (home != NULL && home[0] != 0) {
        status = add_folder(folders, home, ".local/share/nst/weights", "yours", error);
    }
    if (!status) {
        status = add_moved_folders(folders, error);
    }
    if (!status && !has_folder(folders, NST_SHARE_WEIGHTS_DIR)) {
        status = add_folder(folders, NST_SHARE_WEIGHTS_DIR, "", "installed", error);
    }
    if (!status) {
        status = add_folder(folders, NST_SOURCE_WEIGHTS_DIR, "", "source tree", error);
    }
    if (status) {
        network_folders_free(folders);
    }
    return status;
}

void network_folders_free(struct network_folders *folders) {
    for (int i = 0; i < folders->count; i++) {
        free(folders->paths[i]);
    }
    *folders = (struct network_folders){0};
}

/* The file of that name in one folder, or NULL. */
static char *find_in_folder(const char *folder, const char *name) {
    char *path = NULL;
    for (size_t i = 0; i < COUNT(endings) && path == NULL; i++) {
        path = file_join(folder, name, endings[i]);
        if (path != NULL && !file_exists(path)) {
            free(path);
            path = NULL;
        }
    }
    for (size_t i = 0; i < COUNT(published) && path == NULL; i++) {
        if (strcmp(published[i].name, name) != 0) {
            continue;
        }
        path = file_join(folder, published[i].file, "");
        if (path != NULL && !file_exists(path)) {
            free(path);
            path = NULL;
        }
    }
    return path;
}

/* "no network is named X; ...": the folders, and a name that is near, among those installed and those known. */
static nst_status fail_unknown(const char *name, const struct network_folders *folders, nst_error *error) {
    struct weights_list list = {0};
    const char *nearest = NULL, *names[COUNT(published) + WEIGHTS_LIST_MAX];
    size_t count = 0;
    char shown[64], where[600] = "";
    if (!weights_list_create(&list, NULL)) {
        for (size_t i = 0; i < list.count; i++) {
            names[count++] = list.files[i].name;
        }
    }
    for (size_t i = 0; i < COUNT(published); i++) {
        names[count++] = published[i].name;
    }
    nearest = text_nearest(name, names, count);
    if (nearest != NULL && strcmp(nearest, name) == 0) {
        nearest = NULL;
    }
    for (int i = 0; i < folders->count; i++) {
        size_t used = strlen(where);
        snprintf(where + used, sizeof where - used, "%s%s", i == 0 ? "" : ", ", folders->paths[i]);
    }
    snprintf(shown, sizeof shown, "%s", name);
    nst_status status = fail(
        error, NST_ERROR_FILE, "no network named %s in %s%s%s%s; get it with weights/get.sh, or give a path", shown,
        where, nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    weights_list_free(&list);
    return status;
}

nst_status network_locate(const char *name, char **path, nst_error *error) {
    struct network_folders folders;
    *path = NULL;
    nst_status status = network_folders_find(&folders, error);
    if (status) {
        return status;
    }
    for (int i = 0; i < folders.count && *path == NULL; i++) {
        *path = find_in_folder(folders.paths[i], name);
    }
    if (*path == NULL) {
        status = fail_unknown(name, &folders, error);
    }
    network_folders_free(&folders);
    return status;
}
