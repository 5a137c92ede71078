/* sealed.c: files of named pieces under a checksum; see sealed.h. */
#include "support/sealed.h"

#include "support/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

nst_status sealed_write_data(struct sealed_writer *writer, const void *data, size_t bytes, nst_error *error) {
    sha256_update(&writer->hash, bytes, data);
    if (fwrite(data, 1, bytes, writer->file.stream) != bytes) {
        return fail(error, NST_ERROR_FILE, "cannot write %s: %s", writer->file.path, strerror(errno));
    }
    return NST_OK;
}

nst_status sealed_write_begin(struct sealed_writer *writer, const char *path, const struct sealed_kind *kind,
                              nst_error *error) {
    *writer = (struct sealed_writer){0};
    sha256_init(&writer->hash);
    file_replacement_clean(path);
    nst_status status = file_replacement_begin(&writer->file, path, error);
    status = status ? status : sealed_write_data(writer, kind->tag, sizeof kind->tag, error);
    status = status ? status : sealed_write_data(writer, &kind->version, sizeof kind->version, error);
    if (status) {
        sealed_write_abort(writer);
    }
    return status;
}

nst_status sealed_write_piece(struct sealed_writer *writer, const char *name, uint64_t bytes, nst_error *error) {
    uint32_t length = (uint32_t)strlen(name);
    nst_status status = sealed_write_data(writer, &length, sizeof length, error);
    status = status ? status : sealed_write_data(writer, &bytes, sizeof bytes, error);
    return status ? status : sealed_write_data(writer, name, length, error);
}

nst_status sealed_write_commit(struct sealed_writer *writer, const char *previous, nst_error *error) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(&writer->hash, sizeof digest, digest);
    nst_status status = sealed_write_data(writer, digest, sizeof digest, error);
    /* Only a complete file takes the place of another. A process that is killed between the two renames leaves the
     * previous one alone. */
    status = status ? status : file_replacement_flush(&writer->file, error);
    if (!status && previous && rename(writer->file.path, previous) != 0 && errno != ENOENT) {
        status =
            fail(error, NST_ERROR_FILE, "cannot rename %s to %s: %s", writer->file.path, previous, strerror(errno));
    }
    status = status ? status : file_replacement_commit(&writer->file, error);
    sealed_write_abort(writer);
    return status;
}

void sealed_write_abort(struct sealed_writer *writer) {
    file_replacement_abort(&writer->file);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static nst_status fail_damaged(const struct sealed_reader *reader, nst_error *error) {
    return fail(error, NST_ERROR_FORMAT, "%s %s is damaged: its checksum does not fit its content", reader->kind->what,
                reader->path);
}

/* Reads so many bytes; `hash` may be NULL. */
static nst_status read_bytes(struct sealed_reader *reader, void *data, size_t bytes, struct sha256_ctx *hash,
                             nst_error *error) {
    errno = 0;
    if (fread(data, 1, bytes, reader->stream) != bytes) {
        return errno ? fail(error, NST_ERROR_FILE, "cannot read %s %s: %s", reader->kind->what, reader->path,
                            strerror(errno))
                     : fail_damaged(reader, error);
    }
    if (hash) {
        sha256_update(hash, bytes, data);
    }
    return NST_OK;
}

/* Compares the checksum of all that is in the file, whose tag was read into `hash`, with that at its end. */
static nst_status verify(struct sealed_reader *reader, uint64_t bytes, struct sha256_ctx *hash, nst_error *error) {
    uint8_t digest[SHA256_DIGEST_SIZE], expected[SHA256_DIGEST_SIZE];
    unsigned char chunk[65536];
    nst_status status = NST_OK;
    while (!status && bytes > 0) {
        size_t part = bytes < sizeof chunk ? (size_t)bytes : sizeof chunk;
        status = read_bytes(reader, chunk, part, hash, error);
        bytes -= part;
    }
    sha256_digest(hash, sizeof digest, digest);
    status = status ? status : read_bytes(reader, expected, sizeof expected, NULL, error);
    return status || memcmp(digest, expected, sizeof digest) == 0 ? status : fail_damaged(reader, error);
}

static nst_status measure(struct sealed_reader *reader, uint64_t *bytes, nst_error *error) {
    off_t end = fseeko(reader->stream, 0, SEEK_END) == 0 ? ftello(reader->stream) : -1;
    if (end < 0) {
        return fail(error, NST_ERROR_FILE, "cannot read %s %s: %s", reader->kind->what, reader->path, strerror(errno));
    }
    rewind(reader->stream);
    *bytes = (uint64_t)end;
    return NST_OK;
}

nst_status sealed_read_open(struct sealed_reader *reader, const char *path, const struct sealed_kind *kind,
                            nst_error *error) {
    *reader = (struct sealed_reader){.stream = fopen(path, "rb"), .path = strdup(path), .kind = kind};
    if (!reader->stream || !reader->path) {
        return fail(error, NST_ERROR_FILE, "cannot open %s %s: %s", kind->what, path, strerror(errno));
    }
    struct sha256_ctx hash;
    sha256_init(&hash);
    char tag[SEALED_TAG_LENGTH];
    uint32_t version = 0;
    const uint64_t frame = sizeof tag + sizeof version + SHA256_DIGEST_SIZE;
    uint64_t bytes = 0;
    nst_status status = measure(reader, &bytes, error);
    if (!status && (bytes < sizeof tag || read_bytes(reader, tag, sizeof tag, &hash, error) ||
                    memcmp(tag, kind->tag, sizeof tag) != 0)) {
        status = fail(error, NST_ERROR_FORMAT, "%s is not a %s", path, kind->what);
    }
    if (!status && bytes < frame) {
        status = fail_damaged(reader, error);
    }
    status = status ? status : read_bytes(reader, &version, sizeof version, &hash, error);
    status = status ? status : verify(reader, bytes - frame, &hash, error);
    if (!status && version != kind->version) {
        status = fail(error, NST_ERROR_FORMAT,
                      "%s %s is of version %lu, and this program reads version %lu: finish it with the program that "
                      "wrote it",
                      kind->what, path, (unsigned long)version, (unsigned long)kind->version);
    }
    reader->left = status ? 0 : bytes - frame;
    return status || fseeko(reader->stream, sizeof tag + sizeof version, SEEK_SET) == 0 ? status
                                                                                        : fail_damaged(reader, error);
}

nst_status sealed_read_data(struct sealed_reader *reader, void *data, size_t bytes, nst_error *error) {
    if (bytes > reader->left) {
        return fail(error, NST_ERROR_FORMAT, "%s %s ends too early", reader->kind->what, reader->path);
    }
    reader->left -= bytes;
    return read_bytes(reader, data, bytes, NULL, error);
}

nst_status sealed_read_piece(struct sealed_reader *reader, const char *name, uint64_t *bytes, nst_error *error) {
    uint32_t length = 0;
    char found[SEALED_NAME_LENGTH] = "";
    nst_status status = sealed_read_data(reader, &length, sizeof length, error);
    status = status ? status : sealed_read_data(reader, bytes, sizeof *bytes, error);
    if (!status && length >= sizeof found) {
        status = fail(error, NST_ERROR_FORMAT, "%s %s has a name of %lu bytes", reader->kind->what, reader->path,
                      (unsigned long)length);
    }
    status = status ? status : sealed_read_data(reader, found, length, error);
    if (!status && strcmp(found, name) != 0) {
        status = fail(error, NST_ERROR_FORMAT, "%s %s holds '%s' where '%s' is expected: it is of another kind of job",
                      reader->kind->what, reader->path, found, name);
    }
    if (!status && *bytes > reader->left) {
        status = fail(error, NST_ERROR_FORMAT, "%s %s ends too early", reader->kind->what, reader->path);
    }
    return status;
}

void sealed_read_close(struct sealed_reader *reader) {
    if (reader->stream) {
        fclose(reader->stream);
    }
    free(reader->path);
    *reader = (struct sealed_reader){0};
}
