/* check.c: known answers of a device: opens it, goes through them, and what they share; see check.h and known.h. */
#include "check/known.h"

#include "device/findings.h"
#include "support/error.h"
#include "weights/half.h"

#include <stdlib.h>
#include <string.h>

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static struct known_answer *add_line(struct known_answers *answers, const char *name, const char *detail,
                                     nst_error *error) {
    if (answers->count == answers->capacity) {
        int capacity = answers->capacity ? 2 * answers->capacity : 64;
        struct known_answer *larger = realloc(answers->answers, (size_t)capacity * sizeof *larger);
        if (!larger) {
            fail_memory(error, (size_t)capacity * sizeof *larger, "the known answers");
            return NULL;
        }
        answers->answers = larger;
        answers->capacity = capacity;
    }
    struct known_answer *answer = &answers->answers[answers->count++];
    *answer = (struct known_answer){.outcome = {.state = BENCH_OK}};
    snprintf(answer->name, sizeof answer->name, "%s", name);
    snprintf(answer->detail, sizeof answer->detail, "%s", detail);
    return answer;
}

nst_status known_add(struct known_answers *answers, const char *name, const char *detail, double error_found,
                     double bound, nst_error *error) {
    struct known_answer *answer = add_line(answers, name, detail, error);
    if (!answer) {
        return NST_ERROR_MEMORY;
    }
    answer->error = error_found;
    answer->bound = bound;
    if (!(error_found <= bound)) {
        outcome_set(&answer->outcome, BENCH_WRONG, "the error is above its bound");
    }
    return NST_OK;
}

nst_status known_add_failure(struct known_answers *answers, const char *name, const char *detail, const nst_error *why,
                             nst_error *error) {
    struct known_answer *answer = add_line(answers, name, detail, error);
    if (!answer) {
        return NST_ERROR_MEMORY;
    }
    outcome_from_error(&answer->outcome, why);
    return NST_OK;
}

/* ---- Layouts ----------------------------------------------------------------------------------------------------- */

struct known_layout known_layout(const nst_context *context, bool half, int channels, int height, int width) {
    return (struct known_layout){context->channel_block, channels, height, width, half};
}

static size_t blocks_of(const struct known_layout *layout) {
    return (size_t)((layout->channels + layout->block - 1) / layout->block);
}

size_t known_map_elements(const struct known_layout *layout) {
    return blocks_of(layout) * (size_t)layout->height * (size_t)layout->width * (size_t)layout->block;
}

size_t known_map_index(const struct known_layout *layout, int channel, int y, int x) {
    size_t block = (size_t)(channel / layout->block), lane = (size_t)(channel % layout->block);
    size_t pixel = (block * (size_t)layout->height + (size_t)y) * (size_t)layout->width + (size_t)x;
    return pixel * (size_t)layout->block + lane;
}

size_t known_mask_elements(const struct known_layout *layout) {
    return blocks_of(layout) * (size_t)((layout->height + 3) / 4) * (size_t)((layout->width + 3) / 4) *
           (size_t)layout->block;
}

static size_t mask_index(const struct known_layout *layout, int channel, int y, int x) {
    size_t rows = (size_t)(layout->height + 3) / 4, columns = (size_t)(layout->width + 3) / 4;
    size_t block = (size_t)(channel / layout->block), lane = (size_t)(channel % layout->block);
    return ((block * rows + (size_t)(y / 4)) * columns + (size_t)(x / 4)) * (size_t)layout->block + lane;
}

bool known_mask_bit(const struct known_layout *layout, const uint16_t *mask, int channel, int y, int x) {
    return mask[mask_index(layout, channel, y, x)] >> (4 * (y % 4) + x % 4) & 1;
}

void known_mask_set(const struct known_layout *layout, uint16_t *mask, int channel, int y, int x) {
    mask[mask_index(layout, channel, y, x)] |= (uint16_t)(1 << (4 * (y % 4) + x % 4));
}

nst_status known_buffer(nst_context *context, const void *data, size_t bytes, cl_mem *buffer, nst_error *error) {
    nst_status status = buffer_create(context, bytes, "a known answer", buffer, error);
    if (!status) {
        status = data ? buffer_write(context, *buffer, 0, data, bytes, error)
                      : buffer_fill_zero(context, *buffer, bytes, error);
    }
    return status ? status : context_finish(context, error);
}

nst_status known_map_create(nst_context *context, const struct known_layout *layout, const float *values,
                            cl_mem *buffer, nst_error *error) {
    size_t elements = known_map_elements(layout);
    if (!layout->half || !values) {
        return known_buffer(context, values, elements * (layout->half ? sizeof(uint16_t) : sizeof(float)), buffer,
                            error);
    }
    uint16_t *rounded = malloc(elements * sizeof *rounded);
    if (!rounded) {
        return fail_memory(error, elements * sizeof *rounded, "a known answer");
    }
    for (size_t i = 0; i < elements; ++i) {
        rounded[i] = bfloat16_from_float(values[i]);
    }
    nst_status status = known_buffer(context, rounded, elements * sizeof *rounded, buffer, error);
    free(rounded);
    return status;
}

nst_status known_map_read(nst_context *context, const struct known_layout *layout, cl_mem buffer, float *values,
                          nst_error *error) {
    size_t elements = known_map_elements(layout);
    if (!layout->half) {
        return buffer_read(context, buffer, 0, values, elements * sizeof *values, error);
    }
    uint16_t *rounded = malloc(elements * sizeof *rounded);
    nst_status status = rounded ? buffer_read(context, buffer, 0, rounded, elements * sizeof *rounded, error)
                                : fail_memory(error, elements * sizeof *rounded, "a known answer");
    for (size_t i = 0; !status && i < elements; ++i) {
        values[i] = bfloat16_to_float(rounded[i]);
    }
    free(rounded);
    return status;
}

double known_map_bound(bool half, double single_bound) {
    /* Rounding to 8 binary digits leaves up to 1/256 of a value; a sum with what was there may be twice the largest. */
    return half ? 2.0 / 256 : single_bound;
}

double known_noise(struct random_generator *generator) {
    return bfloat16_to_float(bfloat16_from_float((float)(2 * random_uniform(generator) - 1)));
}

void known_keep_largest(double *largest, double value) {
    if (!(value <= *largest)) {
        *largest = value;
    }
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static nst_status run_all(nst_context *context, bool brief, struct known_answers *answers, nst_error *error) {
    answers->info = context->info;
    nst_status status = known_convolutions(context, brief, answers, error);
    return status ? status : known_passes(context, brief, answers, error);
}

nst_status known_answers_run(const char *device, bool no_cache, struct known_answers *answers, nst_error *error) {
    nst_context_options options = {.device = device, .no_cache = no_cache, .unchecked = true};
    nst_context *context;
    nst_error opening;
    *answers = (struct known_answers){0};
    if (nst_context_create(&options, &context, &opening)) {
        outcome_from_error(&answers->outcome, &opening);
        return NST_OK;
    }
    nst_status status = run_all(context, false, answers, error);
    if (!status && context->keeps_findings) {
        /* Where something is wrong that no job might need, the next job's own check decides. */
        known_answers_fine(answers) ? findings_keep_check(&context->info, NULL)
                                    : findings_write(&context->info, FINDINGS_CHECK, NULL);
    }
    nst_context_destroy(context);
    return status;
}

/* The first answer that is not right. */
static const struct known_answer *find_wrong(const struct known_answers *answers) {
    for (int i = 0; i < answers->count; ++i) {
        if (answers->answers[i].outcome.state != BENCH_OK) {
            return &answers->answers[i];
        }
    }
    return NULL;
}

nst_status nst_context_check(nst_context *context, nst_error *error) {
    struct known_answers answers = {0};
    char reason[sizeof context->info.check_reason];
    if (context->info.check == NST_CHECK_PASSED) {
        return NST_OK;
    }
    nst_status status = run_all(context, true, &answers, error);
    const struct known_answer *wrong = status ? NULL : find_wrong(&answers);
    /* What could not be run may run another time, as when others hold the device's memory: that is not remembered. */
    bool is_verdict = !wrong || wrong->outcome.state == BENCH_WRONG;
    if (wrong && is_verdict) {
        snprintf(reason, sizeof reason, "%s (%s) has the error %.1e, which should be below %.0e", wrong->name,
                 wrong->detail, wrong->error, wrong->bound);
    } else if (wrong) {
        snprintf(reason, sizeof reason, "%s (%s): %.100s", wrong->name, wrong->detail, wrong->outcome.reason);
    }
    if (!status) {
        context->info.check = wrong ? NST_CHECK_FAILED : NST_CHECK_PASSED;
        snprintf(context->info.check_reason, sizeof context->info.check_reason, "%s", wrong ? reason : "");
        if (context->keeps_findings && is_verdict) {
            findings_keep_check(&context->info, wrong ? reason : NULL);
        }
    }
    if (wrong) {
        status = fail(error, NST_ERROR_DEVICE,
                      "device %d:%d (%s) %s with this driver: %s; 'nst selftest -d %d:%d' tells more",
                      context->info.platform_index, context->info.device_index, context->info.name,
                      is_verdict ? "computes wrongly" : "does not get through its self-test", reason,
                      context->info.platform_index, context->info.device_index);
    }
    known_answers_free(&answers);
    return status;
}

void known_answers_free(struct known_answers *answers) {
    free(answers->answers);
    *answers = (struct known_answers){0};
}

bool known_answers_fine(const struct known_answers *answers) {
    bool fine = answers->outcome.state == BENCH_OK && answers->count > 0;
    for (int i = 0; i < answers->count; ++i) {
        fine = fine && answers->answers[i].outcome.state == BENCH_OK;
    }
    return fine;
}
