/* test_square_product.c: products of square matrices by every engine (network/product.h) against float64. */
#include "fixture.h"
#include "network/product.h"

#include <math.h>
#include <stdlib.h>

/* Two matrices A and B in a product's layout, what is not theirs being NaN, and A B; where that is to be symmetric, B is
 * A's transpose. */
struct square_problem {
    int rows, side;
    bool symmetric;
    float *a, *b;
    double *expected;
};

static void fill(struct square_problem *problem) {
    int rows = problem->rows, side = problem->side;
    size_t count = (size_t)side * (size_t)side;
    float *values = random_array(1, (size_t)rows * (size_t)rows),
          *others = random_array(2, (size_t)rows * (size_t)rows);
    problem->a = allocate(count, sizeof(float));
    problem->b = allocate(count, sizeof(float));
    problem->expected = allocate((size_t)rows * (size_t)rows, sizeof(double));
    for (int i = 0; i < side * side; ++i) {
        int row = i / side, column = i % side;
        bool counts = row < rows && column < rows;
        problem->a[i] = counts ? values[row * rows + column] : NAN;
        float other = !counts ? NAN : problem->symmetric ? values[column * rows + row] : others[row * rows + column];
        problem->b[i] = other;
    }
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < rows; ++j) {
            for (int k = 0; k < rows; ++k) {
                problem->expected[i * rows + j] += (double)problem->a[i * side + k] * problem->b[k * side + j];
            }
        }
    }
    free(values);
    free(others);
}

static void check_product(nst_context *context, const struct product_engine *engine, int rows, bool symmetric) {
    nst_error error;
    struct product *product;
    const struct product_shape shape = {.kind = PRODUCT_SQUARE, .rows = rows};
    check(product_create(context, &shape, engine, &product, &error), &error);
    struct square_problem problem = {.rows = rows, .side = product_layout(product, rows).rows, .symmetric = symmetric};
    assert_true(problem.side >= rows);
    fill(&problem);
    size_t bytes = (size_t)problem.side * (size_t)problem.side * sizeof(float);
    struct product_call call = {.extent = rows,
                                .a = upload(context, problem.a, bytes),
                                .b = upload(context, problem.b, bytes),
                                .c = create_zero(context, bytes),
                                .scratch = create_zero(context, (size_t)product_scratch_bytes(product, rows) + 1),
                                .symmetric = symmetric};
    check(product_run(product, &call, &error), &error);
    float *got = download(context, call.c, bytes), *dense = allocate((size_t)rows * (size_t)rows, sizeof *dense);
    for (int i = 0; i < rows * rows; ++i) {
        dense[i] = got[i / rows * problem.side + i % rows];
    }
    assert_near("square product", dense, problem.expected, (size_t)rows * (size_t)rows, 1e-5);
    free(got);
    free(dense);
    free(problem.a);
    free(problem.b);
    free(problem.expected);
    buffer_release(context, &call.a);
    buffer_release(context, &call.b);
    buffer_release(context, &call.c);
    buffer_release(context, &call.scratch);
    product_destroy(product);
}

static void products_agree_with_float64(void **state) {
    nst_context *context = *state;
    static const int rows[] = {1, 3, 20, 33, 64, 65, 150, 256};
    int engines = 0;
    for (const struct product_engine *const *engine = product_engines(context); *engine; ++engine) {
        const struct product_shape shape = {.kind = PRODUCT_SQUARE, .rows = 20};
        if (product_is_possible(context, &shape, *engine)) {
            ++engines;
            for (size_t i = 0; i < sizes_to_try(COUNT_OF(rows), 3); ++i) {
                check_product(context, *engine, rows[i], false);
                check_product(context, *engine, rows[i], true);
            }
        }
    }
    assert_true(engines > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_agree_with_float64)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
