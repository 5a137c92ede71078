/* total_variation.c: the total variation of the image, float [3][height][width].
 *
 *     power 1: loss = a sum |dx| + |dy|        power 2: loss = a sum dx^2 + dy^2
 *
 * over neighboring pixels. a = weight, or, for a mean of the image in 0..1, weight / (elements 255^power).
 *
 *     nine points: loss = weight (2/3 mean dx^2 + 2/3 mean dy^2 + 1/6 mean dd^2 + 1/6 mean de^2)
 *
 * of the image in 0..1, d and e being the diagonals of the image with one more pixel around, as style-transfer-pytorch
 * has it: means over the image's elements, and over 3 (height + 1) (width + 1).
 *
 * Where only a part of the image counts, by weights of its pixels, means are divided by that part's elements: a pixel is
 * smoothed as much as without weights beside the other losses. The pixels of the rest still have differences.
 */
#include "loss/kinds.h"

#include <math.h>

struct total_variation {
    cl_kernel loss, value; /* the latter not of nine points */
};

struct total_variation_run {
    double part; /* of the image's pixels that counts; 0 until it is told */
};

static nst_status target_begin(struct loss_run *run, const struct region *region, nst_error *error) {
    (void)error;
    struct total_variation_run *own = run->state;
    bool is_mean = run->loss->options.mean || run->loss->options.nine_points;
    own->part = is_mean ? region_part(region) : 1;
    return NST_OK;
}

/* The loss's weight for a mean over what counts. */
static double mean_weight(const struct loss_run *run) {
    const struct total_variation_run *own = run->state;
    return own->part > 0 ? run->loss->weight / own->part : run->loss->weight;
}

static nst_status create(struct loss *loss, nst_error *error) {
    struct total_variation *tv = loss->state;
    if (loss->options.nine_points) {
        return kernel_create(loss->context, "total_variation_nine.cl", "", "total_variation_nine", &tv->loss, error);
    }
    const char *option = loss->options.power == 1 ? "-D POWER=1" : "-D POWER=2";
    nst_status status = kernel_create(loss->context, "total_variation.cl", option, "total_variation", &tv->loss, error);
    return status
               ? status
               : kernel_create(loss->context, "total_variation.cl", option, "total_variation_value", &tv->value, error);
}

static void destroy(struct loss *loss) {
    struct total_variation *tv = loss->state;
    kernel_release(&tv->loss);
    kernel_release(&tv->value);
}

static double divisor_of(const struct loss_options *options, double elements) {
    return options->mean ? elements * pow(255, options->power) : 1;
}

static float weight_of(const struct loss_run *run, const struct loss_map *at) {
    struct image_size whole = loss_whole(at);
    return (float)(mean_weight(run) / divisor_of(&run->loss->options, 3.0 * whole.height * whole.width));
}

/* The pixels whose gradient, and whose differences from the next, are wanted. */
static struct kernel_argument core_argument(const struct loss_map *at) {
    struct rectangle core = loss_core(at);
    return arg_int4(core.y, core.x, core.height, core.width);
}

/* What a squared difference of the image in 0..255 counts: along rows and columns, and along diagonals. */
static void nine_point_factors(int height, int width, double *straight, double *diagonal) {
    const double range = 255 * 255;
    *straight = 2.0 / 3 / (3.0 * height * width * range);
    *diagonal = 1.0 / 6 / (3.0 * (height + 1.0) * (width + 1.0) * range);
}

/* `gradient` NULL: the value alone. */
static nst_status run_nine_points(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct total_variation *tv = run->loss->state;
    const struct feature_map *image = &at->map;
    struct image_size whole = loss_whole(at);
    double straight, diagonal, weight = mean_weight(run);
    nine_point_factors(whole.height, whole.width, &straight, &diagonal);
    return kernel_run(run->loss->context, tv->loss, reduction_work(run->loss->context),
                      ARGUMENTS(arg_buffer(image->values), arg_buffer(gradient), arg_int(gradient != NULL),
                                arg_buffer(loss_partials(run)), arg_int(run->slot), arg_int(image->height),
                                arg_int(image->width), core_argument(at), arg_float((float)(weight * straight)),
                                arg_float((float)(weight * diagonal))),
                      error);
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct total_variation *tv = run->loss->state;
    const struct feature_map *image = &at->map;
    if (run->loss->options.nine_points) {
        return run_nine_points(run, at, NULL, error);
    }
    return kernel_run(run->loss->context, tv->value, reduction_work(run->loss->context),
                      ARGUMENTS(arg_buffer(image->values), arg_buffer(loss_partials(run)), arg_int(run->slot),
                                arg_int(image->height), arg_int(image->width), core_argument(at),
                                arg_float(weight_of(run, at))),
                      error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct total_variation *tv = run->loss->state;
    const struct feature_map *image = &at->map;
    if (run->loss->options.nine_points) {
        return run_nine_points(run, at, gradient, error);
    }
    return kernel_run(run->loss->context, tv->loss, reduction_work(run->loss->context),
                      ARGUMENTS(arg_buffer(image->values), arg_buffer(gradient), arg_buffer(loss_partials(run)),
                                arg_int(run->slot), arg_int(image->height), arg_int(image->width), core_argument(at),
                                arg_float(weight_of(run, at))),
                      error);
}

static double slope(double difference, int power) {
    return power == 2 ? 2 * difference : (difference > 0) - (difference < 0);
}

static int clamp(int i, int count) {
    return i < 0 ? 0 : i < count ? i : count - 1;
}

/* By pairs: of the image with a frame of one pixel, of which the straight ones are the image's own. */
static double reference_nine(const struct loss_reference *in, double *gradient) {
    static const int steps[][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
    int height = in->height, width = in->width;
    double loss = 0, straight, diagonal;
    nine_point_factors(height, width, &straight, &diagonal);
    for (int i = 0; i < 3 * 4 * (height + 2) * (width + 2); ++i) {
        int x = i % (width + 2) - 1, y = i / (width + 2) % (height + 2) - 1;
        int step = i / (width + 2) / (height + 2) % 4, plane = i / (width + 2) / (height + 2) / 4;
        int to_y = y + steps[step][0], to_x = x + steps[step][1];
        bool is_straight = step < 2, is_inside = y >= 0 && x >= 0 && to_y < height && to_x < width;
        bool is_pair = is_straight ? is_inside : to_y <= height && to_x <= width && to_x >= -1;
        double factor = !is_pair ? 0 : is_straight ? straight : diagonal;
        int from = (plane * height + clamp(y, height)) * width + clamp(x, width);
        int to = (plane * height + clamp(to_y, height)) * width + clamp(to_x, width);
        double difference = in->map[to] - in->map[from];
        loss += factor * difference * difference;
        gradient[to] += 2 * factor * difference;
        gradient[from] -= 2 * factor * difference;
    }
    return loss;
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    int elements = in->channels * in->height * in->width;
    double loss = 0, factor = 1 / divisor_of(options, elements);
    for (int i = 0; i < elements; ++i) {
        gradient[i] = 0;
    }
    if (options->nine_points) {
        return reference_nine(in, gradient);
    }
    for (int i = 0; i < elements; ++i) {
        int x = i % in->width, y = i / in->width % in->height;
        const int steps[] = {x + 1 < in->width ? 1 : 0, y + 1 < in->height ? in->width : 0};
        for (int s = 0; s < 2; ++s) {
            double difference = in->map[i + steps[s]] - in->map[i];
            loss += factor * pow(fabs(difference), options->power);
            gradient[i + steps[s]] += factor * slope(difference, options->power);
            gradient[i] -= factor * slope(difference, options->power);
        }
    }
    return loss;
}

const struct loss_methods total_variation_loss = {
    .kind = "total variation",
    .on_image = true,
    .value_with_gradient = true,
    .takes_tiles = true,
    .state_bytes = sizeof(struct total_variation),
    .run_bytes = sizeof(struct total_variation_run),
    .create = create,
    .destroy = destroy,
    .target_begin = target_begin,
    .value = value,
    .add_gradient = add_gradient,
    .reference = reference,
};
