/* test_turns.c: jobs that share an objective and take turns give the same bytes as one after the other and as jobs with
 * objectives of their own, and so do jobs that are renewed; questions about a job that is under way change nothing. */
#include "jobs.h"
#include "stylize/job.h"

#include <stdlib.h>
#include <string.h>

enum { JOBS = 2, SMALLER_PX = 40 };

/* Two jobs with different sizes and pictures, which start differently. */
struct two_jobs {
    nst_network *network;
    nst_picture hills, stripes;
    nst_settings settings[JOBS];
};

static void set_up(struct two_jobs *two, const char *preset, nst_optimizer optimizer) {
    nst_error error;
    two->network = random_network(SMALL_NETWORK, 31);
    two->hills = make_hills(60, 45, 3);
    two->stripes = make_stripes(64, 56);
    for (int i = 0; i < JOBS; ++i) {
        nst_settings *settings = &two->settings[i], small = small_settings(5);
        check(nst_settings_init(settings, preset, &error), &error);
        settings->style_layers = small.style_layers;
        if (settings->content_layers.count > 0) {
            settings->content_layers = small.content_layers;
        }
        settings->iterations[0] = 5;
        settings->iteration_count = 1;
        settings->optimizer = optimizer;
        settings->scale_count = 2;
        settings->size_px = i == 0 ? 48 : SMALLER_PX;
        settings->init = i == 0 ? NST_INIT_CONTENT : NST_INIT_RANDOM;
    }
}

static void tear_down(struct two_jobs *two) {
    nst_picture_free(&two->hills);
    nst_picture_free(&two->stripes);
    random_network_free(two->network);
}

static nst_job_pictures pictures_of(const struct two_jobs *two, int job) {
    return (nst_job_pictures){.content = job == 0 ? &two->hills : &two->stripes,
                              .styles = job == 0 ? &two->stripes : &two->hills,
                              .style_count = 1};
}

static struct objective *create_objective(nst_context *context, const struct two_jobs *two) {
    struct objective *objective;
    nst_error error;
    check(recipe_create_objective(context, two->network, &two->settings[0], NULL, &objective, &error), &error);
    return objective;
}

/* On the objective, or on one of its own. */
static nst_job *create_job(nst_context *context, const struct two_jobs *two, int which, struct objective *objective) {
    nst_job_pictures pictures = pictures_of(two, which);
    nst_job *job;
    nst_error error;
    check(objective ? job_create_on(objective, &two->settings[which], &pictures, &job, &error)
                    : nst_job_create(context, two->network, &two->settings[which], &pictures, &job, &error),
          &error);
    return job;
}

/* What a job reached. */
struct result {
    double loss;
    nst_picture picture;
};

/* Ends a job that has run. */
static void finish(nst_job *job, const nst_progress *progress, struct result *result) {
    nst_error error;
    assert_true(progress->finished);
    result->loss = progress->loss;
    check(nst_job_picture(job, &result->picture, &error), &error);
    nst_job_destroy(job);
}

static void run_to_the_end(nst_job *job, struct result *result) {
    nst_progress progress = {0};
    nst_error error;
    while (!progress.finished) {
        check(nst_job_step(job, &progress, &error), &error);
    }
    finish(job, &progress, result);
}

/* Called between the steps of jobs that take turns. */
typedef void interruption(nst_context *context, const struct two_jobs *two, struct objective *objective, nst_job *job);

static void run_in_turns(nst_context *context, const struct two_jobs *two, interruption *interrupt,
                         struct result results[JOBS]) {
    struct objective *objective = create_objective(context, two);
    nst_job *jobs[JOBS];
    nst_progress progress[JOBS] = {{0}};
    nst_error error;
    for (int i = 0; i < JOBS; ++i) {
        jobs[i] = create_job(context, two, i, objective);
    }
    while (!progress[0].finished || !progress[1].finished) {
        for (int i = 0; i < JOBS; ++i) {
            check(nst_job_step(jobs[i], &progress[i], &error), &error);
            if (interrupt) {
                interrupt(context, two, objective, jobs[i]);
            }
        }
    }
    for (int i = 0; i < JOBS; ++i) {
        finish(jobs[i], &progress[i], &results[i]);
    }
    objective_destroy(objective);
}

static void run_one_after_the_other(nst_context *context, const struct two_jobs *two, bool shares,
                                    struct result results[JOBS]) {
    struct objective *objective = shares ? create_objective(context, two) : NULL;
    for (int i = 0; i < JOBS; ++i) {
        run_to_the_end(create_job(context, two, i, objective), &results[i]);
    }
    objective_destroy(objective);
}

static void assert_same(const struct result *a, const struct result *b) {
    for (int i = 0; i < JOBS; ++i) {
        assert_memory_equal(&a[i].loss, &b[i].loss, sizeof a[i].loss);
        assert_true(same_pixels(&a[i].picture, &b[i].picture));
    }
}

static void free_results(struct result *results) {
    for (int i = 0; i < JOBS; ++i) {
        nst_picture_free(&results[i].picture);
    }
}

/* ---- In turns ---------------------------------------------------------------------------------------------------- */

static void check_turns(nst_context *context, const char *preset, nst_optimizer optimizer) {
    struct two_jobs two;
    struct result own[JOBS] = {{0}}, after[JOBS] = {{0}}, turns[JOBS] = {{0}};
    uint64_t before = context->allocated_bytes;
    set_up(&two, preset, optimizer);
    run_one_after_the_other(context, &two, false, own);
    run_one_after_the_other(context, &two, true, after);
    run_in_turns(context, &two, NULL, turns);
    assert_int_equal(own[0].picture.width, 48);
    assert_int_equal(own[1].picture.width, SMALLER_PX);
    assert_same(own, after);
    assert_same(own, turns);
    assert_true(context->allocated_bytes == before);
    free_results(own);
    free_results(after);
    free_results(turns);
    tear_down(&two);
}

static void turns_with_lbfgs_change_nothing(void **state) {
    check_turns(*state, "gram", NST_LBFGS);
}

static void turns_with_adam_change_nothing(void **state) {
    check_turns(*state, "gram", NST_ADAM);
}

/* Every preset, as it is optimized by default. */
static void turns_with_any_preset_change_nothing(void **state) {
    nst_preset preset;
    for (int i = 0; nst_preset_at(i, &preset); ++i) {
        check_turns(*state, preset.name, NST_AUTO);
    }
}

/* ---- Questions --------------------------------------------------------------------------------------------------- */

static char *printed_plan(const nst_job *job) {
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    nst_job_print_plan(job, stream);
    fclose(stream);
    return text;
}

/* Prints the plan, and asks for a job that is too large, which looks for tiles that are not. */
static void ask(nst_context *context, const struct two_jobs *two, struct objective *objective, nst_job *job) {
    char *plan = printed_plan(job);
    uint64_t allocated = context->allocated_bytes, memory = context->info.memory_bytes;
    nst_settings larger = two->settings[0];
    nst_job_pictures pictures = pictures_of(two, 0);
    nst_job *refused;
    nst_error error;
    larger.size_px = 640;
    context->info.memory_bytes = allocated + (1 << 20);
    assert_int_equal(job_create_on(objective, &larger, &pictures, &refused, &error), NST_ERROR_MEMORY);
    assert_int_equal(nst_job_create(context, two->network, &larger, &pictures, &refused, &error), NST_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "even in tiles of"));
    context->info.memory_bytes = memory;
    assert_true(context->allocated_bytes == allocated);
    char *again = printed_plan(job);
    assert_string_equal(again, plan);
    free(again);
    free(plan);
}

static void questions_change_nothing(void **state) {
    struct two_jobs two;
    struct result asked[JOBS] = {{0}}, left_alone[JOBS] = {{0}};
    set_up(&two, "gram", NST_LBFGS);
    run_one_after_the_other(*state, &two, false, left_alone);
    run_in_turns(*state, &two, ask, asked);
    assert_same(asked, left_alone);
    free_results(asked);
    free_results(left_alone);
    tear_down(&two);
}

/* ---- Renewed ------------------------------------------------------------------------------------------------------ */

enum { CONTENTS = 6, NARROW = 2 };

/* Of two shapes, one that fits no job, one that is half transparent, for which the objective must weigh, and at
 * last one that follows the first. */
static void make_contents(nst_picture contents[CONTENTS]) {
    contents[0] = make_hills(60, 45, 3);
    contents[1] = make_stripes(64, 56);
    contents[NARROW] = make_hills(200, 2, 3);
    contents[3] = make_hills(50, 60, 4);
    contents[4] = make_hills(60, 45, 3);
    contents[5] = make_hills(60, 45, 3);
}

/* Runs a job to its end, and leaves it there. */
static struct result run_and_keep(nst_job *job) {
    struct result result = {0};
    nst_progress progress = {0};
    nst_error error;
    while (!progress.finished) {
        check(nst_job_step(job, &progress, &error), &error);
    }
    result.loss = progress.loss;
    check(nst_job_picture(job, &result.picture, &error), &error);
    return result;
}

/* One that was renewed, against one that has another context to itself. */
static void assert_as_new(nst_job *renewed, nst_context *alone, const struct two_jobs *two,
                          const nst_job_pictures *pictures) {
    nst_job *job;
    nst_error error;
    check(nst_job_create(alone, two->network, &two->settings[0], pictures, &job, &error), &error);
    assert_int_equal(nst_job_precision(renewed), nst_job_precision(job));
    assert_true(nst_job_memory_bytes(renewed) == nst_job_memory_bytes(job));
    struct result one = run_and_keep(renewed), other = run_and_keep(job);
    assert_memory_equal(&one.loss, &other.loss, sizeof one.loss);
    assert_true(same_pixels(&one.picture, &other.picture));
    nst_picture_free(&one.picture);
    nst_picture_free(&other.picture);
    nst_job_destroy(job);
}

/* Memory that is a byte too small for the second content in single precision. */
static uint64_t scarce_memory(nst_context *context, const struct two_jobs *two, const nst_picture *content) {
    nst_job_pictures pictures = {.content = content, .styles = &two->stripes, .style_count = 1};
    nst_job *job;
    nst_error error;
    check(nst_job_create(context, two->network, &two->settings[0], &pictures, &job, &error), &error);
    uint64_t bytes = nst_job_memory_bytes(job);
    nst_job_destroy(job);
    return bytes - 1;
}

static void check_renewed(nst_context *context, const char *preset, bool is_scarce) {
    struct two_jobs two;
    nst_picture contents[CONTENTS];
    uint64_t before = context->allocated_bytes;
    nst_job *job = NULL;
    nst_error error;
    bool was_half = false;
    void *alone;
    assert_int_equal(fixture_open(&alone), 0);
    set_up(&two, preset, NST_AUTO);
    make_contents(contents);
    two.settings[0].memory_bytes = is_scarce ? scarce_memory(context, &two, &contents[1]) : 0;
    for (int i = 0; i < CONTENTS; ++i) {
        nst_job_pictures pictures = {.content = &contents[i], .styles = &two.stripes, .style_count = 1};
        pictures.previous = i == CONTENTS - 1 ? &contents[0] : NULL;
        nst_status status = i == 0 ? nst_job_create(context, two.network, &two.settings[0], &pictures, &job, &error)
                                   : nst_job_renew(&job, two.network, &pictures, &error);
        assert_int_equal(status, i == NARROW ? NST_ERROR_NETWORK : NST_OK);
        if (!status) {
            assert_as_new(job, alone, &two, &pictures);
            was_half = was_half || nst_job_precision(job) == NST_PRECISION_HALF;
        }
    }
    assert_true(was_half == is_scarce);
    nst_job_destroy(job);
    assert_true(context->allocated_bytes == before);
    for (int i = 0; i < CONTENTS; ++i) {
        nst_picture_free(&contents[i]);
    }
    tear_down(&two);
    assert_int_equal(fixture_close(&alone), 0);
}

static void renewed_jobs_are_as_new_ones(void **state) {
    check_renewed(*state, "gram", false);
    check_renewed(*state, "neighbors", false);
}

static void renewed_jobs_choose_their_precision(void **state) {
    check_renewed(*state, "gram", true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_with_lbfgs_change_nothing),      cmocka_unit_test(turns_with_adam_change_nothing),
        cmocka_unit_test(turns_with_any_preset_change_nothing), cmocka_unit_test(questions_change_nothing),
        cmocka_unit_test(renewed_jobs_are_as_new_ones),         cmocka_unit_test(renewed_jobs_choose_their_precision),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
