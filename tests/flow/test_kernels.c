/* test_kernels.c: each kernel of cl/optical_flow.cl and cl/warp.cl against its formula in float64, at odd sizes. */
#include "fixture.h"
#include "network/feature_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct image_size sizes[] = {{1, 1}, {3, 5}, {1, 9}, {17, 31}, {32, 33}};

static size_t count_of(struct image_size size) {
    return (size_t)size.height * (size_t)size.width;
}

/* ---- Reference --------------------------------------------------------------------------------------------------- */

static double pixel(const double *plane, struct image_size size, int y, int x) {
    y = y < 0 ? 0 : y < size.height ? y : size.height - 1;
    x = x < 0 ? 0 : x < size.width ? x : size.width - 1;
    return plane[y * size.width + x];
}

static double keys(double x) {
    const double a = -0.5;
    x = fabs(x);
    return x <= 1 ? (a + 2) * x * x * x - (a + 3) * x * x + 1 : x < 2 ? a * (x * x * x - 5 * x * x + 8 * x - 4) : 0;
}

static double hat(double x) {
    return fmax(0, 1 - fabs(x));
}

/* Between pixels; `kernel` reaches no farther than two. */
static double between(const double *plane, struct image_size size, double y, double x, double (*kernel)(double)) {
    double sum = 0;
    for (int row = (int)floor(y) - 1; row <= (int)floor(y) + 2; ++row) {
        for (int column = (int)floor(x) - 1; column <= (int)floor(x) + 2; ++column) {
            sum += kernel(y - row) * kernel(x - column) * pixel(plane, size, row, column);
        }
    }
    return sum;
}

static bool is_inside(struct image_size size, double y, double x) {
    return y >= 0 && x >= 0 && y <= size.height - 1 && x <= size.width - 1;
}

/* ---- Running a kernel -------------------------------------------------------------------------------------------- */

static void run(nst_context *context, const char *file, const char *name, size_t elements,
                const struct kernel_argument *arguments, int count) {
    nst_error error;
    cl_kernel kernel;
    check(kernel_create(context, file, "", name, &kernel, &error), &error);
    check(kernel_run(context, kernel, work_range(context, elements), arguments, count, &error), &error);
    kernel_release(&kernel);
}

/* Random planes on both sides. */
struct planes {
    float *values;
    double *doubles;
    cl_mem buffer;
    size_t count;
};

static struct planes take_planes(nst_context *context, float *values, size_t count) {
    return (struct planes){values, to_doubles(values, count), upload(context, values, count * sizeof *values), count};
}

static struct planes random_planes(nst_context *context, uint64_t seed, size_t count, double low, double high) {
    return take_planes(context, random_uniform_array(seed, count, low, high), count);
}

static void free_planes(nst_context *context, struct planes *planes) {
    free(planes->values);
    free(planes->doubles);
    buffer_release(context, &planes->buffer);
}

static void assert_planes(nst_context *context, const char *what, cl_mem buffer, const double *expected, size_t count,
                          double bound) {
    float *got = download(context, buffer, count * sizeof *got);
    assert_near(what, got, expected, count, bound);
    free(got);
}

/* ---- The optical flow -------------------------------------------------------------------------------------------- */

static void check_reduce(nst_context *context, struct image_size size) {
    static const double taps[] = {1 / 16.0, 4 / 16.0, 6 / 16.0, 4 / 16.0, 1 / 16.0};
    struct image_size half = {(size.height + 1) / 2, (size.width + 1) / 2};
    struct planes picture = random_planes(context, 1, count_of(size), 0, 255);
    double *expected = allocate(count_of(half), sizeof *expected);
    for (int i = 0; i < 25 * half.height * half.width; ++i) {
        int tap = i % 25, y = i / 25 / half.width, x = i / 25 % half.width;
        expected[i / 25] +=
            taps[tap / 5] * taps[tap % 5] * pixel(picture.doubles, size, 2 * y + tap / 5 - 2, 2 * x + tap % 5 - 2);
    }
    cl_mem reduced = create_zero(context, count_of(half) * sizeof(float));
    run(context, "optical_flow.cl", "flow_reduce", count_of(half),
        ARGUMENTS(arg_buffer(picture.buffer), arg_buffer(reduced),
                  arg_int4(size.height, size.width, half.height, half.width)));
    assert_planes(context, "smaller picture", reduced, expected, count_of(half), 1e-6);
    buffer_release(context, &reduced);
    free_planes(context, &picture);
    free(expected);
}

static void check_expand(nst_context *context, struct image_size size) {
    struct image_size half = {(size.height + 1) / 2, (size.width + 1) / 2};
    struct planes flow = random_planes(context, 2, 2 * count_of(half), -4, 4);
    double *expected = allocate(2 * count_of(size), sizeof *expected);
    for (int i = 0; i < 2 * size.height * size.width; ++i) {
        int x = i % size.width, y = i / size.width % size.height, plane = i / size.width / size.height;
        expected[i] = 2 * between(flow.doubles + plane * half.height * half.width, half, y / 2.0, x / 2.0, hat);
    }
    cl_mem expanded = create_zero(context, 2 * count_of(size) * sizeof(float));
    run(context, "optical_flow.cl", "flow_expand", 2 * count_of(size),
        ARGUMENTS(arg_buffer(flow.buffer), arg_buffer(expanded),
                  arg_int4(half.height, half.width, size.height, size.width)));
    assert_planes(context, "larger flow", expanded, expected, 2 * count_of(size), 1e-6);
    buffer_release(context, &expanded);
    free_planes(context, &flow);
    free(expected);
}

static void check_linearize(nst_context *context, struct image_size size) {
    size_t count = count_of(size);
    struct planes from = random_planes(context, 3, count, 0, 255), to = random_planes(context, 4, count, 0, 255);
    struct planes flow = random_planes(context, 5, 2 * count, -3, 3);
    double *expected = allocate(3 * count, sizeof *expected);
    for (size_t i = 0; i < count; ++i) {
        double u = flow.doubles[i], v = flow.doubles[count + i];
        /* the kernel's own place, since at the edge rounding decides */
        double x = (float)(i % (size_t)size.width) + flow.values[i];
        double y = (float)(i / (size_t)size.width) + flow.values[count + i];
        if (is_inside(size, y, x)) {
            double slope_x =
                (between(to.doubles, size, y, x + 1, keys) - between(to.doubles, size, y, x - 1, keys)) / 2;
            double slope_y =
                (between(to.doubles, size, y + 1, x, keys) - between(to.doubles, size, y - 1, x, keys)) / 2;
            expected[i] = slope_x;
            expected[count + i] = slope_y;
            expected[2 * count + i] =
                between(to.doubles, size, y, x, keys) - from.doubles[i] - slope_x * u - slope_y * v;
        }
    }
    cl_mem linear = create_zero(context, 3 * count * sizeof(float));
    run(context, "optical_flow.cl", "flow_linearize", count,
        ARGUMENTS(arg_buffer(from.buffer), arg_buffer(to.buffer), arg_buffer(flow.buffer), arg_buffer(linear),
                  arg_int(size.height), arg_int(size.width)));
    assert_planes(context, "linearization", linear, expected, 3 * count, 2e-5);
    buffer_release(context, &linear);
    free_planes(context, &from);
    free_planes(context, &to);
    free_planes(context, &flow);
    free(expected);
}

static void check_primal(nst_context *context, struct image_size size) {
    const double limit = 0.045, theta = 0.3;
    size_t count = count_of(size);
    int width = size.width;
    struct planes flow = random_planes(context, 6, 2 * count, -3, 3),
                  dual = random_planes(context, 7, 4 * count, -1, 1);
    struct planes linear = random_planes(context, 8, 3 * count, -40, 40);
    double *expected = allocate(2 * count, sizeof *expected);
    for (size_t i = 0; i < count; ++i) {
        const double *slope = linear.doubles + i, *u = flow.doubles + i;
        double square = slope[0] * slope[0] + slope[count] * slope[count];
        double residual = slope[2 * count] + slope[0] * u[0] + slope[count] * u[count], step = -residual / square;
        step = step > limit ? limit : step < -limit ? -limit : step;
        for (size_t c = 0; c < 2; ++c) {
            const double *along_x = dual.doubles + 2 * c * count + i, *along_y = along_x + count;
            double divergence = along_x[0] - ((int)i % width > 0 ? along_x[-1] : 0);
            divergence += along_y[0] - ((int)i >= width ? along_y[-width] : 0);
            expected[c * count + i] = u[c * count] + step * slope[c * count] + theta * divergence;
        }
    }
    run(context, "optical_flow.cl", "flow_primal", count,
        ARGUMENTS(arg_buffer(flow.buffer), arg_buffer(dual.buffer), arg_buffer(linear.buffer), arg_int(size.height),
                  arg_int(width), arg_float((float)limit), arg_float((float)theta)));
    assert_planes(context, "step of the flow", flow.buffer, expected, 2 * count, 1e-6);
    free_planes(context, &flow);
    free_planes(context, &dual);
    free_planes(context, &linear);
    free(expected);
}

static void check_dual(nst_context *context, struct image_size size) {
    const double a = 0.25 / 0.3;
    size_t count = count_of(size);
    struct planes flow = random_planes(context, 9, 2 * count, -3, 3),
                  dual = random_planes(context, 10, 4 * count, -1, 1);
    double *expected = allocate(4 * count, sizeof *expected);
    for (int i = 0; i < 2 * (int)count; ++i) {
        int x = i % size.width, y = i / size.width % size.height, plane = i / (int)count;
        double along_x = x + 1 < size.width ? flow.doubles[i + 1] - flow.doubles[i] : 0;
        double along_y = y + 1 < size.height ? flow.doubles[i + size.width] - flow.doubles[i] : 0;
        double divisor = 1 + a * sqrt(along_x * along_x + along_y * along_y);
        int at = plane * 2 * (int)count + i % (int)count;
        expected[at] = (dual.doubles[at] + a * along_x) / divisor;
        expected[at + (int)count] = (dual.doubles[at + (int)count] + a * along_y) / divisor;
    }
    run(context, "optical_flow.cl", "flow_dual", 2 * count,
        ARGUMENTS(arg_buffer(flow.buffer), arg_buffer(dual.buffer), arg_int(size.height), arg_int(size.width),
                  arg_float((float)a)));
    assert_planes(context, "dual", dual.buffer, expected, 4 * count, 1e-6);
    free_planes(context, &flow);
    free_planes(context, &dual);
    free(expected);
}

/* ---- Moved pictures ---------------------------------------------------------------------------------------------- */

static void check_warp(nst_context *context, struct image_size size) {
    size_t count = count_of(size);
    struct planes picture = random_planes(context, 11, 3 * count, 0, 255);
    float *motion = random_uniform_array(12, 2 * count, -6, 6);
    motion[0] = 3e9F; /* far outside */
    struct planes flow = take_planes(context, motion, 2 * count);
    double *expected = allocate(3 * count, sizeof *expected);
    for (int i = 0; i < 3 * (int)count; ++i) {
        int pixel_number = i % (int)count, x = pixel_number % size.width, y = pixel_number / size.width;
        double at_x = fmin(x + flow.doubles[pixel_number], size.width + 1),
               at_y = y + flow.doubles[(int)count + pixel_number];
        double value = between(picture.doubles + i / (int)count * (int)count, size, at_y, at_x, keys);
        expected[i] = fmin(fmax(value, 0), 255);
    }
    cl_mem warped = create_zero(context, 3 * count * sizeof(float));
    run(context, "warp.cl", "warp", 3 * count,
        ARGUMENTS(arg_buffer(picture.buffer), arg_buffer(flow.buffer), arg_buffer(warped), arg_int(3),
                  arg_int(size.height), arg_int(size.width)));
    assert_planes(context, "moved picture", warped, expected, 3 * count, 1e-5);
    buffer_release(context, &warped);
    free_planes(context, &picture);
    free_planes(context, &flow);
    free(expected);
}

static double steepness(const double *plane, struct image_size size, int y, int x) {
    double along_x = (pixel(plane, size, y, x + 1) - pixel(plane, size, y, x - 1)) / 2;
    double along_y = (pixel(plane, size, y + 1, x) - pixel(plane, size, y - 1, x)) / 2;
    return along_x * along_x + along_y * along_y;
}

/* Everything that decides about one pixel. */
struct reliability_case {
    struct image_size size;
    struct planes flow, back, picture, warped;
    bool has_back;
};

static bool is_reliable(const struct reliability_case *test, int i) {
    struct image_size size = test->size;
    int count = size.height * size.width, row = i / size.width, column = i % size.width;
    const double *flow = test->flow.doubles, *back = test->back.doubles;
    double u = flow[i], v = flow[count + i], x = column + u, y = row + v, difference = 0;
    bool returns = true;
    if (test->has_back) {
        double inside_y = fmin(fmax(y, 0), size.height - 1), inside_x = fmin(fmax(x, 0), size.width - 1);
        double back_u = between(back, size, inside_y, inside_x, hat);
        double back_v = between(back + count, size, inside_y, inside_x, hat);
        returns =
            pow(u + back_u, 2) + pow(v + back_v, 2) <= 0.01 * (u * u + v * v + back_u * back_u + back_v * back_v) + 0.5;
    }
    for (int p = 0; p < 3; ++p) {
        difference += fabs(test->picture.doubles[p * count + i] - test->warped.doubles[p * count + i]) / 3;
    }
    double steep = steepness(flow, size, row, column) + steepness(flow + count, size, row, column);
    return is_inside(size, y, x) && returns && steep <= 0.01 * (u * u + v * v) + 0.002 && difference <= 64;
}

/* Flows that hardly vary, so that all cases occur. */
static void check_reliability(nst_context *context, struct image_size size, bool has_back, size_t *reliable_count) {
    size_t count = count_of(size);
    float *flow = random_uniform_array(13, 2 * count, -0.5, 0.5), *back = random_uniform_array(14, 2 * count, -1, 1);
    for (size_t i = 0; i < 2 * count; ++i) {
        flow[i] = 0.1F * flow[i] + 0.5F;
        back[i] -= 0.5F;
    }
    struct reliability_case test = {.size = size, .has_back = has_back};
    test.flow = take_planes(context, flow, 2 * count);
    test.back = take_planes(context, back, 2 * count);
    test.picture = random_planes(context, 15, 3 * count, 0, 160);
    test.warped = random_planes(context, 16, 3 * count, 0, 160);
    cl_mem reliable = create_zero(context, count * sizeof(float));
    run(context, "warp.cl", "reliability", count,
        ARGUMENTS(arg_buffer(test.flow.buffer), arg_buffer(test.back.buffer), arg_int(has_back),
                  arg_buffer(test.picture.buffer), arg_buffer(test.warped.buffer), arg_buffer(reliable), arg_int(3),
                  arg_int(size.height), arg_int(size.width), arg_float(64)));
    float *got = download(context, reliable, count * sizeof *got);
    for (int i = 0; i < (int)count; ++i) {
        assert_float_equal(got[i], is_reliable(&test, i) ? 1 : 0, 0);
        *reliable_count += got[i] > 0;
    }
    free(got);
    buffer_release(context, &reliable);
    free_planes(context, &test.flow);
    free_planes(context, &test.back);
    free_planes(context, &test.picture);
    free_planes(context, &test.warped);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static void at_all_sizes(nst_context *context, void (*check_kernel)(nst_context *, struct image_size)) {
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        check_kernel(context, sizes[i]);
    }
}

static void pictures_are_reduced(void **state) {
    at_all_sizes(*state, check_reduce);
}
static void flows_are_expanded(void **state) {
    at_all_sizes(*state, check_expand);
}
static void pictures_are_linearized(void **state) {
    at_all_sizes(*state, check_linearize);
}
static void steps_of_the_flow(void **state) {
    at_all_sizes(*state, check_primal);
}
static void steps_of_its_dual(void **state) {
    at_all_sizes(*state, check_dual);
}
static void pictures_are_moved(void **state) {
    at_all_sizes(*state, check_warp);
}

static void reliability_is_that_of_its_formula(void **state) {
    size_t all = 0, reliable[2] = {0, 0};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        all += count_of(sizes[i]);
        check_reliability(*state, sizes[i], false, &reliable[0]);
        check_reliability(*state, sizes[i], true, &reliable[1]);
    }
    assert_true(reliable[1] > all / 10 && reliable[0] > reliable[1] && reliable[0] < all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_reduced),
        cmocka_unit_test(flows_are_expanded),
        cmocka_unit_test(pictures_are_linearized),
        cmocka_unit_test(steps_of_the_flow),
        cmocka_unit_test(steps_of_its_dual),
        cmocka_unit_test(pictures_are_moved),
        cmocka_unit_test(reliability_is_that_of_its_formula),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
