/* convolutions.c: every convolution engine with every epilogue, against sums in float64 on the host. */
#include "check/known.h"

#include "support/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct known_case {
    int in_channels, out_channels, kernel_size, height, width;
    bool every_engine; /* else only the one that the device chooses */
    int epilogues;     /* one bit for each */
    bool of_image;     /* reads or writes the image, as first convolutions do, if the device's engines can */
};

enum { EVERY_EPILOGUE = -1 };
#define ONLY(epilogue) (1 << (epilogue))

/* Layers of VGG-19, at sizes that no tile divides. */
static const struct known_case cases[] = {
    {3, 64, 3, 33, 17, true, EVERY_EPILOGUE, false},      {64, 64, 3, 37, 29, true, EVERY_EPILOGUE, false},
    {64, 3, 3, 33, 17, true, EVERY_EPILOGUE, false},      {128, 96, 3, 16, 20, false, EVERY_EPILOGUE, false},
    {256, 512, 3, 7, 9, false, EVERY_EPILOGUE, false},    {64, 64, 1, 37, 29, false, EVERY_EPILOGUE, false},
    {512, 512, 1, 8, 9, false, EVERY_EPILOGUE, false},    {3, 64, 3, 33, 17, false, ONLY(EPILOGUE_RELU), true},
    {64, 3, 3, 33, 17, false, ONLY(EPILOGUE_NONE), true},
};

/* What a job needs in any case, so that its kernels are compiled only once; sizes for a fraction of a second. */
static const struct known_case brief_cases[] = {
    {3, 64, 3, 9, 14, false, ONLY(EPILOGUE_RELU), true},
    {64, 64, 3, 9, 14, false, ONLY(EPILOGUE_RELU) | ONLY(EPILOGUE_RELU_POOL) | ONLY(EPILOGUE_MASK), false},
    {64, 3, 3, 9, 14, false, ONLY(EPILOGUE_NONE), true},
    {64, 64, 1, 9, 14, false, ONLY(EPILOGUE_MASK_ADD), false},
};

/* Relative to the largest sum: rounding of up to 2304 products, and of Winograd's transforms. */
static const double direct_bound = 1e-5, winograd_bound = 3e-5;

struct known_convolution {
    nst_context *context;
    struct convolution_shape shape;
    struct known_layout in, out; /* out: before pooling */
    float *input, *weights, *bias;
    double *sums; /* [out_channels][height][width] */
    double largest;
    uint16_t *selection; /* of the input, for a shape that unpools, else NULL */
};

/* ---- On the host ------------------------------------------------------------------------------------------------- */

static void reference_sums(struct known_convolution *fixture) {
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

static double sum_at(const struct known_convolution *fixture, int channel, int y, int x) {
    return fixture
        ->sums[((size_t)channel * (size_t)fixture->out.height + (size_t)y) * (size_t)fixture->out.width + (size_t)x];
}

/* Leaves of each 2x2 window of the input one pixel, as a pooling's backward pass does, and says which. */
static void select_pixels(struct known_convolution *fixture, struct random_generator *generator) {
    const struct known_layout *in = &fixture->in;
    for (int c = 0; c < in->channels; ++c) {
        float *plane = fixture->input + (size_t)c * (size_t)in->height * (size_t)in->width;
        for (int y = 0; y < in->height; ++y) {
            for (int x = 0; x < in->width; ++x) {
                if (y % 2 == 0 && x % 2 == 0 && y + 1 < in->height && x + 1 < in->width) {
                    int chosen = (int)(random_bits(generator) % 4);
                    known_mask_set(in, fixture->selection, c, y + chosen / 2, x + chosen % 2);
                }
            }
        }
        for (int y = 0; y < in->height; ++y) {
            for (int x = 0; x < in->width; ++x) {
                plane[y * in->width + x] *= known_mask_bit(in, fixture->selection, c, y, x);
            }
        }
    }
}

/* An image is planar, and never of 16 bits. */
static struct known_layout layout_of(const nst_context *context, const struct convolution_shape *shape, bool is_image,
                                     int channels, int height, int width) {
    struct known_layout layout = known_layout(context, shape->half_maps && !is_image, channels, height, width);
    layout.block = is_image ? 1 : layout.block;
    return layout;
}

static nst_status fill_fixture(nst_context *context, const struct convolution_shape *shape, int height, int width,
                               struct known_convolution *fixture, nst_error *error) {
    size_t pixels = (size_t)height * (size_t)width;
    size_t in = (size_t)shape->in_channels, out = (size_t)shape->out_channels;
    size_t weights = in * out * (size_t)(shape->kernel_size * shape->kernel_size);
    bool unpools = shape->unpools;
    struct random_generator generator = random_from_seed(7);
    *fixture = (struct known_convolution){
        .context = context,
        .shape = *shape,
        .in = layout_of(context, shape, shape->from_image, shape->in_channels, height, width),
        .out = layout_of(context, shape, shape->to_image, shape->out_channels, height, width),
        .input = malloc(in * pixels * sizeof(float)),
        .weights = malloc(weights * sizeof(float)),
        .bias = malloc(out * sizeof(float)),
        .sums = malloc(out * pixels * sizeof(double)),
    };
    fixture->selection = unpools ? calloc(known_mask_elements(&fixture->in), sizeof(uint16_t)) : NULL;
    if (!fixture->input || !fixture->weights || !fixture->bias || !fixture->sums || (unpools && !fixture->selection)) {
        return fail_memory(error, weights * sizeof(float), "a known answer");
    }
    double scale = 1 / sqrt((double)weights / (double)out);
    for (size_t i = 0; i < weights; ++i) {
        fixture->weights[i] = (float)(scale * known_noise(&generator));
    }
    for (size_t i = 0; i < out; ++i) {
        fixture->bias[i] = (float)(0.1 * known_noise(&generator));
    }
    for (size_t i = 0; i < in * pixels; ++i) {
        fixture->input[i] = (float)known_noise(&generator);
    }
    if (unpools) {
        select_pixels(fixture, &generator);
    }
    reference_sums(fixture);
    return NST_OK;
}

void known_convolution_free(struct known_convolution *fixture) {
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

nst_status known_convolution_create(nst_context *context, const struct convolution_shape *shape, int height, int width,
                                    struct known_convolution **known, nst_error *error) {
    *known = NULL;
    struct known_convolution *fixture = calloc(1, sizeof *fixture);
    if (!fixture) {
        return fail_memory(error, sizeof *fixture, "a known answer");
    }
    nst_status status = fill_fixture(context, shape, height, width, fixture, error);
    if (status) {
        known_convolution_free(fixture);
        return status;
    }
    *known = fixture;
    return NST_OK;
}

/* ---- On the device ----------------------------------------------------------------------------------------------- */

/* What goes in and comes out, in the device's layout. */
struct exchange {
    struct known_layout input, output; /* as stored: pooled where the shape says so */
    float *in, *out;
    uint16_t *mask;
    struct convolution_call call;
};

static bool pools(const struct convolution_shape *shape) {
    return shape->epilogue == EPILOGUE_RELU_POOL;
}

static nst_status create_exchange(const struct known_convolution *fixture, struct exchange *exchange,
                                  nst_error *error) {
    const struct convolution_shape *shape = &fixture->shape;
    int in_divisor = shape->unpools ? 2 : 1, out_divisor = pools(shape) ? 2 : 1;
    exchange->input = fixture->in;
    exchange->input.height /= in_divisor;
    exchange->input.width /= in_divisor;
    exchange->output = fixture->out;
    exchange->output.height /= out_divisor;
    exchange->output.width /= out_divisor;
    exchange->in = calloc(known_map_elements(&exchange->input), sizeof(float));
    exchange->out = calloc(known_map_elements(&exchange->output), sizeof(float));
    exchange->mask = calloc(known_mask_elements(&fixture->out), sizeof(uint16_t));
    if (!exchange->in || !exchange->out || !exchange->mask) {
        return fail_memory(error, known_map_elements(&fixture->in) * sizeof(float), "a known answer");
    }
    struct random_generator generator = random_from_seed(11);
    const struct known_layout *in = &fixture->in, *out = &fixture->out;
    for (int c = 0; c < in->channels; ++c) {
        for (int y = 0; y < exchange->input.height * in_divisor; ++y) {
            for (int x = 0; x < exchange->input.width * in_divisor; ++x) {
                /* At most one of a window is not zero. */
                exchange->in[known_map_index(&exchange->input, c, y / in_divisor, x / in_divisor)] +=
                    fixture->input[((size_t)c * (size_t)in->height + (size_t)y) * (size_t)in->width + (size_t)x];
            }
        }
    }
    for (int c = 0; c < out->channels; ++c) {
        for (int y = 0; y < out->height; ++y) {
            for (int x = 0; x < out->width; ++x) {
                if (shape->epilogue != EPILOGUE_RELU && !pools(shape) && random_bits(&generator) % 2) {
                    known_mask_set(out, exchange->mask, c, y, x);
                }
                if (!pools(shape)) { /* what MASK_ADD adds to */
                    exchange->out[known_map_index(out, c, y, x)] = (float)known_noise(&generator);
                }
            }
        }
    }
    return NST_OK;
}

static nst_status create_buffers(const struct known_convolution *fixture, struct convolution *convolution,
                                 struct exchange *exchange, nst_error *error) {
    nst_context *context = fixture->context;
    struct convolution_call *call = &exchange->call;
    call->height = fixture->in.height;
    call->width = fixture->in.width;
    uint64_t scratch = convolution_scratch_bytes(convolution, call->height, call->width);
    nst_status status = known_map_create(context, &exchange->input, exchange->in, &call->input, error);
    if (!status) {
        status = known_map_create(context, &exchange->output, exchange->out, &call->output, error);
    }
    if (!status) {
        status = known_buffer(context, exchange->mask, known_mask_elements(&fixture->out) * sizeof(uint16_t),
                              &call->mask, error);
    }
    if (!status && fixture->selection) {
        status = known_buffer(context, fixture->selection, known_mask_elements(&fixture->in) * sizeof(uint16_t),
                              &call->selection, error);
    }
    return status || !scratch ? status : known_buffer(context, NULL, (size_t)scratch, &call->scratch, error);
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
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

/* The error of one value, infinite where a mask does not fit it. `out` and `mask` are what the device wrote,
 * `before` what was there. */
static double error_at(const struct known_convolution *fixture, const struct exchange *exchange, const float *out,
                       const uint16_t *mask, int c, int y, int x) {
    size_t index = known_map_index(&exchange->output, c, y, x);
    double sum = sum_at(fixture, c, y, x), value = out[index];
    bool bit = known_mask_bit(&fixture->out, mask, c, y, x);
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
static double pooled_error_at(const struct known_convolution *fixture, const struct exchange *exchange,
                              const float *out, const uint16_t *mask, int c, int y, int x) {
    double value = out[known_map_index(&exchange->output, c, y, x)], largest = 0, chosen = 0;
    int bits = 0;
    for (int i = 0; i < 4; ++i) {
        double sum = sum_at(fixture, c, 2 * y + i / 2, 2 * x + i % 2);
        bool bit = known_mask_bit(&fixture->out, mask, c, 2 * y + i / 2, 2 * x + i % 2);
        largest = fmax(largest, sum);
        chosen = bit ? sum : chosen;
        bits += bit;
    }
    if (bits != (value > 0)) {
        return INFINITY;
    }
    return fmax(fabs(value - largest), bits ? fabs(chosen - largest) : 0);
}

/* The largest error relative to the largest sum; not a number if any is. */
static double compare(const struct known_convolution *fixture, const struct exchange *exchange, const float *out,
                      const uint16_t *mask) {
    double worst = 0;
    for (int c = 0; c < exchange->output.channels; ++c) {
        for (int y = 0; y < exchange->output.height; ++y) {
            for (int x = 0; x < exchange->output.width; ++x) {
                double found = pools(&fixture->shape) ? pooled_error_at(fixture, exchange, out, mask, c, y, x)
                                                      : error_at(fixture, exchange, out, mask, c, y, x);
                worst = found <= worst ? worst : found;
            }
        }
    }
    return worst / fixture->largest;
}

static nst_status run_and_compare(const struct known_convolution *fixture, struct convolution *convolution,
                                  struct exchange *exchange, double *found, nst_error *error) {
    nst_context *context = fixture->context;
    size_t out_bytes = known_map_elements(&exchange->output) * sizeof(float);
    size_t mask_bytes = known_mask_elements(&fixture->out) * sizeof(uint16_t);
    float *out = malloc(out_bytes);
    uint16_t *mask = malloc(mask_bytes);
    nst_status status = out && mask ? NST_OK : fail_memory(error, out_bytes + mask_bytes, "a known answer");
    if (!status) {
        status = convolution_run(context, convolution, &exchange->call, error);
    }
    if (!status) {
        status = known_map_read(context, &exchange->output, exchange->call.output, out, error);
    }
    if (!status) {
        status = buffer_read(context, exchange->call.mask, 0, mask, mask_bytes, error);
    }
    if (!status) {
        *found = compare(fixture, exchange, out, mask);
    }
    free(out);
    free(mask);
    return status;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void describe(const struct known_convolution *fixture, enum convolution_engine engine, char name[64],
                     char detail[64]) {
    static const char *const epilogues[] = {"", ", ReLU", ", mask", ", mask and add", ", ReLU and pooling"};
    const struct convolution_shape *shape = &fixture->shape;
    const char *image = shape->from_image ? ", of the image" : shape->to_image ? ", to the image" : "";
    snprintf(name, 64, "convolution %dx%d%s%s%s", shape->kernel_size, shape->kernel_size, image,
             epilogues[shape->epilogue], shape->unpools ? ", unpooling" : "");
    snprintf(detail, 64, "%s, %d to %d, %d x %d%s", convolution_engine_name(engine), shape->in_channels,
             shape->out_channels, fixture->in.width, fixture->in.height, shape->half_maps ? ", 16 bits" : "");
}

double known_convolution_bound(const struct convolution_shape *shape, enum convolution_engine engine) {
    return known_map_bound(shape->half_maps, convolution_is_winograd(engine) ? winograd_bound : direct_bound);
}

nst_status known_convolution_check(const struct known_convolution *known, const struct convolution_choice *choice,
                                   double *found, nst_error *error) {
    struct convolution *convolution = NULL;
    struct exchange exchange = {0};
    *found = NAN;
    nst_status status = convolution_create_chosen(known->context, &known->shape, choice, known->weights,
                                                  known->shape.has_bias ? known->bias : NULL, &convolution, error);
    if (!status) {
        status = create_exchange(known, &exchange, error);
    }
    if (!status) {
        status = create_buffers(known, convolution, &exchange, error);
    }
    if (!status) {
        status = run_and_compare(known, convolution, &exchange, found, error);
    }
    release_exchange(known->context, &exchange);
    convolution_destroy(known->context, convolution);
    return status;
}

/* One engine, one epilogue. An engine that cannot do it makes no line. */
static nst_status check_engine(const struct known_convolution *known, enum convolution_engine engine,
                               struct known_answers *answers, nst_error *error) {
    struct convolution_choice choice = convolution_choose(known->context, &known->shape, engine);
    char name[64], detail[64];
    nst_error why;
    double found;
    nst_status status = known_convolution_check(known, &choice, &found, &why);
    if (status == NST_ERROR_ARGUMENT) {
        return NST_OK;
    }
    describe(known, choice.engine, name, detail);
    return status
               ? known_add_failure(answers, name, detail, &why, error)
               : known_add(answers, name, detail, found, known_convolution_bound(&known->shape, choice.engine), error);
}

/* The shape of a case, but for its epilogue. */
static struct convolution_shape shape_of(nst_context *context, const struct known_case *known, bool half,
                                         bool unpools) {
    struct convolution_shape shape = {.in_channels = known->in_channels,
                                      .out_channels = known->out_channels,
                                      .kernel_size = known->kernel_size,
                                      .padding = known->kernel_size / 2,
                                      .has_bias = !unpools,
                                      .unpools = unpools,
                                      .half_weights = half,
                                      .half_maps = half};
    struct convolution_shape of_image = shape;
    of_image.from_image = known->in_channels == 3;
    of_image.to_image = known->out_channels == 3;
    of_image.has_bias = !of_image.to_image;
    return known->of_image && convolution_is_possible(context, &of_image) ? of_image : shape;
}

/* One shape with its epilogues: those of the forward pass with a bias, those of the backward pass without. */
static nst_status check_case(nst_context *context, const struct known_case *known, bool half, bool unpools,
                             struct known_answers *answers, nst_error *error) {
    struct convolution_shape base = shape_of(context, known, half, unpools);
    struct known_convolution *fixture;
    nst_status status = known_convolution_create(context, &base, known->height, known->width, &fixture, error);
    for (int epilogue = EPILOGUE_NONE; !status && epilogue <= EPILOGUE_RELU_POOL; ++epilogue) {
        struct convolution_shape *shape = &fixture->shape;
        shape->epilogue = epilogue;
        if (!(known->epilogues & ONLY(epilogue))) {
            continue;
        }
        if (epilogue == EPILOGUE_RELU_POOL && (unpools || !convolution_can_pool(context, shape))) {
            continue;
        }
        if (unpools && epilogue != EPILOGUE_NONE && epilogue != EPILOGUE_MASK) {
            continue;
        }
        if (!known->every_engine || half || unpools || epilogue == EPILOGUE_RELU_POOL) {
            status = check_engine(fixture, CONVOLUTION_AUTO, answers, error);
            continue;
        }
        for (int engine = CONVOLUTION_PLAIN; !status && engine <= CONVOLUTION_CLBLAST; ++engine) {
            status = check_engine(fixture, engine, answers, error);
        }
    }
    known_convolution_free(fixture);
    return status;
}

/* A case, and its backward pass through a pooling. */
static nst_status check_both_ways(nst_context *context, const struct known_case *known, bool half,
                                  struct known_answers *answers, nst_error *error) {
    struct known_case back = *known;
    back.in_channels = known->out_channels;
    back.out_channels = known->in_channels;
    struct convolution_shape shape = shape_of(context, &back, half, false);
    shape.epilogue = EPILOGUE_RELU_POOL;
    nst_status status = check_case(context, known, half, false, answers, error);
    if (!status && !known->of_image && convolution_can_pool(context, &shape)) {
        status = check_case(context, known, half, true, answers, error);
    }
    return status;
}

nst_status known_convolutions(nst_context *context, bool brief, struct known_answers *answers, nst_error *error) {
    const struct known_case *list = brief ? brief_cases : cases;
    size_t count = brief ? sizeof brief_cases / sizeof *brief_cases : sizeof cases / sizeof *cases;
    nst_status status = NST_OK;
    for (int half = 0; half <= !brief; ++half) {
        for (size_t i = 0; !status && i < count; ++i) {
            struct convolution_shape shape = shape_of(context, &list[i], half, false);
            bool is_repeated = !brief && list[i].of_image && !shape.from_image && !shape.to_image;
            status = is_repeated ? NST_OK : check_both_ways(context, &list[i], half, answers, error);
        }
    }
    return status;
}
