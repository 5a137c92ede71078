/* test_checkpoint.c: a job that is saved after any of its iterations, and goes on in a new one, gives the bytes of the job
 * that was not broken off, for every preset and optimizer; and files that are damaged or do not fit are refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "jobs.h"
#include "support/file.h"

#include <nettle/sha2.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NAME "run.checkpoint"

/* A job's pictures, and its settings on a small network. */
struct made {
    nst_network *network;
    nst_picture content, style;
    nst_settings settings;
};

static void set_up(struct made *made, const char *preset, nst_optimizer optimizer) {
    nst_settings small = small_settings(1);
    nst_error error;
    made->network = random_network(SMALL_NETWORK, 31);
    made->content = make_hills(60, 45, 3);
    made->style = make_stripes(64, 56);
    check(nst_settings_init(&made->settings, preset, &error), &error);
    made->settings.style_layers = small.style_layers;
    if (made->settings.content_layers.count > 0) {
        made->settings.content_layers = small.content_layers;
    }
    made->settings.iterations[0] = 3;
    made->settings.iterations[1] = 4;
    made->settings.iterations[2] = 3;
    made->settings.iteration_count = 3;
    made->settings.optimizer = optimizer;
    made->settings.scale_count = 2;
    made->settings.size_px = 48;
    made->settings.history = 9; /* more than a page of pairs */
}

static void tear_down(struct made *made) {
    nst_picture_free(&made->content);
    nst_picture_free(&made->style);
    random_network_free(made->network);
}

static nst_job *create_job(nst_context *context, const struct made *made) {
    nst_job_pictures pictures = {.content = &made->content, .styles = &made->style, .style_count = 1};
    nst_job *job;
    nst_error error;
    check(nst_job_create(context, made->network, &made->settings, &pictures, &job, &error), &error);
    return job;
}

/* Steps until so many evaluations are done, or to the end for 0. */
static nst_progress run_until(nst_job *job, int evaluations) {
    nst_progress progress = {0};
    nst_error error;
    while (!progress.finished && (evaluations == 0 || progress.evaluation < evaluations)) {
        check(nst_job_step(job, &progress, &error), &error);
    }
    return progress;
}

/* Ends the job: its picture; the last loss and the number of evaluations into the others. */
static nst_picture finish(nst_job *job, double *loss, int *evaluations) {
    nst_picture picture;
    nst_error error;
    nst_progress progress = run_until(job, 0);
    *loss = progress.loss;
    *evaluations = progress.evaluation;
    check(nst_job_picture(job, &picture, &error), &error);
    nst_job_destroy(job);
    return picture;
}

static void save(nst_job *job, bool keeps_previous) {
    nst_picture_text texts[] = {{"argument", "nst"}, {"argument", "a \xff\n name"}, {"folder", ""}};
    nst_checkpoint_format format = {.texts = texts, .text_count = 3, .keeps_previous = keeps_previous};
    nst_error error;
    check(nst_job_save(job, FILE_NAME, &format, &error), &error);
}

/* A new job that goes on where the file says. */
static nst_job *resume(nst_context *context, const struct made *made) {
    nst_job *job = create_job(context, made);
    nst_checkpoint *checkpoint;
    nst_note note;
    nst_error error;
    check(nst_checkpoint_open(FILE_NAME, &checkpoint, &note, &error), &error);
    assert_string_equal(note.message, "");
    check(nst_job_resume(job, checkpoint, false, &note, &error), &error);
    assert_string_equal(note.message, "");
    nst_checkpoint_close(checkpoint);
    return job;
}

static void break_off_everywhere(nst_context *context, const char *preset, nst_optimizer optimizer) {
    struct made made;
    double expected_loss, loss;
    int expected_count, count;
    set_up(&made, preset, optimizer);
    nst_picture expected = finish(create_job(context, &made), &expected_loss, &expected_count);
    assert_true(expected_count >= 7);
    for (int after = 0; after <= expected_count; ++after) {
        nst_job *job = create_job(context, &made);
        if (after > 0) {
            run_until(job, after);
        }
        save(job, true);
        nst_job_destroy(job);
        nst_picture picture = finish(resume(context, &made), &loss, &count);
        if (!same_pixels(&picture, &expected) || count != expected_count) {
            fail_msg("%s, optimizer %d, broken off after %d evaluations, gives another picture", preset, (int)optimizer,
                     after);
        }
        if (after < expected_count) { /* the last loss is not evaluated again */
            assert_memory_equal(&loss, &expected_loss, sizeof loss);
        }
        nst_picture_free(&picture);
    }
    nst_picture_free(&expected);
    tear_down(&made);
}

static void goes_on_as_if_never_stopped(void **state) {
    nst_preset preset;
    for (int i = 0; nst_preset_at(i, &preset); ++i) {
        break_off_everywhere(*state, preset.name, NST_AUTO);
    }
    break_off_everywhere(*state, "gram", NST_ADAM);
    break_off_everywhere(*state, "wasserstein", NST_LBFGS);
}

/* Maps so large that positions are chosen at random, in a scale that is matched twice. */
static void goes_on_with_random_positions(void **state) {
    static const int places[] = {1, 7, 13};
    struct made made;
    double expected_loss, loss;
    int count;
    set_up(&made, "neighbors", NST_AUTO);
    made.settings.size_px = 200;
    made.settings.seed = 8; /* the two matchings then differ */ /* the two matchings then differ */
    made.settings.iterations[0] = made.settings.iterations[1] = 1;
    made.settings.iterations[2] = 13;
    nst_picture expected = finish(create_job(*state, &made), &expected_loss, &count);
    for (size_t i = 0; i < COUNT_OF(places); ++i) {
        nst_job *job = create_job(*state, &made);
        run_until(job, places[i]);
        save(job, true);
        nst_job_destroy(job);
        nst_picture picture = finish(resume(*state, &made), &loss, &count);
        assert_true(same_pixels(&picture, &expected));
        assert_memory_equal(&loss, &expected_loss, sizeof loss);
        nst_picture_free(&picture);
    }
    nst_picture_free(&expected);
    tear_down(&made);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* A job of the default preset, saved after so many evaluations. */
static void save_one(nst_context *context, const struct made *made, int evaluations) {
    nst_job *job = create_job(context, made);
    run_until(job, evaluations);
    save(job, true);
    nst_job_destroy(job);
}

static unsigned char *read_whole(const char *path, size_t *bytes) {
    unsigned char *data;
    nst_error error;
    check(file_read(path, "checkpoint", 1 << 24, &data, bytes, &error), &error);
    return data;
}

static void write_whole(const char *path, const void *data, size_t bytes) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
}

static void assert_refused(const char *words) {
    nst_checkpoint *checkpoint;
    nst_error error = {0};
    assert_int_not_equal(nst_checkpoint_open(FILE_NAME, &checkpoint, NULL, &error), NST_OK);
    assert_null(checkpoint);
    if (!strstr(error.message, words) || strchr(error.message, '\n')) {
        fail_msg("expected '%s', found: %s", words, error.message);
    }
}

/* Every text of the caller is found again. */
static void keeps_texts(void **state) {
    struct made made;
    nst_checkpoint *checkpoint;
    nst_picture_text text;
    nst_error error;
    set_up(&made, "gram", NST_AUTO);
    save_one(*state, &made, 1);
    check(nst_checkpoint_open(FILE_NAME, &checkpoint, NULL, &error), &error);
    assert_string_equal(nst_checkpoint_path(checkpoint), FILE_NAME);
    assert_true(nst_checkpoint_text(checkpoint, 1, &text));
    assert_string_equal(text.keyword, "argument");
    assert_string_equal(text.value, "a \xff\n name");
    assert_true(nst_checkpoint_text(checkpoint, 2, &text));
    assert_string_equal(text.value, "");
    assert_false(nst_checkpoint_text(checkpoint, 3, &text));
    assert_false(nst_checkpoint_text(checkpoint, -1, &text));
    nst_checkpoint_close(checkpoint);
    tear_down(&made);
}

/* A byte that is another one, wherever it is; a file that is too short or too long. */
static void refuses_what_is_damaged(void **state) {
    struct made made;
    size_t bytes;
    set_up(&made, "gram", NST_AUTO);
    save_one(*state, &made, 4);
    unlink(FILE_NAME ".1");
    unsigned char *data = read_whole(FILE_NAME, &bytes);
    for (size_t at = 0; at < bytes; at += at < 4096 || at > bytes - 64 ? 7 : 9973) {
        data[at] ^= 0x10;
        write_whole(FILE_NAME, data, bytes);
        assert_refused(at < 16 ? "is not a checkpoint" : "is damaged");
        data[at] ^= 0x10;
    }
    for (size_t length = 0; length < bytes; length += length < 64 ? 1 : bytes / 23) {
        write_whole(FILE_NAME, data, length);
        assert_refused(length < 16 ? "is not a checkpoint" : "is damaged");
    }
    unsigned char *longer = allocate(1, bytes + 1);
    memcpy(longer, data, bytes);
    write_whole(FILE_NAME, longer, bytes + 1);
    assert_refused("is damaged");
    unlink(FILE_NAME);
    assert_refused("No such file");
    free(longer);
    free(data);
    tear_down(&made);
}

/* With a checksum that fits: of a later version, and with counts that no checkpoint has. */
static void refuses_what_it_cannot_read(void **state) {
    static const struct {
        size_t at; /* of a 32-bit number: the version, the name of the first piece, its bytes, its value */
        uint32_t number;
        const char *words;
    } changes[] = {{16, 2, "version 2"},
                   {20, 4000, "a name of 4000 bytes"},
                   {20, 4, "holds 'text'"},
                   {24, 5, "texts"},
                   {24, 0xffffffff, "ends too early"},
                   {37, 1u << 31, "texts"},
                   {37, 99999, "holds 'texts' where 'keyword'"}};
    struct made made;
    size_t bytes;
    set_up(&made, "gram", NST_AUTO);
    save_one(*state, &made, 1);
    unlink(FILE_NAME ".1");
    unsigned char *data = read_whole(FILE_NAME, &bytes), *copy = allocate(1, bytes);
    for (size_t i = 0; i < COUNT_OF(changes); ++i) {
        struct sha256_ctx hash;
        memcpy(copy, data, bytes);
        memcpy(copy + changes[i].at, &changes[i].number, sizeof changes[i].number);
        sha256_init(&hash);
        sha256_update(&hash, bytes - SHA256_DIGEST_SIZE, copy);
        sha256_digest(&hash, SHA256_DIGEST_SIZE, copy + bytes - SHA256_DIGEST_SIZE);
        write_whole(FILE_NAME, copy, bytes);
        assert_refused(changes[i].words);
    }
    free(copy);
    free(data);
    tear_down(&made);
}

/* The one before is there, and is taken where the last one is damaged or missing. */
static void falls_back(void **state) {
    struct made made;
    nst_checkpoint *checkpoint;
    nst_note note;
    nst_error error;
    set_up(&made, "gram", NST_AUTO);
    nst_picture expected, picture;
    double loss;
    int count;
    expected = finish(create_job(*state, &made), &loss, &count);
    save_one(*state, &made, 2);
    save_one(*state, &made, 4);
    for (int missing = 0; missing < 2; ++missing) {
        if (missing) {
            unlink(FILE_NAME);
        } else {
            write_whole(FILE_NAME, "nst checkpoint\n\0 and nothing that makes sense behind it, 60 bytes", 64);
        }
        nst_job *job = create_job(*state, &made);
        check(nst_checkpoint_open(FILE_NAME, &checkpoint, &note, &error), &error);
        assert_string_equal(nst_checkpoint_path(checkpoint), FILE_NAME ".1");
        assert_non_null(strstr(note.message, missing ? "No such file" : "is damaged"));
        assert_non_null(strstr(note.message, FILE_NAME ".1"));
        check(nst_job_resume(job, checkpoint, false, NULL, &error), &error);
        nst_checkpoint_close(checkpoint);
        picture = finish(job, &loss, &count);
        assert_true(same_pixels(&picture, &expected));
        nst_picture_free(&picture);
    }
    nst_picture_free(&expected);
    tear_down(&made);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* A disk that is full: the checkpoint that is there stays, and nothing else. What a killed process left is removed, what
 * one that is alive writes is not. */
static void survives_a_full_disk(void **state) {
    struct made made;
    nst_error error = {0};
    char dead[64], alive[64];
    struct rlimit before, small;
    size_t bytes;
    set_up(&made, "gram", NST_AUTO);
    save_one(*state, &made, 1);
    free(read_whole(FILE_NAME, &bytes));
    nst_job *job = create_job(*state, &made);
    run_until(job, 2);
    snprintf(alive, sizeof alive, FILE_NAME ".%ld-0.part", (long)getppid());
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    snprintf(dead, sizeof dead, FILE_NAME ".%ld-0.part", (long)child);
    write_whole(alive, "", 0);
    write_whole(dead, "", 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t length = 0; length < bytes; length += 1 + bytes / 7) {
        small = (struct rlimit){.rlim_cur = length, .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        nst_status status = nst_job_save(job, FILE_NAME, &(nst_checkpoint_format){.keeps_previous = true}, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, NST_ERROR_FILE);
        assert_non_null(strstr(error.message, FILE_NAME));
        snprintf(error.message, sizeof error.message, FILE_NAME ".%ld-0.part", (long)getpid());
        assert_false(file_exists(error.message));
    }
    nst_job_destroy(job);
    assert_false(file_exists(dead));
    assert_true(file_exists(alive));
    unlink(alive);
    nst_job_destroy(resume(*state, &made)); /* the one of before */
    tear_down(&made);
}

static void refuses_what_has_no_place(void **state) {
    struct made made;
    nst_error error = {0};
    set_up(&made, "gram", NST_AUTO);
    nst_job *job = create_job(*state, &made);
    nst_checkpoint_format format = {0};
    assert_int_equal(nst_job_save(job, "no-such-folder/x", &format, &error), NST_ERROR_FILE);
    assert_non_null(strstr(error.message, "no-such-folder/x"));
    nst_job_destroy(job);
    tear_down(&made);
}

/* ---- Changes ----------------------------------------------------------------------------------------------------- */

/* Goes on in a job that is not the one that was saved. */
static nst_status resume_other(nst_context *context, const struct made *made, bool accept, char *message) {
    nst_job *job = create_job(context, made);
    nst_checkpoint *checkpoint;
    nst_note note;
    nst_error error = {0};
    check(nst_checkpoint_open(FILE_NAME, &checkpoint, NULL, &error), &error);
    nst_status status = nst_job_resume(job, checkpoint, accept, &note, &error);
    snprintf(message, NST_ERROR_LENGTH, "%s", status ? error.message : note.message);
    nst_checkpoint_close(checkpoint);
    if (!status) {
        run_until(job, 0);
    }
    nst_job_destroy(job);
    return status;
}

static void assert_told(nst_context *context, const struct made *made, const char *what) {
    char message[NST_ERROR_LENGTH];
    assert_int_equal(resume_other(context, made, false, message), NST_ERROR_FORMAT);
    assert_non_null(strstr(message, what));
    assert_non_null(strstr(message, "--accept-changes"));
    assert_int_equal(resume_other(context, made, true, message), NST_OK);
    assert_non_null(strstr(message, what));
}

static void tells_what_differs(void **state) {
    struct made made;
    set_up(&made, "gram", NST_AUTO);
    save_one(*state, &made, 4);
    made.content.values[77] += 0.01f;
    assert_told(*state, &made, ": content");
    made.content.values[77] -= 0.01f;
    tear_down(&made);
    set_up(&made, "gram", NST_AUTO);
    made.style.values[77] += 0.01f;
    assert_told(*state, &made, "style number 1");
    tear_down(&made);
    set_up(&made, "gram", NST_AUTO);
    made.settings.content_weight = 0.06;
    assert_told(*state, &made, "settings");
    tear_down(&made);
    set_up(&made, "gram", NST_AUTO);
    nst_context *context = *state;
    char *name = context->info.name;
    name[0] ^= 1;
    assert_told(context, &made, "device (");
    name[0] ^= 1;
    context->work_items += 1;
    assert_told(context, &made, "kernels");
    context->work_items -= 1;
    tear_down(&made);
}

/* What does not fit cannot be accepted: another size, other scales, another optimizer; and a job that has begun. */
static void refuses_what_does_not_fit(void **state) {
    struct made made;
    char message[NST_ERROR_LENGTH];
    nst_error error = {0};
    set_up(&made, "gram", NST_AUTO);
    save_one(*state, &made, 4);
    made.settings.size_px = 40;
    assert_int_equal(resume_other(*state, &made, true, message), NST_ERROR_FORMAT);
    assert_non_null(strstr(message, "has 48 x 36 pixels at scale 2, this job's 40 x 30"));
    made.settings.size_px = 48;
    made.settings.scale_count = 1;
    assert_int_equal(resume_other(*state, &made, true, message), NST_ERROR_FORMAT);
    assert_non_null(strstr(message, "scale 2"));
    made.settings.scale_count = 2;
    made.settings.optimizer = NST_ADAM;
    assert_int_equal(resume_other(*state, &made, true, message), NST_ERROR_FORMAT);
    assert_non_null(strstr(message, "steps of Adam"));
    made.settings.optimizer = NST_AUTO;
    nst_job *job = create_job(*state, &made);
    run_until(job, 1);
    nst_checkpoint *checkpoint;
    check(nst_checkpoint_open(FILE_NAME, &checkpoint, NULL, &error), &error);
    assert_int_equal(nst_job_resume(job, checkpoint, false, NULL, &error), NST_ERROR_ARGUMENT);
    nst_checkpoint_close(checkpoint);
    nst_job_destroy(job);
    tear_down(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_as_if_never_stopped),
        cmocka_unit_test(goes_on_with_random_positions),
        cmocka_unit_test(keeps_texts),
        cmocka_unit_test(refuses_what_is_damaged),
        cmocka_unit_test(refuses_what_it_cannot_read),
        cmocka_unit_test(falls_back),
        cmocka_unit_test(survives_a_full_disk),
        cmocka_unit_test(refuses_what_has_no_place),
        cmocka_unit_test(tells_what_differs),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    char folder[] = "/tmp/nst-checkpoint-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, fixture_open, fixture_close);
    unlink(FILE_NAME);
    unlink(FILE_NAME ".1");
    rmdir(folder);
    return failed;
}
