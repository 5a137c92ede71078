/* film.c: `nst film`: the frames of a film in one style, each of which begins with the result of the one before, moved to
 * where its things are now. See session.h for what is made once, painting.h for one picture, film_motion.h for what moves,
 * film_results.h for where results are. */
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/film_motion.h"
#include "cli/film_options.h"
#include "cli/film_pipe.h"
#include "cli/film_results.h"
#include "cli/frame_names.h"
#include "cli/interrupt.h"
#include "cli/painting.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/file.h"

struct film {
    struct film_options options;
    const struct arguments *arguments;
    struct session session;
    nst_settings first_settings, next_settings; /* of the first frame of a scene, and of the others */

    bool is_numbered;        /* else it comes through a pipe */
    int first, last;         /* numbers of its frames; through a pipe 1, and about how many there are, or 0 */
    int number;              /* in hand */
    struct film_facts facts; /* of one through a pipe */
    struct film_pipe pipe;
    struct film_results results;

    nst_picture before; /* the frame before the one in hand; empty: not read */
    int painted, kept, scenes;
    bool interrupted;
};

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

static nst_status begin_frames(struct film *film, nst_error *error) {
    const char *path = film->options.common.content;
    film->is_numbered = frame_names_are_meant(path);
    film->first = 1;
    if (film->is_numbered) {
        return frame_names_find(path, &film->first, &film->last, error);
    }
    nst_status status = film_read_facts(path, &film->facts, error);
    film->last = film->facts.frame_count;
    return status;
}

/* The frame in hand into the painting; without values behind the last. */
static nst_status read_frame(struct film *film, struct painting *painting, nst_error *error) {
    if (!film->is_numbered) {
        return film_read_frame(&film->pipe, &painting->picture, error);
    }
    nst_status status = painting_read(painting, error);
    if (!status) {
        painting_tell_note(painting);
    }
    return status;
}

/* The frame before, where it was not in hand: its result was there already. */
static nst_status read_before(struct film *film, nst_error *error) {
    char *name;
    if (film->before.values) {
        return NST_OK;
    }
    nst_status status = frame_name(film->options.common.content, film->number - 1, &name, error);
    status = status ? status : nst_picture_read(name, &film->before, NULL, error);
    free(name);
    return status;
}

static void keep_frame(struct film *film, nst_picture *frame) {
    nst_picture_free(&film->before);
    film->before = *frame;
    *frame = (nst_picture){0};
}

static nst_status copy_picture(const nst_picture *picture, nst_picture *copy, nst_error *error) {
    size_t bytes = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels * sizeof(float);
    *copy = *picture;
    copy->values = malloc(bytes);
    if (!copy->values) {
        return fail_memory(error, bytes, "a frame of the film");
    }
    memcpy(copy->values, picture->values, bytes);
    return NST_OK;
}

/* ---- One frame --------------------------------------------------------------------------------------------------- */

static nst_status find_motion(struct film *film, const nst_picture *frame, struct film_motion *motion,
                              nst_error *error) {
    nst_picture painting = {0};
    char *files[2] = {NULL, NULL};
    nst_status status = read_before(film, error);
    if (!status && (frame->width != film->before.width || frame->height != film->before.height)) {
        status = fail(error, NST_ERROR_FORMAT, "frame %d has %d x %d pixels, the one before %d x %d: expected one size",
                      film->number, frame->width, frame->height, film->before.width, film->before.height);
    }
    for (int i = 0; !status && i < film->options.flow_count; i++) {
        status = frame_name(film->options.flows[i], film->number, &files[i], error);
    }
    status = status ? status : film_results_read(&film->results, film->number - 1, &painting, error);
    if (!status) {
        const struct film_frame_pair pair = {
            .before = &film->before, .now = frame, .painting = &painting, .flow_files = {files[0], files[1]}};
        progress_message(&film->session.display, "finding what moves");
        status = film_motion_find(film->session.contexts[0], &pair, motion, error);
    }
    nst_picture_free(&painting);
    free(files[0]);
    free(files[1]);
    return status;
}

/* With what the frame begins, and what it is held to. */
static void choose_beginning(struct film *film, struct film_motion *motion) {
    struct session *session = &film->session;
    bool is_new = !motion->warped.values || motion->is_cut;
    film->options.common.settings = is_new ? film->first_settings : film->next_settings;
    session->previous = is_new ? NULL : &motion->warped;
    session->reliable = is_new ? NULL : &motion->reliable;
    film->scenes += is_new;
    if (motion->is_cut && !film->options.common.quiet) {
        progress_clear(&session->display);
        fprintf(stderr, "nst: frame %d: a new scene, since %.0f %% of it was there before\n", film->number,
                100 * motion->share);
    } else if (!is_new && film->options.common.verbose) {
        progress_clear(&session->display);
        fprintf(stderr, "motion  %.1f %% of frame %d was there before\n", 100 * motion->share, film->number);
    }
}

static void on_progress(const nst_progress *progress, void *user) {
    painting_show(user, progress);
}

/* Runs the job and writes what it made, unless it was interrupted. */
static nst_status run_painting(struct film *film, struct painting *painting, nst_error *error) {
    nst_picture kept = {0};
    nst_status status = painting_begin(painting, error);
    status = status ? status : painting_run(painting, on_progress, painting, error);
    film->interrupted = painting->interrupted;
    if (!status && !painting->interrupted && film->results.keeps_paintings) {
        status = nst_job_painting(film->session.job, &kept, error);
        status = status ? status : film_results_keep(&film->results, film->number, &kept, error);
    }
    if (!status && !painting->interrupted) {
        status = painting_write(painting, error);
    }
    if (!status && !painting->interrupted) {
        film->painted++;
        film_results_forget(&film->results, film->number - 1);
        if (!film->options.common.quiet) {
            painting_print_summary(painting);
            fflush(stdout);
        }
    }
    nst_picture_free(&kept);
    nst_job_destroy(film->session.job); /* the next one may have other settings */
    film->session.job = NULL;
    return status;
}

static nst_status paint(struct film *film, struct painting *painting, nst_error *error) {
    struct film_motion motion = {.is_cut = false};
    nst_picture frame = {0};
    struct session *session = &film->session;
    painting->started = seconds_now();
    snprintf(session->display.picture, sizeof session->display.picture, "%d/%d ", film->number, film->last);
    progress_events_picture(&session->events, painting->content, film->number - film->first + 1,
                            film->last - film->first + 1);
    nst_status status = copy_picture(&painting->picture, &frame, error);
    if (!status && film->number > film->first) {
        status = find_motion(film, &frame, &motion, error);
    }
    if (!status) {
        choose_beginning(film, &motion);
        status = run_painting(film, painting, error);
    }
    session->previous = session->reliable = NULL;
    film_motion_free(&motion);
    keep_frame(film, &frame);
    return status;
}

/* Paints the frame in hand, unless its result is there. `is_last`: there is no such frame. */
static nst_status do_frame(struct film *film, bool *is_last, nst_error *error) {
    char *content = NULL, *output = NULL;
    nst_status status = frame_name(film->results.pattern, film->number, &output, error);
    status = status              ? status
             : film->is_numbered ? frame_name(film->options.common.content, film->number, &content, error)
                                 : NST_OK;
    struct painting painting = {.session = &film->session,
                                .content = film->is_numbered ? content : film->options.common.content,
                                .output = output,
                                .command = film->arguments};
    bool is_there = !status && file_exists(output);
    if (!status && !(is_there && film->is_numbered)) {
        status = read_frame(film, &painting, error);
        *is_last = !status && !painting.picture.values;
    }
    if (!status && !*is_last) {
        film->kept += is_there;
        if (!is_there) {
            status = paint(film, &painting, error);
        } else {
            keep_frame(film, &painting.picture);
        }
    }
    painting_free(&painting);
    free(content);
    free(output);
    return status;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static nst_status paint_all(struct film *film, nst_error *error) {
    bool is_last = false;
    nst_status status =
        film->is_numbered ? NST_OK : film_read_begin(film->options.common.content, &film->facts, &film->pipe, error);
    for (film->number = film->first; !status && !film->interrupted && !is_last; film->number++) {
        if (film->is_numbered && film->number > film->last) {
            break;
        }
        film->interrupted = *interrupt_flag() != 0;
        status = film->interrupted ? NST_OK : do_frame(film, &is_last, error);
    }
    film_read_end(&film->pipe);
    if (status || film->interrupted) {
        return status;
    }
    film->last = film->first + film->painted + film->kept - 1;
    film_results_forget(&film->results, film->last);
    if (film->last < film->first) {
        return fail(error, NST_ERROR_FORMAT, "%s: expected a film with frames, found none",
                    film->options.common.content);
    }
    return NST_OK;
}

/* The frames as a film. */
static nst_status join_frames(struct film *film, nst_error *error) {
    const struct stylize_options *options = &film->options.common;
    const struct film_frames frames = {
        .pattern = film->results.pattern,
        .first = film->first,
        .last = film->last,
        .frame_rate = film->is_numbered ? film->options.frame_rate : film->facts.frame_rate,
        .sound = film->is_numbered ? NULL : options->content,
    };
    progress_message(&film->session.display, "writing the film");
    nst_status status = film_write(&frames, film->results.film, error);
    return status ? status : film_results_end(&film->results, options->output, film->first, film->last, error);
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static nst_status prepare(struct film *film, nst_error *error) {
    struct session *session = &film->session;
    const struct stylize_options *options = &film->options.common;
    nst_status status = film_options_read(film->arguments, &film->options, error);
    film->first_settings = options->settings;
    film->next_settings = status ? options->settings : film_next_settings(&film->options);
    status = status ? status : progress_events_begin(&session->events, options->progress, error);
    status = status ? status : begin_frames(film, error);
    status = status ? status : session_read_pictures(session, error);
    session_begin_display(session, status || options->quiet);
    session->display.brief = true;
    progress_events_phase(&session->events, "preparing", NULL, NULL);
    progress_message(&session->display, "preparing: kernels are compiled the first time");
    status = status ? status : session_open(session, error);
    return status ? status : film_results_begin(&film->options, &film->results, error);
}

static void print_summary(const struct film *film) {
    char duration[32];
    progress_duration(seconds_now() - film->session.started, duration, sizeof duration);
    printf("%s: %d frames painted, %d there already, %d new scene%s, in %s\n", film->options.common.output,
           film->painted, film->kept, film->scenes, film->scenes == 1 ? "" : "s", duration);
    if (film->interrupted) {
        printf("interrupted before frame %d: the same command goes on there\n",
               film->first + film->painted + film->kept);
    }
}

/* Tells how the run ended; returns the exit status. */
static int finish(struct film *film, nst_status status, const nst_error *error) {
    struct session *session = &film->session;
    progress_clear(&session->display);
    if (status) {
        progress_events_phase(&session->events, "failed", "message", error->message);
        return command_error(error);
    }
    progress_events_phase(&session->events, film->interrupted ? "interrupted" : "done", "picture",
                          film->options.common.output);
    if (!film->options.common.quiet) {
        print_summary(film);
    }
    return film->interrupted ? 128 + *interrupt_flag() : EXIT_FINE;
}

static int film_run(const struct arguments *arguments) {
    struct film *film = calloc(1, sizeof *film);
    nst_error error;
    if (!film) {
        fail_memory(&error, sizeof *film, "the run");
        return command_error(&error);
    }
    film->arguments = arguments;
    film->session = (struct session){.options = &film->options.common, .started = seconds_now()};
    nst_status status = prepare(film, &error);
    if (!status) {
        interrupt_catch();
        status = paint_all(film, &error);
    }
    if (!status && !film->interrupted && film->results.folder) {
        status = join_frames(film, &error);
    }
    int exit_status = finish(film, status, &error);
    session_end(&film->session);
    film_results_free(&film->results);
    nst_picture_free(&film->before);
    free(film);
    return exit_status;
}

const struct command command_film = {
    .name = "film",
    .usage = "FILM STYLE [STYLE...] -o FILM",
    .summary = "paint a film, or numbered frames, without flicker",
    .details =
        "FILM is a file that ffmpeg can read, or numbered pictures, such as 'frames/%04d.png'; likewise behind -o.\n"
        "Each frame begins with the result of the one before, moved by the optical flow, and a temporal loss\n"
        "holds what both show (Ruder et al. 2016). After a cut a frame is painted from the beginning.\n"
        "Results that are there already are kept: the same command goes on with the first one that is missing.\n"
        "Those of a film are in a folder beside it, such as out.mp4.frames, until it is whole.\n"
        "The first frame of a scene has the preset's iterations (--iterations), the others --next-iterations. A\n"
        "mask, or a picture to start from, is for all.",
    .table = &film_table,
    .values_size = sizeof(struct film_options),
    .set_defaults = film_defaults,
    .run = film_run,
};
