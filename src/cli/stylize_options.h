/* stylize_options.h: what `nst stylize` is told on its command line. */
#ifndef CLI_STYLIZE_OPTIONS_H
#define CLI_STYLIZE_OPTIONS_H

#include "cli/options.h"

struct stylize_options {
    nst_settings settings;
    const char *content; /* paths; NULL where there are several contents */
    const char *styles[NST_MAX_STYLES];
    int style_count;
    const char *preset;       /* its name, owned by the library */
    double strength;          /* 1/2: as the preset has it */
    const char *init;         /* content, random, or the path of a picture */
    const char *output, *log; /* output: a file, a folder, or "-" */
    const char *format;       /* the kind of file to write; NULL: its name tells */
    int depth_bits, jpeg_quality, webp_quality;
    const char *mask; /* paths */
    const char *style_masks[NST_MAX_STYLES];
    int style_mask_count;
    bool keep_profile, strip;
    int save_every;          /* iterations; 0: never */
    const char *checkpoint;  /* NULL: none is written */
    double checkpoint_every; /* seconds; 0: see cli/checkpoints.h */
    const char *network, *input_convention;
    const char *device;   /* one, or several; NULL: NST_DEVICE, then auto */
    const char *deal;     /* see nst_devices; NULL: by speed */
    double seconds;       /* for the whole command; 0: as many as its iterations take */
    const char *progress; /* for progress_events_begin */
    bool no_cache, plan, quiet, verbose;
};

extern const struct option_table stylize_table;

/* Fills in the defaults, those of the settings from the preset (NULL: nst's own). */
nst_status stylize_defaults(void *options, const char *preset, nst_error *error);

/* Fills in `options` from the command line and checks what the options say together: the preset first, wherever it
 * stands, then everything else; operands are the content and the styles. Errors: NST_ERROR_ARGUMENT. */
nst_status stylize_options_read(const struct arguments *arguments, struct stylize_options *options, nst_error *error);

/* The preset that the settings name. */
nst_preset stylize_preset(const nst_settings *settings);

/* The last part of it, for options that are stored, with their styles: what follows from some, and the checks. */
nst_status stylize_options_complete(const struct arguments *arguments, struct stylize_options *options,
                                    nst_error *error);

#endif
