/* painting.c: one picture on its way; see painting.h. */
#include "cli/painting.h"

#include <stdlib.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/text.h"

/* ---- Content ----------------------------------------------------------------------------------------------------- */

static void move_bytes(nst_bytes *from, nst_bytes *to) {
    *to = *from;
    *from = (nst_bytes){0};
}

nst_status painting_read(struct painting *painting, nst_error *error) {
    const struct stylize_options *options = painting->session->options;
    nst_picture_metadata told = {0};
    nst_status status =
        output_is_stream(painting->content)
            ? nst_picture_read_stream(stdin, &painting->picture, &told, &painting->note, error)
            : nst_picture_read_with_metadata(painting->content, &painting->picture, &told, &painting->note, error);
    if (!status && options->keep_profile) {
        status = nst_picture_check_profile(&told, error);
        move_bytes(&told.profile, &painting->metadata.profile);
    }
    if (!status && !options->strip) {
        move_bytes(&told.exif, &painting->metadata.exif);
        move_bytes(&told.xmp, &painting->metadata.xmp);
        move_bytes(&told.iptc, &painting->metadata.iptc);
    }
    nst_picture_metadata_free(&told);
    return status;
}

void painting_tell_note(const struct painting *painting) {
    if (painting->note.message[0] && !painting->session->options->quiet) {
        progress_clear(&painting->session->display);
        fprintf(stderr, "nst: warning: %s\n", painting->note.message);
    }
}

/* ---- Job --------------------------------------------------------------------------------------------------------- */

static void tell_plan(struct session *session) {
    const nst_job *job = session->job;
    bool is_halved =
        session->options->settings.precision == NST_PRECISION_AUTO && nst_job_precision(job) == NST_PRECISION_HALF;
    session_tell(session, 0,
                 is_halved ? "in half precision: in single the job does not fit into the device's memory" : NULL);
    session_tell(session, 1, nst_job_note(job));
    session_tell(session, 2, nst_job_memory_note(job));
    if (session->options->verbose) {
        char bytes[32];
        progress_clear(&session->display);
        fprintf(stderr, "memory  %s on the device\n", text_bytes(nst_job_memory_bytes(job), bytes, sizeof bytes));
        nst_job_print_plan(job, stderr);
    }
}

static nst_status create_record(struct painting *painting, nst_error *error) {
    const struct session *session = painting->session;
    const struct picture_provenance provenance = {.arguments = painting->command,
                                                  .options = session->options,
                                                  .network = session->network,
                                                  .contexts = session->contexts,
                                                  .context_count = session->context_count,
                                                  .precision = nst_job_precision(session->job)};
    return record_create(&provenance, &painting->record, error);
}

nst_status painting_begin(struct painting *painting, nst_error *error) {
    struct session *session = painting->session;
    const struct stylize_options *options = session->options;
    nst_job_pictures pictures = {.content = &painting->picture,
                                 .styles = session->styles,
                                 .style_count = session->style_count,
                                 .init = options->settings.init == NST_INIT_PICTURE ? &session->init : NULL,
                                 .previous = session->previous,
                                 .reliable = session->reliable,
                                 .mask = options->mask ? &session->mask : NULL,
                                 .style_masks = options->style_mask_count ? session->style_masks : NULL};
    const nst_devices devices = {.contexts = session->contexts, .count = session->context_count, .deal = options->deal};
    nst_status status = session->job ? nst_job_renew(&session->job, session->network, &pictures, error)
                                     : nst_job_create_on(&devices, session->network, &options->settings, &pictures,
                                                         &session->job, error);
    nst_picture_free(&painting->picture); /* the job has its own copy */
    if (status) {
        return status;
    }
    tell_plan(session);
    return create_record(painting, error);
}

/* ---- On the way -------------------------------------------------------------------------------------------------- */

nst_picture_format painting_format(const struct painting *painting) {
    const struct stylize_options *options = painting->session->options;
    return (nst_picture_format){.kind = options->format,
                                .depth_bits = options->depth_bits,
                                .jpeg_quality = options->jpeg_quality,
                                .webp_quality = options->webp_quality,
                                .metadata = &painting->metadata,
                                .texts = painting->record.texts,
                                .text_count = painting->record.count};
}

/* The numbers of iterations that the time came to are recorded, and how the picture was dealt out to several devices, since
 * they make the picture again. */
static nst_status record_course(struct painting *painting, nst_error *error) {
    struct session *session = painting->session;
    struct stylize_options course = *session->options;
    if (course.seconds <= 0 && session->context_count == 1) {
        return NST_OK;
    }
    if (course.seconds > 0) {
        painting->schedule_count = nst_job_schedule(session->job, painting->schedule);
        course.settings.iteration_count = painting->schedule_count;
        memcpy(course.settings.iterations, painting->schedule, sizeof painting->schedule);
    }
    course.deal = nst_job_deal(session->job);
    return record_update_settings(&painting->record, &course, error);
}

/* The picture as it is; free with nst_picture_free. */
static nst_status take_picture(struct painting *painting, nst_picture *picture, nst_error *error) {
    nst_status status = record_course(painting, error);
    return status ? status : nst_job_picture(painting->session->job, picture, error);
}

/* Writes the picture as it is beside the output: painting.png becomes painting-0100.png. */
static nst_status save_on_the_way(struct painting *painting, nst_error *error) {
    struct session *session = painting->session;
    const char *output = painting->output;
    const char *slash = strrchr(output, '/'), *ending = strrchr(slash ? slash : output, '.');
    if (!ending) {
        ending = output + strlen(output);
    }
    size_t size = strlen(output) + 16;
    char *path = malloc(size);
    if (!path) {
        return fail_memory(error, size, "the name of a picture on the way");
    }
    snprintf(path, size, "%.*s-%04d%s", (int)(ending - output), output, painting->iterations, ending);
    nst_picture picture = {0};
    nst_status status = take_picture(painting, &picture, error);
    const nst_picture_format format = painting_format(painting);
    status = status ? status : nst_picture_write(&picture, path, &format, error);
    if (!status && session->options->verbose) {
        progress_clear(&session->display);
        fprintf(stderr, "wrote   %s\n", path);
    }
    if (!status) {
        progress_events_phase(&session->events, "painting", "picture", path);
    }
    nst_picture_free(&picture);
    free(path);
    return status;
}

void painting_show(struct painting *painting, const nst_progress *progress) {
    struct session *session = painting->session;
    int iterations = progress->evaluation;
    if (iterations == painting->iterations) { /* a job without iterations, or one that was resumed at its end */
        return;
    }
    painting->iterations = iterations;
    progress_show(&session->display, progress);
    progress_events_show(&session->events, progress);
    if (checkpoints_visit(&painting->checkpoints, session->job, iterations)) {
        progress_clear(&session->display);
        fprintf(stderr, "nst: %s: there is no newer checkpoint than the one before\n",
                painting->checkpoints.error.message);
    }

    /* A full disk must not cost hours of work: it is reported when the picture is safe. */
    if (painting->side_error.status) {
        return;
    }
    nst_status status = log_write(&painting->log, progress, &painting->side_error);
    int every = session->options->save_every;
    if (!status && every > 0 && iterations % every == 0 && iterations != painting->saved_at) {
        painting->saved_at = iterations;
        save_on_the_way(painting, &painting->side_error);
    }
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

nst_status painting_run(struct painting *painting, nst_progress_callback *callback, void *user, nst_error *error) {
    struct session *session = painting->session;
    nst_status status = nst_job_run(session->job, callback, user, interrupt_flag(), error);
    progress_clear(&session->display);
    painting->interrupted = status == NST_CANCELED;
    if (!status || painting->interrupted) {
        status = take_picture(painting, &painting->result, error);
    }
    return status;
}

nst_status painting_write(struct painting *painting, nst_error *error) {
    const nst_picture_format format = painting_format(painting);
    nst_status status = painting->output ? nst_picture_write(&painting->result, painting->output, &format, error)
                                         : nst_picture_write_stream(&painting->result, stdout, &format, error);
    painting->seconds = seconds_now() - painting->started;
    return status;
}

void painting_print_summary(const struct painting *painting) {
    FILE *stream = painting->output ? stdout : stderr; /* where there is no picture */
    const struct session *session = painting->session;
    char duration[32];
    progress_duration(painting->seconds, duration, sizeof duration);
    if (painting->interrupted) {
        fprintf(stream, "interrupted after %d iterations; this is the picture as it was then:\n", painting->iterations);
    }
    fprintf(stream, "%s: %d x %d pixels, %d iterations, %s on %s\n",
            painting->output ? painting->output : "standard output", painting->result.width, painting->result.height,
            painting->iterations, duration, nst_context_device(session->contexts[0])->name);
    for (int i = 0; i < painting->schedule_count; i++) {
        fprintf(stream, "%s%d%s", i ? "," : "the same again: --iterations ", painting->schedule[i],
                i == painting->schedule_count - 1 ? "\n" : "");
    }
    if (painting->interrupted && painting->checkpoints.path && !painting->checkpoints.error.status) {
        fprintf(stream, "'nst resume %s' goes on\n", painting->checkpoints.path);
    }
}

void painting_free(struct painting *painting) {
    nst_picture_free(&painting->picture);
    nst_picture_free(&painting->result);
    nst_picture_metadata_free(&painting->metadata);
    record_free(&painting->record);
    checkpoints_end(&painting->checkpoints);
}
