/* product.c: one product of matrices against float64 on the host; see product.h. */
#include "check/product.h"

#include "check/map.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

enum { HEIGHT = 17, WIDTH = 15, PIXELS = HEIGHT * WIDTH };

/* A map of noise, and its Gram matrix as the device made it. */
struct product_check {
    nst_context *context;
    struct check_layout layout;
    struct product *product;
    float *map, *gram; /* in the device's layout; [channels][channels] */
    struct product_call call;
};

static nst_status create_buffers(struct product_check *check, nst_error *error) {
    int channels = check->layout.channels;
    size_t bytes = (size_t)channels * (size_t)channels * sizeof(float);
    uint64_t scratch = product_scratch_bytes(check->product, PIXELS);
    check->map = calloc(check_map_elements(&check->layout), sizeof *check->map);
    check->gram = malloc(bytes);
    if (!check->map || !check->gram) {
        return fail_memory(error, bytes, "a check");
    }
    struct random_generator generator = random_from_seed(5);
    for (int c = 0; c < channels; ++c) {
        for (int p = 0; p < PIXELS; ++p) {
            check->map[check_map_index(&check->layout, c, p / WIDTH, p % WIDTH)] = (float)check_noise(&generator);
        }
    }
    check->call.extent = PIXELS;
    nst_status status = check_map_create(check->context, &check->layout, check->map, &check->call.a, error);
    status = status ? status : check_buffer(check->context, NULL, bytes, &check->call.c, error);
    return status || !scratch ? status
                              : check_buffer(check->context, NULL, (size_t)scratch, &check->call.scratch, error);
}

static double value_at(const struct product_check *check, int channel, int pixel) {
    return check->map[check_map_index(&check->layout, channel, pixel / WIDTH, pixel % WIDTH)];
}

static double compare(const struct product_check *check) {
    int channels = check->layout.channels;
    double largest = 0, largest_error = 0;
    for (int row = 0; row < channels; ++row) {
        for (int column = 0; column < channels; ++column) {
            double sum = 0;
            for (int p = 0; p < PIXELS; ++p) {
                sum += value_at(check, row, p) * value_at(check, column, p);
            }
            check_keep_largest(&largest, fabs(sum));
            check_keep_largest(&largest_error, fabs(check->gram[row * channels + column] - sum));
        }
    }
    return largest_error / largest;
}

nst_status check_product(nst_context *context, const struct product_engine *engine, int channels, double *found,
                         nst_error *error) {
    const struct product_shape shape = {.kind = PRODUCT_GRAM, .rows = channels};
    struct product_check check = {.context = context, .layout = check_layout(context, false, channels, HEIGHT, WIDTH)};
    size_t bytes = (size_t)channels * (size_t)channels * sizeof(float);
    *found = NAN;
    nst_status status = product_create(context, &shape, engine, &check.product, error);
    status = status ? status : create_buffers(&check, error);
    status = status ? status : product_run(check.product, &check.call, error);
    status = status ? status : buffer_read(context, check.call.c, 0, check.gram, bytes, error);
    if (!status) {
        *found = compare(&check);
    }
    buffer_release(context, &check.call.a);
    buffer_release(context, &check.call.c);
    buffer_release(context, &check.call.scratch);
    product_destroy(check.product);
    free(check.map);
    free(check.gram);
    return status;
}

double check_product_bound(void) {
    return 1e-5;
}
