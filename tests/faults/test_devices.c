/* test_devices.c: a job on two devices, of which one fails in the middle, or is slow: it is left out, or gets less, the
 * other one goes on, whichever of them leads, and nothing is left behind. */
#include "faults/opencl_faults.h"
#include "stylize/jobs.h"

#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 14 };

/* What a job on two devices told. */
struct told {
    nst_status status;
    nst_error error;
    int evaluations, notes;
    double first_loss, last_loss;
    char note[500], deal[200];
};

static void open_both(const char *const specs[2], nst_context *contexts[2]) {
    nst_error error;
    for (int i = 0; i < 2; ++i) {
        check(nst_context_create(&(nst_context_options){.device = specs[i]}, &contexts[i], &error), &error);
    }
}

/* There are four bands of 64 rows. `deal`: of nst_devices. */
static void run_on_two(const char *const specs[2], const char *deal, struct told *told) {
    nst_context *halves[2];
    nst_network *network = random_network("c8 r c8 r p c12 r", 31);
    nst_picture hills = make_hills(24, 250, 3), stripes = make_stripes(64, 64);
    static const char *const styles[] = {"relu1_1", "relu2_1"};
    nst_settings settings = small_settings(ITERATIONS);
    set_layers(&settings.style_layers, styles, 2);
    set_layers(&settings.content_layers, &styles[1], 1);
    settings.size_px = 250;
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_progress progress = {0};
    nst_job *job = NULL;
    *told = (struct told){0};
    open_both(specs, halves);
    const nst_devices devices = {.contexts = halves, .count = 2, .deal = deal};
    told->status = nst_job_create_on(&devices, network, &settings, &pictures, &job, &told->error);
    while (!told->status && !progress.finished) {
        told->status = nst_job_step(job, &progress, &told->error);
        if (!told->status && progress.note) {
            told->notes++;
            snprintf(told->note, sizeof told->note, "%s", progress.note);
        }
        told->first_loss = progress.evaluation == 1 ? progress.loss : told->first_loss;
    }
    told->evaluations = progress.evaluation;
    told->last_loss = progress.loss;
    if (!told->status) {
        nst_picture picture;
        check(nst_job_picture(job, &picture, &told->error), &told->error);
        assert_in_unit_range(&picture);
        nst_picture_free(&picture);
        snprintf(told->deal, sizeof told->deal, "%s", nst_job_deal(job));
    }
    nst_job_destroy(job);
    nst_context_destroy(halves[0]);
    nst_context_destroy(halves[1]);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
    for (int kind = 0; kind < FAULTS_OBJECT_KINDS; ++kind) {
        assert_int_equal(opencl_faults()->live[kind], 0);
    }
}

struct two_devices {
    char names[2][32];
    const char *specs[2];
    int commands[2]; /* of each, in a run without faults */
};

static int find_devices(void **state) {
    static struct two_devices two;
    for (int i = 0; i < 2; ++i) {
        nst_context_destroy(open_half(i + 1, two.names[i]));
        two.specs[i] = two.names[i];
    }
    for (int i = 0; i < 2; ++i) { /* counted down from a number that is never reached */
        struct told told;
        *opencl_faults() = (struct opencl_faults){.queue = i + 1, .queue_commands = 1000000, .code = -36};
        run_on_two(two.specs, "2,2", &told);
        check(told.status, &told.error);
        assert_int_equal(told.notes, 0);
        assert_int_equal(told.evaluations, ITERATIONS);
        two.commands[i] = 1000000 - opencl_faults()->queue_commands;
        assert_true(two.commands[i] > 100);
    }
    *state = &two;
    return 0;
}

/* `part`: of its commands, after which it fails. */
static void fail_one(const struct two_devices *two, int which, double part) {
    struct told told;
    *opencl_faults() =
        (struct opencl_faults){.queue = which + 1, .queue_commands = (int)(part * two->commands[which]), .code = -36};
    run_on_two(two->specs, "2,2", &told);
    check(told.status, &told.error);
    assert_int_equal(told.evaluations, ITERATIONS);
    assert_int_equal(told.notes, 1);
    assert_non_null(strstr(told.note, "is left out"));
    assert_non_null(strstr(told.note, "CL_INVALID_COMMAND_QUEUE (-36)"));
    assert_true(told.last_loss < 0.9 * told.first_loss);
    const char *last = strrchr(told.deal, '/');
    assert_non_null(last);
    if (!strstr(last, which == 0 ? ":0,1" : ":4,0")) {
        fail_msg("device %d failed, and the picture was dealt out as %s", which, told.deal);
    }
}

static void a_helper_that_fails_is_left_out(void **state) {
    fail_one(*state, 1, 0.4);
    fail_one(*state, 1, 0.8);
}

static void another_one_leads_where_the_leader_fails(void **state) {
    fail_one(*state, 0, 0.4);
    fail_one(*state, 0, 0.8);
}

/* From the beginning, and from the middle on, when bands move. */
static void the_slow_one_gets_less(void **state) {
    const struct two_devices *two = *state;
    for (int i = 0; i < 3; ++i) {
        int slow = i % 2, parts[2];
        struct told told;
        *opencl_faults() = (struct opencl_faults){
            .queue = slow + 1, .delay_us = 4000, .queue_commands = i == 2 ? two->commands[slow] / 4 : 0};
        run_on_two(two->specs, NULL, &told);
        check(told.status, &told.error);
        assert_int_equal(told.notes, 0);
        const char *last = strrchr(told.deal, ':');
        assert_int_equal(sscanf(last ? last + 1 : told.deal, "%d,%d", &parts[0], &parts[1]), 2);
        if (parts[slow] >= parts[1 - slow]) {
            fail_msg("device %d is slow, and the picture was dealt out as %s", slow, told.deal);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_helper_that_fails_is_left_out),
        cmocka_unit_test(another_one_leads_where_the_leader_fails),
        cmocka_unit_test(the_slow_one_gets_less),
    };
    return cmocka_run_group_tests(tests, find_devices, NULL);
}
