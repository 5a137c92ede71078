/* sealed.h: a file of named pieces of bytes that appears complete or not at all, and tells when it was damaged.
 *
 *     tag, 16 bytes | version, uint32 | piece ... | SHA-256 of all before
 *     piece: bytes of the name, uint32 | bytes of the data, uint64 | name | data
 *
 * Numbers are in the byte order of the machine: such files are for the machine that wrote them.
 */
#ifndef SUPPORT_SEALED_H
#define SUPPORT_SEALED_H

#include "support/file.h"

#include <nettle/sha2.h>

enum { SEALED_TAG_LENGTH = 16, SEALED_NAME_LENGTH = 128 };

struct sealed_kind {
    const char *what; /* for messages: "checkpoint" */
    char tag[SEALED_TAG_LENGTH];
    uint32_t version;
};

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

struct sealed_writer {
    struct file_replacement file;
    struct sha256_ctx hash;
};

/* Begins a file beside `path`; what killed processes left of such files is removed. A piece is announced with its bytes,
 * which then follow in any number of parts. End with commit or abort. Errors: NST_ERROR_FILE. */
nst_status sealed_write_begin(struct sealed_writer *writer, const char *path, const struct sealed_kind *kind,
                              nst_error *error);
nst_status sealed_write_piece(struct sealed_writer *writer, const char *name, uint64_t bytes, nst_error *error);
nst_status sealed_write_data(struct sealed_writer *writer, const void *data, size_t bytes, nst_error *error);

/* Puts the file in its place. The one that was there is kept under the name `previous`, unless that is NULL. */
nst_status sealed_write_commit(struct sealed_writer *writer, const char *previous, nst_error *error);
/* Harmless after commit and on a zeroed struct. */
void sealed_write_abort(struct sealed_writer *writer);

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

struct sealed_reader {
    FILE *stream;
    char *path;
    const struct sealed_kind *kind;
    uint64_t left; /* bytes up to the checksum */
};

/* Opens a file whose checksum is right. Close with sealed_read_close, also after a failure. Errors: NST_ERROR_FILE;
 * NST_ERROR_FORMAT (another kind of file, a damaged one, one of a newer version). */
nst_status sealed_read_open(struct sealed_reader *reader, const char *path, const struct sealed_kind *kind,
                            nst_error *error);
/* The next piece must have that name; `*bytes` of data follow, in any number of parts. Errors: NST_ERROR_FORMAT. */
nst_status sealed_read_piece(struct sealed_reader *reader, const char *name, uint64_t *bytes, nst_error *error);
nst_status sealed_read_data(struct sealed_reader *reader, void *data, size_t bytes, nst_error *error);
void sealed_read_close(struct sealed_reader *reader);

#endif
