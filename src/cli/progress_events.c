/* progress_events.c: the course of a run for programs; see progress_events.h. */
#include "cli/progress_events.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/options.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/text.h"

static const double LEAST_SECONDS = 0.1;

/* ---- Where to ---------------------------------------------------------------------------------------------------- */

/* The descriptor behind "json:", 2 for "json" alone; -1 for what is neither. */
static int read_descriptor(const char *kind) {
    long long number = STDERR_FILENO;
    if (strcmp(kind, "json") == 0) {
        return STDERR_FILENO;
    }
    return strncmp(kind, "json:", 5) == 0 && text_to_integer(kind + 5, &number) && number >= 0 && number < 65536
               ? (int)number
               : -1;
}

nst_status progress_events_begin(struct progress_events *events, const char *kind, nst_error *error) {
    char quoted[64];
    *events = (struct progress_events){.started = seconds_now(), .shown_after = -1, .scale = -1};
    if (!kind || strcmp(kind, "auto") == 0) {
        return NST_OK;
    }
    int descriptor = read_descriptor(kind);
    if (descriptor < 0) {
        return fail(error, NST_ERROR_ARGUMENT, "--progress: expected auto, json or json:FD, found '%s'",
                    option_quote(kind, quoted, sizeof quoted));
    }
    int flags = fcntl(descriptor, F_GETFL), copy = flags < 0 ? -1 : dup(descriptor);
    if (copy < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        if (copy >= 0) {
            close(copy);
        }
        return fail(error, NST_ERROR_ARGUMENT, "--progress: file descriptor %d is not open for writing", descriptor);
    }
    events->stream = fdopen(copy, "w");
    if (!events->stream) {
        close(copy);
        return fail_memory(error, sizeof(FILE), "the events");
    }
    return NST_OK;
}

void progress_events_end(struct progress_events *events) {
    if (events->stream) {
        fclose(events->stream);
        events->stream = NULL;
    }
}

/* ---- What -------------------------------------------------------------------------------------------------------- */

json_t *progress_json(const nst_progress *progress) {
    json_t *object = json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}", "scale", progress->scale + 1, "width", progress->width,
                               "height", progress->height, "iteration", progress->iteration, "evaluation",
                               progress->evaluation, "total", real_json(progress->loss));
    if (object && progress->note) {
        json_object_set_new(object, "note", text_json(progress->note));
    }
    return object;
}

void progress_events_picture(struct progress_events *events, const char *content, int number, int count) {
    events->content = content;
    events->number = number;
    events->count = count;
    events->shown_after = -1;
    events->scale = -1;
    events->share = (double)(number - 1) / count;
}

void progress_events_tell(struct progress_events *events, const char *phase, json_t *fields) {
    if (!events->stream) {
        json_decref(fields);
        return;
    }
    json_t *event = json_pack("{s:s, s:o, s:o}", "phase", phase, "share", real_json(events->share), "seconds",
                              real_json(seconds_now() - events->started));
    if (event && events->content) {
        json_object_set_new(event, "content", text_json(events->content));
        json_object_set_new(event, "number", json_integer(events->number));
        json_object_set_new(event, "count", json_integer(events->count));
    }
    if (event && fields) {
        json_object_update(event, fields);
    }
    if (event && json_dumpf(event, events->stream, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(10)) == 0) {
        fputc('\n', events->stream);
    }
    fflush(events->stream);
    json_decref(event);
    json_decref(fields);
}

void progress_events_phase(struct progress_events *events, const char *phase, const char *key, const char *value) {
    json_t *fields = json_object();
    if (key) {
        json_object_set_new(fields, key, text_json(value));
    }
    progress_events_tell(events, phase, fields);
}

void progress_events_show(struct progress_events *events, const nst_progress *progress) {
    bool due = events->shown_after < 0 || seconds_now() - events->started >= events->shown_after + LEAST_SECONDS;
    if (!events->stream || !(due || progress->scale != events->scale || progress->note || progress->finished)) {
        return;
    }
    double share = events->count > 0 ? (events->number - 1 + progress->share) / events->count : progress->share;
    events->share = share > events->share ? share : events->share;
    events->scale = progress->scale;
    json_t *object = progress_json(progress);
    if (object) {
        json_object_set_new(object, "scales", json_integer(progress->scale_count));
        json_object_set_new(object, "iterations", json_integer(progress->iteration_count));
        json_object_set_new(object, "seconds_per_iteration", real_json(progress->seconds_per_iteration));
        json_object_set_new(object, "seconds_left", real_json(progress->seconds_left));
    }
    progress_events_tell(events, "painting", object);
    events->shown_after = seconds_now() - events->started;
}
