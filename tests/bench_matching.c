/* bench_matching.c: milliseconds, GFLOP/s and share of the FMA peak of nearest neighbors (loss/matching.h), at the
 * sizes of pictures of 512 x 384 and less, and of single layers.
 *
 * bench_matching [CASE]: CASE is a part of a case's name. The least of several runs counts; "busy" is the share of the
 * peak in terms of processor time instead of elapsed time, as in bench_convolution.c. */
#include "duration.h"
#include "loss/matching.h"
#include "support/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct matching_case {
    const char *name;
    int channels, positions, style_positions;
} cases[] = {{"stack@64", 2688, 192, 1024},      {"stack@128", 2688, 768, 3328},
             {"stack@256", 2688, 3072, 3328},    {"stack@512", 2688, 12288, 13000},
             {"64 channels", 64, 4096, 4096},    {"256 channels", 256, 4096, 16384},
             {"512 channels", 512, 4096, 16384}, {"512 projected", 512, 12288, 13000}};

static cl_mem create(nst_context *context, uint64_t bytes) {
    nst_error error;
    cl_mem buffer = NULL;
    if (bytes > 0) {
        check(buffer_create(context, bytes, "data of the benchmark", &buffer, &error), &error);
    }
    return buffer;
}

/* Vectors as of a ReLU. */
static struct matching_set create_set(nst_context *context, const struct samples *samples, int blocks, int positions,
                                      uint64_t seed) {
    nst_error error;
    uint64_t bytes = sample_stack_bytes(context, blocks, positions);
    struct random_generator generator = random_from_seed(seed);
    float *values = malloc(bytes);
    for (size_t i = 0; i < bytes / sizeof *values; ++i) {
        values[i] = (float)fmax(random_uniform(&generator) - 0.4, 0);
    }
    struct matching_set set = {.stack = {create(context, bytes), 0, blocks, positions},
                               .mean = create(context, sample_stack_bytes(context, blocks, 1)),
                               .squares = create(context, (uint64_t)positions * sizeof(float))};
    struct sample_squares squares = {.squares = set.squares, .mean = set.mean};
    check(buffer_write(context, set.stack.samples, 0, values, bytes, &error), &error);
    check(samples_mean(context, samples, &set.stack, set.mean, &error), &error);
    check(samples_squares(context, samples, &set.stack, &squares, &error), &error);
    free(values);
    return set;
}

static void release_set(nst_context *context, struct matching_set *set) {
    buffer_release(context, &set->stack.samples);
    buffer_release(context, &set->mean);
    buffer_release(context, &set->squares);
}

static void run_case(nst_context *context, const struct matching_case *c, struct duration peak) {
    nst_error error;
    struct samples samples;
    struct matching matching;
    check(samples_create(context, false, &samples, &error), &error);
    check(matching_create(context, &matching, &error), &error);
    int blocks = sample_blocks(context, c->channels);
    struct matching_part part = {.content = create_set(context, &samples, blocks, c->positions, 1),
                                 .style = create_set(context, &samples, blocks, c->style_positions, 2),
                                 .factor = 1};
    struct matching_bytes bytes = matching_scratch_bytes(context, blocks, c->positions, c->style_positions);
    struct matching_scratch scratch = {create(context, bytes.candidates), create(context, bytes.panels),
                                       create(context, bytes.rows)};
    struct matching_best matched = {create(context, (uint64_t)c->positions * sizeof(float)),
                                    create(context, (uint64_t)c->positions * sizeof(cl_int))};
    struct duration best = {INFINITY, INFINITY};
    double spent_ms = 0;
    for (int i = 0; i < 2 || (i < 20 && spent_ms < 1500); ++i) {
        struct duration start = now(context);
        check(matching_begin(context, &matching, &matched, c->positions, &error), &error);
        check(matching_run(context, &matching, &part, &scratch, &matched, &error), &error);
        check(context_finish(context, &error), &error);
        struct duration end = now(context);
        spent_ms += end.elapsed_ms - start.elapsed_ms;
        keep_least(&best, start, end);
    }
    double gflop = 2e-9 * c->channels * c->positions * (double)c->style_positions;
    printf("%-16s %8d %9d %8d %10.1f %9.0f %8.0f%% %8.0f%%\n", c->name, c->channels, c->positions, c->style_positions,
           best.elapsed_ms, gflop / best.elapsed_ms * 1e3, 100 * gflop * peak.elapsed_ms / best.elapsed_ms,
           100 * gflop * peak.busy_ms / best.busy_ms);
    fflush(stdout);
    release_set(context, &part.content);
    release_set(context, &part.style);
    buffer_release(context, &scratch.candidates);
    buffer_release(context, &scratch.panels);
    buffer_release(context, &scratch.rows);
    buffer_release(context, &matched.similarity);
    buffer_release(context, &matched.index);
    samples_release(&samples);
    matching_release(&matching);
}

int main(int argument_count, char **arguments) {
    nst_context *context;
    nst_error error;
    check(nst_context_create(NULL, &context, &error), &error);
    struct duration peak = measure_peak(context);
    printf("%s, channel block %d, FMA peak %.0f GFLOP/s, busy %.0f\n", nst_context_device(context)->name,
           context->channel_block, 1e3 / peak.elapsed_ms, 1e3 / peak.busy_ms);
    printf("%-16s %8s %9s %8s %10s %9s %9s %9s\n", "case", "channels", "positions", "style", "ms", "GFLOP/s", "of peak",
           "busy");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        if (argument_count < 2 || strstr(cases[i].name, arguments[1])) {
            run_case(context, &cases[i], peak);
        }
    }
    printf("FMA peak at the end %.0f GFLOP/s\n", 1e3 / measure_peak(context).elapsed_ms);
    nst_context_destroy(context);
    return 0;
}
