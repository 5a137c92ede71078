/* tune.h: finds the fastest engines and parameters of a device, for every shape of convolution and every product of the
 * default recipe's iteration. A choice whose results are not right never wins. The table (device/tuning.h) is kept after
 * each row, so that a run that was stopped goes on where it was. */
#ifndef TUNE_TUNE_H
#define TUNE_TUNE_H

#include "tune/line.h"

enum { TUNE_SCHEMA = 1 }; /* of the report in JSON */

struct tune_report {
    nst_device_info info;
    struct tune_line *lines;
    int count;
    bool is_kept; /* for later runs; false if there is no folder to write to */
};

struct tune_progress {
    int done, total; /* rows of the table */
    double share;    /* of all that there is to do */
    double seconds, seconds_left;
    const char *key, *choice; /* in hand */
};

struct tune_options {
    const nst_network *network;                                     /* NULL: one in the shape of VGG-19 */
    int size_px;                                                    /* the side of the picture that is measured */
    double seconds;                                                 /* about, for each choice */
    bool again;                                                     /* forget what earlier runs found */
    void (*tell)(const struct tune_progress *progress, void *user); /* may be NULL */
    void *user;
    const volatile int *cancel; /* as for nst_job_run; may be NULL */
};

/* Tunes a device given as P:D. The report also tells after a failure what was found before it. Best called before the
 * process has opened a device, because CLBlast's parameters are tried in a child. Free with tune_report_free. Errors:
 * NST_CANCELED, NST_ERROR_DEVICE, NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status tune_run(const char *device, const struct tune_options *options, struct tune_report *report,
                    nst_error *error);
void tune_report_free(struct tune_report *report);

#endif
