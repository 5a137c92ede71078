/* checkpoint.c: what a job needs to go on later, in a sealed file (support/sealed.h): texts of the caller, what the job
 * depends on, where it stands, and the states that its parts list (device/state.h). See nst.h. */
#include "stylize/identity.h"
#include "support/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct sealed_kind kind = {.what = "checkpoint", .tag = "nst checkpoint\n", .version = 1};

enum { MOST_TEXTS = 100000, MOST_TEXT_BYTES = 1 << 20 };

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

struct text_list {
    nst_picture_text *texts; /* from malloc, as what they point to */
    int count;
};

static void free_texts(struct text_list *list) {
    for (int i = 0; i < list->count; ++i) {
        free((char *)list->texts[i].keyword);
        free((char *)list->texts[i].value);
    }
    free(list->texts);
    *list = (struct text_list){0};
}

static nst_status write_text(struct sealed_writer *writer, const char *name, const char *text, nst_error *error) {
    size_t bytes = strlen(text);
    nst_status status = sealed_write_piece(writer, name, bytes, error);
    return status ? status : sealed_write_data(writer, text, bytes, error);
}

static nst_status write_texts(struct sealed_writer *writer, const nst_picture_text *texts, int count,
                              nst_error *error) {
    nst_status status = sealed_write_piece(writer, "texts", sizeof count, error);
    status = status ? status : sealed_write_data(writer, &count, sizeof count, error);
    for (int i = 0; !status && i < count; ++i) {
        status = write_text(writer, "keyword", texts[i].keyword, error);
        status = status ? status : write_text(writer, "value", texts[i].value, error);
    }
    return status;
}

static nst_status read_text(struct sealed_reader *reader, const char *name, const char **text, nst_error *error) {
    uint64_t bytes = 0;
    nst_status status = sealed_read_piece(reader, name, &bytes, error);
    if (!status && bytes > MOST_TEXT_BYTES) {
        status = fail(error, NST_ERROR_FORMAT, "checkpoint %s holds a text of %" PRIu64 " bytes", reader->path, bytes);
    }
    char *copy = status ? NULL : calloc(1, (size_t)bytes + 1);
    if (!status && !copy) {
        status = fail_memory(error, (size_t)bytes, "a text of the checkpoint");
    }
    *text = copy; /* also after a failure: freed with its list */
    return status ? status : sealed_read_data(reader, copy, (size_t)bytes, error);
}

static nst_status read_texts(struct sealed_reader *reader, struct text_list *list, nst_error *error) {
    uint64_t bytes = 0;
    int count = 0;
    nst_status status = sealed_read_piece(reader, "texts", &bytes, error);
    status = status ? status : sealed_read_data(reader, &count, sizeof count, error);
    if (!status && (bytes != sizeof count || count < 0 || count > MOST_TEXTS)) {
        status = fail(error, NST_ERROR_FORMAT, "checkpoint %s holds %d texts", reader->path, count);
    }
    list->texts = status ? NULL : calloc((size_t)count + 1, sizeof *list->texts);
    if (!status && !list->texts) {
        status = fail_memory(error, (size_t)count * sizeof *list->texts, "the texts of the checkpoint");
    }
    while (!status && list->count < count) {
        nst_picture_text *text = &list->texts[list->count++];
        status = read_text(reader, "keyword", &text->keyword, error);
        status = status ? status : read_text(reader, "value", &text->value, error);
    }
    return status;
}

/* ---- Where it stands --------------------------------------------------------------------------------------------- */

/* The numbers of the job itself. */
struct position {
    int scale, iteration, evaluation_count, retreats;
    int iterations[NST_MAX_SCALES];
    double last_good_loss, seconds;
    int width, height;           /* of the scale */
    int last_width, last_height; /* of job->last, 0 where there is none */
};

static struct position position_of(const nst_job *job) {
    struct position position = {.scale = job->scale,
                                .iteration = job->iteration,
                                .evaluation_count = job->evaluation_count,
                                .retreats = job->retreats,
                                .last_good_loss = job->last_good_loss,
                                .seconds = job_seconds(job),
                                .last_width = job->last.width,
                                .last_height = job->last.height};
    for (int i = 0; i < job->scale_count; ++i) {
        position.iterations[i] = job->scales[i].iterations;
    }
    if (job->scale >= 0) {
        position.width = job->scales[job->scale].size.width;
        position.height = job->scales[job->scale].size.height;
    }
    return position;
}

static nst_status list_position(struct state *state, struct position *position, nst_error *error) {
    state->owner = "job";
    nst_status status = state_value(state, "scale", position->scale, error);
    status = status ? status : state_value(state, "iteration", position->iteration, error);
    status = status ? status : state_value(state, "evaluations", position->evaluation_count, error);
    status = status ? status : state_value(state, "retreats", position->retreats, error);
    status = status ? status : state_value(state, "iterations", position->iterations, error);
    status = status ? status : state_value(state, "last good loss", position->last_good_loss, error);
    status = status ? status : state_value(state, "seconds", position->seconds, error);
    status = status ? status : state_value(state, "width", position->width, error);
    status = status ? status : state_value(state, "height", position->height, error);
    status = status ? status : state_value(state, "width before", position->last_width, error);
    return status ? status : state_value(state, "height before", position->last_height, error);
}

/* Puts the job there, as far as numbers go. */
static nst_status take_position(nst_job *job, const struct position *position, nst_error *error) {
    bool fits = position->scale >= -1 && position->scale < job->scale_count && position->iteration >= 0 &&
                position->last_width >= 0 && position->last_height >= 0 && position->last_width <= NST_MAX_SIZE_PX &&
                position->last_height <= NST_MAX_SIZE_PX;
    for (int i = 0; fits && i < job->scale_count; ++i) {
        fits = position->iterations[i] >= 0 && position->iterations[i] <= NST_MAX_ITERATIONS;
    }
    if (!fits) {
        return fail(error, NST_ERROR_FORMAT, "the checkpoint stands at scale %d, which this job does not have",
                    position->scale + 1);
    }
    const struct image_size *size = position->scale >= 0 ? &job->scales[position->scale].size : NULL;
    if (size && (size->width != position->width || size->height != position->height)) {
        return fail(error, NST_ERROR_FORMAT,
                    "the checkpoint's image has %d x %d pixels at scale %d, this job's %d x %d", position->width,
                    position->height, position->scale + 1, size->width, size->height);
    }
    for (int i = 0; i < job->scale_count; ++i) {
        job->scales[i].iterations = position->iterations[i];
    }
    job->scale = position->scale;
    job->iteration = job->untimed = position->iteration;
    job->evaluation_count = position->evaluation_count;
    job->retreats = position->retreats;
    job->last_good_loss = position->last_good_loss;
    job_set_seconds(job, position->seconds);
    return NST_OK;
}

/* The image that the scale began with. */
static nst_status list_last(nst_job *job, struct state *state, const struct position *position, nst_error *error) {
    nst_picture *last = &job->last;
    if (position->last_width == 0 || position->last_height == 0) {
        return NST_OK;
    }
    nst_status status =
        last->values ? NST_OK : picture_create(position->last_width, position->last_height, 3, last, error);
    size_t count = 3 * (size_t)position->last_width * (size_t)position->last_height;
    return status ? status : state_bytes(state, "image before", last->values, count * sizeof *last->values, error);
}

/* What the parts of the job have learned. */
static nst_status list_parts(nst_job *job, struct state *state, nst_error *error) {
    state->owner = "evaluation";
    nst_status status = evaluation_list_state(job->buffers.evaluation, state, error);
    state->owner = "variables";
    status = status ? status : variables_list_state(job->buffers.variables, state, error);
    state->owner = "optimizer";
    status = status ? status : optimizer_list_state(job->buffers.optimizer, state, error);
    state->owner = "average";
    status = status ? status : job_list_average(job, state, error);
    state->owner = "devices";
    return status ? status : job_list_devices(job, state, error);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static nst_status write_all(nst_job *job, struct sealed_writer *writer, const nst_checkpoint_format *format,
                            nst_error *error) {
    struct state state = {.context = job->context, .writer = writer};
    struct position position = position_of(job);
    const struct identity *identity = identity_of_job(job);
    if (!identity) {
        return fail_memory(error, sizeof *identity, "the checkpoint");
    }
    nst_status status = write_texts(writer, format->texts, format->text_count, error);
    status = status ? status : write_texts(writer, identity->texts, identity->count, error);
    status = status ? status : list_position(&state, &position, error);
    if (status || job->scale < 0) {
        return status;
    }
    status = list_last(job, &state, &position, error);
    return status ? status : list_parts(job, &state, error);
}

/* PATH.1, from malloc. */
static char *previous_path(const char *path) {
    size_t size = strlen(path) + 3;
    char *previous = malloc(size);
    if (previous) {
        snprintf(previous, size, "%s.1", path);
    }
    return previous;
}

nst_status nst_job_save(nst_job *job, const char *path, const nst_checkpoint_format *format, nst_error *error) {
    struct sealed_writer writer;
    char *previous = previous_path(path);
    if (!previous) {
        return fail_memory(error, strlen(path) + 3, "a file name");
    }
    nst_status status = sealed_write_begin(&writer, path, &kind, error);
    status = status ? status : write_all(job, &writer, format, error);
    status = status ? status : sealed_write_commit(&writer, format->keeps_previous ? previous : NULL, error);
    sealed_write_abort(&writer);
    free(previous);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

struct nst_checkpoint {
    struct sealed_reader reader;
    struct text_list texts, identity;
};

static nst_status open_one(const char *path, nst_checkpoint *checkpoint, nst_error *error) {
    nst_status status = sealed_read_open(&checkpoint->reader, path, &kind, error);
    status = status ? status : read_texts(&checkpoint->reader, &checkpoint->texts, error);
    return status ? status : read_texts(&checkpoint->reader, &checkpoint->identity, error);
}

static void close_one(nst_checkpoint *checkpoint) {
    sealed_read_close(&checkpoint->reader);
    free_texts(&checkpoint->texts);
    free_texts(&checkpoint->identity);
}

nst_status nst_checkpoint_open(const char *path, nst_checkpoint **result, nst_note *note, nst_error *error) {
    *result = NULL;
    nst_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    char *previous = previous_path(path);
    nst_error first = {0};
    nst_status status = checkpoint && previous ? open_one(path, checkpoint, &first)
                                               : fail_memory(&first, sizeof *checkpoint, "the checkpoint");
    if (note) {
        note->message[0] = 0;
    }
    if (status && checkpoint && previous) {
        close_one(checkpoint);
        if (!open_one(previous, checkpoint, NULL)) {
            status = NST_OK;
            remark(note, "%s: going on from the one before, %s", first.message, previous);
        }
    }
    free(previous);
    if (status) {
        nst_checkpoint_close(checkpoint);
        return fail(error, status, "%s", first.message);
    }
    *result = checkpoint;
    return NST_OK;
}

void nst_checkpoint_close(nst_checkpoint *checkpoint) {
    if (checkpoint) {
        close_one(checkpoint);
        free(checkpoint);
    }
}

const char *nst_checkpoint_path(const nst_checkpoint *checkpoint) {
    return checkpoint->reader.path;
}

bool nst_checkpoint_text(const nst_checkpoint *checkpoint, int index, nst_picture_text *text) {
    bool found = index >= 0 && index < checkpoint->texts.count;
    if (found) {
        *text = checkpoint->texts.texts[index];
    }
    return found;
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

static nst_status check_identity(nst_job *job, const nst_checkpoint *checkpoint, bool accept_changes, nst_note *note,
                                 nst_error *error) {
    char differences[NST_ERROR_LENGTH / 2];
    const struct identity *now = identity_of_job(job);
    if (!now) {
        return fail_memory(error, sizeof *now, "the checkpoint");
    }
    identity_compare(now, checkpoint->identity.texts, checkpoint->identity.count, differences, sizeof differences);
    if (differences[0] && !accept_changes) {
        return fail(
            error, NST_ERROR_FORMAT,
            "checkpoint %s was written with other things than this job has: %s; put them back, or go on all the "
            "same with --accept-changes",
            checkpoint->reader.path, differences);
    }
    if (differences[0]) {
        remark(note, "going on with other things than those of the checkpoint: %s", differences);
    }
    return NST_OK;
}

nst_status nst_job_resume(nst_job *job, nst_checkpoint *checkpoint, bool accept_changes, nst_note *note,
                          nst_error *error) {
    struct state state = {.context = job->context, .reader = &checkpoint->reader};
    struct position position = {0};
    if (note) {
        note->message[0] = 0;
    }
    if (job->scale >= 0) {
        return fail(error, NST_ERROR_ARGUMENT, "a job that has begun cannot go on from a checkpoint");
    }
    nst_status status = check_identity(job, checkpoint, accept_changes, note, error);
    status = status ? status : list_position(&state, &position, error);
    status = status ? status : take_position(job, &position, error);
    if (status || position.scale < 0) {
        return status;
    }
    status = list_last(job, &state, &position, error);
    status = status ? status : job_prepare_scale(job, position.scale, error);
    status = status ? status : list_parts(job, &state, error);
    job->pace.scale_start = job_seconds(job);
    return status;
}
