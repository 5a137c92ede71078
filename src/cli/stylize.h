/* stylize.h: the run of `nst stylize`, from the beginning or from a checkpoint. */
#ifndef CLI_STYLIZE_H
#define CLI_STYLIZE_H

#include "cli/options.h"

/* Where a run goes on, and what may be different from its command. */
struct stylize_resume {
    nst_checkpoint *checkpoint;
    const char *path; /* absolute, of the checkpoints that it writes */
    bool accept_changes;
    const char *device;   /* NULL: as in the command */
    const char *progress; /* likewise */
    bool quiet, verbose;
    int evaluations; /* done before */
};

/* Paints; `resume` is NULL for a run from the beginning. Returns the exit status. */
int stylize_run(const struct arguments *arguments, const struct stylize_resume *resume);

#endif
