/* square_root.c: square roots of matrices by products; see square_root.h. */
#include "loss/square_root.h"

nst_status square_root_create(nst_context *context, int count, struct square_root *root, nst_error *error) {
    const struct product_shape shape = {.kind = PRODUCT_SQUARE, .rows = count};
    *root = (struct square_root){.context = context, .count = count};
    nst_status status = product_create(context, &shape, NULL, &root->product, error);
    if (status) {
        return status;
    }
    root->side = product_layout(root->product, count).rows;
    const struct kernel_row kernels[] = {{"matrix_squares", &root->squares},
                                         {"root_begin", &root->begin},
                                         {"root_turn", &root->turn},
                                         {"factor_lines", &root->factor},
                                         {"transpose_matrix", &root->transpose}};
    return kernels_create(context, "square_root.cl", "", kernels, sizeof kernels / sizeof *kernels, error);
}

void square_root_release(struct square_root *root) {
    product_destroy(root->product);
    kernel_release(&root->squares);
    kernel_release(&root->begin);
    kernel_release(&root->turn);
    kernel_release(&root->factor);
    kernel_release(&root->transpose);
    *root = (struct square_root){0};
}

size_t square_root_matrix_bytes(const struct square_root *root) {
    return (size_t)root->side * (size_t)root->side * sizeof(float);
}

uint64_t square_root_scratch_bytes(const struct square_root *root) {
    return product_scratch_bytes(root->product, root->count);
}

static struct work_size over_matrix(const struct square_root *root) {
    return work_range(root->context, (size_t)root->count * (root->context->loops_in_kernel ? 1 : (size_t)root->count));
}

/* y = y / |y|, z = I */
static nst_status begin(const struct square_root *root, const struct square_root_matrices *m, nst_error *error) {
    size_t group = root->context->loops_in_kernel ? 1 : root->context->work_group;
    struct work_size one_group = {1, {group, 1, 1}, {group, 1, 1}};
    nst_status status = kernel_run(root->context, root->squares, one_group,
                                   ARGUMENTS(arg_buffer(m->y), arg_buffer(m->squares), arg_int(m->slot),
                                             arg_int(root->count), arg_int(root->side)),
                                   error);
    return status ? status
                  : kernel_run(root->context, root->begin, over_matrix(root),
                               ARGUMENTS(arg_buffer(m->y), arg_buffer(m->z), arg_buffer(m->squares), arg_int(m->slot),
                                         arg_int(root->count), arg_int(root->side)),
                               error);
}

/* t = (3 I - left y) / 2 */
static nst_status turn(const struct square_root *root, const struct square_root_matrices *m, cl_mem left,
                       nst_error *error) {
    const struct product_call call = {
        .extent = root->count, .a = left, .b = m->y, .c = m->t, .scratch = m->scratch, .symmetric = true};
    nst_status status = product_run(root->product, &call, error);
    return status ? status
                  : kernel_run(root->context, root->turn, over_matrix(root),
                               ARGUMENTS(arg_buffer(m->t), arg_int(root->count), arg_int(root->side)), error);
}

/* *matrix = left right, of which it is one; it trades its buffer for the spare one. */
static nst_status advance(const struct square_root *root, struct square_root_matrices *m, cl_mem *matrix, cl_mem left,
                          cl_mem right, nst_error *error) {
    const struct product_call call = {
        .extent = root->count, .a = left, .b = right, .c = m->spare, .scratch = m->scratch, .symmetric = true};
    nst_status status = product_run(root->product, &call, error);
    m->spare = *matrix;
    *matrix = call.c;
    return status;
}

/* The root of y, less a factor; its inverse in z, but for the last step unless it is wanted. */
static nst_status iterate(const struct square_root *root, struct square_root_matrices *m, int steps, bool wants_inverse,
                          nst_error *error) {
    nst_status status = begin(root, m, error);
    for (int i = 0; !status && i < steps; ++i) {
        status = turn(root, m, m->z, error);
        status = status ? status : advance(root, m, &m->y, m->y, m->t, error);
        if (!status && (wants_inverse || i + 1 < steps)) {
            status = advance(root, m, &m->z, m->t, m->z, error);
        }
    }
    return status;
}

nst_status square_root_run(const struct square_root *root, struct square_root_matrices *m, int steps,
                           nst_error *error) {
    return iterate(root, m, steps, false, error);
}

nst_status square_root_inverse(const struct square_root *root, struct square_root_matrices *m, int steps,
                               nst_error *error) {
    nst_status status = begin(root, m, error);
    for (int i = 0; !status && i < steps; ++i) {
        status = turn(root, m, m->y, error);
        status = status ? status : advance(root, m, &m->z, m->z, m->t, error);
        if (!status && i + 1 < steps) {
            status = advance(root, m, &m->y, m->y, m->t, error);
        }
    }
    return status;
}

/* ---- Factors ----------------------------------------------------------------------------------------------------- */

/* lines: N with N^T N = matrix. */
static nst_status factor(const struct square_root *root, cl_mem matrix, cl_mem lines, cl_mem left, bool by_size,
                         double least, nst_error *error) {
    size_t group = root->context->loops_in_kernel ? 1 : root->context->work_group;
    struct work_size one_group = {1, {group, 1, 1}, {group, 1, 1}};
    return kernel_run(root->context, root->factor, one_group,
                      ARGUMENTS(arg_buffer(matrix), arg_buffer(lines), arg_buffer(left), arg_int(root->count),
                                arg_int(root->side), arg_int(by_size), arg_float((float)least)),
                      error);
}

static nst_status transpose(const struct square_root *root, cl_mem matrix, cl_mem transposed, nst_error *error) {
    return kernel_run(root->context, root->transpose, over_matrix(root),
                      ARGUMENTS(arg_buffer(matrix), arg_buffer(transposed), arg_int(root->count), arg_int(root->side)),
                      error);
}

nst_status square_root_factor(const struct square_root *root, struct square_root_matrices *m, int steps,
                              const struct square_root_factor *result, nst_error *error) {
    /* y = C = N^T N; then y = N N^T, which has the same eigenvalues. */
    nst_status status = factor(root, m->y, result->lines, result->left, true, result->least, error);
    status = status ? status : transpose(root, result->lines, m->t, error);
    const struct product_call squares = {
        .extent = root->count, .a = result->lines, .b = m->t, .c = m->y, .scratch = m->scratch, .symmetric = true};
    status = status ? status : product_run(root->product, &squares, error);
    status = status ? status : iterate(root, m, steps, true, error);
    /* The square of C's root is N^T Z Y N: the lines of a factor of Z Y, times N. */
    const struct product_call shares = {
        .extent = root->count, .a = m->z, .b = m->y, .c = m->t, .scratch = m->scratch, .symmetric = true};
    status = status ? status : product_run(root->product, &shares, error);
    status = status ? status : factor(root, m->t, m->y, result->left, false, 0, error);
    const struct product_call lines = {
        .extent = root->count, .a = m->y, .b = result->lines, .c = m->spare, .scratch = m->scratch};
    status = status ? status : product_run(root->product, &lines, error);
    status = status ? status : transpose(root, m->spare, result->transposed, error);
    return status ? status : transpose(root, result->transposed, result->lines, error);
}
