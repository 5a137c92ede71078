/* start.c: how long it takes from opening a device to the first loss: programs are built, weights transformed. Once
 * with empty caches and once with what the first time left there, each in a child process, for drivers keep programs
 * in memory too. */
#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "bench/parts.h"
#include "support/child.h"
#include "support/clock.h"

#include <math.h>

#ifdef _WIN32

void start_measure(const char *device, const struct workload *workload, double *cold_seconds, double *warm_seconds) {
    (void)device, (void)workload;
    *cold_seconds = *warm_seconds = NAN;
}

#else

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIZE_PX = 32, PATH_LENGTH = 512 };

/* Where drivers and this program look for their caches. XDG_CACHE_HOME is honored by nst, PoCL, Mesa and Intel's
 * driver, so the others are only unset. */
static void use_cache_folder(const char *folder) {
    static const char *const overrides[] = {"NST_CACHE_DIR", "POCL_CACHE_DIR", "MESA_SHADER_CACHE_DIR",
                                            "NEO_CACHE_DIR"};
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; ++i) {
        unsetenv(overrides[i]);
    }
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("CUDA_CACHE_PATH", folder, 1); /* NVIDIA */
}

static nst_status first_loss(const char *device, const struct workload *workload, double *seconds) {
    double start = seconds_now();
    nst_context_options options = {.device = device, .unchecked = true};
    nst_context *context = NULL;
    nst_job *job = NULL;
    nst_progress progress;
    nst_status status = nst_context_create(&options, &context, NULL);
    if (!status) {
        status = workload_job(context, workload, SIZE_PX, &job, NULL);
    }
    if (!status) {
        status = nst_job_step(job, &progress, NULL);
    }
    *seconds = seconds_now() - start;
    nst_job_destroy(job);
    nst_context_destroy(context); /* writes the cache */
    return status;
}

struct start {
    const char *device, *folder;
    const struct workload *workload;
};

/* In the child. */
static void measure_start(void *user, void *result) {
    const struct start *start = user;
    double *seconds = result;
    use_cache_folder(start->folder);
    if (first_loss(start->device, start->workload, seconds)) {
        *seconds = NAN;
    }
}

/* NAN also for a driver that crashes: what else it does is told where it is measured. */
static double measure_child(struct start *start) {
    double seconds = NAN, begin = seconds_now();
    bool done = child_run(measure_start, start, &seconds, sizeof seconds, 1000 * BENCH_LONGEST_START_SECONDS);
    return !done && seconds_now() - begin >= BENCH_LONGEST_START_SECONDS ? INFINITY : seconds;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void start_measure(const char *device, const struct workload *workload, double *cold_seconds, double *warm_seconds) {
    const char *temporary = getenv("TMPDIR");
    char folder[PATH_LENGTH];
    int length = snprintf(folder, sizeof folder, "%s/nst-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    *cold_seconds = *warm_seconds = NAN;
    if (length >= (int)sizeof folder || !mkdtemp(folder)) {
        return;
    }
    struct start start = {.device = device, .folder = folder, .workload = workload};
    *cold_seconds = measure_child(&start);
    if (isfinite(*cold_seconds)) {
        *warm_seconds = measure_child(&start);
    }
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
