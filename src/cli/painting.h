/* painting.h: one picture on its way: its content is read, a job of the session paints it, and the result is written. What
 * reads and writes touches nothing but the painting and the options, so it may run beside the job of another one. */
#ifndef CLI_PAINTING_H
#define CLI_PAINTING_H

#include "cli/checkpoints.h"
#include "cli/log.h"
#include "cli/record.h"
#include "cli/session.h"

struct painting {
    struct session *session;
    const char *content;             /* path, or "-" */
    const char *output;              /* NULL: standard output, or none */
    const struct arguments *command; /* its command line is what the result tells */

    nst_note note; /* what is wrong with the content's file nevertheless */
    nst_picture picture, result;
    nst_picture_metadata metadata; /* of the content, as far as it goes into the result */
    struct picture_record record;

    struct run_log log;                           /* nothing here for none */
    struct checkpoints checkpoints;               /* likewise */
    double started;                               /* seconds of the clock */
    double seconds;                               /* that it took, until it was written */
    int iterations;                               /* so far */
    int schedule[NST_MAX_SCALES], schedule_count; /* where a time was given: the iterations that it came to */
    bool interrupted;
    int saved_at;         /* iterations when the last picture on the way was written */
    nst_error side_error; /* the first failure of log or pictures on the way, which do not stop the job */
};

/* Reads the content. What of its metadata goes into the result is known at once, and can be refused before the work is
 * done. Errors: those of nst_picture_read and nst_picture_check_profile. */
nst_status painting_read(struct painting *painting, nst_error *error);

/* Tells a person what was wrong with the content's file, if anything was. */
void painting_tell_note(const struct painting *painting);

/* How the result is written; valid as long as the painting. */
nst_picture_format painting_format(const struct painting *painting);

/* Makes the session's job one for this picture, whose content is then freed. Errors: those of nst_job_create. */
nst_status painting_begin(struct painting *painting, nst_error *error);

/* Runs the job, and takes its result, also where it was interrupted. The callback gets `user`, and should call
 * painting_show. Errors: those of nst_job_run and nst_job_picture, but for NST_CANCELED. */
nst_status painting_run(struct painting *painting, nst_progress_callback *callback, void *user, nst_error *error);

/* Tells how far the job is, and writes what is due on the way. */
void painting_show(struct painting *painting, const nst_progress *progress);

/* Writes the result. Errors: those of nst_picture_write. */
nst_status painting_write(struct painting *painting, nst_error *error);

/* Tells a person what was painted, and in what time. */
void painting_print_summary(const struct painting *painting);

void painting_free(struct painting *painting);

#endif
