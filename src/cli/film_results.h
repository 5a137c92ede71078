/* film_results.h: where the results of `nst film` are: numbered pictures, in the folder that -o names, or, until a film is
 * whole, in one beside it. */
#ifndef CLI_FILM_RESULTS_H
#define CLI_FILM_RESULTS_H

#include "cli/film_options.h"

struct film_results {
    char *pattern; /* of the pictures */
    char *folder;  /* beside a film: film.mp4.frames; NULL where numbered frames are what is wanted */
    char *film;    /* in that folder, until it is whole */
    /* Colors are changed after painting, but the next frame begins with what was painted: that is kept too, until it has
     * served. */
    bool keeps_paintings;
};

/* Makes the folder. One beside a film says what its frames were made with: others are refused. Free with
 * film_results_free. Errors: NST_ERROR_FILE, NST_ERROR_ARGUMENT (other options), and those of film_write_check. */
nst_status film_results_begin(const struct film_options *options, struct film_results *results, nst_error *error);
void film_results_free(struct film_results *results);

/* Keeps the painting of a frame, if it must be; before its result is written. Errors: those of nst_picture_write. */
nst_status film_results_keep(const struct film_results *results, int number, const nst_picture *painting,
                             nst_error *error);

/* What the next frame begins with: the painting, or the result. Errors: those of nst_picture_read. */
nst_status film_results_read(const struct film_results *results, int number, nst_picture *painting, nst_error *error);

/* The painting of a frame has served. */
void film_results_forget(const struct film_results *results, int number);

/* Puts the film, which is whole in its folder, in its place, and removes the folder with its frames. Errors:
 * NST_ERROR_FILE. */
nst_status film_results_end(const struct film_results *results, const char *output, int first, int last,
                            nst_error *error);

#endif
