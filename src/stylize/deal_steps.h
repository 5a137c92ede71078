/* deal_steps.h: how the picture of a job was dealt out to devices, and from which evaluation on, as text: "8,8/41:9,7" is 8
 * parts for each of two devices, and 9 and 7 from the 41st evaluation of the loss on. */
#ifndef STYLIZE_DEAL_STEPS_H
#define STYLIZE_DEAL_STEPS_H

#include "nst.h"

struct deal_step {
    int evaluation; /* from 1 */
    int parts[NST_MAX_DEVICES];
};

struct deal_steps {
    int device_count, count;
    struct deal_step *steps; /* from malloc, by evaluation */
};

/* Errors: NST_ERROR_ARGUMENT (not such a text for so many devices), NST_ERROR_MEMORY. Free with deal_steps_free, also after
 * a failure. */
nst_status deal_steps_read(const char *text, int device_count, struct deal_steps *steps, nst_error *error);
/* Adds a step, if it is another one than the last. Errors: NST_ERROR_MEMORY. */
nst_status deal_steps_add(struct deal_steps *steps, int evaluation, const int *parts, nst_error *error);
void deal_steps_free(struct deal_steps *steps);

/* The parts of an evaluation; NULL where there are no steps. */
const int *deal_steps_at(const struct deal_steps *steps, int evaluation);

/* From malloc; NULL without memory. */
char *deal_steps_text(const struct deal_steps *steps);

#endif
