/* picture_open.c: see picture_open.h. */
#include "cli/picture_open.h"

nst_status picture_open(const char *path, bool quiet, nst_picture *picture, nst_error *error) {
    nst_note note;
    nst_status status = nst_picture_read(path, picture, &note, error);
    if (!status && !quiet && note.message[0]) {
        fprintf(stderr, "nst: warning: %s\n", note.message);
    }
    return status;
}
