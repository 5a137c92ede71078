/* film_pipe.h: films through ffmpeg: their frames are read from a pipe and written into one. */
#ifndef CLI_FILM_PIPE_H
#define CLI_FILM_PIPE_H

#include "nst.h"

/* A child process at the other end of a stream. */
struct film_pipe {
    FILE *stream; /* NULL: none */
    long process;
};

/* What ffprobe says of a film. */
struct film_facts {
    char frame_rate[32]; /* "25/1" */
    int frame_count;     /* about; 0: not known */
};

/* Errors: NST_ERROR_FILE (no ffmpeg, no such file, not a film). */
nst_status film_read_facts(const char *path, struct film_facts *facts, nst_error *error);

/* Begins to read a film: so many frames in a second, evenly. End with film_read_end. Errors: NST_ERROR_FILE. */
nst_status film_read_begin(const char *path, const struct film_facts *facts, struct film_pipe *pipe, nst_error *error);
/* The next frame, free with nst_picture_free; without values behind the last. Errors: NST_ERROR_FILE, NST_ERROR_MEMORY. */
nst_status film_read_frame(struct film_pipe *pipe, nst_picture *frame, nst_error *error);
/* Ends it, also before its end. */
void film_read_end(struct film_pipe *pipe);

/* What becomes a film. */
struct film_frames {
    const char *pattern; /* of numbered pictures, */
    int first, last;
    const char *frame_rate;
    const char *sound; /* a film whose sound it gets, or NULL */
};
/* Checks, before work is spent on it, that ffmpeg is there and writes films of that name. Errors: NST_ERROR_FILE. */
nst_status film_write_check(const char *path, nst_error *error);

/* Writes a film whose kind the ending of its name tells. Errors: NST_ERROR_FILE, those of nst_picture_read. */
nst_status film_write(const struct film_frames *frames, const char *path, nst_error *error);

#endif
