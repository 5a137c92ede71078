/* jobs.h: pictures, settings and runs for the suites that try whole jobs. */
#ifndef TESTS_JOBS_H
#define TESTS_JOBS_H

#include "fixture.h"
#include "random_network.h"

/* A small network that the settings below fit. */
#define SMALL_NETWORK "c8 r c8 r p c12 r c12 r p c16 r"

/* Soft hills, and stripes in strong colors; from malloc. With 4 channels, alpha slopes from left to right. */
nst_picture make_hills(int width, int height, int channels);
nst_picture make_stripes(int width, int height);

/* The default preset with losses at the layers of SMALL_NETWORK, one scale, 48 pixels, so many iterations. */
nst_settings small_settings(int iterations);
void set_layers(nst_layer_list *list, const char *const *names, int count);

/* What a run left behind. */
struct job_record {
    nst_status status;
    nst_error error;
    nst_picture picture; /* empty if there is none */
    nst_precision precision;
    int evaluations, notes;
    char last_note[200];
    double first_style, last_style; /* sums of the style losses in the first and the last evaluation */
    double first_loss, last_loss, least_loss;
    nst_progress last;
    const volatile int *cancel;
    int cancel_after; /* evaluations; 0: never */
    volatile int cancel_flag;
};

/* Creates the job, runs it, takes the picture, destroys it. Free with record_free. */
void run_job(nst_context *context, const nst_network *network, const nst_settings *settings,
             const nst_job_pictures *pictures, struct job_record *record);
void record_free(struct job_record *record);

/* The usual run: hills with stripes, or the given content. */
void run_small(nst_context *context, const nst_settings *settings, const nst_picture *content,
               struct job_record *record);

/* A run on one scale divides the style distance of the hills from the stripes by `factor` at least. */
void assert_style_distance_falls(nst_context *context, const nst_network *network, const nst_settings *settings,
                                 double factor);

void assert_in_unit_range(const nst_picture *picture);
bool same_pixels(const nst_picture *a, const nst_picture *b);

#endif
