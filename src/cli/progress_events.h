/* progress_events.h: the course of a run for programs that watch it (--progress json), one JSON object in a line. What is in
 * them: docs/progress.md. */
#ifndef CLI_PROGRESS_EVENTS_H
#define CLI_PROGRESS_EVENTS_H

#include <jansson.h>

#include "nst.h"

struct progress_events {
    FILE *stream;       /* NULL: nobody watches */
    double started;     /* seconds of the clock */
    double share;       /* done of the whole job, as was told last */
    double shown_after; /* seconds; negative: never */
    int scale;
    /* Where several pictures are painted: the one in hand, by its content, number `number` of `count`, from 1. */
    const char *content;
    int number, count;
};

/* `kind` is "auto" (no events), "json" (on standard error) or "json:FD", an open file descriptor; NULL stands for "auto".
 * End with progress_events_end. Errors: NST_ERROR_ARGUMENT (another word, a descriptor that cannot be written to). */
nst_status progress_events_begin(struct progress_events *events, const char *kind, nst_error *error);
void progress_events_end(struct progress_events *events);

/* Another picture is in hand, of several. */
void progress_events_picture(struct progress_events *events, const char *content, int number, int count);

/* A phase begins. `key` and `value` tell more of it, and may be NULL. A reader that goes away is no error, here and
 * below. */
void progress_events_phase(struct progress_events *events, const char *phase, const char *key, const char *value);

/* The same with further fields, an object that is taken over. */
void progress_events_tell(struct progress_events *events, const char *phase, json_t *fields);

/* Where the job is, ten times a second at most, but whenever a scale begins, at a note, and at the end. */
void progress_events_show(struct progress_events *events, const nst_progress *progress);

/* The fields of an evaluation that every record of it has: scale, width, height, iteration, evaluation, total (the loss)
 * and note. NULL without memory. */
json_t *progress_json(const nst_progress *progress);

#endif
