/* progress.h: tells a person how far a job is: a bar in one line on a terminal, plain lines otherwise. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "nst.h"

struct progress_display {
    FILE *stream;
    bool quiet;
    bool terminal;     /* the stream is one: a bar, redrawn in place */
    bool brief;        /* no plain lines where it is none: notes only */
    char picture[48];  /* which one of several it is, before the bar; "" */
    int shown;         /* characters of the bar that are on the screen */
    double shown_at;   /* seconds into the job when it was drawn */
    int scale, tenths; /* plain lines: what was told last */
};

struct progress_display progress_begin(FILE *stream, bool quiet);

/* Shows where the job is, if it is time to, and its note, if it has one. */
void progress_show(struct progress_display *display, const nst_progress *progress);

/* Shows a text in the place of the bar, on a terminal only, until something else is shown. */
void progress_message(struct progress_display *display, const char *text);

/* Takes the bar away, so that other lines can be printed. Shown again by the next progress_show. */
void progress_clear(struct progress_display *display);

/* "1.2 s", "3 min 05 s", "2 h 07 min": into `buffer`, which is returned. */
const char *progress_duration(double seconds, char *buffer, size_t size);

/* A bar of that many characters, of which the share is filled; into `buffer`, which has room for one more and is
 * returned. */
const char *progress_bar(double share, int width, char *buffer);

/* The bar's line for a terminal of that many columns: as much of it as fits; into `buffer`, which is returned. */
const char *progress_line(const nst_progress *progress, int columns, char *buffer, size_t size);

#endif
