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
    status = kernel_create(context, "square_root.cl", "", "matrix_squares", &root->squares, error);
    status = status ? status : kernel_create(context, "square_root.cl", "", "root_begin", &root->begin, error);
    return status ? status : kernel_create(context, "square_root.cl", "", "root_turn", &root->turn, error);
}

void square_root_release(struct square_root *root) {
    product_destroy(root->product);
    kernel_release(&root->squares);
    kernel_release(&root->begin);
    kernel_release(&root->turn);
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
    const struct product_call call = {.extent = root->count, .a = left, .b = m->y, .c = m->t, .scratch = m->scratch};
    nst_status status = product_run(root->product, &call, error);
    return status ? status
                  : kernel_run(root->context, root->turn, over_matrix(root),
                               ARGUMENTS(arg_buffer(m->t), arg_int(root->count), arg_int(root->side)), error);
}

/* *matrix = left right, of which it is one; it trades its buffer for the spare one. */
static nst_status advance(const struct square_root *root, struct square_root_matrices *m, cl_mem *matrix, cl_mem left,
                          cl_mem right, nst_error *error) {
    const struct product_call call = {.a = left, .b = right, .c = m->spare, .scratch = m->scratch};
    nst_status status = product_run(root->product, &call, error);
    m->spare = *matrix;
    *matrix = call.c;
    return status;
}

nst_status square_root_run(const struct square_root *root, struct square_root_matrices *m, int steps,
                           nst_error *error) {
    nst_status status = begin(root, m, error);
    for (int i = 0; !status && i < steps; ++i) {
        status = turn(root, m, m->z, error);
        status = status ? status : advance(root, m, &m->y, m->y, m->t, error);
        if (!status && i + 1 < steps) {
            status = advance(root, m, &m->z, m->t, m->z, error);
        }
    }
    return status;
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
