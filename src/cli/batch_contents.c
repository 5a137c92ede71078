/* batch_contents.c: files and folders to a list of contents; see batch_contents.h. */
#include "cli/batch_contents.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/error.h"
#include "support/file.h"

/* One search under way. */
struct finder {
    const struct batch_search *search;
    struct batch_contents *contents;
    struct stat left_out;
    bool leaves_out; /* it is there */
};

static nst_status fail_names(nst_error *error) {
    return fail_memory(error, 4096, "the list of contents");
}

/* Puts a copy at the end of the list. */
static nst_status add(struct batch_contents *contents, const struct batch_content *item, nst_error *error) {
    if (contents->count == contents->capacity) {
        size_t capacity = contents->capacity ? 2 * contents->capacity : 64;
        struct batch_content *larger = realloc(contents->items, capacity * sizeof *larger);
        if (!larger) {
            return fail_names(error);
        }
        contents->items = larger;
        contents->capacity = capacity;
    }
    struct batch_content *added = &contents->items[contents->count++];
    *added = *item;
    added->path = strdup(item->path);
    added->folder = strdup(item->folder);
    added->problem = item->problem ? strdup(item->problem) : NULL;
    bool is_whole = added->path && added->folder && (added->problem || !item->problem);
    return is_whole ? NST_OK : fail_names(error);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **names;
    size_t count, capacity;
};

static void free_names(struct names *names) {
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
}

static bool add_name(struct names *names, const char *name) {
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? 2 * names->capacity : 64;
        char **larger = realloc(names->names, capacity * sizeof *larger);
        if (!larger) {
            return false;
        }
        names->names = larger;
        names->capacity = capacity;
    }
    names->names[names->count] = strdup(name);
    return names->names[names->count++] != NULL;
}

/* The sorted names in a folder. 0, or what errno says. */
static int list_names(const char *path, struct names *names) {
    DIR *folder = opendir(path);
    int code = folder ? 0 : errno;
    while (!code) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            code = errno;
            break;
        }
        bool is_link_up = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        code = is_link_up || add_name(names, entry->d_name) ? 0 : ENOMEM;
    }
    if (folder) {
        closedir(folder);
    }
    if (!code && names->count > 0) {
        qsort(names->names, names->count, sizeof *names->names, compare_names);
    }
    return code;
}

/* A folder within a folder that is to be entered: links are not, so that none leads round in a circle. */
static bool is_entered(const struct finder *finder, const char *path) {
    struct stat info;
    return finder->search->recursive && lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
           !(finder->leaves_out && info.st_dev == finder->left_out.st_dev && info.st_ino == finder->left_out.st_ino);
}

/* `below`: the folder's own name below the one that was given. */
static nst_status find_in_folder(struct finder *finder, const char *path, const char *below, nst_error *error) {
    struct names names = {0};
    nst_status status = NST_OK;
    int code = list_names(path, &names);
    if (code == ENOMEM) {
        status = fail_names(error);
    } else if (code) {
        nst_error problem;
        fail(&problem, NST_ERROR_FILE, "cannot read the folder %s: %s", path, strerror(code));
        status = add(finder->contents,
                     &(struct batch_content){.path = (char *)path, .folder = (char *)below, .problem = problem.message},
                     error);
    }
    for (size_t i = 0; !status && !code && i < names.count; i++) {
        char *file = file_join(path, names.names[i], ""), *folder = file_join(below, names.names[i], "");
        if (!file || !folder) {
            status = fail_names(error);
        } else if (is_entered(finder, file)) {
            status = find_in_folder(finder, file, folder, error);
        } else if (nst_picture_is_readable(file)) {
            status = add(finder->contents, &(struct batch_content){.path = file, .folder = (char *)below}, error);
        }
        free(file);
        free(folder);
    }
    free_names(&names);
    return status;
}

nst_status batch_contents_find(char *const *operands, int count, const struct batch_search *search,
                               struct batch_contents *contents, nst_error *error) {
    struct finder finder = {.search = search, .contents = contents};
    *contents = (struct batch_contents){0};
    finder.leaves_out = stat(search->left_out, &finder.left_out) == 0;
    nst_status status = NST_OK;
    for (int i = 0; !status && i < count; i++) {
        struct stat info;
        if (stat(operands[i], &info) == 0 && S_ISDIR(info.st_mode)) {
            status = find_in_folder(&finder, operands[i], "", error);
        } else { /* whatever is wrong with it is told when it is read */
            status = add(contents, &(struct batch_content){.path = operands[i], .folder = "", .is_given = true}, error);
        }
    }
    return status;
}

void batch_content_free(struct batch_content *content) {
    free(content->path);
    free(content->folder);
    free(content->output);
    free(content->problem);
}

void batch_contents_free(struct batch_contents *contents) {
    for (size_t i = 0; i < contents->count; i++) {
        batch_content_free(&contents->items[i]);
    }
    free(contents->items);
    *contents = (struct batch_contents){0};
}
