/* test_transfer.c: pictures to the device and back, and random images (stylize/transfer.c). */
#include "fixture.h"
#include "optimizer/optimizer.h"
#include "stylize/transfer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nst_picture random_picture(int width, int height, int channels) {
    size_t count = (size_t)width * (size_t)height * (size_t)channels;
    return (nst_picture){width, height, channels, random_uniform_array(1, count, 0, 1)};
}

static const float center[3] = {123.68f, 116.779f, 103.939f}, nothing[3] = {0, 0, 0};

static void planes_in_bytes_and_back(void **state) {
    nst_context *context = *state;
    nst_error error;
    for (int channels = 3; channels <= 4; ++channels) {
        for (int kind = 0; kind < 4; ++kind) {
            bool rounds = kind % 2;
            const float *mean = kind / 2 ? center : nothing;
            nst_picture picture = random_picture(7, 5, channels), back = {0};
            size_t padded = optimizer_padded(3 * 35);
            float *garbage = random_array(2, padded);
            cl_mem image = upload(context, garbage, padded * sizeof *garbage);
            struct transfer transfer = {.center = mean, .rounds_to_bytes = rounds};
            check(transfer_to_device(context, &picture, &transfer, vector_on_device(image), &error), &error);
            float *planes = download(context, image, padded * sizeof *planes);
            for (int i = 0; i < 105; ++i) {
                int c = i / 35, pixel = i % 35;
                float value = 255 * picture.values[pixel * channels + c];
                assert_true(fabsf(planes[i] - ((rounds ? roundf(value) : value) - mean[c])) < 1e-4f);
            }
            for (size_t i = 105; i < padded; ++i) {
                assert_true(planes[i] == 0);
            }
            check(
                transfer_from_device(context, vector_on_device(image), (struct image_size){5, 7}, mean, &back, &error),
                &error);
            assert_true(back.width == 7 && back.height == 5 && back.channels == 3);
            for (int i = 0; i < 105; ++i) {
                float wanted = picture.values[i / 3 * channels + i % 3];
                assert_true(fabsf(back.values[i] - wanted) <= (rounds ? 0.5f / 255 + 1e-6f : 1e-6f));
            }
            nst_picture_free(&back);
            nst_picture_free(&picture);
            buffer_release(context, &image);
            free(planes);
            free(garbage);
        }
    }
}

static void what_comes_back_is_in_range(void **state) {
    nst_context *context = *state;
    nst_error error;
    float planes[16] = {-5, 300, 127.5f, NAN, INFINITY, -INFINITY, 255, 0, 1e30f, -1e-30f, 64, 32};
    cl_mem image = upload(context, planes, sizeof planes);
    nst_picture picture;
    check(transfer_from_device(context, vector_on_device(image), (struct image_size){2, 2}, nothing, &picture, &error),
          &error);
    for (int i = 0; i < 12; ++i) {
        assert_true(picture.values[i] >= 0 && picture.values[i] <= 1);
    }
    nst_picture_free(&picture);
    buffer_release(context, &image);
}

static void random_images_come_from_the_seed(void **state) {
    nst_context *context = *state;
    nst_error error;
    const size_t pixels = 40 * 30, padded = optimizer_padded(3 * pixels);
    float *images[3];
    for (int i = 0; i < 3; ++i) {
        cl_mem image = create_zero(context, padded * sizeof(float));
        struct transfer_noise noise = {.seed = i < 2 ? 7 : 8, .mean = 50, .deviation = 20};
        check(transfer_random(context, &noise, (struct image_size){30, 40}, vector_on_device(image), &error), &error);
        images[i] = download(context, image, padded * sizeof(float));
        buffer_release(context, &image);
    }
    assert_memory_equal(images[0], images[1], padded * sizeof(float));
    assert_memory_not_equal(images[0], images[2], padded * sizeof(float));
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 3 * pixels; ++i) {
        sum += images[0][i];
        squares += (images[0][i] - 50.0) * (images[0][i] - 50.0);
    }
    assert_true(fabs(sum / (3.0 * (double)pixels) - 50) < 1.5);
    assert_true(fabs(sqrt(squares / (3.0 * (double)pixels)) - 20) < 1.5);
    for (size_t i = 3 * pixels; i < padded; ++i) {
        assert_true(images[0][i] == 0);
    }
    free(images[0]);
    free(images[1]);
    free(images[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_in_bytes_and_back),
        cmocka_unit_test(what_comes_back_is_in_range),
        cmocka_unit_test(random_images_come_from_the_seed),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
