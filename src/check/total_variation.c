/* total_variation.c: total variation and its gradient against float64 on the host. */
#include "check/map.h"
#include "check/parts.h"
#include "loss/loss.h"
#include "support/error.h"

#include <math.h>
#include <stdlib.h>

/* Relative to the largest value, or to the value itself for the loss. */
static const double element_bound = 1e-5;

static double slope(double difference, int power) {
    return power == 2 ? 2 * difference : (difference > 0) - (difference < 0);
}

static double reference_tv(const float *image, struct image_size size, int power, double *gradient) {
    double loss = 0;
    for (int i = 0; i < 3 * size.height * size.width; ++i) {
        int x = i % size.width, y = i / size.width % size.height;
        const int steps[] = {x + 1 < size.width ? 1 : 0, y + 1 < size.height ? size.width : 0};
        for (int s = 0; s < 2; ++s) {
            double difference = (double)image[i + steps[s]] - image[i];
            loss += power == 2 ? difference * difference : fabs(difference);
            gradient[i + steps[s]] += slope(difference, power);
            gradient[i] -= slope(difference, power);
        }
    }
    return loss;
}

static nst_status run_and_compare(nst_context *context, int power, double *loss_error, double *gradient_error,
                                  nst_error *error) {
    enum { HEIGHT = 61, WIDTH = 47, ELEMENTS = 3 * HEIGHT * WIDTH };
    const struct image_size size = {.height = HEIGHT, .width = WIDTH};
    float *image = malloc(ELEMENTS * sizeof *image), *found = malloc(ELEMENTS * sizeof *found);
    double *expected = calloc(ELEMENTS, sizeof *expected), loss = 0, largest = 0, largest_error = 0;
    struct tv_loss *tv = NULL;
    struct loss_output output = {0};
    cl_mem image_buffer = NULL, gradient = NULL;
    nst_status status = image && found && expected ? NST_OK : fail_memory(error, ELEMENTS * sizeof *image, "a check");
    struct random_generator generator = random_from_seed(17);
    for (int i = 0; !status && i < ELEMENTS; ++i) {
        image[i] = (float)(255 * random_uniform(&generator));
    }
    status = status ? status : check_buffer(context, image, ELEMENTS * sizeof *image, &image_buffer, error);
    status = status ? status : check_buffer(context, NULL, ELEMENTS * sizeof *image, &gradient, error);
    status = status ? status : check_buffer(context, NULL, reduction_bytes(context, 1), &output.partials, error);
    status = status ? status : tv_loss_create(context, power, &tv, error);
    status = status ? status : tv_loss_run(tv, image_buffer, size, 1, output, gradient, error);
    status = status ? status : reduction_read(context, output.partials, 0, &loss, error);
    status = status ? status : buffer_read(context, gradient, 0, found, ELEMENTS * sizeof *image, error);
    if (!status) {
        double wanted = reference_tv(image, size, power, expected);
        for (int i = 0; i < ELEMENTS; ++i) {
            check_keep_largest(&largest, fabs(expected[i]));
            check_keep_largest(&largest_error, fabs(found[i] - expected[i]));
        }
        *loss_error = fabs(loss - wanted) / wanted;
        *gradient_error = largest_error / largest;
    }
    tv_loss_destroy(tv);
    buffer_release(context, &image_buffer);
    buffer_release(context, &gradient);
    buffer_release(context, &output.partials);
    free(image);
    free(found);
    free(expected);
    return status;
}

nst_status check_total_variation(nst_context *context, int power, struct check_report *report, nst_error *error) {
    char name[64], gradient_name[80];
    double loss_error = NAN, gradient_error = NAN;
    nst_error why;
    snprintf(name, sizeof name, "total variation, power %d", power);
    snprintf(gradient_name, sizeof gradient_name, "gradient of %s", name);
    if (run_and_compare(context, power, &loss_error, &gradient_error, &why)) {
        return check_report_add_failure(report, name, "47 x 61", &why, error);
    }
    nst_status status = check_report_add(report, name, "47 x 61", loss_error, element_bound, error);
    return status ? status : check_report_add(report, gradient_name, "47 x 61", gradient_error, element_bound, error);
}
