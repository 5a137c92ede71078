/* test_products.c: sums over buffers (device/reduction.c) and CLBlast's matrix products (device/blas.c) against
 * float64. */
#include "device/blas.h"
#include "device/reduction.h"
#include "fixture.h"

#include <stdlib.h>

static void sums_are_made_in_double(void **state) {
    (void)state;
    const float partials[] = {1e8f, 1.0f, -1e8f, 0.5f};
    assert_true(reduction_sum(partials, 4) == 1.5);
    assert_true(reduction_sum(partials, 0) == 0);
}

static void slots_are_kept_apart(void **state) {
    nst_context *context = *state;
    nst_error error;
    int count = reduction_partials(context);
    assert_in_range(count, 1, 256);
    assert_true(reduction_bytes(context, 3) == 3 * (size_t)count * sizeof(float));
    struct work_size work = reduction_work(context);
    assert_int_equal(work.dimensions, 1);
    assert_int_equal(work.global[0] / work.local[0], count);
    float *values = allocate(3 * (size_t)count, sizeof *values);
    for (int i = 0; i < 3 * count; ++i) {
        values[i] = (float)(i / count + 1);
    }
    cl_mem buffer = upload(context, values, reduction_bytes(context, 3));
    for (int slot = 0; slot < 3; ++slot) {
        double sum;
        check(reduction_read(context, buffer, slot, &sum, &error), &error);
        assert_true(sum == (slot + 1.0) * count);
    }
    buffer_release(context, &buffer);
    free(values);
}

/* A device with very many compute units: still as many sums as the host has room for. */
static void partial_sums_are_limited(void **state) {
    nst_context context = *(nst_context *)*state;
    context.info.compute_units = 10000;
    context.work_items = 10000;
    context.loops_in_kernel = true;
    assert_int_equal(reduction_partials(&context), 256);
    context.loops_in_kernel = false;
    assert_int_equal(reduction_partials(&context), 256);
}

static double element(const float *matrix, bool transposed, size_t rows, size_t columns, size_t row, size_t column) {
    return transposed ? matrix[column * rows + row] : matrix[row * columns + column];
}

static void check_product(nst_context *context, struct blas_product product) {
    nst_error error;
    size_t rows = product.rows, columns = product.columns, inner = product.inner;
    float *a = random_array(1, rows * inner), *b = random_array(2, inner * columns),
          *c = random_array(3, rows * columns);
    double *expected = allocate(rows * columns, sizeof *expected);
    for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < columns; ++j) {
            double sum = 0;
            for (size_t k = 0; k < inner; ++k) {
                sum += element(a, product.transpose_a, rows, inner, i, k) *
                       element(b, product.transpose_b, inner, columns, k, j);
            }
            expected[i * columns + j] = product.alpha * sum + product.beta * c[i * columns + j];
        }
    }
    product.a = upload(context, a, rows * inner * sizeof *a);
    product.b = upload(context, b, inner * columns * sizeof *b);
    product.c = upload(context, c, rows * columns * sizeof *c);
    uint64_t scratch = blas_scratch_bytes(context, &product);
    if (scratch) {
        check(buffer_create(context, (size_t)scratch, "scratch", &product.scratch, &error), &error);
    }
    check(blas_multiply(context, &product, &error), &error);
    float *got = download(context, product.c, rows * columns * sizeof *got);
    assert_near("product", got, expected, rows * columns, 1e-5);
    free(got);
    buffer_release(context, &product.a);
    buffer_release(context, &product.b);
    buffer_release(context, &product.c);
    buffer_release(context, &product.scratch);
    free(a);
    free(b);
    free(c);
    free(expected);
}

static void products_agree_with_the_reference(void **state) {
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 31, 64}, {65, 70, 129}};
    for (size_t i = 0; i < COUNT_OF(shapes); ++i) {
        for (int transposed = 0; transposed < 4; ++transposed) {
            check_product(*state, (struct blas_product){.rows = shapes[i][0],
                                                        .columns = shapes[i][1],
                                                        .inner = shapes[i][2],
                                                        .transpose_a = transposed & 1,
                                                        .transpose_b = transposed & 2,
                                                        .alpha = 0.5f,
                                                        .beta = i % 2 ? 2.0f : 0.0f});
        }
    }
}

static void batches_lie_one_behind_the_other(void **state) {
    nst_context *context = *state;
    nst_error error;
    enum { ROWS = 5, COLUMNS = 6, INNER = 7, BATCHES = 3 };
    float *a = random_array(1, BATCHES * ROWS * INNER), *b = random_array(2, BATCHES * INNER * COLUMNS);
    double expected[BATCHES * ROWS * COLUMNS] = {0};
    for (int i = 0; i < BATCHES * ROWS * COLUMNS; ++i) {
        int batch = i / (ROWS * COLUMNS), row = i / COLUMNS % ROWS, column = i % COLUMNS;
        for (int k = 0; k < INNER; ++k) {
            expected[i] += (double)a[(batch * ROWS + row) * INNER + k] * b[(batch * INNER + k) * COLUMNS + column];
        }
    }
    struct blas_product product = {.rows = ROWS, .columns = COLUMNS, .inner = INNER, .alpha = 1};
    product.a = upload(context, a, BATCHES * ROWS * INNER * sizeof *a);
    product.b = upload(context, b, BATCHES * INNER * COLUMNS * sizeof *b);
    product.c = create_zero(context, sizeof expected / 2);
    check(blas_multiply_batched(context, &product, BATCHES, &error), &error);
    float *got = download(context, product.c, BATCHES * ROWS * COLUMNS * sizeof *got);
    assert_near("batched products", got, expected, BATCHES * ROWS * COLUMNS, 1e-5);
    free(got);
    buffer_release(context, &product.a);
    buffer_release(context, &product.b);
    buffer_release(context, &product.c);
    free(a);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_made_in_double),          cmocka_unit_test(slots_are_kept_apart),
        cmocka_unit_test(partial_sums_are_limited),         cmocka_unit_test(products_agree_with_the_reference),
        cmocka_unit_test(batches_lie_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
