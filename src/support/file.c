/* file.c: whole files in memory, and files that appear complete or not at all; see file.h. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "support/file.h"

#include "support/error.h"
#include "support/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Reading --------------------------------------------------------------------------------------------------- */

static nst_status fail_limit(const struct file_kind *source, nst_error *error) {
    char limit[32];
    return fail(error, NST_ERROR_FORMAT, "%s %s is larger than the %s that nst accepts", source->what, source->path,
                text_bytes(source->limit_bytes, limit, sizeof limit));
}

/* Reads to the end of the stream; `expected_bytes` is a guess that saves growing. */
static nst_status read_stream(const struct file_kind *source, FILE *stream, size_t expected_bytes, unsigned char **data,
                              size_t *bytes, nst_error *error) {
    size_t capacity = expected_bytes + 2, used = 0;
    unsigned char *buffer = malloc(capacity);
    if (!buffer) {
        return fail_memory(error, capacity, source->what);
    }
    for (;;) {
        used += fread(buffer + used, 1, capacity - 1 - used, stream);
        if (ferror(stream)) {
            nst_status status =
                fail(error, NST_ERROR_FILE, "cannot read %s %s: %s", source->what, source->path, strerror(errno));
            free(buffer);
            return status;
        }
        if (used > source->limit_bytes) {
            free(buffer);
            return fail_limit(source, error);
        }
        if (used < capacity - 1) {
            break;
        }
        capacity *= 2;
        unsigned char *larger = realloc(buffer, capacity);
        if (!larger) {
            free(buffer);
            return fail_memory(error, capacity, source->what);
        }
        buffer = larger;
    }
    buffer[used] = 0;
    *data = buffer;
    *bytes = used;
    return NST_OK;
}

nst_status file_read_stream(FILE *stream, const struct file_kind *kind, unsigned char **data, size_t *bytes,
                            nst_error *error) {
    *data = NULL;
    *bytes = 0;
    return read_stream(kind, stream, 65536, data, bytes, error);
}

nst_status file_read(const char *path, const char *what, size_t limit_bytes, unsigned char **data, size_t *bytes,
                     nst_error *error) {
    const struct file_kind source = {path, what, limit_bytes};
    *data = NULL;
    *bytes = 0;
    struct stat info;
    if (stat(path, &info) != 0) {
        return fail(error, NST_ERROR_FILE, "cannot open %s %s: %s", what, path, strerror(errno));
    }
    if (S_ISDIR(info.st_mode)) {
        return fail(error, NST_ERROR_FILE, "cannot open %s %s: it is a folder, not a file", what, path);
    }
    size_t expected_bytes = 65536;
    if (S_ISREG(info.st_mode)) {
        if ((uintmax_t)info.st_size > limit_bytes) {
            return fail_limit(&source, error);
        }
        expected_bytes = (size_t)info.st_size;
    }
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        return fail(error, NST_ERROR_FILE, "cannot open %s %s: %s", what, path, strerror(errno));
    }
    nst_status status = read_stream(&source, stream, expected_bytes, data, bytes, error);
    fclose(stream);
    return status;
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

/* ---- Replacing ------------------------------------------------------------------------------------------------- */

static nst_status fail_write(const char *path, int code, nst_error *error) {
    return fail(error, NST_ERROR_FILE, "cannot write %s: %s", path, strerror(code));
}

/* The file that is to be replaced: behind a symbolic link, what it points to. From malloc. */
static char *resolve_target(const char *path) {
    struct stat info;
    char *resolved = NULL;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) {
        resolved = realpath(path, NULL);
    }
    return resolved ? resolved : strdup(path);
}

/* Creates a file of a new name beside the target; `*temporary_path` is from malloc. -1 and errno on failure. */
static int open_beside(const char *path, char **temporary_path) {
    size_t size = strlen(path) + 48;
    *temporary_path = malloc(size);
    if (!*temporary_path) {
        errno = ENOMEM;
        return -1;
    }
    int file = -1;
    for (int attempt = 0; attempt < 1000; ++attempt) {
        snprintf(*temporary_path, size, "%s.%ld-%d.part", path, (long)getpid(), attempt);
        file = open(*temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0 || errno != EEXIST) {
            break;
        }
    }
    return file;
}

nst_status file_replacement_begin(struct file_replacement *replacement, const char *path, nst_error *error) {
    *replacement = (struct file_replacement){0};
    replacement->path = resolve_target(path);
    if (!replacement->path) {
        return fail_memory(error, strlen(path) + 1, "a file name");
    }
    struct stat info;
    bool exists = stat(replacement->path, &info) == 0;
    nst_status status = NST_OK;
    if (exists && S_ISDIR(info.st_mode)) {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: it is a folder, not a file", path);
    } else if (exists && !S_ISREG(info.st_mode)) {
        status = fail(error, NST_ERROR_FILE, "cannot write %s: it is not a regular file", path);
    } else if (exists && access(replacement->path, W_OK) != 0) {
        status = fail_write(path, errno, error);
    }
    if (status) {
        file_replacement_abort(replacement);
        return status;
    }
    int file = open_beside(replacement->path, &replacement->temporary_path);
    if (file < 0) {
        int code = errno;
        free(replacement->temporary_path);
        replacement->temporary_path = NULL;
        file_replacement_abort(replacement);
        return fail_write(path, code, error);
    }
    if (exists) {
        (void)!fchmod(file, info.st_mode & 0777);
    }
    replacement->stream = fdopen(file, "wb");
    if (!replacement->stream) {
        int code = errno;
        close(file);
        file_replacement_abort(replacement);
        return fail_write(path, code, error);
    }
    return NST_OK;
}

nst_status file_replacement_flush(struct file_replacement *replacement, nst_error *error) {
    errno = 0;
    if (ferror(replacement->stream) || fflush(replacement->stream) != 0 || fsync(fileno(replacement->stream)) != 0) {
        return fail_write(replacement->path, errno ? errno : EIO, error);
    }
    return NST_OK;
}

nst_status file_replacement_commit(struct file_replacement *replacement, nst_error *error) {
    nst_status status = file_replacement_flush(replacement, error);
    int code = 0;
    if (fclose(replacement->stream) != 0 && !code) {
        code = errno;
    }
    replacement->stream = NULL;
    if (!status && !code && rename(replacement->temporary_path, replacement->path) != 0) {
        code = errno;
    }
    if (!status && code) {
        status = fail_write(replacement->path, code, error);
    }
    if (!status) {
        free(replacement->temporary_path);
        replacement->temporary_path = NULL;
    }
    file_replacement_abort(replacement);
    return status;
}

void file_replacement_abort(struct file_replacement *replacement) {
    if (replacement->stream) {
        fclose(replacement->stream);
    }
    if (replacement->temporary_path) {
        remove(replacement->temporary_path);
    }
    free(replacement->temporary_path);
    free(replacement->path);
    *replacement = (struct file_replacement){0};
}

/* True if the name, without its folder, is that of a temporary file for `target` whose process is gone. */
static bool is_left_behind(const char *name, const char *target) {
    size_t length = strlen(target);
    long process = 0;
    int attempt, end = 0;
    return strncmp(name, target, length) == 0 &&
           sscanf(name + length, ".%10ld-%4d.part%n", &process, &attempt, &end) == 2 && end > 0 &&
           !name[length + (size_t)end] && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

void file_replacement_clean(const char *path) {
    char *target = resolve_target(path);
    char *slash = target ? strrchr(target, '/') : NULL;
    const char *name = slash ? slash + 1 : target;
    if (slash) {
        *slash = 0;
    }
    DIR *folder = target ? opendir(!slash ? "." : *target ? target : "/") : NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        if (is_left_behind(entry->d_name, name)) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    if (folder) {
        closedir(folder);
    }
    free(target);
}

/* ---- Folders --------------------------------------------------------------------------------------------------- */

nst_status file_make_folders(const char *path, nst_error *error) {
    char *partial = strdup(path);
    if (!partial) {
        return fail_memory(error, strlen(path) + 1, "a file name");
    }
    nst_status status = NST_OK;
    for (char *end = partial + 1; !status && *partial; ++end) {
        bool last = *end == 0;
        if (*end != '/' && !last) {
            continue;
        }
        *end = 0;
        int code = mkdir(partial, 0777) == 0 ? 0 : errno;
        if (code && !file_exists(partial)) {
            status = fail(error, NST_ERROR_FILE, "cannot create the folder %s: %s", partial, strerror(code));
        }
        if (last) {
            break;
        }
        *end = '/';
    }
    struct stat info;
    if (!status && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))) {
        status = fail(error, NST_ERROR_FILE, "cannot create the folder %s: a file of that name is in the way", path);
    }
    free(partial);
    return status;
}

nst_status file_make_folder_of(const char *path, nst_error *error) {
    char *folder = strdup(path);
    if (folder == NULL) {
        return fail_memory(error, strlen(path), "a file name");
    }
    char *slash = strrchr(folder, '/');
    nst_status status = NST_OK;
    if (slash != NULL && slash != folder) {
        *slash = 0;
        status = file_make_folders(folder, error);
    }
    free(folder);
    return status;
}

char *file_join(const char *folder, const char *name, const char *ending) {
    size_t length = strlen(folder), size = length + strlen(name) + strlen(ending) + 2;
    char *path = malloc(size);
    if (path) {
        snprintf(path, size, "%s%s%s%s", folder, length > 0 && folder[length - 1] != '/' ? "/" : "", name, ending);
    }
    return path;
}
