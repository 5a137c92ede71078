/* job.h: a job as its files share it: job.c runs it, job_sizes.c chooses sizes, job_plan.c says what it
 * takes, job_scale.c begins each scale, job_colors.c changes the colors of its pictures and of its result,
 * job_regions.c says where its losses count, job_previous.c holds what a film had before,
 * job_schedule.c fits it to a time, job_devices.c spreads it over several devices. */
#ifndef STYLIZE_JOB_H
#define STYLIZE_JOB_H

#include "evaluate/evaluation.h"
#include "evaluate/variables.h"
#include "image/color_moments.h"
#include "optimizer/average.h"
#include "optimizer/optimizer.h"
#include "optimizer/resample.h"
#include "stylize/deal_steps.h"
#include "stylize/recipe.h"
#include "stylize/scales.h"

/* What a job takes for its largest scale. Planning it changes nothing; see job_reserve. */
struct job_buffers {
    struct plan plan;
    struct evaluation *evaluation;
    struct variables_run *variables;
    struct optimizer_run *optimizer;
    int average; /* plan entry of the averaged image, -1 for none */
};

/* What iterations and beginnings of scales take. The first iteration after either also builds kernels, and says nothing of
 * the others. */
struct job_pace {
    double scale_start, first_end; /* seconds of the job: when this scale began, and its first iteration ended */
    double iteration_seconds[NST_MAX_SCALES]; /* the mean so far, 0: not known */
    double begin_seconds[NST_MAX_SCALES];     /* until the first iteration began */
    int wanted[NST_MAX_SCALES];               /* iterations by the settings */
};

struct identity;

/* A device that works on a part of the picture, besides the job's own, which leads. */
struct job_helper {
    nst_context *context;
    int number; /* among the devices that were given, from 0 */
    struct objective *objective;
    struct evaluation_form form;
    struct plan plan;
    struct evaluation *evaluation;
    bool is_lost; /* it failed */
};

struct job_devices {
    int given;  /* how many there were; 0: the job has one, and nothing here counts */
    int leader; /* the number of the job's own */
    struct job_helper helpers[NST_MAX_DEVICES - 1];
    int helper_count;
    struct deal_steps asked, made; /* asked: without steps where dealings come from speeds */
    const int *parts;              /* of `asked`, that the team has; NULL: none */
    char *text;                    /* see nst_job_deal */
    char note[480];                /* of a device that was left out */
};

struct nst_job {
    nst_context *context;
    struct job_devices devices;
    nst_settings settings;
    const struct recipe *recipe;
    nst_picture content, init;
    nst_picture styles[NST_MAX_STYLES];
    int style_count;
    nst_picture mask, style_masks[NST_MAX_STYLES]; /* gray, opaque; without values where there are none */
    bool has_style_masks;                          /* then one for each style */
    nst_picture previous, reliable;                /* without values where there are none, see nst_job_pictures */
    nst_picture colored;                           /* the content in color where `content` was made gray, else empty */
    struct color_moments palette;                  /* of the styles' chroma, where the result is given it */

    struct objective *objective;
    struct recipe_use use; /* that it was made for, unless it is shared */
    bool shares_objective; /* with other jobs: it is not this one's to destroy */
    struct variables *variables;
    struct optimizer *optimizer;
    struct average average; /* where the recipe has one, */
    struct resample resample;
    struct job_buffers buffers;
    nst_settings asked;          /* as they were given: those in `settings` may have a smaller optimizer */
    struct evaluation_form form; /* whole, or in tiles */
    char memory_note[240];       /* see nst_job_memory_note */

    int least_style_px[NST_MAX_STYLES]; /* longer sides below which the network cannot take them; 0: as is asked for */
    char style_note[200];               /* see nst_job_note */
    int scale_count;
    struct scale scales[NST_MAX_SCALES];
    nst_picture
        last; /* the image that the scale in hand began with, or the previous one, on which targets may depend; empty: none */
    char network[160];         /* its name and checksum, for checkpoints; "" where the objective is shared */
    struct identity *identity; /* stylize/identity.h; NULL until it is asked for */
    int scale;                 /* in hand, -1 before the first */
    int iteration;             /* done in this scale */
    int evaluation_count;

    double last_good_loss; /* of this scale, infinite before the first */
    int retreats;          /* in a row */
    char note[160];
    double begin_seconds;
    int untimed; /* iterations of this scale that were done before the job was resumed */
    struct job_pace pace;
};

/* nst_job_create on an objective that exists: jobs may share it, and take turns. It must suit the settings and outlive
 * the job. */
nst_status job_create_on(struct objective *objective, const nst_settings *settings, const nst_job_pictures *pictures,
                         nst_job **job, nst_error *error);

/* Makes the objective, once the optimizer is there, unless one that suits is there from a job before; chooses the scales,
 * plans the largest and allocates it. Where the settings leave the precision to the program, it is half if the plan fits
 * in no other; what was chosen then stands in job->settings. Errors: NST_ERROR_MEMORY with the largest size that fits,
 * NST_ERROR_NETWORK for a picture that is too small. */
nst_status job_plan_and_allocate(nst_job *job, const nst_network *network, nst_error *error);

/* The same on job->objective as it is. */
nst_status job_allocate(nst_job *job, nst_error *error);

/* Memory that the job's plan, and what is there already, may take. */
uint64_t job_memory_limit(const nst_job *job);

/* Once job->buffers, the whole, do not fit: in tiles, with an optimizer that needs less if need be. Not `found`: not even
 * that; job->buffers are then of the least that there is, or empty where the job cannot be tiled. */
nst_status job_allocate_in_tiles(nst_job *job, bool *found, nst_error *error);

/* How many times the time of the whole an iteration at that size takes; and lines for the printed plan. */
double job_tile_overhead(const nst_job *job, struct image_size size);
void job_print_tiles(const nst_job *job, FILE *stream);

/* Plans a result whose longer side is size_px; free with job_buffers_free, also after a failure. The plan lies in
 * `buffers`, which must not move. */
nst_status job_reserve(const nst_job *job, const struct objective *objective, int size_px, struct job_buffers *buffers,
                       nst_error *error);
void job_buffers_free(nst_context *context, struct job_buffers *buffers);

/* The sizes that a job of that size has pictures of: that of the result, and those of the styles. How many. */
int job_picture_sizes(const nst_job *job, int size_px, struct image_size sizes[EVALUATION_MOST_SIZES]);

/* The next smaller size of tiles than that; 0 if there is none. And one that no picture exceeds. */
int job_smaller_core(int core_px);
enum { JOB_WHOLE_PX = NST_MAX_SIZE_PX + 1 };

/* What a job has on its device besides objective and buffers: optimizer, variables, average. */
nst_status job_create_parts(nst_job *job, nst_error *error);
void job_free_parts(nst_job *job);

/* ---- Several devices: job_devices.c ------------------------------------------------------------------------------- */

/* Before the job is planned; and once it is. Errors: see nst_job_create_on. */
nst_status job_take_devices(nst_job *job, const nst_devices *devices, nst_error *error);
nst_status job_check_devices(const nst_job *job, nst_error *error);
nst_status job_add_helpers(nst_job *job, const nst_network *network, nst_error *error);
void job_free_devices(nst_job *job);
/* nst_job_renew on the devices that still work. */
nst_status job_renew_on_devices(nst_job **job, const nst_network *network, const nst_job_pictures *pictures,
                                nst_error *error);

/* Before and after each evaluation: what was asked for; what was dealt, and who was lost. */
void job_deal(nst_job *job);
nst_status job_note_deal(nst_job *job, nst_error *error);

/* Whether another device could go on where the leader failed; and lets it, from the last image that was evaluated. `why`
 * is told as the note. Errors: those of the other device. */
bool job_may_move(const nst_job *job);
nst_status job_move(nst_job *job, const char *why, nst_error *error);

/* The dealings so far, among what a checkpoint holds. */
nst_status job_list_devices(nst_job *job, struct state *state, nst_error *error);

void job_print_devices(const nst_job *job, FILE *stream);

/* ---- Scales: job_scale.c ------------------------------------------------------------------------------------------ */

/* Makes the targets of that scale, puts the image there and begins the variables and the optimizer. job->scale is still
 * the one before. */
nst_status job_begin_scale(nst_job *job, int number, nst_error *error);

/* Makes the targets of that scale from job->last, and begins variables and optimizer on whatever the image is: for a job
 * that is resumed. */
nst_status job_prepare_scale(nst_job *job, int number, nst_error *error);

/* Makes the targets of the scale in hand again, and begins everything else anew at an image on the host. */
nst_status job_restart_scale(nst_job *job, const float *image, nst_error *error);

/* The average of images, if the recipe has one, among what a checkpoint holds. */
nst_status job_list_average(nst_job *job, struct state *state, nst_error *error);

/* Takes the image into the average, if the recipe has one. */
nst_status job_average(nst_job *job, nst_error *error);

/* The image as it is, or its average, as a picture. */
nst_status job_download(const nst_job *job, nst_picture *picture, nst_error *error);

/* How much a style counts, by the blend; all of them add up to 1. */
double job_style_share(const nst_job *job, int style);

/* ---- Colors: job_colors.c ----------------------------------------------------------------------------------------- */

/* Changes the colors of the job's copies of pictures, as the settings ask for it, and keeps in job->colored and
 * job->palette what the result needs. */
nst_status job_prepare_colors(nst_job *job, nst_error *error);

/* Gives the picture, of any scale, the colors that the settings ask for. */
nst_status job_color(const nst_job *job, nst_picture *picture, nst_error *error);

/* ---- Regions: job_regions.c --------------------------------------------------------------------------------------- */

/* Copies the masks, if there are any. Errors: NST_ERROR_ARGUMENT (one of another shape than the content, or that leaves
 * nothing to change), NST_ERROR_MEMORY. */
nst_status job_copy_masks(nst_job *job, const nst_job_pictures *pictures, nst_error *error);

/* Whether a picture has the proportions of the content, up to the rounding of the size of one that was resized. */
bool job_has_shape_of_content(const nst_job *job, const nst_picture *picture);

/* Are there pixels that may not change? Do positions count differently anywhere, by a mask or the transparency of a
 * picture? Then the objective must weigh. And how many regions there are: one for each style with a mask of its own, or
 * one for all. */
bool job_has_masks(const nst_job *job);
bool job_weighs(const nst_job *job);
int job_region_count(const nst_job *job);

/* What masks and the content's alpha say of the pixels of an image, float [height][width] each. */
struct job_regions {
    struct evaluation_regions all; /* of the planes below */
    float *change;                 /* how much each may change; NULL: all of them */
    float *content, *style[NST_MAX_STYLES];
    const float *styles[NST_MAX_STYLES];
};
/* For images of that size; free with job_regions_free, also after a failure. */
nst_status job_make_regions(const nst_job *job, struct image_size size, struct job_regions *regions, nst_error *error);
void job_regions_free(struct job_regions *regions);

/* Puts the content back where the picture, of any size, may not have changed; in proportion where it may a little. */
nst_status job_apply_masks(const nst_job *job, nst_picture *picture, nst_error *error);

/* ---- The frame before: job_previous.c ----------------------------------------------------------------------------- */

/* Copies the previous picture and where it is reliable, if they are there. Errors: NST_ERROR_ARGUMENT (of another shape
 * than the content), NST_ERROR_MEMORY. */
nst_status job_copy_previous(nst_job *job, const nst_job_pictures *pictures, nst_error *error);

/* Where it is reliable at a size, float [height][width] from malloc; NULL: everywhere. Errors: NST_ERROR_MEMORY. */
nst_status job_reliable_weights(const nst_job *job, struct image_size size, float **weights, nst_error *error);

/* What a job with a previous picture begins with, at a size: that picture, and, where it is not reliable, the content with
 * the mean and covariance of its colors. Errors: NST_ERROR_MEMORY. */
nst_status job_begin_previous(const nst_job *job, struct image_size size, nst_picture *picture, nst_error *error);

/* ---- Sizes: job_sizes.c ------------------------------------------------------------------------------------------- */

/* Chooses the scales, and how large styles are at least, by what the network of job->objective can take. Errors:
 * NST_ERROR_NETWORK with the smallest size that works. */
nst_status job_choose_sizes(nst_job *job, nst_error *error);

/* How many turned copies of each style are shown, and the size of one when the longer side of the result is size_px. */
int job_style_turns(const nst_job *job);
struct image_size job_style_size(const nst_job *job, int style, int turn, int size_px);

/* ---- Schedule: job_schedule.c ------------------------------------------------------------------------------------- */

/* After an iteration: notes what it took. */
void job_pace_measure(nst_job *job);

/* Where the settings give a time: chooses how many iterations this scale and the later ones have. */
void job_fit_schedule(nst_job *job);

/* ---- Time: job.c -------------------------------------------------------------------------------------------------- */

/* Seconds since the job began to run, its time before it was resumed included. */
double job_seconds(const nst_job *job);
/* Makes them so many. */
void job_set_seconds(nst_job *job, double seconds);

#endif
