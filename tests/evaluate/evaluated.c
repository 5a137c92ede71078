/* evaluated.c: see evaluated.h. */
#include "evaluated.h"

#include "optimizer/optimizer.h"

#include <stdlib.h>

size_t count_of(struct image_size size) {
    return 3 * (size_t)size.height * (size_t)size.width;
}

struct test_picture random_picture(uint64_t seed, int height, int width) {
    struct test_picture picture = {.size = {height, width}};
    picture.values = random_uniform_array(seed, count_of(picture.size), 0, 255);
    picture.reference = (struct reference_picture){height, width, to_doubles(picture.values, count_of(picture.size))};
    return picture;
}

void release_picture(struct test_picture *picture) {
    free(picture->values);
    free(picture->weights);
    free(picture->reference.image);
}

void evaluated_open(struct evaluated *on, nst_context *context, const nst_network *network,
                    const struct objective_spec *spec, const struct image_sizes *sizes,
                    const struct evaluation_form *form) {
    nst_error error;
    *on = (struct evaluated){0};
    check(objective_create(context, network, spec, &on->objective, &error), &error);
    check(evaluation_reserve_in_tiles(on->objective, &on->plan, sizes, form, &on->evaluation, &error), &error);
    check(plan_assign(&on->plan, &error), &error);
    assert_true(plan_fits(&on->plan, context));
    check(plan_allocate(&on->plan, context, &error), &error);
}

void evaluated_close(struct evaluated *on, nst_context *context) {
    evaluation_free(on->evaluation);
    plan_free(&on->plan, context);
    objective_destroy(on->objective);
}

void evaluated_put(nst_context *context, const struct evaluated *on, const struct test_picture *picture) {
    nst_error error;
    size_t padded = optimizer_padded(count_of(picture->size)), plane = count_of(picture->size) / 3;
    float *values = allocate(padded, sizeof *values);
    for (size_t i = 0; i < 3 * plane; ++i) {
        values[i] = picture->values[i] - objective_center(on->objective)[i / plane];
    }
    check(vector_write(context, evaluation_image_vector(on->evaluation), values, padded, &error), &error);
    free(values);
}

static void add_styles(nst_context *context, const struct evaluated *on, const struct test_picture *styles,
                       const double *shares, int style_count, enum loss_picture kind) {
    nst_error error;
    for (int i = 0; i < style_count; ++i) {
        struct loss_target target = {.picture = kind, .share = shares[i], .weights = styles[i].weights};
        evaluated_put(context, on, &styles[i]);
        check(evaluation_add_target(on->evaluation, &target, styles[i].size, &error), &error);
    }
}

void evaluated_set_targets(nst_context *context, const struct evaluated *on, const struct test_picture *content,
                           const struct test_picture *styles, const double *shares, int style_count) {
    nst_error error;
    const float *style_weights[] = {content->weights};
    const struct evaluation_regions weighted = {
        .image = content->size, .content = content->weights, .styles = style_weights};
    const struct evaluation_regions *regions = content->weights ? &weighted : NULL;
    struct loss_target target = {.picture = LOSS_CONTENT, .share = 1};
    check(evaluation_begin_targets(on->evaluation, 0, regions, &error), &error);
    if (evaluation_wants(on->evaluation, LOSS_SURVEY)) {
        add_styles(context, on, styles, shares, style_count, LOSS_SURVEY);
    }
    evaluated_put(context, on, content);
    check(evaluation_add_target(on->evaluation, &target, content->size, &error), &error);
    if (evaluation_wants(on->evaluation, LOSS_PREVIOUS)) {
        target = (struct loss_target){.picture = LOSS_PREVIOUS, .share = 1, .weights = content->weights};
        check(evaluation_add_target(on->evaluation, &target, content->size, &error), &error);
    }
    add_styles(context, on, styles, shares, style_count, LOSS_STYLE);
    check(evaluation_end_targets(on->evaluation, &error), &error);
}
