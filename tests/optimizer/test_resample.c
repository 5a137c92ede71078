/* test_resample.c: images at another size, the average of an optimizer's vectors, and Adam's moments carried over to
 * another size, against float64. */
#include "fixture.h"
#include "optimizer/average.h"
#include "optimizer/resample.h"

#include <math.h>
#include <stdlib.h>

/* ---- Resampling -------------------------------------------------------------------------------------------------- */

static double cubic(double x) {
    const double a = -0.75;
    x = fabs(x);
    return x <= 1 ? (a + 2) * x * x * x - (a + 3) * x * x + 1 : x < 2 ? a * (x * x * x - 5 * x * x + 8 * x - 4) : 0;
}

static double linear(double x) {
    return fmax(0, 1 - fabs(x));
}

/* Along a line whose values lie `stride` apart. */
static double resampled(const double *line, int stride, int in, int out, int at, bool is_cubic) {
    double position = (at + 0.5) * in / out - 0.5, sum = 0;
    for (int i = (int)floor(position) - 1; i <= (int)floor(position) + 2; ++i) {
        int inside = i < 0 ? 0 : i < in ? i : in - 1;
        sum += (is_cubic ? cubic : linear)(position - i) * line[inside * stride];
    }
    return sum;
}

static void resample_in_double(const struct resample_call *call, const double *input, double *output) {
    struct optimizer_shape from = call->from, to = call->to;
    double *between = allocate((size_t)(from.planes * from.height * to.width), sizeof *between);
    for (int line = 0; line < from.planes * from.height; ++line) {
        for (int x = 0; x < to.width; ++x) {
            between[line * to.width + x] =
                resampled(input + line * from.width, 1, from.width, to.width, x, call->is_cubic);
        }
    }
    for (int i = 0; i < to.planes * to.height * to.width; ++i) {
        int x = i % to.width, y = i / to.width % to.height, plane = i / to.width / to.height;
        double value = resampled(between + plane * from.height * to.width + x, to.width, from.height, to.height, y,
                                 call->is_cubic);
        output[i] = fmin(fmax(value, call->low), call->high);
    }
    free(between);
}

static void check_resample(nst_context *context, struct optimizer_shape from, struct optimizer_shape to,
                           bool is_cubic) {
    nst_error error;
    struct resample resample;
    size_t in = optimizer_elements(from), out = optimizer_elements(to);
    float *values = random_array(1, in);
    double *input = to_doubles(values, in), *expected = allocate(out, sizeof *expected);
    struct resample_call call = {.from = from, .to = to, .is_cubic = is_cubic, .low = -INFINITY, .high = INFINITY};
    call.input = upload(context, values, in * sizeof *values);
    call.output = create_zero(context, out * sizeof *values);
    check(resample_create(context, &resample, &error), &error);
    for (int clamped = 0; clamped < 2; ++clamped) {
        resample_in_double(&call, input, expected);
        check(resample_run(context, &resample, &call, &error), &error);
        float *got = download(context, call.output, out * sizeof *got);
        assert_near("resampled image", got, expected, out, 3e-6);
        free(got);
        call.low = -0.5;
        call.high = 1;
    }
    resample_release(&resample);
    buffer_release(context, &call.input);
    buffer_release(context, &call.output);
    free(values);
    free(input);
    free(expected);
}

static void resampling_agrees_with_the_reference(void **state) {
    static const struct optimizer_shape shapes[] = {{3, 1, 1}, {3, 3, 5}, {3, 17, 31}, {3, 24, 44}, {3, 9, 2}};
    for (size_t i = 0; i < COUNT_OF(shapes); ++i) {
        for (size_t j = 0; j < COUNT_OF(shapes); ++j) {
            check_resample(*state, shapes[i], shapes[j], true);
            check_resample(*state, shapes[i], shapes[j], false);
        }
    }
}

/* torch.nn.functional.interpolate(..., mode="bicubic") of 1, 4, 2, 8, by PyTorch 2.15. */
static void a_line_is_as_from_pytorch(void **state) {
    (void)state;
    static const double line[] = {1, 4, 2, 8};
    static const double longer[] = {0.70235, 2.14523, 3.92074, 2.71875, 2.25091, 5.83254, 8.59530},
                        shorter[] = {1.46528, 2.71875, 7.10417};
    for (int i = 0; i < 7; ++i) {
        assert_true(fabs(resampled(line, 1, 4, 7, i, true) - longer[i]) < 1e-5);
    }
    for (int i = 0; i < 3; ++i) {
        assert_true(fabs(resampled(line, 1, 4, 3, i, true) - shorter[i]) < 1e-5);
    }
}

/* ---- Average ----------------------------------------------------------------------------------------------------- */

static void the_average_is_that_of_its_formula(void **state) {
    nst_context *context = *state;
    nst_error error;
    struct average average;
    const size_t count = 50;
    const double decay = 0.9;
    double *sum = allocate(count, sizeof *sum), rest = 1;
    cl_mem mean = upload(context, sum, count * sizeof(float)); /* anything */
    check(average_create(context, decay, &average, &error), &error);
    for (int number = 1; number <= 12; ++number) {
        float *values = random_array((uint64_t)number, count);
        cl_mem vector = upload(context, values, count * sizeof *values);
        check(number == 1 ? average_begin(&average, vector, mean, count, &error)
                          : average_add(&average, vector, mean, count, &error),
              &error);
        rest *= decay;
        double *expected = allocate(count, sizeof *expected);
        for (size_t i = 0; i < count; ++i) {
            sum[i] = decay * sum[i] + (1 - decay) * values[i];
            expected[i] = sum[i] / (1 - rest);
        }
        float *got = download(context, mean, count * sizeof *got);
        assert_near("average", got, expected, count, 2e-6);
        free(got);
        free(expected);
        free(values);
        buffer_release(context, &vector);
    }
    average_release(&average);
    buffer_release(context, &mean);
    free(sum);
}

/* ---- Adam's moments ---------------------------------------------------------------------------------------------- */

struct moments {
    double *mean, *square;
};

/* One step on the device, and what it should do to a vector that is zero before. */
static void check_step(nst_context *context, struct optimizer_run *run, const struct optimizer_settings *settings,
                       struct moments *moments, size_t count, int number) {
    nst_error error;
    size_t bytes = optimizer_padded(count) * sizeof(float);
    float *slopes = random_array((uint64_t)number, optimizer_padded(count));
    double *expected = allocate(count, sizeof *expected);
    for (size_t i = count; i < optimizer_padded(count); ++i) {
        slopes[i] = 0;
    }
    cl_mem vector = create_zero(context, bytes), gradient = upload(context, slopes, bytes);
    bool finite;
    check(optimizer_step(run, vector_on_device(vector), vector_on_device(gradient), &finite, &error), &error);
    assert_true(finite);
    for (size_t i = 0; i < count; ++i) {
        moments->mean[i] = settings->beta1 * moments->mean[i] + (1 - settings->beta1) * slopes[i];
        moments->square[i] = settings->beta2 * moments->square[i] + (1 - settings->beta2) * slopes[i] * slopes[i];
        double m = moments->mean[i] / (1 - pow(settings->beta1, number));
        double v = moments->square[i] / (1 - pow(settings->beta2, number));
        expected[i] = -settings->learning_rate * m / (sqrt(v) + settings->epsilon);
    }
    float *got = download(context, vector, bytes);
    assert_near("step", got, expected, count, 1e-4);
    buffer_release(context, &vector);
    buffer_release(context, &gradient);
    free(got);
    free(slopes);
    free(expected);
}

static void resize_moment(double **moment, struct optimizer_shape from, struct optimizer_shape to, bool is_cubic) {
    double *resized = allocate(optimizer_elements(to), sizeof *resized);
    const struct resample_call call = {from, to, is_cubic, is_cubic ? -INFINITY : 0, INFINITY, NULL, NULL};
    resample_in_double(&call, *moment, resized);
    free(*moment);
    *moment = resized;
}

/* At three sizes, the last of which is smaller; the number of steps goes on too. */
static void moments_are_carried_over(void **state) {
    nst_context *context = *state;
    nst_error error;
    static const struct optimizer_shape shapes[] = {{3, 5, 7}, {3, 17, 31}, {3, 8, 9}};
    const struct optimizer_settings settings = {
        .kind = NST_ADAM, .learning_rate = 2, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .carries = true};
    size_t count = optimizer_elements(shapes[0]);
    struct moments moments = {allocate(count, sizeof(double)), allocate(count, sizeof(double))};
    struct optimizer *optimizer;
    struct optimizer_run *run;
    struct plan plan = {0};
    check(optimizer_create(context, &settings, &optimizer, &error), &error);
    check(optimizer_reserve(optimizer, &plan, optimizer_elements(shapes[1]), &run, &error), &error);
    check(plan_assign(&plan, &error), &error);
    check(plan_allocate(&plan, context, &error), &error);
    for (int scale = 0, number = 1; scale < (int)COUNT_OF(shapes); ++scale) {
        if (scale > 0) {
            resize_moment(&moments.mean, shapes[scale - 1], shapes[scale], true);
            resize_moment(&moments.square, shapes[scale - 1], shapes[scale], false);
        }
        check(optimizer_begin(run, shapes[scale], &error), &error);
        for (int step = 0; step < 3; ++step) {
            check_step(context, run, &settings, &moments, optimizer_elements(shapes[scale]), number++);
        }
    }
    optimizer_run_free(run);
    plan_free(&plan, context);
    optimizer_destroy(optimizer);
    free(moments.mean);
    free(moments.square);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resampling_agrees_with_the_reference),
        cmocka_unit_test(a_line_is_as_from_pytorch),
        cmocka_unit_test(the_average_is_that_of_its_formula),
        cmocka_unit_test(moments_are_carried_over),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
