/* picture_open.h: the pictures that a command is given. */
#ifndef CLI_PICTURE_OPEN_H
#define CLI_PICTURE_OPEN_H

#include "nst.h"

/* nst_picture_read, from standard input for the name "-", with a line on standard error, unless `quiet`, where a damaged file could be read nevertheless. */
nst_status picture_open(const char *path, bool quiet, nst_picture *picture, nst_error *error);

/* The same, and what the file says besides its pixels. */
nst_status picture_open_with_metadata(const char *path, bool quiet, nst_picture *picture,
                                      nst_picture_metadata *metadata, nst_error *error);

#endif
