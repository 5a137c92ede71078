/* batch.c: `nst batch`: several pictures in the same style, one after the other. A thread beside the one that paints
 * writes the picture before and reads the next. See session.h for what is made once, painting.h for one picture. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli/batch_contents.h"
#include "cli/batch_options.h"
#include "cli/batch_outputs.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/painting.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/file.h"

/* A picture on its way, with its outcome so far. */
struct work {
    struct painting painting;
    struct arguments command; /* that would make it by itself */
    int number;               /* of those that are painted, from 1 */
    nst_error error;          /* status NST_OK as long as nothing failed */
};

/* What the other thread does. */
struct beside {
    pthread_t thread;
    bool is_running;
    struct work *write, *read; /* in this order; NULL: nothing */
    atomic_bool is_written;
};

struct batch {
    struct batch_options options;
    const struct arguments *arguments;
    struct session session;
    struct batch_contents contents;
    size_t place; /* in the list, of the next one */
    struct work *now;
    struct beside beside;
    int due, taken, settled; /* how many are to be painted, have been begun, and have ended */
    int painted, skipped, failed;
    bool cannot_write; /* as on a full disk: there is no use in going on */
};

/* ---- Outcomes ---------------------------------------------------------------------------------------------------- */

/* One line about a content, whose name stands in front unless the message has it. */
static void tell_failure(struct batch *batch, const char *content, int number, const char *message) {
    char line[NST_ERROR_LENGTH + 64];
    bool is_named = strstr(message, content) != NULL;
    snprintf(line, sizeof line, "%s%s%s", is_named ? "" : content, is_named ? "" : ": ", message);
    progress_clear(&batch->session.display);
    fprintf(stderr, "nst: error: %s\n", line);
    progress_events_tell(
        &batch->session.events, "picture_failed",
        json_pack("{s:o, s:i, s:o}", "content", text_json(content), "number", number, "message", text_json(line)));
    batch->failed++;
}

static void work_free(struct work *work) {
    if (work) {
        painting_free(&work->painting);
        batch_command_free(&work->command);
        free(work);
    }
}

/* Tells how a picture ended that is written, or failed; frees it. */
static void settle(struct batch *batch, struct work *work) {
    struct painting *painting = &work->painting;
    batch->settled++;
    if (!work->error.status && painting->side_error.status) { /* the picture is safe, but not all else */
        work->error = painting->side_error;
    }
    if (work->error.status) {
        tell_failure(batch, painting->content, work->number, work->error.message);
    } else {
        batch->painted++;
        progress_events_tell(&batch->session.events, "picture_written",
                             json_pack("{s:o, s:i, s:o}", "content", text_json(painting->content), "number",
                                       work->number, "picture", text_json(painting->output)));
    }
    if (!work->error.status && !batch->options.common.quiet) {
        progress_clear(&batch->session.display);
        painting_print_summary(painting);
        fflush(stdout);
    }
    work_free(work);
}

/* ---- Beside the painting ----------------------------------------------------------------------------------------- */

static void *run_beside(void *user) {
    struct beside *beside = user;
    struct work *write = beside->write, *read = beside->read;
    if (write) {
        write->error.status = painting_write(&write->painting, &write->error);
        atomic_store(&beside->is_written, true);
    }
    if (read) {
        read->error.status = painting_read(&read->painting, &read->error);
    }
    return NULL;
}

static void begin_beside(struct beside *beside, struct work *write, struct work *read) {
    beside->write = write;
    beside->read = read;
    atomic_store(&beside->is_written, false);
    beside->is_running = (write || read) && pthread_create(&beside->thread, NULL, run_beside, beside) == 0;
    if (!beside->is_running) { /* before the painting, then */
        run_beside(beside);
    }
}

/* Tells of what was written, once it is. */
static void settle_beside(struct batch *batch) {
    struct beside *beside = &batch->beside;
    if (beside->write && atomic_load(&beside->is_written)) {
        batch->cannot_write = batch->cannot_write || beside->write->error.status;
        settle(batch, beside->write);
        beside->write = NULL;
    }
}

static void end_beside(struct batch *batch) {
    if (batch->beside.is_running) {
        pthread_join(batch->beside.thread, NULL);
    }
    settle_beside(batch);
}

/* ---- One picture ------------------------------------------------------------------------------------------------- */

/* The next content of the list that is due; NULL behind the last. */
static nst_status take_next(struct batch *batch, struct work **next, nst_error *error) {
    const struct batch_contents *contents = &batch->contents;
    *next = NULL;
    while (batch->place < contents->count && !contents->items[batch->place].output) {
        batch->place++;
    }
    if (batch->place == contents->count) {
        return NST_OK;
    }
    const struct batch_content *item = &contents->items[batch->place++];
    struct work *work = calloc(1, sizeof *work);
    if (!work) {
        return fail_memory(error, sizeof *work, "a picture");
    }
    nst_status status = batch_command_make(batch->arguments, item->path, item->output, &work->command, error);
    if (status) {
        work_free(work);
        return status;
    }
    work->painting = (struct painting){
        .session = &batch->session, .content = item->path, .output = item->output, .command = &work->command};
    work->number = ++batch->taken;
    *next = work;
    return NST_OK;
}

/* Makes the folder of the result, and sees whether it can be written there before work is spent on it. */
static nst_status prepare_output(const struct painting *painting, nst_error *error) {
    const nst_picture_format format = painting_format(painting);
    nst_status status = file_make_folder_of(painting->output, error);
    return status ? status : nst_picture_check_writable(painting->output, &format, error);
}

static void on_progress(const nst_progress *progress, void *user) {
    struct batch *batch = user;
    settle_beside(batch);
    painting_show(&batch->now->painting, progress);
}

static void paint(struct batch *batch, struct work *work) {
    struct session *session = &batch->session;
    struct painting *painting = &work->painting;
    nst_error *error = &work->error;
    batch->now = work;
    progress_events_picture(&session->events, painting->content, work->number, batch->due);
    snprintf(session->display.picture, sizeof session->display.picture, "%d/%d ", work->number, batch->due);
    painting_tell_note(painting);
    painting->started = seconds_now();
    nst_status status = prepare_output(painting, error);
    status = status ? status : painting_begin(painting, error);
    if (!status) {
        status = painting_run(painting, on_progress, batch, error);
        if (status) { /* what is left on the device is not to be trusted */
            nst_job_destroy(session->job);
            session->job = NULL;
        }
    }
    error->status = status; /* an interrupted job is none */
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static nst_status paint_all(struct batch *batch, nst_error *error) {
    struct work *finished = NULL, *next = NULL;
    nst_status status = take_next(batch, &next, error);
    begin_beside(&batch->beside, NULL, next);
    end_beside(batch);
    while (!status && next && !batch->cannot_write && !*interrupt_flag()) {
        struct work *now = next;
        status = take_next(batch, &next, error);
        begin_beside(&batch->beside, finished, next);
        finished = NULL;
        if (!now->error.status) {
            paint(batch, now);
        }
        end_beside(batch);
        if (now->error.status) {
            settle(batch, now);
        } else if (now->painting.interrupted) { /* a result that is there is finished */
            work_free(now);
        } else {
            finished = now;
        }
    }
    begin_beside(&batch->beside, finished, NULL);
    end_beside(batch);
    work_free(next);
    return status;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

static bool is_finished(const char *output) {
    return file_exists(output) && !output_is_folder(output);
}

/* Lists what is to be painted. */
static nst_status list(struct batch *batch, nst_error *error) {
    const struct arguments *arguments = batch->arguments;
    struct batch_contents *contents = &batch->contents;
    struct batch_search search = {.recursive = batch->options.recursive};
    char *folder = NULL;
    nst_status status = batch_outputs_folder(batch->options.common.output, &folder, error);
    search.left_out = folder;
    if (!status) {
        status = batch_contents_find(arguments->operands, arguments->operand_count, &search, contents, error);
    }
    free(folder);
    status = status ? status : batch_outputs_find(&batch->options, contents, error);
    if (!status && contents->count == 0) {
        return fail(error, NST_ERROR_FILE, "batch: expected pictures, found none in %s%s", arguments->operands[0],
                    batch->options.recursive ? "" : "; -r looks into folders within folders too");
    }
    const nst_picture_format format = {.kind = batch->options.common.format,
                                       .depth_bits = batch->options.common.depth_bits};
    for (size_t i = 0; !status && i < contents->count; i++) {
        struct batch_content *item = &contents->items[i];
        if (item->output) {
            status = nst_picture_check_format(item->output, &format, error);
        }
        if (item->problem) {
            tell_failure(batch, item->path, 0, item->problem);
        } else if (!status && item->output && !batch->options.force && is_finished(item->output)) {
            batch->skipped++;
            free(item->output);
            item->output = NULL;
        }
        batch->due += item->output != NULL;
    }
    return status;
}

static nst_status run(struct batch *batch, nst_error *error) {
    struct session *session = &batch->session;
    const struct stylize_options *options = &batch->options.common;
    nst_status status = batch_options_read(batch->arguments, &batch->options, error);
    status = status ? status : progress_events_begin(&session->events, options->progress, error);
    status = status ? status : list(batch, error);
    session_begin_display(session, status || options->quiet);
    session->display.brief = true;
    progress_events_phase(&session->events, "preparing", NULL, NULL);
    if (status || batch->due == 0) {
        return status;
    }
    status = session_read_pictures(session, error);
    progress_message(&session->display, "preparing: kernels are compiled the first time");
    status = status ? status : session_open(session, error);
    interrupt_catch();
    return status ? status : paint_all(batch, error);
}

static void print_summary(const struct batch *batch, int left) {
    char duration[32];
    progress_duration(seconds_now() - batch->session.started, duration, sizeof duration);
    printf("%d painted, %d skipped%s, %d failed", batch->painted, batch->skipped,
           batch->skipped > 0 ? " (there already; --force paints them again)" : "", batch->failed);
    if (left > 0) {
        printf(", %d left", left);
    }
    printf(", in %s\n", duration);
}

/* Tells how the run ended; returns the exit status. */
static int finish(struct batch *batch, nst_status status, const nst_error *error) {
    struct progress_events *events = &batch->session.events;
    int left = batch->due - batch->settled, exit_status = batch->failed ? EXIT_FAILED : EXIT_FINE;
    bool interrupted = left > 0 && *interrupt_flag();
    progress_clear(&batch->session.display);
    events->content = NULL;
    events->share = left > 0 || status ? events->share : 1;
    progress_events_tell(events,
                         status        ? "failed"
                         : interrupted ? "interrupted"
                                       : "done",
                         json_pack("{s:i, s:i, s:i, s:o*}", "painted", batch->painted, "skipped", batch->skipped,
                                   "failed", batch->failed, "message", status ? text_json(error->message) : NULL));
    if (status) {
        exit_status = command_error(error);
    }
    if (!batch->options.common.quiet && (!status || batch->painted > 0)) {
        print_summary(batch, left);
    }
    return interrupted ? 128 + *interrupt_flag() : exit_status;
}

static int batch_run(const struct arguments *arguments) {
    struct batch *batch = calloc(1, sizeof *batch);
    nst_error error;
    if (!batch) {
        fail_memory(&error, sizeof *batch, "the run");
        return command_error(&error);
    }
    batch->arguments = arguments;
    batch->session = (struct session){.options = &batch->options.common, .started = seconds_now()};
    nst_status status = run(batch, &error);
    int exit_status = finish(batch, status, &error);
    session_end(&batch->session);
    batch_contents_free(&batch->contents);
    free(batch);
    return exit_status;
}

const struct command command_batch = {
    .name = "batch",
    .usage = "CONTENT... --style S -o FOLDER/",
    .summary = "paint several pictures, and those in folders, in one style",
    .details = "Each result is that of 'nst stylize' to the byte, but device and network are made ready once. Results\n"
               "that are there already are skipped, so a run that was stopped goes on when it is repeated. A picture\n"
               "that fails costs one line; the exit status is then 1. Ctrl-C leaves the one in hand unpainted.\n"
               "With -o FOLDER/ photo.jpg becomes FOLDER/photo-nst.png, in folders like those it was found in. In a\n"
               "pattern, such as -o 'out/{name}-{preset}.{ext}', braces stand for:\n" BATCH_PLACEHOLDERS ".\n"
               "--time and --save-every are for each picture; a mask, or a picture to start from, is for all.",
    .table = &batch_table,
    .values_size = sizeof(struct batch_options),
    .set_defaults = batch_defaults,
    .run = batch_run,
};
