/* file.h: whole files in memory, and files that appear complete or not at all. */
#ifndef SUPPORT_FILE_H
#define SUPPORT_FILE_H

#include "nst.h"

/* Reads a whole file of at most `limit_bytes`. `*data` is from malloc and has one more byte, a zero, behind its end.
 * A folder, a missing or unreadable file and a file over the limit each get their own message. `what` names the kind of
 * file in messages ("picture", "network"). */
nst_status file_read(const char *path, const char *what, size_t limit_bytes, unsigned char **data, size_t *bytes,
                     nst_error *error);

/* What is read in messages, and how much of it at most. */
struct file_kind {
    const char *path, *what;
    size_t limit_bytes;
};

/* The same for a stream, to its end. */
nst_status file_read_stream(FILE *stream, const struct file_kind *kind, unsigned char **data, size_t *bytes,
                            nst_error *error);

/* A file being written beside its target. */
struct file_replacement {
    FILE *stream;
    char *path;           /* the target */
    char *temporary_path; /* in the same folder */
};

/* Opens a temporary file in the folder of `path`. */
nst_status file_replacement_begin(struct file_replacement *replacement, const char *path, nst_error *error);
/* Flushes and syncs what was written so far, so that nothing but the renaming can fail later. */
nst_status file_replacement_flush(struct file_replacement *replacement, nst_error *error);
/* Flushes, syncs, closes and renames it over the target. On failure the temporary file is removed, the target
 * untouched. */
nst_status file_replacement_commit(struct file_replacement *replacement, nst_error *error);
/* Removes the temporary file. Harmless after commit, after a failed begin, and on a zeroed struct. */
void file_replacement_abort(struct file_replacement *replacement);

/* Removes the temporary files for `path` that processes have left behind which are gone, such as killed ones. */
void file_replacement_clean(const char *path);

/* True if `path` names something that exists. */
bool file_exists(const char *path);

/* Creates a folder and those above it that are missing. */
nst_status file_make_folders(const char *path, nst_error *error);
/* The same for the folder that a file is to be in, if its path names one. */
nst_status file_make_folder_of(const char *path, nst_error *error);

/* "folder/name" and the ending behind it, or without a folder the name alone; from malloc, NULL without memory. */
char *file_join(const char *folder, const char *name, const char *ending);

#endif
