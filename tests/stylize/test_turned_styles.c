/* test_turned_styles.c: a recipe that shows each style turned to all four sides does not mind how the style lies. */
#include "image/orientation.h"
#include "jobs.h"

#include <math.h>

/* The loss at the first evaluation with a style that is turned as EXIF's number says. */
static double first_loss(nst_context *context, int exif) {
    nst_network *network = random_network(SMALL_NETWORK, 31);
    nst_picture content = make_hills(64, 48, 3), style = make_stripes(52, 67);
    nst_settings settings = small_settings(1), neighbors;
    nst_error error;
    check(nst_settings_init(&neighbors, "neighbors", &error), &error);
    neighbors.style_layers = settings.style_layers;
    neighbors.content_layers = settings.content_layers;
    neighbors.size_px = 64;
    neighbors.scale_count = 1;
    neighbors.iterations[0] = 1;
    neighbors.iteration_count = 1;
    struct orientation orientation = {.exif = exif};
    check(orientation_apply(&orientation, &style, &error), &error);
    nst_job_pictures pictures = {.content = &content, .styles = &style, .style_count = 1};
    nst_job *job;
    nst_progress progress;
    check(nst_job_create(context, network, &neighbors, &pictures, &job, &error), &error);
    check(nst_job_step(job, &progress, &error), &error);
    double loss = progress.loss;
    nst_job_destroy(job);
    nst_picture_free(&content);
    nst_picture_free(&style);
    random_network_free(network);
    return loss;
}

static void styles_may_lie_on_any_side(void **state) {
    static const int turned[] = {3, 6, 8};
    double upright = first_loss(*state, 1), mirrored = first_loss(*state, 2);
    for (size_t i = 0; i < COUNT_OF(turned); ++i) {
        assert_close("loss", first_loss(*state, turned[i]), upright, 1e-5);
    }
    assert_true(fabs(mirrored - upright) > 1e-3 * upright);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(styles_may_lie_on_any_side)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
