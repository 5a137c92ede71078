/* stylize.c: `nst stylize`: reads the pictures, runs a job on a device, writes the result. A client of nst.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/checkpoints.h"
#include "cli/command.h"
#include "cli/device_open.h"
#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/network_choice.h"
#include "cli/output.h"
#include "cli/picture_open.h"
#include "cli/progress.h"
#include "cli/progress_events.h"
#include "cli/record.h"
#include "cli/stylize.h"
#include "cli/stylize_options.h"
#include "support/error.h"
#include "support/text.h"

/* Everything that one run holds. */
struct run {
    struct stylize_options options;
    const struct arguments *arguments;
    const struct stylize_resume *resume; /* NULL: from the beginning */
    double started;                      /* seconds of the clock */

    nst_picture content, init;
    nst_picture_metadata metadata; /* of the content, as far as it goes into the result */
    char *output;                  /* the file that is written; NULL: standard output, or none */
    nst_picture styles[NST_MAX_STYLES];
    int style_count;
    nst_picture mask, style_masks[NST_MAX_STYLES];

    nst_context *context;
    nst_network *network;
    nst_job *job;
    struct picture_record record;

    struct progress_display display;
    struct progress_events events;
    struct run_log log;
    struct checkpoints checkpoints;
    int iterations; /* so far */
    bool interrupted;
    int saved_at;         /* iterations when the last picture on the way was written */
    nst_error side_error; /* the first failure of log or pictures on the way, which do not stop the job */
};

static double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- Preparation ----------------------------------------------------------------------------------------------- */

static void move_bytes(nst_bytes *from, nst_bytes *to) {
    *to = *from;
    *from = (nst_bytes){0};
}

/* What of a content's metadata goes into the result is known at once, and can be refused before the work is done. */
static nst_status read_content(struct run *run, const char *path, nst_error *error) {
    nst_picture_metadata told = {0};
    nst_status status = picture_open_with_metadata(path, run->options.quiet, &run->content, &told, error);
    if (!status && run->options.keep_profile) {
        status = nst_picture_check_profile(&told, error);
        move_bytes(&told.profile, &run->metadata.profile);
    }
    if (!status && !run->options.strip) {
        move_bytes(&told.exif, &run->metadata.exif);
        move_bytes(&told.xmp, &run->metadata.xmp);
        move_bytes(&told.iptc, &run->metadata.iptc);
    }
    nst_picture_metadata_free(&told);
    return status;
}

static nst_status read_pictures(struct run *run, nst_error *error) {
    char **operands = run->arguments->operands;
    nst_status status = read_content(run, operands[0], error);
    for (int i = 1; !status && i < run->arguments->operand_count; i++) {
        status = picture_open(operands[i], run->options.quiet, &run->styles[run->style_count], error);
        run->style_count += !status;
    }
    if (!status && run->options.settings.init == NST_INIT_PICTURE) {
        status = picture_open(run->options.init, run->options.quiet, &run->init, error);
    }
    if (!status && run->options.mask) {
        status = picture_open(run->options.mask, run->options.quiet, &run->mask, error);
    }
    for (int i = 0; !status && i < run->options.style_mask_count; i++) {
        status = picture_open(run->options.style_masks[i], run->options.quiet, &run->style_masks[i], error);
    }
    return status;
}

static void free_pictures(struct run *run) {
    nst_picture_free(&run->content);
    nst_picture_free(&run->init);
    nst_picture_free(&run->mask);
    for (int i = 0; i < NST_MAX_STYLES; i++) {
        nst_picture_free(&run->styles[i]);
        nst_picture_free(&run->style_masks[i]);
    }
    run->style_count = 0;
}

static nst_status open_device(struct run *run, nst_error *error) {
    nst_status status =
        device_open(run->options.device, run->options.no_cache, run->options.quiet, &run->context, error);
    if (!status && run->options.verbose) {
        const nst_device_info *device = nst_context_device(run->context);
        progress_clear(&run->display);
        fprintf(stderr, "device  %d:%d %s, %s, driver %s\n", device->platform_index, device->device_index, device->name,
                device->opencl_version, device->driver);
    }
    return status;
}

static nst_status open_network(struct run *run, nst_error *error) {
    nst_status status = network_choice_open(run->options.network, run->options.input_convention, &run->options.settings,
                                            &run->network, error);
    if (!status && run->options.verbose) {
        fprintf(stderr, "network %s, %s, sha256 %s\n", nst_network_name(run->network), nst_network_path(run->network),
                nst_network_sha256(run->network));
    }
    return status;
}

/* Puts the job where its checkpoint was. */
static nst_status go_on(struct run *run, nst_error *error) {
    nst_note note;
    nst_status status = nst_job_resume(run->job, run->resume->checkpoint, run->resume->accept_changes, &note, error);
    if (!status && note.message[0] && !run->options.quiet) {
        progress_clear(&run->display);
        fprintf(stderr, "nst: %s\n", note.message);
    }
    run->iterations = run->saved_at = run->resume->evaluations;
    return status;
}

static nst_status create_job(struct run *run, nst_error *error) {
    nst_job_pictures pictures = {.content = &run->content,
                                 .styles = run->styles,
                                 .style_count = run->style_count,
                                 .init = run->options.settings.init == NST_INIT_PICTURE ? &run->init : NULL,
                                 .mask = run->options.mask ? &run->mask : NULL,
                                 .style_masks = run->options.style_mask_count ? run->style_masks : NULL};
    if (run->options.seconds > 0) { /* what is left of it */
        run->options.settings.seconds = fmax(run->options.seconds - (clock_seconds() - run->started), 1e-3);
    }
    nst_status status = nst_job_create(run->context, run->network, &run->options.settings, &pictures, &run->job, error);
    free_pictures(run); /* the job has its own copies */
    if (!status && run->options.settings.precision == NST_PRECISION_AUTO && !run->options.quiet &&
        nst_job_precision(run->job) == NST_PRECISION_HALF) {
        fprintf(stderr, "nst: in half precision: in single the job does not fit into the device's memory\n");
    }
    if (!status && !run->options.quiet && nst_job_note(run->job)) {
        fprintf(stderr, "nst: %s\n", nst_job_note(run->job));
    }
    if (!status && !run->options.quiet && nst_job_memory_note(run->job)) {
        fprintf(stderr, "nst: %s\n", nst_job_memory_note(run->job));
    }
    if (!status && run->options.verbose) {
        char bytes[32];
        fprintf(stderr, "memory  %s on the device\n", text_bytes(nst_job_memory_bytes(run->job), bytes, sizeof bytes));
        nst_job_print_plan(run->job, stderr);
    }
    return status;
}

/* The options of the command, and what takes their place when it is repeated. */
static nst_status read_options(struct run *run, nst_error *error) {
    nst_status status = stylize_options_read(run->arguments, &run->options, error);
    const struct stylize_resume *resume = run->resume;
    if (!status && resume) {
        run->options.device = resume->device ? resume->device : run->options.device;
        run->options.quiet = resume->quiet || (run->options.quiet && !resume->verbose);
        run->options.verbose = resume->verbose || (run->options.verbose && !resume->quiet);
        run->options.checkpoint = resume->path;
        run->options.progress = resume->progress ? resume->progress : run->options.progress;
    }
    status = status ? status : progress_events_begin(&run->events, run->options.progress, error);
    run->checkpoints.path = run->options.checkpoint;
    run->checkpoints.every_seconds = run->options.checkpoint_every;
    /* One that was damaged must not take the place of the one before, which is sound. */
    run->checkpoints.keeps_previous = resume && strcmp(nst_checkpoint_path(resume->checkpoint), resume->path) == 0;
    return status || !run->options.checkpoint ? status : checkpoints_begin(&run->checkpoints, run->arguments, error);
}

/* How the result is written. */
static nst_picture_format format_of(const struct run *run) {
    return (nst_picture_format){.kind = run->options.format,
                                .depth_bits = run->options.depth_bits,
                                .jpeg_quality = run->options.jpeg_quality,
                                .webp_quality = run->options.webp_quality,
                                .metadata = &run->metadata,
                                .texts = run->record.texts,
                                .text_count = run->record.count};
}

static nst_status find_output(struct run *run, nst_error *error) {
    const nst_picture_format format = format_of(run);
    nst_status status =
        output_find_path(run->options.output, run->arguments->operands[0], run->options.format, &run->output, error);
    return status ? status : nst_picture_check_writable(run->output, &format, error);
}

/* Everything up to the job. What is cheap to check comes first. */
static nst_status prepare(struct run *run, nst_error *error) {
    nst_status status = read_options(run, error);
    if (!status && run->options.output) {
        status = find_output(run, error);
    }
    if (!status) {
        status = read_pictures(run, error);
    }
    /* Events on standard error take the place of what is for people. */
    bool watched = run->events.stream && strcmp(run->options.progress, "json") == 0;
    run->display = progress_begin(stderr, status || run->options.quiet || watched);
    progress_events_phase(&run->events, "preparing", NULL, NULL);
    progress_message(&run->display, "preparing: kernels are compiled the first time");
    if (!status) {
        status = open_device(run, error);
    }
    if (!status) {
        status = open_network(run, error);
    }
    if (!status) {
        status = create_job(run, error);
    }
    if (!status && run->resume) {
        status = go_on(run, error);
    }
    if (!status) {
        const struct picture_provenance provenance = {.arguments = run->arguments,
                                                      .options = &run->options,
                                                      .network = run->network,
                                                      .context = run->context,
                                                      .precision = nst_job_precision(run->job)};
        status = record_create(&provenance, &run->record, error);
    }
    nst_network_destroy(run->network); /* its weights are on the device by now */
    run->network = NULL;
    return status;
}

/* ---- On the way ------------------------------------------------------------------------------------------------ */

/* The numbers of iterations that the time came to are recorded, since they make the picture again. */
static nst_status record_schedule(struct run *run, nst_error *error) {
    nst_settings *settings = &run->options.settings;
    if (run->options.seconds <= 0) {
        return NST_OK;
    }
    settings->iteration_count = nst_job_schedule(run->job, settings->iterations);
    return record_update_settings(&run->record, &run->options, error);
}

/* NULL: to standard output. */
static nst_status write_picture(struct run *run, const char *path, nst_picture *picture, nst_error *error) {
    nst_status status = record_schedule(run, error);
    const nst_picture_format format = format_of(run);
    status = status ? status : nst_job_picture(run->job, picture, error);
    if (status) {
        return status;
    }
    return path ? nst_picture_write(picture, path, &format, error)
                : nst_picture_write_stream(picture, stdout, &format, error);
}

/* Writes the picture as it is beside the output: painting.png becomes painting-0100.png. */
static nst_status save_on_the_way(struct run *run, int iterations, nst_error *error) {
    const char *output = run->output;
    const char *ending = strrchr(output, '.');
    if (!ending) {
        ending = output + strlen(output);
    }
    size_t size = strlen(output) + 16;
    char *path = malloc(size);
    if (!path) {
        return fail_memory(error, size, "the name of a picture on the way");
    }
    snprintf(path, size, "%.*s-%04d%s", (int)(ending - output), output, iterations, ending);
    nst_picture picture = {0};
    nst_status status = write_picture(run, path, &picture, error);
    if (!status && run->options.verbose) {
        progress_clear(&run->display);
        fprintf(stderr, "wrote   %s\n", path);
    }
    if (!status) {
        progress_events_phase(&run->events, "painting", "picture", path);
    }
    nst_picture_free(&picture);
    free(path);
    return status;
}

static void on_progress(const nst_progress *progress, void *user) {
    struct run *run = user;
    int iterations = progress->evaluation;
    if (iterations == run->iterations) { /* a job without iterations, or one that was resumed at its end */
        return;
    }
    run->iterations = iterations;
    progress_show(&run->display, progress);
    progress_events_show(&run->events, progress);
    if (checkpoints_visit(&run->checkpoints, run->job, iterations)) {
        progress_clear(&run->display);
        fprintf(stderr, "nst: %s: there is no newer checkpoint than the one before\n", run->checkpoints.error.message);
    }

    /* A full disk must not cost hours of work: it is reported when the picture is safe. */
    if (run->side_error.status) {
        return;
    }
    nst_status status = log_write(&run->log, progress, &run->side_error);
    int every = run->options.save_every;
    if (!status && every > 0 && iterations % every == 0 && iterations != run->saved_at) {
        run->saved_at = iterations;
        save_on_the_way(run, iterations, &run->side_error);
    }
}

/* ---- The end --------------------------------------------------------------------------------------------------- */

static void print_summary(const struct run *run, const nst_picture *picture) {
    FILE *stream = run->output ? stdout : stderr; /* where there is no picture */
    char duration[32];
    int iterations = run->iterations;
    progress_duration(clock_seconds() - run->started, duration, sizeof duration);
    if (run->interrupted) {
        fprintf(stream, "interrupted after %d iterations; this is the picture as it was then:\n", iterations);
    }
    fprintf(stream, "%s: %d x %d pixels, %d iterations, %s on %s\n", run->output ? run->output : "standard output",
            picture->width, picture->height, iterations, duration, nst_context_device(run->context)->name);
    for (int i = 0; run->options.seconds > 0 && i < run->options.settings.iteration_count; i++) {
        fprintf(stream, "%s%d%s", i ? "," : "the same again: --iterations ", run->options.settings.iterations[i],
                i == run->options.settings.iteration_count - 1 ? "\n" : "");
    }
    if (run->interrupted && run->checkpoints.path && !run->checkpoints.error.status) {
        fprintf(stream, "'nst resume %s' goes on\n", run->checkpoints.path);
    }
}

/* What is written on the way; a checkpoint at once, so that a run can go on whenever it ends. */
static nst_status begin_files(struct run *run, nst_error *error) {
    nst_status status = log_begin(&run->log, run->options.log, run->iterations, error);
    return status || !run->checkpoints.path ? status
                                            : checkpoints_write(&run->checkpoints, run->job, run->iterations, error);
}

/* Runs the job and writes its picture, also where it was interrupted. */
static nst_status paint(struct run *run, nst_error *error) {
    interrupt_catch();
    nst_status status = begin_files(run, error);
    if (status) {
        return status;
    }
    status = nst_job_run(run->job, on_progress, run, interrupt_flag(), error);
    progress_clear(&run->display);
    if (log_end(&run->log, run->side_error.status ? NULL : &run->side_error) && !run->side_error.status) {
        run->side_error.status = NST_ERROR_FILE;
    }
    run->interrupted = status == NST_CANCELED;
    if (run->interrupted && run->checkpoints.path) {
        run->checkpoints.error.status = NST_OK;
        checkpoints_write(&run->checkpoints, run->job, run->iterations, &run->checkpoints.error);
    }
    nst_picture picture = {0};
    if (!status || run->interrupted) {
        progress_events_phase(&run->events, "writing", NULL, NULL);
        status = write_picture(run, run->output, &picture, error);
    }
    if (!status && !run->options.quiet) {
        print_summary(run, &picture);
    }
    nst_picture_free(&picture);
    if (!status && (run->side_error.status || run->checkpoints.error.status)) {
        *error = run->side_error.status ? run->side_error : run->checkpoints.error;
        status = error->status;
    }
    return status;
}

/* Tells how the run ended; returns the exit status. */
static int finish(struct run *run, nst_status status, const nst_error *error) {
    progress_clear(&run->display);
    if (status) {
        progress_events_phase(&run->events, "failed", "message", error->message);
        return command_error(error);
    }
    progress_events_phase(&run->events, run->interrupted ? "interrupted" : "done", "picture",
                          run->output ? run->output : "-");
    return run->interrupted ? 128 + *interrupt_flag() : EXIT_FINE;
}

int stylize_run(const struct arguments *arguments, const struct stylize_resume *resume) {
    struct run *run = calloc(1, sizeof *run);
    nst_error error;
    if (!run) {
        fail_memory(&error, sizeof *run, "the run");
        return command_error(&error);
    }
    run->arguments = arguments;
    run->resume = resume;
    run->started = clock_seconds();
    int exit_status = EXIT_FINE;
    nst_status status = prepare(run, &error);
    if (!status && run->options.plan) {
        progress_clear(&run->display);
        nst_job_print_plan(run->job, stdout);
    } else {
        status = status ? status : paint(run, &error);
        exit_status = finish(run, status, &error);
    }
    progress_events_end(&run->events);
    free_pictures(run);
    nst_picture_metadata_free(&run->metadata);
    free(run->output);
    record_free(&run->record);
    checkpoints_end(&run->checkpoints);
    nst_job_destroy(run->job);
    nst_network_destroy(run->network);
    nst_context_destroy(run->context);
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
