/* loss_case.c: one loss at the only layer of a small model; see loss_case.h. */
#include "loss_case.h"

#include "random_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT = 1 }; /* not the first */

const struct region everywhere = {0};

void loss_case_open(struct loss_case *test, nst_context *context, struct map_size size, struct image_size planned,
                    const struct loss_spec *spec, bool in_place) {
    nst_error error;
    char description[32];
    const char *tap = "relu1_1";
    snprintf(description, sizeof description, "c%d:k1 r", size.channels);
    *test = (struct loss_case){.context = context, .network = random_network(description, 1)};
    struct model_options options = {.taps = &tap, .tap_count = 1, .half = size.half, .losses_in_place = in_place};
    check(model_create(context, test->network, &options, &test->model, &error), &error);
    check(loss_create(context, test->model, spec, &test->loss, &error), &error);
    const struct image_size sizes[] = {planned, planned}; /* of the picture and its style */
    check(model_reserve(test->model, &test->plan, sizes, 2, &test->model_run, &error), &error);
    check(loss_reserve(test->loss, &test->plan, sizes, 2, &test->run, &error), &error);
    loss_run_set_partials(test->run, plan_add_always(&test->plan, reduction_bytes(context, 2), "partials"), SLOT);
    check(plan_assign(&test->plan, &error), &error);
    check(plan_allocate(&test->plan, context, &error), &error);
}

void loss_case_close(struct loss_case *test) {
    loss_run_free(test->run);
    model_run_free(test->model_run);
    plan_free(&test->plan, test->context);
    loss_destroy(test->loss);
    model_destroy(test->model);
    random_network_free(test->network);
}

double loss_case_value(const struct loss_case *test) {
    nst_error error;
    double sum;
    check(loss_read_sum(test->run, &sum, &error), &error);
    return sum;
}

struct given_map give_map(nst_context *context, struct map_size size, uint64_t seed, int dead) {
    float *values = random_array(seed, elements_of(size));
    struct given_map given = {.mask = random_mask(seed + 1, size)};
    for (size_t i = 0; i < elements_of(size); ++i) {
        size_t channel = i / pixels_of(size);
        given.mask[i] = given.mask[i] && (dead == 0 || channel % (size_t)dead != 0);
        values[i] = given.mask[i] ? fabsf(values[i]) : 0.0f;
    }
    round_map(values, size);
    given.values = to_doubles(values, elements_of(size));
    given.map = (struct feature_map){.values = upload_map(context, values, size),
                                     .mask = upload_mask(context, given.mask, size),
                                     .channels = size.channels,
                                     .height = size.height,
                                     .width = size.width};
    free(values);
    return given;
}

void release_map(nst_context *context, struct given_map *given) {
    buffer_release(context, &given->map.values);
    buffer_release(context, &given->map.mask);
    free(given->values);
    free(given->mask);
}
