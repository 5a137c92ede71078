/* losses.c: Gram matrix, style loss and content loss at a layer, against float64 on the host. */
#include "check/map.h"
#include "check/parts.h"

#include "loss/loss.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* Relative to the largest value, or to the value itself for a loss. */
static const double sum_bound = 1e-5;

/* ---- Losses at a layer ------------------------------------------------------------------------------------------- */

/* A network of one convolution and ReLU: the losses read the map that the device itself made of noise. */
struct layer_fixture {
    nst_context *context;
    struct model *model;
    struct style_loss *style;
    struct content_loss *content;
    struct plan plan;
    int image, partials;                  /* plan entries */
    const struct product_engine *product; /* NULL: the one that is chosen */
    bool half;
    int channels;
    struct image_size size;
    struct check_layout layout;
    float *map, *target; /* read back, in the device's layout */
};

static nst_status create_model(struct layer_fixture *fixture, nst_error *error) {
    static const char *const taps[] = {"relu"};
    struct layer layers[2] = {{.kind = LAYER_CONVOLUTION,
                               .name = "convolution",
                               .in_channels = 3,
                               .out_channels = fixture->channels,
                               .kernel_size = 1,
                               .weights = malloc(3 * (size_t)fixture->channels * sizeof(float))},
                              {.kind = LAYER_RELU, .name = "relu"}};
    nst_network network = {
        .name = "check",
        .input = {.order = {0, 1, 2}, .scale = {0.01f, 0.01f, 0.01f}, .offset = {-1.2f, -1.2f, -1.2f}},
        .layer_count = 2,
        .layers = layers};
    struct model_options options = {.taps = taps, .tap_count = 1, .half = fixture->half};
    if (!layers[0].weights) {
        return fail_memory(error, 3 * (size_t)fixture->channels * sizeof(float), "a check");
    }
    struct random_generator generator = random_from_seed(3);
    for (int i = 0; i < 3 * fixture->channels; ++i) {
        layers[0].weights[i] = (float)check_noise(&generator);
    }
    nst_status status = model_create(fixture->context, &network, &options, &fixture->model, error);
    free(layers[0].weights);
    return status;
}

static nst_status plan_layer(struct layer_fixture *fixture, nst_error *error) {
    struct plan *plan = &fixture->plan;
    size_t elements = 3 * (size_t)fixture->size.height * (size_t)fixture->size.width;
    fixture->image = plan_add_always(plan, elements * sizeof(float), "image");
    fixture->partials = plan_add_always(plan, reduction_bytes(fixture->context, 1), "losses");
    nst_status status = model_add_to_plan(fixture->model, plan, &fixture->size, 1, error);
    if (!status) {
        style_loss_add_to_plan(fixture->style, plan, &fixture->size, 1);
        content_loss_add_to_plan(fixture->content, plan, &fixture->size, 1);
        status = plan_assign(plan, error);
    }
    return status ? status : plan_allocate(plan, fixture->context, error);
}

static nst_status create_layer(struct layer_fixture *fixture, nst_error *error) {
    nst_status status = create_model(fixture, error);
    if (!status) {
        status = style_loss_create(fixture->context, fixture->model, 0, NULL, &fixture->style, error);
    }
    if (!status) {
        status = content_loss_create(fixture->context, fixture->model, 0, &fixture->content, error);
    }
    fixture->layout =
        check_layout(fixture->context, fixture->half, fixture->channels, fixture->size.height, fixture->size.width);
    size_t bytes = check_map_elements(&fixture->layout) * sizeof(float);
    fixture->map = malloc(bytes);
    fixture->target = malloc(bytes);
    if (!status && (!fixture->map || !fixture->target)) {
        status = fail_memory(error, bytes, "a check");
    }
    return status ? status : plan_layer(fixture, error);
}

static void release_layer(struct layer_fixture *fixture) {
    plan_free(&fixture->plan, fixture->context);
    style_loss_destroy(fixture->style);
    content_loss_destroy(fixture->content);
    model_destroy(fixture->model);
    free(fixture->map);
    free(fixture->target);
}

/* Runs the network on noise and reads the map. */
static nst_status forward(struct layer_fixture *fixture, uint64_t seed, struct feature_map *map, float *values,
                          nst_error *error) {
    size_t elements = 3 * (size_t)fixture->size.height * (size_t)fixture->size.width;
    cl_mem image = plan_buffer(&fixture->plan, fixture->image);
    float *pixels = malloc(elements * sizeof *pixels);
    if (!pixels) {
        return fail_memory(error, elements * sizeof *pixels, "a check");
    }
    struct random_generator generator = random_from_seed(seed);
    for (size_t i = 0; i < elements; ++i) {
        pixels[i] = (float)(255 * random_uniform(&generator));
    }
    nst_status status = buffer_write(fixture->context, image, 0, pixels, elements * sizeof *pixels, error);
    free(pixels);
    if (!status) {
        status = model_forward(fixture->model, &fixture->plan, image, fixture->size, error);
    }
    *map = model_feature_map(fixture->model, &fixture->plan, 0);
    return status ? status : check_map_read(fixture->context, &fixture->layout, map->values, values, error);
}

static double value_at(const struct check_layout *layout, const float *map, int channel, int pixel) {
    return map[check_map_index(layout, channel, pixel / layout->width, pixel % layout->width)];
}

/* scale * (F F^T)[row][column] */
static double gram_at(const struct layer_fixture *fixture, int row, int column, double scale) {
    int pixels = fixture->layout.height * fixture->layout.width;
    double sum = 0;
    for (int p = 0; p < pixels; ++p) {
        sum += value_at(&fixture->layout, fixture->map, row, p) * value_at(&fixture->layout, fixture->map, column, p);
    }
    return scale * sum;
}

/* The style loss against a target of zero is |s F F^T|^2, its gradient 4 s (s F F^T) F where F is positive: the
 * second with a sample of pixels. */
static nst_status check_style(struct layer_fixture *fixture, double *loss_error, double *gradient_error,
                              nst_error *error) {
    struct feature_map map;
    int channels = fixture->channels, pixels = fixture->size.height * fixture->size.width;
    double scale = 1.0 / pixels, loss = 0, expected_loss = 0;
    struct loss_output output = {.partials = plan_buffer(&fixture->plan, fixture->partials)};
    struct style_loss_weights weights = {.weight = 1, .scale = scale};
    size_t map_bytes = check_map_elements(&fixture->layout) * sizeof(float);
    double *gram = malloc((size_t)channels * (size_t)channels * sizeof *gram);
    float *gradient = malloc(map_bytes);
    cl_mem buffer = NULL;
    nst_status status = gram && gradient ? NST_OK : fail_memory(error, map_bytes, "a check");
    status = status ? status : forward(fixture, 5, &map, fixture->map, error);
    status = status ? status : check_map_create(fixture->context, &fixture->layout, NULL, &buffer, error);
    status = status ? status : style_loss_clear_target(fixture->style, &fixture->plan, error);
    status = status ? status : style_loss_gram(fixture->style, &fixture->plan, &map, error);
    status = status ? status : style_loss_value(fixture->style, &fixture->plan, weights, output, error);
    status = status ? status : style_loss_add_gradient(fixture->style, &fixture->plan, &map, buffer, error);
    status = status ? status : reduction_read(fixture->context, output.partials, 0, &loss, error);
    status = status ? status : check_map_read(fixture->context, &fixture->layout, buffer, gradient, error);
    double largest = 0, largest_error = 0;
    for (int i = 0; !status && i < channels * channels; ++i) {
        gram[i] = i / channels <= i % channels ? gram_at(fixture, i / channels, i % channels, scale)
                                               : gram[i % channels * channels + i / channels];
        expected_loss += gram[i] * gram[i];
    }
    for (int p = 0; !status && p < pixels; p += 7) {
        for (int c = 0; c < channels; ++c) {
            double sum = 0;
            for (int k = 0; k < channels; ++k) {
                sum += 4 * scale * gram[c * channels + k] * value_at(&fixture->layout, fixture->map, k, p);
            }
            sum = value_at(&fixture->layout, fixture->map, c, p) > 0 ? sum : 0;
            check_keep_largest(&largest, fabs(sum));
            check_keep_largest(&largest_error, fabs(value_at(&fixture->layout, gradient, c, p) - sum));
        }
    }
    *loss_error = fabs(loss - expected_loss) / expected_loss;
    *gradient_error = largest_error / largest;
    buffer_release(fixture->context, &buffer);
    free(gram);
    free(gradient);
    return status;
}

static nst_status check_content(struct layer_fixture *fixture, double *loss_error, double *gradient_error,
                                nst_error *error) {
    struct feature_map map;
    size_t elements = check_map_elements(&fixture->layout), bytes = elements * sizeof(float);
    struct loss_output output = {.partials = plan_buffer(&fixture->plan, fixture->partials)};
    float *gradient = malloc(bytes);
    double loss = 0, expected = 0, largest = 0, largest_error = 0;
    cl_mem buffer = NULL;
    nst_status status = gradient ? NST_OK : fail_memory(error, bytes, "a check");
    status = status ? status : forward(fixture, 6, &map, fixture->target, error);
    status = status ? status : content_loss_set_target(fixture->content, &fixture->plan, &map, error);
    status = status ? status : forward(fixture, 7, &map, fixture->map, error);
    status = status ? status : check_map_create(fixture->context, &fixture->layout, NULL, &buffer, error);
    status = status ? status : content_loss_run(fixture->content, &fixture->plan, &map, 1, output, buffer, error);
    status = status ? status : reduction_read(fixture->context, output.partials, 0, &loss, error);
    status = status ? status : check_map_read(fixture->context, &fixture->layout, buffer, gradient, error);
    for (size_t i = 0; !status && i < elements; ++i) {
        double difference = (double)fixture->map[i] - fixture->target[i];
        double slope = fixture->map[i] > 0 ? 2 * difference : 0;
        expected += difference * difference;
        check_keep_largest(&largest, fabs(slope));
        check_keep_largest(&largest_error, fabs(gradient[i] - slope));
    }
    *loss_error = fabs(loss - expected) / expected;
    *gradient_error = largest_error / largest;
    buffer_release(fixture->context, &buffer);
    free(gradient);
    return status;
}

nst_status check_losses(nst_context *context, bool half, int channels, struct image_size size,
                        struct check_report *report, nst_error *error) {
    typedef nst_status check(struct layer_fixture *, double *, double *, nst_error *);
    static const struct {
        const char *loss, *gradient;
        check *run;
    } checks[] = {{"Gram matrix and style loss", "gradient of the style loss", check_style},
                  {"content loss", "gradient of the content loss", check_content}};
    struct layer_fixture fixture = {.context = context, .half = half, .channels = channels, .size = size};
    char detail[64];
    nst_error why;
    snprintf(detail, sizeof detail, "%d channels, %d x %d%s", channels, size.width, size.height,
             half ? ", 16 bits" : "");
    nst_status made = create_layer(&fixture, &why), status = NST_OK;
    for (size_t i = 0; !status && i < sizeof checks / sizeof *checks; ++i) {
        double loss_error = NAN, gradient_error = NAN;
        nst_status run = made ? made : checks[i].run(&fixture, &loss_error, &gradient_error, &why);
        if (run) {
            status = check_report_add_failure(report, checks[i].loss, detail, &why, error);
            continue;
        }
        status = check_report_add(report, checks[i].loss, detail, loss_error, sum_bound, error);
        status = status ? status
                        : check_report_add(report, checks[i].gradient, detail, gradient_error,
                                           check_map_bound(half, sum_bound), error);
    }
    release_layer(&fixture);
    return status;
}
