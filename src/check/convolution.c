/* convolution.c: one convolution of noise against sums in float64 on the host; see convolution.h. */
#include "check/convolution.h"

#include "check/map.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative to the largest sum: rounding of up to 2304 products, and of Winograd's transforms. */
static const double direct_bound = 1e-5, winograd_bound = 3e-5;

struct check_convolution {
    nst_context *context;
    struct convolution_shape shape;
    struct check_layout in, out; /* out: before pooling */
    float *input, *weights, *bias;
    double *sums; /* [out_channels][height][width] */
    double largest;
    uint16_t *selection; /* of the input, for a shape that unpools, else NULL */
};

/* ---- On the host ------------------------------------------------------------------------------------------------- */

static void reference_sums(struct check_convolution *fixture) {
    const struct convolution_shape *shape = &fixture->shape;
    int k = shape->kernel_size, height = fixture->in.height, width = fixture->in.width;
    size_t pixels = (size_t)height * (size_t)width;
    for (int o = 0; o < shape->out_channels; ++o) {
        double *sum = fixture->sums + (size_t)o * pixels;
        for (size_t p = 0; p < pixels; ++p) {
            sum[p] = shape->has_bias ? fixture->bias[o] : 0;
        }
        for (int i = 0; i < shape->in_channels; ++i) {
            const float *plane = fixture->input + (size_t)i * pixels;
            for (int tap = 0; tap < k * k; ++tap) {
                double weight = fixture->weights[(o * shape->in_channels + i) * k * k + tap];
                int dy = tap / k - shape->padding, dx = tap % k - shape->padding;
                for (int y = dy < 0 ? -dy : 0; y < height && y + dy < height; ++y) {
                    for (int x = dx < 0 ? -dx : 0; x < width && x + dx < width; ++x) {
                        sum[y * width + x] += weight * plane[(y + dy) * width + x + dx];
                    }
                }
            }
        }
    }
    fixture->largest = 0;
    for (size_t i = 0; i < (size_t)shape->out_channels * pixels; ++i) {
        fixture->largest = fmax(fixture->largest, fabs(fixture->sums[i]));
    }
}

static double sum_at(const struct check_convolution *fixture, int channel, int y, int x) {
    return fixture
        ->sums[((size_t)channel * (size_t)fixture->out.height + (size_t)y) * (size_t)fixture->out.width + (size_t)x];
}

/* Leaves of each 2x2 window of the input one pixel, as a pooling's backward pass does, and says which. */
static void select_pixels(struct check_convolution *fixture, struct random_generator *generator) {
    const struct check_layout *in = &fixture->in;
    for (int c = 0; c < in->channels; ++c) {
        float *plane = fixture->input + (size_t)c * (size_t)in->height * (size_t)in->width;
        for (int y = 0; y < in->height; ++y) {
            for (int x = 0; x < in->width; ++x) {
                if (y % 2 == 0 && x % 2 == 0 && y + 1 < in->height && x + 1 < in->width) {
                    int chosen = (int)(random_bits(generator) % 4);
                    check_mask_set(in, fixture->selection, c, y + chosen / 2, x + chosen % 2);
                }
            }
        }
        for (int y = 0; y < in->height; ++y) {
            for (int x = 0; x < in->width; ++x) {
                plane[y * in->width + x] *= check_mask_bit(in, fixture->selection, c, y, x);
            }
        }
    }
}

/* An image is planar, and never of 16 bits. */
static struct check_layout layout_of(const nst_context *context, const struct convolution_shape *shape, bool is_image,
                                     int channels, int height, int width) {
    struct check_layout layout = check_layout(context, shape->half_maps && !is_image, channels, height, width);
    layout.block = is_image ? 1 : layout.block;
    return layout;
}

static nst_status fill_fixture(nst_context *context, const struct convolution_shape *shape, int height, int width,
                               struct check_convolution *fixture, nst_error *error) {
    size_t pixels = (size_t)height * (size_t)width;
    size_t in = (size_t)shape->in_channels, out = (size_t)shape->out_channels;
    size_t weights = in * out * (size_t)(shape->kernel_size * shape->kernel_size);
    bool unpools = shape->unpools;
    struct random_generator generator = random_from_seed(7);
    *fixture = (struct check_convolution){
        .context = context,
        .shape = *shape,
        .in = layout_of(context, shape, shape->from_image, shape->in_channels, height, width),
        .out = layout_of(context, shape, shape->to_image, shape->out_channels, height, width),
        .input = calloc(in * pixels, sizeof(float)),
        .weights = calloc(weights, sizeof(float)),
        .bias = calloc(out, sizeof(float)),
        .sums = calloc(out * pixels, sizeof(double)),
    };
    fixture->selection = unpools ? calloc(check_mask_elements(&fixture->in), sizeof(uint16_t)) : NULL;
    if (!fixture->input || !fixture->weights || !fixture->bias || !fixture->sums || (unpools && !fixture->selection)) {
        return fail_memory(error, weights * sizeof(float), "a check");
    }
    double scale = 1 / sqrt((double)weights / (double)out);
    for (size_t i = 0; i < weights; ++i) {
        fixture->weights[i] = (float)(scale * check_noise(&generator));
    }
    for (size_t i = 0; i < out; ++i) {
        fixture->bias[i] = (float)(0.1 * check_noise(&generator));
    }
    for (size_t i = 0; i < in * pixels; ++i) {
        fixture->input[i] = (float)check_noise(&generator);
    }
    if (unpools) {
        select_pixels(fixture, &generator);
    }
    reference_sums(fixture);
    return NST_OK;
}

void check_convolution_free(struct check_convolution *fixture) {
    if (!fixture) {
        return;
    }
    free(fixture->input);
    free(fixture->weights);
    free(fixture->bias);
    free(fixture->sums);
    free(fixture->selection);
    free(fixture);
}

void check_convolution_set_epilogue(struct check_convolution *fixture, enum convolution_epilogue epilogue) {
    fixture->shape.epilogue = epilogue;
}

nst_status check_convolution_create(nst_context *context, const struct convolution_shape *shape, int height, int width,
                                    struct check_convolution **check, nst_error *error) {
    *check = NULL;
    struct check_convolution *fixture = calloc(1, sizeof *fixture);
    if (!fixture) {
        return fail_memory(error, sizeof *fixture, "a check");
    }
    nst_status status = fill_fixture(context, shape, height, width, fixture, error);
    if (status) {
        check_convolution_free(fixture);
        return status;
    }
    *check = fixture;
    return NST_OK;
}

/* ---- On the device ----------------------------------------------------------------------------------------------- */

/* What goes in and comes out, in the device's layout. */
struct exchange {
    struct check_layout input, output; /* as stored: pooled where the shape says so */
    float *in, *out;                   /* `out` and `mask`: what is there before */
    uint16_t *mask;
    float *result; /* what the device wrote over them */
    uint16_t *result_mask;
    struct convolution_call call;
};

static bool pools(const struct convolution_shape *shape) {
    return shape->epilogue == EPILOGUE_RELU_POOL;
}

static nst_status create_exchange(const struct check_convolution *fixture, struct exchange *exchange,
                                  nst_error *error) {
    const struct convolution_shape *shape = &fixture->shape;
    int in_divisor = shape->unpools ? 2 : 1, out_divisor = pools(shape) ? 2 : 1;
    exchange->input = fixture->in;
    exchange->input.height /= in_divisor;
    exchange->input.width /= in_divisor;
    exchange->output = fixture->out;
    exchange->output.height /= out_divisor;
    exchange->output.width /= out_divisor;
    exchange->in = calloc(check_map_elements(&exchange->input), sizeof(float));
    exchange->out = calloc(check_map_elements(&exchange->output), sizeof(float));
    exchange->mask = calloc(check_mask_elements(&fixture->out), sizeof(uint16_t));
    exchange->result = calloc(check_map_elements(&exchange->output), sizeof(float));
    exchange->result_mask = calloc(check_mask_elements(&fixture->out), sizeof(uint16_t));
    if (!exchange->in || !exchange->out || !exchange->mask || !exchange->result || !exchange->result_mask) {
        return fail_memory(error, check_map_elements(&fixture->in) * sizeof(float), "a check");
    }
    struct random_generator generator = random_from_seed(11);
    const struct check_layout *in = &fixture->in, *out = &fixture->out;
    for (int c = 0; c < in->channels; ++c) {
        for (int y = 0; y < exchange->input.height * in_divisor; ++y) {
            for (int x = 0; x < exchange->input.width * in_divisor; ++x) {
                /* At most one of a window is not zero. */
                exchange->in[check_map_index(&exchange->input, c, y / in_divisor, x / in_divisor)] +=
                    fixture->input[((size_t)c * (size_t)in->height + (size_t)y) * (size_t)in->width + (size_t)x];
            }
        }
    }
    for (int c = 0; c < out->channels; ++c) {
        for (int y = 0; y < out->height; ++y) {
            for (int x = 0; x < out->width; ++x) {
                if (shape->epilogue != EPILOGUE_RELU && !pools(shape) && random_bits(&generator) % 2) {
                    check_mask_set(out, exchange->mask, c, y, x);
                }
                if (!pools(shape)) { /* what MASK_ADD adds to */
                    exchange->out[check_map_index(out, c, y, x)] = (float)check_noise(&generator);
                }
            }
        }
    }
    return NST_OK;
}

static nst_status create_buffers(const struct check_convolution *fixture, struct convolution *convolution,
                                 struct exchange *exchange, nst_error *error) {
    nst_context *context = fixture->context;
    struct convolution_call *call = &exchange->call;
    call->height = fixture->in.height;
    call->width = fixture->in.width;
    uint64_t scratch = convolution_scratch_bytes(convolution, call->height, call->width);
    nst_status status = check_map_create(context, &exchange->input, exchange->in, &call->input, error);
    if (!status) {
        status = check_map_create(context, &exchange->output, exchange->out, &call->output, error);
    }
    if (!status) {
        status = check_buffer(context, exchange->mask, check_mask_elements(&fixture->out) * sizeof(uint16_t),
                              &call->mask, error);
    }
    if (!status && fixture->selection) {
        status = check_buffer(context, fixture->selection, check_mask_elements(&fixture->in) * sizeof(uint16_t),
                              &call->selection, error);
    }
    return status || !scratch ? status : check_buffer(context, NULL, (size_t)scratch, &call->scratch, error);
}

static void release_exchange(nst_context *context, struct exchange *exchange) {
    buffer_release(context, &exchange->call.input);
    buffer_release(context, &exchange->call.output);
    buffer_release(context, &exchange->call.mask);
    buffer_release(context, &exchange->call.selection);
    buffer_release(context, &exchange->call.scratch);
    free(exchange->in);
    free(exchange->out);
    free(exchange->mask);
    free(exchange->result);
    free(exchange->result_mask);
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

/* The error of one value, infinite where a mask does not fit it. */
static double error_at(const struct check_convolution *fixture, const struct exchange *exchange, int c, int y, int x) {
    size_t index = check_map_index(&exchange->output, c, y, x);
    double sum = sum_at(fixture, c, y, x), value = exchange->result[index];
    bool bit = check_mask_bit(&fixture->out, exchange->result_mask, c, y, x);
    switch (fixture->shape.epilogue) {
    case EPILOGUE_RELU:
        return bit == (value > 0) ? fabs(value - fmax(sum, 0)) : INFINITY;
    case EPILOGUE_MASK:
        return fabs(value - (bit ? sum : 0));
    case EPILOGUE_MASK_ADD:
        return fabs(value - exchange->out[index] - (bit ? sum : 0));
    case EPILOGUE_NONE:
    case EPILOGUE_RELU_POOL:
        break;
    }
    return fabs(value - sum);
}

/* The same for a pooled value: the pixel that the mask names must be as large as the largest. */
static double pooled_error_at(const struct check_convolution *fixture, const struct exchange *exchange, int c, int y,
                              int x) {
    double value = exchange->result[check_map_index(&exchange->output, c, y, x)], largest = 0, chosen = 0;
    int bits = 0;
    for (int i = 0; i < 4; ++i) {
        double sum = sum_at(fixture, c, 2 * y + i / 2, 2 * x + i % 2);
        bool bit = check_mask_bit(&fixture->out, exchange->result_mask, c, 2 * y + i / 2, 2 * x + i % 2);
        largest = fmax(largest, sum);
        chosen = bit ? sum : chosen;
        bits += bit;
    }
    if (bits != (value > 0)) {
        return INFINITY;
    }
    double error = fabs(value - largest);
    check_keep_largest(&error, bits ? fabs(chosen - largest) : 0);
    return error;
}

/* The largest error relative to the largest sum; not a number if any is. */
static double compare(const struct check_convolution *fixture, const struct exchange *exchange) {
    double worst = 0;
    for (int c = 0; c < exchange->output.channels; ++c) {
        for (int y = 0; y < exchange->output.height; ++y) {
            for (int x = 0; x < exchange->output.width; ++x) {
                double found = pools(&fixture->shape) ? pooled_error_at(fixture, exchange, c, y, x)
                                                      : error_at(fixture, exchange, c, y, x);
                check_keep_largest(&worst, found);
            }
        }
    }
    return worst / fixture->largest;
}

static nst_status run_and_compare(const struct check_convolution *fixture, struct convolution *convolution,
                                  struct exchange *exchange, double *found, nst_error *error) {
    nst_context *context = fixture->context;
    const struct convolution_call *call = &exchange->call;
    size_t mask_bytes = check_mask_elements(&fixture->out) * sizeof *exchange->result_mask;
    nst_status status = convolution_run(convolution, call, error);
    status = status ? status : check_map_read(context, &exchange->output, call->output, exchange->result, error);
    status = status ? status : buffer_read(context, call->mask, 0, exchange->result_mask, mask_bytes, error);
    if (!status) {
        *found = compare(fixture, exchange);
    }
    return status;
}

double check_convolution_bound(const struct convolution_shape *shape, const struct convolution_engine *engine) {
    return check_map_bound(shape->half_maps, convolution_engine_transforms(engine) ? winograd_bound : direct_bound);
}

nst_status check_convolution_run(const struct check_convolution *check, const struct convolution_choice *choice,
                                 double *found, nst_error *error) {
    struct convolution *convolution = NULL;
    struct exchange exchange = {0};
    *found = NAN;
    const struct convolution_weights weights = {check->weights, check->bias};
    nst_status status = convolution_create_chosen(check->context, &check->shape, choice, &weights, &convolution, error);
    if (!status) {
        status = create_exchange(check, &exchange, error);
    }
    if (!status) {
        status = create_buffers(check, convolution, &exchange, error);
    }
    if (!status) {
        status = run_and_compare(check, convolution, &exchange, found, error);
    }
    release_exchange(check->context, &exchange);
    convolution_destroy(convolution);
    return status;
}
