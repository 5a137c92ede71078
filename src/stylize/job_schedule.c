/* job_schedule.c: how many iterations each scale gets in a job that is given a time; see job.h.
 *
 * The numbers of the settings are proportions then: scale i gets g w[i] iterations. After each iteration, g is found anew
 * from the time that is left, with what an iteration takes: measured at the scale in hand, and from there on extrapolated
 * by a power of the number of pixels, through the last two scales that were measured. Likewise what it takes to begin a
 * scale. The one before the last takes what whole iterations of the last one would leave over, and the last one ends when
 * its time is up.
 *
 * So the numbers depend on timing, but nothing else does: with the same numbers in the settings the result is the same.
 */
#include "stylize/job.h"

#include <math.h>

/* Beginning a scale takes about so many iterations: targets are passed forward through the network. Until it is
 * measured; the first scale tells nothing, since kernels are built there. */
static const double BEGIN_ITERATIONS = 2;

static double pixels_of(const nst_job *job, int scale) {
    return (double)job->scales[scale].size.height * job->scales[scale].size.width;
}

/* What was measured at earlier scales, from `first` on, carried on to this one; 0 if nothing was. */
static double extrapolate(const nst_job *job, const double *seconds, int first, int scale) {
    int before = -1, last = -1;
    for (int i = first; i < scale; ++i) {
        if (seconds[i] > 0) {
            before = last;
            last = i;
        }
    }
    if (last < 0) {
        return 0;
    }
    double exponent = 1;
    if (before >= 0 && pixels_of(job, last) > pixels_of(job, before)) {
        double slope = log(seconds[last] / seconds[before]) / log(pixels_of(job, last) / pixels_of(job, before));
        exponent = fmin(fmax(slope, 0.5), 2);
    }
    return seconds[last] * pow(pixels_of(job, scale) / pixels_of(job, last), exponent);
}

static double iteration_seconds(const nst_job *job, int scale) {
    double measured = job->pace.iteration_seconds[scale];
    return measured > 0 ? measured : extrapolate(job, job->pace.iteration_seconds, 0, scale);
}

static double begin_seconds(const nst_job *job, int scale) {
    double seconds = extrapolate(job, job->pace.begin_seconds, 1, scale);
    return seconds > 0 ? seconds : BEGIN_ITERATIONS * iteration_seconds(job, scale);
}

void job_pace_measure(nst_job *job) {
    struct job_pace *pace = &job->pace;
    int timed = job->iteration - job->untimed - 1;
    if (timed == 0) {
        pace->first_end = job_seconds(job);
    } else if (timed > 0) {
        double each = (job_seconds(job) - pace->first_end) / timed;
        pace->iteration_seconds[job->scale] = each;
        if (job->untimed == 0) {
            pace->begin_seconds[job->scale] = fmax(pace->first_end - pace->scale_start - each, 1e-6);
        }
    }
}

/* So many of the proportion, but one at least where any are wanted. */
static int iterations_of(double g, int wanted) {
    double number = floor(g * wanted);
    return wanted == 0 ? 0 : number < 1 ? 1 : number > NST_MAX_ITERATIONS ? NST_MAX_ITERATIONS : (int)number;
}

void job_fit_schedule(nst_job *job) {
    const int *wanted = job->pace.wanted;
    int scale = job->scale, last = job->scale_count - 1;
    double each = iteration_seconds(job, scale), left = job->settings.seconds - job_seconds(job);
    if (job->settings.seconds <= 0 || each <= 0 || wanted[scale] == 0) {
        return;
    }
    double fixed = 0, slope = wanted[scale] * each;
    for (int i = scale + 1; i <= last; ++i) {
        fixed += begin_seconds(job, i);
        slope += wanted[i] * iteration_seconds(job, i);
    }
    double g = (left - fixed + job->iteration * each) / slope, own = g * wanted[scale];
    if (scale >= last - 1) { /* whole iterations of the last one; at the last one itself nothing is left to give */
        double later = scale < last ? iterations_of(g, wanted[last]) * iteration_seconds(job, last) : 0;
        own = job->iteration + (left - fixed - later) / each;
    }
    int least = job->iteration > 1 ? job->iteration : 1;
    own = fmin(round(own), NST_MAX_ITERATIONS);
    job->scales[scale].iterations = own > least ? (int)own : least;
    for (int i = scale + 1; i <= last; ++i) { /* for the estimates that are told */
        job->scales[i].iterations = iterations_of(g, wanted[i]);
    }
}

int nst_job_schedule(const nst_job *job, int iterations[NST_MAX_SCALES]) {
    for (int i = 0; i < job->scale_count; ++i) {
        iterations[i] = job->scales[i].iterations;
    }
    return job->scale_count;
}
