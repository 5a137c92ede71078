/* checkpoints.h: when the checkpoints of a run are written (--checkpoint), and what stands in them besides the job: the
 * command and the folder it was given in, so that `nst resume` can repeat it. */
#ifndef CLI_CHECKPOINTS_H
#define CLI_CHECKPOINTS_H

#include "cli/options.h"

/* Without a time that was asked for: so often, but more rarely where writing would take a larger share of the time. */
#define CHECKPOINT_SECONDS 60
#define CHECKPOINT_SHARE   0.01

struct checkpoints {
    const char *path;     /* NULL: none is wanted */
    double every_seconds; /* 0: as above */
    bool keeps_previous;  /* from the second on */
    double due_at;        /* seconds of the clock */
    nst_picture_text *texts;
    int text_count;
    char folder[4096], evaluations[16];
    nst_error error; /* of the last attempt on the way */
};

/* Prepares for the command of these arguments. Release with checkpoints_end, also after a failure. Errors:
 * NST_ERROR_FILE (the folder has no name), NST_ERROR_MEMORY. */
nst_status checkpoints_begin(struct checkpoints *checkpoints, const struct arguments *arguments, nst_error *error);
void checkpoints_end(struct checkpoints *checkpoints);

/* Writes one, after so many evaluations. */
nst_status checkpoints_write(struct checkpoints *checkpoints, nst_job *job, int evaluations, nst_error *error);

/* The same if it is time to. A failure stays in checkpoints->error until one succeeds; returns true if it is a new one,
 * of which a person should be told. */
bool checkpoints_visit(struct checkpoints *checkpoints, nst_job *job, int evaluations);

/* ---- Read back --------------------------------------------------------------------------------------------------- */

/* The command line of a checkpoint. */
struct checkpoint_command {
    int argc;
    char **argv;        /* from malloc; the texts are the checkpoint's */
    const char *folder; /* in which it was given */
    int evaluations;
};

/* Free argv with free(). Errors: NST_ERROR_FORMAT (it was not written by this program's command), NST_ERROR_MEMORY. */
nst_status checkpoint_command_read(const nst_checkpoint *checkpoint, struct checkpoint_command *command,
                                   nst_error *error);

#endif
