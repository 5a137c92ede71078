/* total_variation.c: the total variation of the image, float [3][height][width].
 *
 *     power 1: loss = a sum |dx| + |dy|        power 2: loss = a sum dx^2 + dy^2
 *
 * over neighboring pixels. a = weight, or, for a mean of the image in 0..1, weight / (elements 255^power).
 */
#include "loss/kinds.h"

#include <math.h>

struct total_variation {
    cl_kernel loss, value;
};

static nst_status create(struct loss *loss, nst_error *error) {
    struct total_variation *tv = loss->state;
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

static float weight_of(const struct loss_run *run, const struct feature_map *image) {
    return (float)(run->loss->weight / divisor_of(&run->loss->options, 3.0 * image->height * image->width));
}

static nst_status value(struct loss_run *run, const struct loss_map *at, nst_error *error) {
    const struct total_variation *tv = run->loss->state;
    const struct feature_map *image = &at->map;
    return kernel_run(run->loss->context, tv->value, reduction_work(run->loss->context),
                      ARGUMENTS(arg_buffer(image->values), arg_buffer(loss_partials(run)), arg_int(run->slot),
                                arg_int(image->height), arg_int(image->width), arg_float(weight_of(run, image))),
                      error);
}

static nst_status add_gradient(struct loss_run *run, const struct loss_map *at, cl_mem gradient, nst_error *error) {
    const struct total_variation *tv = run->loss->state;
    const struct feature_map *image = &at->map;
    return kernel_run(run->loss->context, tv->loss, reduction_work(run->loss->context),
                      ARGUMENTS(arg_buffer(image->values), arg_buffer(gradient), arg_buffer(loss_partials(run)),
                                arg_int(run->slot), arg_int(image->height), arg_int(image->width),
                                arg_float(weight_of(run, image))),
                      error);
}

static double slope(double difference, int power) {
    return power == 2 ? 2 * difference : (difference > 0) - (difference < 0);
}

static double reference(const struct loss_options *options, const struct loss_reference *in, double *gradient) {
    int elements = in->channels * in->height * in->width;
    double loss = 0, factor = 1 / divisor_of(options, elements);
    for (int i = 0; i < elements; ++i) {
        gradient[i] = 0;
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
    .state_bytes = sizeof(struct total_variation),
    .create = create,
    .destroy = destroy,
    .value = value,
    .add_gradient = add_gradient,
    .reference = reference,
};
