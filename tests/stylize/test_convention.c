/* test_convention.c: the same network in two conventions gives the same picture from the same settings: another input
 * (order, range, mean), and activations of another size at every layer, as a network has that was trained by others.
 * Losses are divided by their targets' own size, so nothing has to be set anew. */
#include "jobs.h"
#include "weights/convention.h"

#include <math.h>
#include <stdlib.h>

/* Makes the network expect another input: what the first convolution makes of it is the same but where it pads with
 * zeros, which stand for another color then. */
static void fold_input(nst_network *network, const struct input_convention *target) {
    struct layer *layer = &network->layers[0];
    size_t kernel = (size_t)(layer->kernel_size * layer->kernel_size), count = layer_weight_count(layer);
    float *folded = allocate(count, sizeof *folded);
    for (size_t out = 0; out < (size_t)layer->out_channels; out++) {
        for (size_t old = 0; old < 3; old++) {
            size_t new = 0; /* the channel of the new input that has the same color */
            while (target->order[new] != network->input.order[old]) {
                new ++;
            }
            /* old input = scale * new input + offset */
            float scale = network->input.scale[old] / target->scale[new];
            float offset = network->input.offset[old] - target->offset[new] * scale;
            for (size_t i = 0; i < kernel; i++) {
                float weight = layer->weights[(out * 3 + old) * kernel + i];
                folded[(out * 3 + new) * kernel + i] = weight * scale;
                layer->bias[out] += weight * offset;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        layer->weights[i] = folded[i];
    }
    free(folded);
    network->input = *target;
}

/* Makes the activations behind each convolution larger by a factor of its own; ReLU and pooling keep it. */
static void scale_layers(nst_network *network) {
    static const float factors[] = {30, 0.02f, 0.7f, 200, 5};
    float before = 1;
    int convolution = 0;
    for (int i = 0; i < network->layer_count; i++) {
        struct layer *layer = &network->layers[i];
        if (layer->kind != LAYER_CONVOLUTION) {
            continue;
        }
        float factor = factors[convolution++ % 5];
        for (size_t j = 0; j < layer_weight_count(layer); j++) {
            layer->weights[j] *= factor / before;
        }
        for (int j = 0; j < layer->out_channels; j++) {
            layer->bias[j] *= factor;
        }
        before = factor;
    }
}

/* Runs a network as it is and rewritten. The difference of losses (relative) and pictures (mean, in 0..1). */
static void compare(nst_context *context, const char *layers, double *loss_difference, double *picture_difference) {
    nst_network *network = random_network(layers, 31);
    nst_picture hills = make_hills(60, 45, 3), stripes = make_stripes(64, 64);
    nst_job_pictures pictures = {.content = &hills, .styles = &stripes, .style_count = 1};
    nst_settings settings = small_settings(4);
    struct job_record before = {0}, after = {0};
    struct input_convention torchvision;
    assert_true(convention_from_text("torchvision", &torchvision));
    run_job(context, network, &settings, &pictures, &before);
    check(before.status, &before.error);
    fold_input(network, &torchvision);
    scale_layers(network);
    run_job(context, network, &settings, &pictures, &after);
    check(after.status, &after.error);
    size_t count = (size_t)(before.picture.width * before.picture.height * 3);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += fabs((double)before.picture.values[i] - (double)after.picture.values[i]);
    }
    *picture_difference = sum / (double)count;
    *loss_difference = fabs(after.first_loss / before.first_loss - 1);
    assert_true(before.last_loss < 0.9 * before.first_loss); /* something happened */
    record_free(&before);
    record_free(&after);
    nst_picture_free(&hills);
    nst_picture_free(&stripes);
    random_network_free(network);
}

/* With reflection in front there is no border, and only rounding differs. */
static void the_same_picture(void **state) {
    double loss, picture;
    compare(*state, "c8:reflect r c8 r p c12 r c12 r p c16 r", &loss, &picture);
    assert_true(loss < 1e-5);
    assert_true(picture < 1e-4);
}

/* With zeros in front the border has another color; the look is the same nevertheless. */
static void the_same_look(void **state) {
    double loss, picture;
    compare(*state, SMALL_NETWORK, &loss, &picture);
    assert_true(loss < 0.01);
    assert_true(picture < 0.03);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_picture),
        cmocka_unit_test(the_same_look),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
