/* progress.c: tells a person how far a job is: a bar in one line on a terminal, plain lines otherwise. */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_LENGTH = 256, BAR_MOST = 30, BAR_LEAST = 8 };
static const double REDRAW_SECONDS = 0.1;

static int terminal_columns(FILE *stream) {
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

struct progress_display progress_begin(FILE *stream, bool quiet) {
    return (struct progress_display){
        .stream = stream, .quiet = quiet, .terminal = isatty(fileno(stream)), .scale = -1, .shown_at = -1};
}

const char *progress_duration(double seconds, char *buffer, size_t size) {
    if (!(seconds >= 0 && seconds < 1e9)) {
        snprintf(buffer, size, "?");
    } else if (seconds < 59.95) {
        snprintf(buffer, size, seconds < 9.995 ? "%.2f s" : "%.1f s", seconds);
    } else {
        long whole = (long)(seconds + 0.5);
        if (whole < 3600) {
            snprintf(buffer, size, "%ld min %02ld s", whole / 60, whole % 60);
        } else {
            snprintf(buffer, size, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
        }
    }
    return buffer;
}

const char *progress_bar(double share, int width, char *buffer) {
    int filled = (int)((share < 0 ? 0 : share > 1 ? 1 : share) * width);
    memset(buffer, '#', (size_t)filled);
    memset(buffer + filled, '.', (size_t)(width - filled));
    buffer[width] = 0;
    return buffer;
}

/* Iterations done as a share of this scale's. */
static double share_done(const nst_progress *progress) {
    double share = progress->iteration_count > 0 ? (double)progress->iteration / progress->iteration_count : 1;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* Of one iteration and of what is left; nothing after the first iteration of a scale, which also builds kernels. */
static const char *timing(const nst_progress *progress, const char *format, char *buffer, size_t size) {
    char left[32];
    *buffer = 0;
    if (progress->iteration > 1) {
        snprintf(buffer, size, format, progress->seconds_per_iteration,
                 progress_duration(progress->seconds_left, left, sizeof left));
    }
    return buffer;
}

const char *progress_line(const nst_progress *progress, int columns, char *buffer, size_t size) {
    /* The last column stays free: some terminals wrap when it is written. */
    size_t room = columns > 1 ? (size_t)columns - 1 : 0;
    if (room > size - 1) {
        room = size - 1;
    }
    char front[64], back[128], times[64];
    snprintf(front, sizeof front, "scale %d/%d %dx%d ", progress->scale + 1, progress->scale_count, progress->width,
             progress->height);
    snprintf(back, sizeof back, " %d/%d  loss %.4g%s", progress->iteration, progress->iteration_count, progress->loss,
             timing(progress, "  %.3g s/it  %s left", times, sizeof times));
    size_t texts = strlen(front) + strlen(back) + 2;
    int bar = room > texts ? (int)(room - texts) : 0;
    if (bar > BAR_MOST) {
        bar = BAR_MOST;
    }
    char whole[LINE_LENGTH] = "";
    if (bar < BAR_LEAST) {
        snprintf(whole, sizeof whole, "%s%s", front, back + 1);
    } else {
        char drawn[BAR_MOST + 1];
        snprintf(whole, sizeof whole, "%s[%s]%s", front, progress_bar(share_done(progress), bar, drawn), back);
    }
    snprintf(buffer, room + 1, "%s", whole);
    return buffer;
}

/* Draws the line over the one that is there. */
static void draw(struct progress_display *display, const char *line) {
    int length = (int)strlen(line);
    fprintf(display->stream, "\r%s%*s", line, display->shown > length ? display->shown - length : 0, "");
    fflush(display->stream);
    display->shown = length;
}

void progress_message(struct progress_display *display, const char *text) {
    char line[LINE_LENGTH];
    snprintf(line, sizeof line, "%.*s", terminal_columns(display->stream) - 1, text);
    if (!display->quiet && display->terminal) {
        draw(display, line);
    }
}

void progress_clear(struct progress_display *display) {
    if (display->shown) {
        fprintf(display->stream, "\r%*s\r", display->shown, "");
    }
    fflush(display->stream);
    display->shown = 0;
    display->shown_at = -1;
}

static void print_line(const struct progress_display *display, const nst_progress *progress) {
    char times[64];
    fprintf(display->stream, "scale %d of %d, %d x %d: iteration %d of %d, loss %.4g%s\n", progress->scale + 1,
            progress->scale_count, progress->width, progress->height, progress->iteration, progress->iteration_count,
            progress->loss, timing(progress, ", %.3g s per iteration, %s left", times, sizeof times));
    fflush(display->stream);
}

void progress_show(struct progress_display *display, const nst_progress *progress) {
    if (display->quiet) {
        return;
    }
    if (progress->note) {
        progress_clear(display);
        fprintf(display->stream, "nst: %s\n", progress->note);
    }
    int tenths = (int)(share_done(progress) * 10 + 1e-9);
    bool new_scale = progress->scale != display->scale;
    bool last = progress->iteration >= progress->iteration_count;
    if (display->terminal) {
        bool due = display->shown_at < 0 || progress->seconds - display->shown_at >= REDRAW_SECONDS;
        if (due || new_scale || last) {
            char line[LINE_LENGTH], whole[LINE_LENGTH + sizeof display->picture];
            int columns = terminal_columns(display->stream) - (int)strlen(display->picture);
            snprintf(whole, sizeof whole, "%s%s", display->picture,
                     progress_line(progress, columns, line, sizeof line));
            draw(display, whole);
            display->shown_at = progress->seconds;
        }
    } else if (!display->brief && (new_scale || tenths > display->tenths)) {
        print_line(display, progress);
    }
    display->scale = progress->scale;
    display->tenths = tenths;
}
