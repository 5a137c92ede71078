/* record.h: what is written into a picture besides its pixels: enough to make it again. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "cli/stylize_options.h"

enum { RECORD_TEXTS = 7 };

/* The text chunks of a PNG file; `values` are from malloc. */
struct picture_record {
    nst_picture_text texts[RECORD_TEXTS];
    char *values[RECORD_TEXTS];
    int count;
};

/* What made the picture. */
struct picture_provenance {
    const struct arguments *arguments;
    const struct stylize_options *options;
    const nst_network *network;
    nst_context *const *contexts; /* of the devices */
    int context_count;
    nst_precision precision; /* of the job */
};

/* Collects program, command line, network and its sha256, device, precision, seed, and the settings as JSON. Free with
 * record_free. Errors: NST_ERROR_MEMORY. */
nst_status record_create(const struct picture_provenance *provenance, struct picture_record *record, nst_error *error);
/* Replaces the settings in it. Errors: NST_ERROR_MEMORY. */
nst_status record_update_settings(struct picture_record *record, const struct stylize_options *options,
                                  nst_error *error);
void record_free(struct picture_record *record);

/* The command line, quoted so that it can be pasted into a POSIX shell. From malloc; NULL without memory. */
char *record_command_line(int argc, char *const *argv);

/* Every recorded option of the table with its value, as JSON in one line. From malloc; NULL without memory. */
char *record_settings(struct option_table table, const void *values);

#endif
