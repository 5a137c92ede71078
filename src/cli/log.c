/* log.c: the course of a job as JSON, one object in a line per evaluation of the loss (--log). */
#include "cli/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/progress_events.h"
#include "support/error.h"

static nst_status fail_log(const struct run_log *log, nst_error *error) {
    return fail(error, NST_ERROR_FILE, "%s: cannot write the log: %s", log->path, strerror(errno));
}

/* Cuts off what is behind so many lines, and goes there. */
static bool keep_lines(FILE *stream, int lines) {
    int c = 0;
    while (lines > 0 && (c = getc(stream)) != EOF) {
        lines -= c == '\n';
    }
    off_t end = ftello(stream);
    return end >= 0 && ftruncate(fileno(stream), end) == 0 && fseeko(stream, end, SEEK_SET) == 0;
}

nst_status log_begin(struct run_log *log, const char *path, int lines, nst_error *error) {
    *log = (struct run_log){.path = path};
    if (!path) {
        return NST_OK;
    }
    log->stream = lines > 0 ? fopen(path, "r+") : NULL;
    if (log->stream) {
        return keep_lines(log->stream, lines) ? NST_OK : fail_log(log, error);
    }
    log->stream = fopen(path, "w");
    return log->stream ? NST_OK : fail_log(log, error);
}

nst_status log_write(struct run_log *log, const nst_progress *progress, nst_error *error) {
    if (!log->stream) {
        return NST_OK;
    }
    json_t *losses = json_array();
    for (int i = 0; i < progress->layer_count; i++) {
        const nst_layer_loss *layer = &progress->layers[i];
        json_array_append_new(losses, json_pack("{s:s, s:s, s:o}", "layer", layer->name, "kind", layer->kind, "loss",
                                                real_json(layer->loss)));
    }
    json_t *line = progress_json(progress);
    if (line) {
        json_object_set_new(line, "seconds", real_json(progress->seconds));
        json_object_set_new(line, "losses", losses);
    }
    nst_status status = NST_OK;
    errno = ENOMEM;
    if (!line || json_dumpf(line, log->stream, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(10)) < 0 ||
        fputc('\n', log->stream) == EOF || fflush(log->stream) != 0) {
        status = fail_log(log, error);
    }
    json_decref(line);
    return status;
}

nst_status log_end(struct run_log *log, nst_error *error) {
    if (!log->stream) {
        return NST_OK;
    }
    int failed = fclose(log->stream);
    log->stream = NULL;
    return failed ? fail_log(log, error) : NST_OK;
}
