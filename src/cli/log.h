/* log.h: the course of a job as JSON, one object in a line per evaluation of the loss (--log). */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include "nst.h"

struct run_log {
    const char *path;
    FILE *stream; /* NULL: no log is wanted */
};

/* Opens the file, unless `path` is NULL, and goes on behind so many of its lines; 0: anew. Errors: NST_ERROR_FILE. */
nst_status log_begin(struct run_log *log, const char *path, int lines, nst_error *error);

/* Writes one line: scale, width, height, iteration, evaluation, total, seconds, and losses, an array of objects with
 * layer, kind and loss. A loss that is not finite is null. Errors: NST_ERROR_FILE. */
nst_status log_write(struct run_log *log, const nst_progress *progress, nst_error *error);

/* Closes the file. Harmless on a log that was never begun, and twice. */
nst_status log_end(struct run_log *log, nst_error *error);

#endif
