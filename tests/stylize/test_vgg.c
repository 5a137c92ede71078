/* test_vgg.c: a job on the first three blocks of VGG-19, if the file is beside the checkout
 * (../shared/weights/vgg19-blocks1-3.safetensors); skipped without it. */
#include "jobs.h"

#include "support/file.h"

static void the_style_distance_falls_tenfold(void **state) {
    static const char *const styles[] = {"relu1_1", "relu2_1", "relu3_1"}, *const contents[] = {"relu3_2"};
    const char *path = NST_SOURCE_DIR "/../shared/weights/vgg19-blocks1-3.safetensors";
    if (!file_exists(path)) {
        skip();
    }
    nst_network *network;
    nst_error error;
    check(nst_network_open(path, NULL, &network, &error), &error);
    nst_settings settings = small_settings((int)sizes_to_try(50, 10));
    settings.size_px = (int)sizes_to_try(96, 48);
    settings.content_weight = 0.002; /* relu3_2 holds on to far more than the preset's relu4_2 */
    set_layers(&settings.style_layers, styles, 3);
    set_layers(&settings.content_layers, contents, 1);
    assert_style_distance_falls(*state, network, &settings, (double)sizes_to_try(10, 3));
    nst_network_destroy(network);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_style_distance_falls_tenfold)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
