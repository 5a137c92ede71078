/* picture_open.c: see picture_open.h. */
#include "cli/picture_open.h"
#include "cli/output.h"

nst_status picture_open(const char *path, bool quiet, nst_picture *picture, nst_error *error) {
    return picture_open_with_metadata(path, quiet, picture, NULL, error);
}

nst_status picture_open_with_metadata(const char *path, bool quiet, nst_picture *picture,
                                      nst_picture_metadata *metadata, nst_error *error) {
    nst_note note;
    nst_status status = output_is_stream(path) ? nst_picture_read_stream(stdin, picture, metadata, &note, error)
                                               : nst_picture_read_with_metadata(path, picture, metadata, &note, error);
    if (!status && !quiet && note.message[0]) {
        fprintf(stderr, "nst: warning: %s\n", note.message);
    }
    return status;
}
