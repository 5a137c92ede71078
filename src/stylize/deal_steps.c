/* deal_steps.c: dealings as text; see deal_steps.h. */
#include "stylize/deal_steps.h"

#include "support/error.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PARTS = 1000000, STEP_LENGTH = 8 * (NST_MAX_DEVICES + 2) };

void deal_steps_free(struct deal_steps *steps) {
    free(steps->steps);
    steps->steps = NULL;
    steps->count = 0;
}

static nst_status append(struct deal_steps *steps, const struct deal_step *step, nst_error *error) {
    size_t bytes = (size_t)(steps->count + 1) * sizeof *steps->steps;
    struct deal_step *longer = realloc(steps->steps, bytes);
    if (!longer) {
        return fail_memory(error, bytes, "the dealing");
    }
    steps->steps = longer;
    steps->steps[steps->count++] = *step;
    return NST_OK;
}

nst_status deal_steps_add(struct deal_steps *steps, int evaluation, const int *parts, nst_error *error) {
    struct deal_step step = {.evaluation = steps->count ? evaluation : 1};
    for (int i = 0; i < steps->device_count; ++i) {
        step.parts[i] = parts[i];
    }
    const struct deal_step *last = steps->count ? &steps->steps[steps->count - 1] : NULL;
    return last && memcmp(last->parts, step.parts, sizeof step.parts) == 0 ? NST_OK : append(steps, &step, error);
}

const int *deal_steps_at(const struct deal_steps *steps, int evaluation) {
    const int *parts = NULL;
    for (int i = 0; i < steps->count && (i == 0 || steps->steps[i].evaluation <= evaluation); ++i) {
        parts = steps->steps[i].parts;
    }
    return parts;
}

/* A whole number up to MOST_PARTS at `*text`, which moves behind it. */
static bool read_number(const char **text, int *number) {
    const char *begin = *text;
    *number = 0;
    while (isdigit((unsigned char)**text) && *number <= MOST_PARTS) {
        *number = 10 * *number + (*(*text)++ - '0');
    }
    return *text > begin && *number <= MOST_PARTS;
}

static bool read_parts(const char **text, int device_count, int *parts) {
    bool is_right = true;
    int sum = 0;
    for (int i = 0; is_right && i < device_count; ++i) {
        is_right = (i == 0 || *(*text)++ == ',') && read_number(text, &parts[i]);
        sum += is_right ? parts[i] : 0;
    }
    return is_right && sum > 0;
}

nst_status deal_steps_read(const char *text, int device_count, struct deal_steps *steps, nst_error *error) {
    const char *at = text;
    nst_status status = NST_OK;
    bool is_right = true;
    int before = 1;
    *steps = (struct deal_steps){.device_count = device_count};
    while (!status && is_right && (steps->count == 0 || *at)) {
        struct deal_step step = {.evaluation = 1};
        if (steps->count > 0) {
            is_right = *at++ == '/' && read_number(&at, &step.evaluation) && *at++ == ':' && step.evaluation > before;
        }
        is_right = is_right && read_parts(&at, device_count, step.parts);
        before = step.evaluation;
        status = is_right ? append(steps, &step, error) : NST_OK;
    }
    if (!is_right) {
        return fail(
            error, NST_ERROR_ARGUMENT,
            "the dealing is '%.60s': expected how many parts each of the %d devices gets, as in 3,1 for two, and "
            "perhaps others from some evaluation on: 3,1/41:2,2",
            text, device_count);
    }
    return status;
}

char *deal_steps_text(const struct deal_steps *steps) {
    size_t size = (size_t)steps->count * STEP_LENGTH + 1, used = 0;
    char *text = calloc(size, 1);
    for (int s = 0; text && s < steps->count; ++s) {
        if (s > 0) {
            used += (size_t)snprintf(text + used, size - used, "/%d:", steps->steps[s].evaluation);
        }
        for (int i = 0; i < steps->device_count; ++i) {
            used += (size_t)snprintf(text + used, size - used, "%s%d", i ? "," : "", steps->steps[s].parts[i]);
        }
    }
    return text;
}
