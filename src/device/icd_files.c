/* icd_files.c: tries to load each driver; see icd_files.h. */
#include "device/icd_files.h"

#include "device/list.h"
#include "support/child.h"

#ifdef _WIN32

bool icd_files_note(int patience_ms, nst_device_list *list) {
    (void)patience_ms, (void)list;
    return true;
}

#else

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_LENGTH = 512 };

static const char *vendors_folder(void) {
    static const char *const variables[] = {"OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"};
    struct stat status;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; ++i) {
        const char *folder = getenv(variables[i]);
        if (folder && *folder && stat(folder, &status) == 0 && S_ISDIR(status.st_mode)) {
            return folder;
        }
    }
    return "/etc/OpenCL/vendors";
}

/* The driver that a file names: its first line. "" if there is none. */
static void read_library(const char *path, char library[PATH_LENGTH]) {
    FILE *stream = fopen(path, "r");
    *library = 0;
    if (stream && fgets(library, PATH_LENGTH, stream)) {
        library[strcspn(library, "\r\n")] = 0;
    }
    if (stream) {
        fclose(stream);
    }
}

/* A child_talk: what is wrong with the library, "" if nothing. */
static void load(void *user, int pipe_end) {
    const char *library = user;
    char message[PATH_LENGTH] = "";
    if (!dlopen(library, RTLD_LAZY | RTLD_LOCAL)) {
        const char *reason = dlerror();
        snprintf(message, sizeof message, "%s", reason ? reason : "it cannot be loaded");
    }
    child_send(pipe_end, message, sizeof message);
}

/* What is wrong with a driver, "" if nothing is. */
static void try_library(char *library, int patience_ms, char message[PATH_LENGTH]) {
    struct child child;
    char ending[CHILD_ENDING_LENGTH];
    *message = 0;
    if (!*library) {
        snprintf(message, PATH_LENGTH, "it names no driver");
        return;
    }
    if (child_start(load, library, "load a driver", patience_ms, &child, NULL)) {
        return;
    }
    bool arrived = child_receive(&child, message, PATH_LENGTH);
    child_end(&child, ending);
    if (!arrived) {
        snprintf(message, PATH_LENGTH, "%.400s %s while it was loaded", library, ending);
    }
}

bool icd_files_note(int patience_ms, nst_device_list *list) {
    const char *folder = vendors_folder();
    DIR *opened = opendir(folder);
    bool complete = true;
    for (const struct dirent *entry; opened && complete && (entry = readdir(opened)) != NULL;) {
        char path[PATH_LENGTH], library[PATH_LENGTH], message[PATH_LENGTH];
        const char *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".icd") != 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) {
            continue;
        }
        read_library(path, library);
        try_library(library, patience_ms, message);
        if (*message) {
            complete = list_add_note(list,
                                     "The driver of %s cannot be used: %.300s; install its package again, or remove "
                                     "that file.",
                                     path, message);
        }
    }
    if (opened) {
        closedir(opened);
    }
    return complete;
}

#endif
