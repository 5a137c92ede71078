/* stylize.c: `nst stylize`: one picture, from the beginning or from a checkpoint, with its log and checkpoints. What it
 * shares with `nst batch` is in session.c and painting.c. */
#include "cli/stylize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/painting.h"
#include "support/clock.h"
#include "support/error.h"

/* Everything that one run holds. */
struct run {
    struct stylize_options options;
    const struct stylize_resume *resume; /* NULL: from the beginning */
    char *output;                        /* the file that is written; NULL: standard output, or none */
    struct session session;
    struct painting painting;
};

/* ---- Preparation ------------------------------------------------------------------------------------------------- */

/* The options of the command, and what takes their place when it is repeated. */
static nst_status read_options(struct run *run, nst_error *error) {
    const struct arguments *arguments = run->painting.command;
    struct stylize_options *options = &run->options;
    struct checkpoints *checkpoints = &run->painting.checkpoints;
    nst_status status = stylize_options_read(arguments, options, error);
    const struct stylize_resume *resume = run->resume;
    if (!status && resume) {
        options->device = resume->device ? resume->device : options->device;
        options->quiet = resume->quiet || (options->quiet && !resume->verbose);
        options->verbose = resume->verbose || (options->verbose && !resume->quiet);
        options->checkpoint = resume->path;
        options->progress = resume->progress ? resume->progress : options->progress;
    }
    status = status ? status : progress_events_begin(&run->session.events, options->progress, error);
    checkpoints->path = options->checkpoint;
    checkpoints->every_seconds = options->checkpoint_every;
    /* One that was damaged must not take the place of the one before, which is sound. */
    checkpoints->keeps_previous = resume && strcmp(nst_checkpoint_path(resume->checkpoint), resume->path) == 0;
    return status || !options->checkpoint ? status : checkpoints_begin(checkpoints, arguments, error);
}

static nst_status find_output(struct run *run, nst_error *error) {
    const nst_picture_format format = painting_format(&run->painting);
    nst_status status =
        output_find_path(run->options.output, run->options.content, run->options.format, &run->output, error);
    run->painting.output = run->output;
    return status ? status : nst_picture_check_writable(run->output, &format, error);
}

static nst_status read_pictures(struct run *run, nst_error *error) {
    run->painting.content = run->options.content;
    nst_status status = painting_read(&run->painting, error);
    if (!status) {
        painting_tell_note(&run->painting);
    }
    return status ? status : session_read_pictures(&run->session, error);
}

static nst_status create_job(struct run *run, nst_error *error) {
    if (run->options.seconds > 0) { /* what is left of it */
        run->options.settings.seconds = fmax(run->options.seconds - (seconds_now() - run->session.started), 1e-3);
    }
    nst_status status = painting_begin(&run->painting, error);
    session_free_pictures(&run->session); /* the job has its own copies, */
    nst_network_destroy(run->session.network);
    run->session.network = NULL; /* and its weights are on the device by now */
    return status;
}

/* Puts the job where its checkpoint was. */
static nst_status go_on(struct run *run, nst_error *error) {
    const struct stylize_resume *resume = run->resume;
    nst_note note;
    nst_status status = nst_job_resume(run->session.job, resume->checkpoint, resume->accept_changes, &note, error);
    if (!status && note.message[0] && !run->options.quiet) {
        progress_clear(&run->session.display);
        fprintf(stderr, "nst: %s\n", note.message);
    }
    run->painting.iterations = run->painting.saved_at = resume->evaluations;
    return status;
}

/* Everything up to the job. What is cheap to check comes first. */
static nst_status prepare(struct run *run, nst_error *error) {
    struct session *session = &run->session;
    nst_status status = read_options(run, error);
    if (!status && run->options.output) {
        status = find_output(run, error);
    }
    status = status ? status : read_pictures(run, error);
    session_begin_display(session, status || run->options.quiet);
    progress_events_phase(&session->events, "preparing", NULL, NULL);
    progress_message(&session->display, "preparing: kernels are compiled the first time");
    status = status ? status : session_open(session, error);
    status = status ? status : create_job(run, error);
    return status || !run->resume ? status : go_on(run, error);
}

/* ---- Painting ---------------------------------------------------------------------------------------------------- */

static void on_progress(const nst_progress *progress, void *user) {
    painting_show(user, progress);
}

/* What is written on the way; a checkpoint at once, so that a run can go on whenever it ends. */
static nst_status begin_files(struct run *run, nst_error *error) {
    struct painting *painting = &run->painting;
    nst_status status = log_begin(&painting->log, run->options.log, painting->iterations, error);
    return status || !painting->checkpoints.path
               ? status
               : checkpoints_write(&painting->checkpoints, run->session.job, painting->iterations, error);
}

/* Their ends. */
static void end_files(struct painting *painting) {
    nst_error *side_error = &painting->side_error;
    if (log_end(&painting->log, side_error->status ? NULL : side_error) && !side_error->status) {
        side_error->status = NST_ERROR_FILE;
    }
    if (painting->interrupted && painting->checkpoints.path) {
        painting->checkpoints.error.status = NST_OK;
        checkpoints_write(&painting->checkpoints, painting->session->job, painting->iterations,
                          &painting->checkpoints.error);
    }
}

/* Runs the job and writes its picture, also where it was interrupted. */
static nst_status paint(struct run *run, nst_error *error) {
    struct painting *painting = &run->painting;
    interrupt_catch();
    nst_status status = begin_files(run, error);
    if (status) {
        return status;
    }
    status = painting_run(painting, on_progress, painting, error);
    end_files(painting);
    if (!status) {
        progress_events_phase(&run->session.events, "writing", NULL, NULL);
        status = painting_write(painting, error);
    }
    if (!status && !run->options.quiet) {
        painting_print_summary(painting);
    }
    if (!status && (painting->side_error.status || painting->checkpoints.error.status)) {
        *error = painting->side_error.status ? painting->side_error : painting->checkpoints.error;
        status = error->status;
    }
    return status;
}

/* Tells how the run ended; returns the exit status. */
static int finish(struct run *run, nst_status status, const nst_error *error) {
    struct progress_events *events = &run->session.events;
    bool interrupted = run->painting.interrupted;
    progress_clear(&run->session.display);
    if (status) {
        progress_events_phase(events, "failed", "message", error->message);
        return command_error(error);
    }
    progress_events_phase(events, interrupted ? "interrupted" : "done", "picture", run->output ? run->output : "-");
    return interrupted ? 128 + *interrupt_flag() : EXIT_FINE;
}

int stylize_run(const struct arguments *arguments, const struct stylize_resume *resume) {
    struct run *run = calloc(1, sizeof *run);
    nst_error error;
    if (!run) {
        fail_memory(&error, sizeof *run, "the run");
        return command_error(&error);
    }
    run->resume = resume;
    run->session = (struct session){.options = &run->options, .started = seconds_now()};
    run->painting = (struct painting){.session = &run->session, .command = arguments, .started = run->session.started};
    int exit_status = EXIT_FINE;
    nst_status status = prepare(run, &error);
    if (!status && run->options.plan) {
        progress_clear(&run->session.display);
        nst_job_print_plan(run->session.job, stdout);
    } else {
        status = status ? status : paint(run, &error);
        exit_status = finish(run, status, &error);
    }
    painting_free(&run->painting);
    session_end(&run->session);
    free(run->output);
    free(run);
    return exit_status;
}

static int stylize(const struct arguments *arguments) {
    return stylize_run(arguments, NULL);
}

const struct command command_stylize = {
    .name = "stylize",
    .usage = "CONTENT STYLE [STYLE...] -o FILE [OPTION...]",
    .summary = "paint the picture CONTENT in the style of the picture STYLE, or of several blended",
    .table = &stylize_table,
    .values_size = sizeof(struct stylize_options),
    .set_defaults = stylize_defaults,
    .run = stylize,
};
