/* film_options.h: what `nst film` is told on its command line: what `nst stylize` is told, but for what is about one
 * picture, and a little more. */
#ifndef CLI_FILM_OPTIONS_H
#define CLI_FILM_OPTIONS_H

#include "cli/stylize_options.h"

struct film_options {
    struct stylize_options common; /* first, so that the table of `nst stylize` fits; content and output are films, or
                                    * patterns of numbered frames */
    const char *flows[2];          /* patterns of .flo files: to the frame before, and back; NULL: computed */
    int flow_count;
    int next_iterations[NST_MAX_SCALES], next_iteration_count; /* none: a third of those of the last scale */
    const char *frame_rate;                                    /* of numbered frames that become a film */
};

extern const struct option_table film_table;

/* As stylize_defaults and stylize_options_read. */
nst_status film_defaults(void *options, const char *preset, nst_error *error);
nst_status film_options_read(const struct arguments *arguments, struct film_options *options, nst_error *error);

/* The settings of a frame that begins with the result before: the last scale only, with fewer iterations. */
nst_settings film_next_settings(const struct film_options *options);

#endif
