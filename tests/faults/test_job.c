/* test_job.c: a short job whose n-th OpenCL call fails, for every n with NST_TEST_FAULTS_EVERY=1, otherwise for the
 * first call of each function and some between. Whatever fails, the job either says which call it was and
 * its code, or does without and makes the same picture; and everything it made on the device is released. */
#include "faults/opencl_faults.h"
#include "stylize/jobs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every code that drivers give when something of theirs breaks; the number of the call chooses. */
static const struct {
    int code;
    const char *words;
} codes[] = {{CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES (-5)"},
             {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY (-6)"},
             {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)"},
             {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE (-36)"},
             {CL_INVALID_VALUE, "CL_INVALID_VALUE (-30)"},
             {-9999, "(-9999)"}};

enum { GONE = -1 }; /* in place of an index into codes: the device disappears */

struct tally {
    int refused, went_on, wrong; /* wrong: neither, or something is left behind; told at once */
};

/* What a job on its own context gives; the position of the device is fixed, so that no other is asked. */
static nst_status run_all(const char *device, nst_picture *picture, nst_error *error) {
    nst_context *context = NULL;
    nst_job *job = NULL;
    nst_progress progress;
    static const char *const styles[] = {"relu1_1", "relu2_1"};
    nst_network *network = random_network("c8 r p c9 r", 31);
    nst_picture hills = make_hills(20, 15, 3), stripes = make_stripes(21, 17);
    nst_settings settings = small_settings(2);
    settings.size_px = 20;
    set_layers(&settings.style_layers, styles, 2);
    set_layers(&settings.content_layers, &styles[1], 1);
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_context_options options = {.device = device, .profiling = true};
    *picture = (nst_picture){0};
    nst_status status = nst_context_create(&options, &context, error);
    if (!status) {
        status = nst_job_create(context, network, &settings, &pictures, &job, error);
    }
    progress.finished = false;
    while (!status && !progress.finished) {
        status = nst_job_step(job, &progress, error);
    }
    if (!status) {
        status = nst_job_picture(job, picture, error);
    }
    nst_job_destroy(job);
    nst_context_destroy(context);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
    return status;
}

/* Tells of the first kind of object that is left; true if there is none. */
static bool all_is_released(const char *what) {
    static const char *const kinds[FAULTS_OBJECT_KINDS] = {"contexts", "queues",  "buffers",
                                                           "programs", "kernels", "events"};
    for (int kind = 0; kind < FAULTS_OBJECT_KINDS; ++kind) {
        if (opencl_faults()->live[kind] != 0) {
            print_error("%s leaves %d %s behind\n", what, opencl_faults()->live[kind], kinds[kind]);
            return false;
        }
    }
    return true;
}

/* True if the message names the function and the code; CLBlast does not say whose its codes are. A device may disappear
 * unnoticed in a call that is not needed, so that another one tells. */
static bool tells(const char *message, const char *function, const char *code, bool gone) {
    return (strstr(message, gone ? "cl" : function) && strstr(message, code)) || strstr(message, "CLBlast");
}

/* Runs the job with that call failing, and judges it. */
static void fail_call(const char *device, int call, int code_index, const nst_picture *expected, struct tally *tally) {
    struct opencl_faults *faults = opencl_faults();
    bool gone = code_index == GONE;
    *faults = (struct opencl_faults){
        .failing_call = call, .code = gone ? CL_DEVICE_NOT_AVAILABLE : codes[code_index].code, .and_all_later = gone};
    const char *words = gone ? "CL_DEVICE_NOT_AVAILABLE (-2)" : codes[code_index].words;
    nst_picture picture;
    nst_error error = {0};
    alarm(120); /* a job that hangs fails the test */
    nst_status status = run_all(device, &picture, &error);
    alarm(0);
    assert_true(faults->failed_function[0]);
    char what[160];
    snprintf(what, sizeof what, "call %d, %s, failing with %s,", call, faults->failed_function, words);
    bool right = all_is_released(what);
    if (status && !tells(error.message, faults->failed_function, words, gone)) {
        print_error("%s is told as: %s\n", what, error.message);
        right = false;
    } else if (!status && !same_pixels(&picture, expected)) {
        print_error("%s goes unnoticed, and the picture is another\n", what);
        right = false;
    }
    tally->refused += status != NST_OK;
    tally->went_on += status == NST_OK;
    tally->wrong += !right;
    nst_picture_free(&picture);
}

/* The job without faults, its calls, and what it gives. */
struct sound_run {
    char device[16];
    nst_picture picture;
    struct opencl_faults faults;
};

static int run_without_faults(void **state) {
    static struct sound_run sound;
    nst_context *context;
    nst_error error;
    check(nst_context_create(NULL, &context, &error), &error);
    snprintf(sound.device, sizeof sound.device, "%d:%d", nst_context_device(context)->platform_index,
             nst_context_device(context)->device_index);
    nst_context_destroy(context);
    for (int run = 0; run < 2; ++run) { /* the first one may build, the second one finds it built */
        nst_picture_free(&sound.picture);
        *opencl_faults() = (struct opencl_faults){0};
        check(run_all(sound.device, &sound.picture, &error), &error);
        assert_true(all_is_released("a run without faults"));
    }
    sound.faults = *opencl_faults();
    *state = &sound;
    return 0;
}

static int free_sound_run(void **state) {
    if (*state) {
        nst_picture_free(&((struct sound_run *)*state)->picture);
    }
    return 0;
}

static bool is_first_of_a_function(const struct opencl_faults *faults, int call) {
    for (int i = 0; i < faults->function_count; ++i) {
        if (call == faults->functions[i].first_call) {
            return true;
        }
    }
    return false;
}

static bool every_call_is_wanted(void) {
    const char *every = getenv("NST_TEST_FAULTS_EVERY");
    return every && strcmp(every, "1") == 0;
}

static void any_call_fails(void **state) {
    const struct sound_run *sound = *state;
    struct tally tally = {0};
    for (int call = 1; call <= sound->faults.calls; ++call) {
        if (every_call_is_wanted() || call % 101 == 0 || is_first_of_a_function(&sound->faults, call)) {
            fail_call(sound->device, call, call % (int)COUNT_OF(codes), &sound->picture, &tally);
        }
    }
    print_message("%d calls of %d functions; %d failed in turn: %d jobs refused, %d did without\n", sound->faults.calls,
                  sound->faults.function_count, tally.refused + tally.went_on, tally.refused, tally.went_on);
    assert_true(tally.refused > 0);
    assert_int_equal(tally.wrong, 0);
}

static void the_device_disappears(void **state) {
    const struct sound_run *sound = *state;
    struct tally tally = {0};
    for (int call = 1; call <= sound->faults.calls; ++call) {
        if (every_call_is_wanted() || call % 301 == 1) {
            fail_call(sound->device, call, GONE, &sound->picture, &tally);
        }
    }
    print_message("gone from a call on, %d times: %d jobs refused, %d had all they needed\n",
                  tally.refused + tally.went_on, tally.refused, tally.went_on);
    assert_true(tally.refused > 0);
    assert_int_equal(tally.wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_call_fails), cmocka_unit_test(the_device_disappears)};
    return cmocka_run_group_tests(tests, run_without_faults, free_sound_run);
}
