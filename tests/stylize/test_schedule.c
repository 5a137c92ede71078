/* test_schedule.c: jobs that are given a time. Devices are made up, whose seconds for an iteration and for the beginning of
 * a scale are formulas, and the schedule is run through on a clock that is set; then one job runs in earnest. */
#include "jobs.h"
#include "stylize/job.h"

#include <math.h>
#include <stdlib.h>

/* A device: seconds per iteration = fixed + per_pixel * pixels; to begin a scale, so many iterations' time at 256 x 256 that
 * grow with the power of pixels; and once, to build kernels. */
struct device {
    const char *name;
    double fixed, per_pixel, begin_iterations, begin_power, build_seconds;
};

static const struct device devices[] = {
    {"slow processor", 0, 3e-6, 1, 1, 6},     {"fast processor", 0, 2e-7, 1, 1, 1},
    {"graphics card", 3e-3, 5e-9, 1, 1, 4},   {"old card", 5e-3, 1e-7, 2, 1, 10},
    {"with matchings", 1e-3, 2e-8, 10, 2, 2}, {"noisy", 0, 3e-7, 1, 1, 1},
};

static double pixels_at(const nst_job *job, int scale) {
    return (double)job->scales[scale].size.width * job->scales[scale].size.height;
}

static double iteration_at(const struct device *device, const nst_job *job, int scale) {
    return device->fixed + device->per_pixel * pixels_at(job, scale);
}

static double begin_at(const struct device *device, const nst_job *job, int scale) {
    double at_256 = device->fixed + device->per_pixel * 65536;
    return device->begin_iterations * at_256 * pow(pixels_at(job, scale) / 65536, device->begin_power);
}

/* Scales of size_px and its halves down to 128, square; 150, 100, 60, 60 ... iterations. */
static void make_scales(nst_job *job, int size_px) {
    job->scale_count = 1;
    for (int px = size_px; px > 128; px /= 2) {
        job->scale_count++;
    }
    for (int i = 0; i < job->scale_count; ++i) {
        int px = size_px >> (job->scale_count - 1 - i);
        job->scales[i].size = (struct image_size){px, px};
        job->scales[i].iterations = job->pace.wanted[i] = i == 0 ? 150 : i == 1 ? 100 : 60;
    }
}

/* Runs the schedule through; returns the seconds that it takes. */
static double run_through(const struct device *device, nst_job *job, double seconds) {
    struct random_generator generator = random_from_seed(5);
    double now = 0.1;
    job->settings.seconds = seconds;
    for (job->scale = 0; job->scale < job->scale_count; ++job->scale) {
        job->iteration = 0;
        job_set_seconds(job, now);
        job->pace.scale_start = now;
        job_fit_schedule(job);
        now += begin_at(device, job, job->scale) + (job->scale == 0 ? device->build_seconds : 0);
        while (job->iteration < job->scales[job->scale].iterations) {
            double noise = device == &devices[5] ? 0.6 + 0.8 * random_uniform(&generator) : 1;
            now += noise * iteration_at(device, job, job->scale);
            job->iteration++;
            job_set_seconds(job, now);
            job_pace_measure(job);
            job_fit_schedule(job);
        }
        assert_in_range(job->iteration, 1, NST_MAX_ITERATIONS);
        assert_int_equal(job->iteration, job->scales[job->scale].iterations);
    }
    return now;
}

static void check_time(const struct device *device, int size_px, double seconds) {
    nst_job *job = allocate(1, sizeof *job);
    make_scales(job, size_px);
    int last = job->scale_count - 1;
    double took = run_through(device, job, seconds);
    /* Where the smallest schedule, two iterations at first and then one, takes longer, nothing can be done. */
    double least = 0.1 + device->build_seconds + iteration_at(device, job, 0);
    for (int i = 0; i <= last; ++i) {
        least += begin_at(device, job, i) + iteration_at(device, job, i);
    }
    if (fabs(took - seconds) > 0.1 * seconds && !(least > 0.9 * seconds && job->iteration == 1)) {
        fail_msg("%s, %d px, %g s: %g s, the last scale has %d iterations", device->name, size_px, seconds, took,
                 job->scales[last].iterations);
    }
    free(job);
}

static void takes_the_time(void **state) {
    (void)state;
    static const double times[] = {20, 60, 600};
    for (size_t i = 0; i < COUNT_OF(devices); ++i) {
        for (int size_px = 256; size_px <= 2048; size_px *= 2) {
            for (size_t k = 0; k < COUNT_OF(times); ++k) {
                check_time(&devices[i], size_px, times[k]);
            }
        }
    }
}

/* With time enough, scales keep the proportions of the settings. */
static void keeps_proportions(void **state) {
    (void)state;
    nst_job *job = allocate(1, sizeof *job);
    make_scales(job, 512);
    run_through(&devices[1], job, 120);
    double first = job->scales[0].iterations / 150.0, second = job->scales[1].iterations / 100.0,
           third = job->scales[2].iterations / 60.0;
    assert_true(first > 1);
    assert_true(fabs(second / first - 1) < 0.1);
    assert_true(fabs(third / first - 1) < 0.1);
    free(job);
}

/* Without a time, nothing is changed. */
static void leaves_others_alone(void **state) {
    (void)state;
    nst_job *job = allocate(1, sizeof *job);
    make_scales(job, 512);
    run_through(&devices[1], job, 0);
    assert_int_equal(job->scales[0].iterations, 150);
    assert_int_equal(job->scales[2].iterations, 60);
    free(job);
}

/* A job in earnest: its share never falls, and its numbers of iterations make the same picture again. */
static void same_picture_again(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3), stripes = make_stripes(64, 64), pictures_made[2];
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_settings settings = small_settings(50);
    settings.scale_count = 2;
    settings.seconds = 0.3;
    nst_error error;
    for (int i = 0; i < 2; ++i) {
        nst_job *job;
        nst_progress progress = {0};
        double share = 0;
        check(nst_job_create(*state, network, &settings, &pictures, &job, &error), &error);
        while (!progress.finished) {
            check(nst_job_step(job, &progress, &error), &error);
            assert_true(progress.share >= share && progress.share <= 1);
            assert_true(progress.seconds_left >= 0);
            share = progress.share;
        }
        assert_true(share == 1);
        check(nst_job_picture(job, &pictures_made[i], &error), &error);
        int iterations[NST_MAX_SCALES], count = nst_job_schedule(job, iterations);
        assert_int_equal(count, 2);
        assert_int_equal(iterations[0] + iterations[1], progress.evaluation);
        if (i == 1) {
            assert_int_equal(iterations[0], settings.iterations[0]);
        }
        nst_job_destroy(job);
        settings.seconds = 0;
        settings.iteration_count = count;
        settings.iterations[0] = iterations[0];
        settings.iterations[1] = iterations[1];
    }
    assert_true(same_pixels(&pictures_made[0], &pictures_made[1]));
    nst_picture_free(&pictures_made[0]);
    nst_picture_free(&pictures_made[1]);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

static void refuses_bad_times(void **state) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture hills = make_hills(60, 45, 3);
    nst_job_pictures pictures = {.content = &hills, .styles = &hills, .style_count = 1};
    static const double times[] = {-1, NAN, INFINITY};
    for (size_t i = 0; i < COUNT_OF(times); ++i) {
        nst_settings settings = small_settings(5);
        nst_job *job;
        nst_error error;
        settings.seconds = times[i];
        assert_int_equal(nst_job_create(*state, network, &settings, &pictures, &job, &error), NST_ERROR_ARGUMENT);
        assert_null(job);
    }
    nst_picture_free(&hills);
    random_network_free(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_time),      cmocka_unit_test(keeps_proportions),
        cmocka_unit_test(leaves_others_alone), cmocka_unit_test(same_picture_again),
        cmocka_unit_test(refuses_bad_times),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
