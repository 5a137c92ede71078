/* losses.c: every loss that the context knows, value and gradient, against what its kind says in float64. */
#include "check/map.h"
#include "check/parts.h"
#include "loss/loss.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* Relative to the largest value, or to the value itself for a loss. */
static const double sum_bound = 1e-5;

/* Both sides of every option. */
static const struct loss_options option_sets[] = {{.relative = true, .epsilon = 1e-2, .power = 2, .mean = true},
                                                  {.epsilon = 1e-2, .gram_by_channels = true, .power = 1},
                                                  {.epsilon = 1e-2, .power = 2, .nine_points = true}};
static const char *const option_names[] = {"", ", other options", ", nine points"};
enum { LAYER_SETS = 2, IMAGE_SETS = sizeof option_sets / sizeof *option_sets };

/* One loss at the map that the device itself makes of noise: of a network of one convolution and ReLU, or, for losses on
 * the image, of the noise. */
struct fixture {
    nst_context *context;
    bool half;
    struct image_size size;
    struct check_layout layout; /* of the map */
    struct model *model;        /* NULL for losses on the image */
    struct model_run *model_run;
    struct loss *loss;
    struct loss_run *run;
    struct plan plan;
    int image, gradient;                      /* plan entries */
    double *map, *content, *style, *expected; /* plain arrays [channels][height][width], in one allocation */
};

/* ---- Making it --------------------------------------------------------------------------------------------------- */

static nst_status create_model(struct fixture *fixture, nst_error *error) {
    static const char *const taps[] = {"relu"};
    int channels = fixture->layout.channels;
    struct layer layers[2] = {{.kind = LAYER_CONVOLUTION,
                               .name = "convolution",
                               .in_channels = 3,
                               .out_channels = channels,
                               .kernel_size = 1,
                               .weights = malloc(3 * (size_t)channels * sizeof(float))},
                              {.kind = LAYER_RELU, .name = "relu"}};
    nst_network network = {
        .name = "self-test",
        .input = {.order = {0, 1, 2}, .scale = {0.01f, 0.01f, 0.01f}, .offset = {-1.2f, -1.2f, -1.2f}},
        .layer_count = 2,
        .layers = layers};
    struct model_options options = {.taps = taps, .tap_count = 1, .half = fixture->half};
    if (!layers[0].weights) {
        return fail_memory(error, 3 * (size_t)channels * sizeof(float), "a self-test");
    }
    struct random_generator generator = random_from_seed(3);
    for (int i = 0; i < 3 * channels; ++i) {
        layers[0].weights[i] = (float)check_noise(&generator);
    }
    nst_status status = model_create(fixture->context, &network, &options, &fixture->model, error);
    free(layers[0].weights);
    return status;
}

static nst_status plan_fixture(struct fixture *fixture, nst_error *error) {
    struct plan *plan = &fixture->plan;
    const struct image_size sizes[] = {fixture->size, fixture->size}; /* of the picture and its style */
    size_t elements = 3 * (size_t)fixture->size.height * (size_t)fixture->size.width;
    fixture->image = plan_add_always(plan, elements * sizeof(float), "image");
    fixture->gradient = plan_add_always(plan, check_map_elements(&fixture->layout) * sizeof(float), "gradient");
    nst_status status = NST_OK;
    if (fixture->model) {
        status = model_reserve(fixture->model, plan, sizes, 2, &fixture->model_run, error);
    }
    if (!status) {
        status = loss_reserve(fixture->loss, plan, sizes, 2, &fixture->run, error);
    }
    int partials = plan_add_always(plan, reduction_bytes(fixture->context, 1), "losses");
    if (!status) {
        loss_run_set_partials(fixture->run, partials, 0);
        status = plan_assign(plan, error);
    }
    return status ? status : plan_allocate(plan, fixture->context, error);
}

static nst_status create_fixture(struct fixture *fixture, const struct loss_methods *methods,
                                 const struct loss_options *options, nst_error *error) {
    struct loss_spec spec = {.kind = methods->kind, .weight = 1, .options = *options};
    size_t elements = (size_t)fixture->layout.channels * (size_t)fixture->size.height * (size_t)fixture->size.width;
    fixture->map = malloc(4 * elements * sizeof *fixture->map);
    if (!fixture->map) {
        return fail_memory(error, 4 * elements * sizeof *fixture->map, "a self-test");
    }
    fixture->content = fixture->map + elements;
    fixture->style = fixture->content + elements;
    fixture->expected = fixture->style + elements;
    nst_status status = NST_OK;
    if (!methods->on_image) {
        spec.layers[spec.layer_count++] = "relu";
        status = create_model(fixture, error);
    }
    if (!status) {
        status = loss_create(fixture->context, fixture->model, &spec, &fixture->loss, error);
    }
    return status ? status : plan_fixture(fixture, error);
}

static void release_fixture(struct fixture *fixture) {
    loss_run_free(fixture->run);
    model_run_free(fixture->model_run);
    plan_free(&fixture->plan, fixture->context);
    loss_destroy(fixture->loss);
    model_destroy(fixture->model);
    free(fixture->map);
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

static struct loss_map map_of(const struct fixture *fixture) {
    if (fixture->model) {
        return (struct loss_map){.map = model_feature_map(fixture->model_run, 0), .image = fixture->size};
    }
    return (struct loss_map){.map = {.values = plan_buffer(&fixture->plan, fixture->image),
                                     .channels = 3,
                                     .height = fixture->size.height,
                                     .width = fixture->size.width},
                             .image = fixture->size};
}

/* A map or gradient on the device as a plain array. */
static nst_status read_plain(const struct fixture *fixture, cl_mem buffer, double *values, nst_error *error) {
    const struct check_layout *layout = &fixture->layout;
    size_t bytes = check_map_elements(layout) * sizeof(float);
    float *map = malloc(bytes);
    nst_status status =
        map ? check_map_read(fixture->context, layout, buffer, map, error) : fail_memory(error, bytes, "a self-test");
    for (int c = 0; !status && c < layout->channels; ++c) {
        for (int y = 0; y < layout->height; ++y) {
            for (int x = 0; x < layout->width; ++x) {
                *values++ = map[check_map_index(layout, c, y, x)];
            }
        }
    }
    free(map);
    return status;
}

/* Makes the map of noise up to `most`, and reads it. */
static nst_status make_map(struct fixture *fixture, uint64_t seed, double most, double *values, nst_error *error) {
    size_t elements = 3 * (size_t)fixture->size.height * (size_t)fixture->size.width;
    cl_mem image = plan_buffer(&fixture->plan, fixture->image);
    float *pixels = malloc(elements * sizeof *pixels);
    if (!pixels) {
        return fail_memory(error, elements * sizeof *pixels, "a self-test");
    }
    struct random_generator generator = random_from_seed(seed);
    for (size_t i = 0; i < elements; ++i) {
        pixels[i] = (float)(most * random_uniform(&generator));
    }
    nst_status status = buffer_write(fixture->context, image, 0, pixels, elements * sizeof *pixels, error);
    free(pixels);
    if (!status && fixture->model) {
        status = model_forward(fixture->model_run, image, fixture->size, error);
    }
    return status ? status : read_plain(fixture, map_of(fixture).map.values, values, error);
}

/* The targets come from other noise; the style's is darker, so that the statistics differ too. */
static nst_status set_targets(struct fixture *fixture, nst_error *error) {
    const struct loss_target content = {.picture = LOSS_CONTENT, .share = 1},
                             style = {.picture = LOSS_STYLE, .share = 1}, survey = {.picture = LOSS_SURVEY, .share = 1},
                             previous = {.picture = LOSS_PREVIOUS, .share = 1};
    const struct region everywhere = {.image = fixture->size};
    nst_status status = loss_target_begin(fixture->run, &everywhere, 1, error);
    struct loss_map at;
    status = status ? status : make_map(fixture, 6, 200, fixture->style, error);
    if (!status) {
        at = map_of(fixture);
        status = loss_target_add(fixture->run, &at, &survey, error);
    }
    status = status ? status : make_map(fixture, 5, 255, fixture->content, error);
    if (!status) {
        at = map_of(fixture);
        status = loss_target_add(fixture->run, &at, &content, error);
        status = status ? status : loss_target_add(fixture->run, &at, &previous, error);
    }
    status = status ? status : make_map(fixture, 6, 200, fixture->style, error);
    if (!status) {
        at = map_of(fixture);
        status = loss_target_add(fixture->run, &at, &style, error);
    }
    return status ? status : loss_target_end(fixture->run, error);
}

/* The loss, and its gradient in `gradient`. */
static nst_status evaluate(struct fixture *fixture, double *loss, double *gradient, nst_error *error) {
    cl_mem buffer = plan_buffer(&fixture->plan, fixture->gradient);
    size_t bytes = check_map_elements(&fixture->layout) * sizeof(float);
    nst_status status = make_map(fixture, 7, 255, fixture->map, error);
    if (status) {
        return status;
    }
    struct loss_map at = map_of(fixture);
    status = loss_gather(fixture->run, &at, error);
    status = status ? status : loss_value(fixture->run, &at, error);
    status = status ? status : buffer_fill_zero(fixture->context, buffer, bytes, error);
    status = status ? status : loss_add_gradient(fixture->run, &at, buffer, error);
    status = status ? status : loss_read_sum(fixture->run, loss, error);
    return status ? status : read_plain(fixture, buffer, gradient, error);
}

static nst_status measure_errors(struct fixture *fixture, double *loss_error, double *gradient_error,
                                 nst_error *error) {
    const struct check_layout *layout = &fixture->layout;
    size_t elements = (size_t)layout->channels * (size_t)layout->height * (size_t)layout->width;
    struct loss_reference in = {layout->channels, layout->height,   layout->width,
                                fixture->map,     fixture->content, fixture->style};
    double loss = 0, largest = 0, largest_error = 0;
    double *gradient = malloc(elements * sizeof *gradient);
    nst_status status = gradient ? NST_OK : fail_memory(error, elements * sizeof *gradient, "a self-test");
    status = status ? status : set_targets(fixture, error);
    status = status ? status : evaluate(fixture, &loss, gradient, error);
    if (!status) {
        double expected = fixture->loss->methods->reference(&fixture->loss->options, &in, fixture->expected);
        for (size_t i = 0; i < elements; ++i) {
            bool passes = !fixture->model || fixture->map[i] > 0; /* the ReLU */
            double slope = passes ? fixture->expected[i] : 0;
            check_keep_largest(&largest, fabs(slope));
            check_keep_largest(&largest_error, fabs(gradient[i] - slope));
        }
        *loss_error = fabs(loss - expected) / expected;
        *gradient_error = largest_error / largest;
    }
    free(gradient);
    return status;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static nst_status check_loss(struct fixture *fixture, const struct loss_methods *methods, int option_set,
                             struct check_report *report, nst_error *error) {
    char name[40], gradient_name[64], detail[64];
    double loss_error = NAN, gradient_error = NAN;
    nst_error why;
    snprintf(name, sizeof name, "%s loss%s", methods->kind, option_names[option_set]);
    snprintf(gradient_name, sizeof gradient_name, "gradient of the %s", name);
    snprintf(detail, sizeof detail, "%d channels, %d x %d%s", fixture->layout.channels, fixture->size.width,
             fixture->size.height, fixture->half ? ", 16 bits" : "");
    nst_status run = create_fixture(fixture, methods, &option_sets[option_set], &why);
    run = run ? run : measure_errors(fixture, &loss_error, &gradient_error, &why);
    release_fixture(fixture);
    if (run) {
        return check_report_add_failure(report, name, detail, &why, error);
    }
    double bound = methods->reference_bound > 0 ? methods->reference_bound : sum_bound;
    nst_status status = check_report_add(report, name, detail, loss_error, bound, error);
    return status ? status
                  : check_report_add(report, gradient_name, detail, gradient_error,
                                     check_map_bound(fixture->half, bound), error);
}

nst_status check_losses(nst_context *context, const struct check_losses_at *at, struct check_report *report,
                        nst_error *error) {
    nst_status status = NST_OK;
    for (const struct loss_methods *const *methods = loss_table(context); !status && *methods; ++methods) {
        int sets = at->brief ? 1 : (*methods)->on_image ? IMAGE_SETS : LAYER_SETS;
        for (int set = 0; !status && set < sets; ++set) {
            bool on_image = (*methods)->on_image;
            struct fixture fixture = {.context = context, .half = at->half, .size = at->size};
            fixture.layout =
                check_layout(context, at->half, on_image ? 3 : at->channels, at->size.height, at->size.width);
            if (on_image) { /* planes of floats */
                fixture.layout.block = 1;
                fixture.layout.half = false;
            }
            bool is_due = (*methods)->reference && !(at->brief && (*methods)->rarely_used);
            if (is_due && on_image == at->on_image) {
                status = check_loss(&fixture, *methods, set, report, error);
            }
        }
    }
    return status;
}
