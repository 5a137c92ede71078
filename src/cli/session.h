/* session.h: what a command that paints has once for all of its pictures: options, styles and masks, device, network, and
 * how it tells what it does. A client of nst.h. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/progress.h"
#include "cli/progress_events.h"
#include "cli/stylize_options.h"

enum { SESSION_NOTES = 3 };

struct session {
    struct stylize_options *options;
    double started; /* seconds of the clock */

    nst_picture styles[NST_MAX_STYLES], style_masks[NST_MAX_STYLES];
    int style_count;
    nst_picture init, mask;
    const nst_picture *previous, *reliable; /* of a film: see nst_job_pictures; NULL: none */

    nst_context *contexts[NST_MAX_DEVICES]; /* the first one leads */
    int context_count;
    nst_network *network; /* NULL once it is only needed on the device */
    nst_job *job;         /* of the picture in hand, or of the one before; NULL before the first */

    struct progress_display display;
    struct progress_events events;
    char told[SESSION_NOTES][256]; /* see session_tell */
};

/* Reads the pictures besides the contents: styles, masks, and what is painted on. Errors: those of nst_picture_read. */
nst_status session_read_pictures(struct session *session, nst_error *error);
void session_free_pictures(struct session *session);

/* Begins to tell a person how far it is, unless `quiet` or events on standard error take the place of that. */
void session_begin_display(struct session *session, bool quiet);

/* Opens devices and network. Errors: those of device_open_list and network_choice_open. */
nst_status session_open(struct session *session, nst_error *error);

/* Prints a note, if there is one, unless quiet or it is what was told last of its kind, from 0 to SESSION_NOTES - 1. */
void session_tell(struct session *session, int kind, const char *note);

/* Releases everything but the options. */
void session_end(struct session *session);

#endif
