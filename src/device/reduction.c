/* reduction.c: sums over a whole buffer; see reduction.h. */
#include "device/reduction.h"

enum { GROUPS_PER_COMPUTE_UNIT = 4, MOST_GROUPS = 256 };

int reduction_partials(const nst_context *context) {
    int groups = (context->loops_in_kernel ? 1 : GROUPS_PER_COMPUTE_UNIT) * context->work_items;
    return groups < MOST_GROUPS ? groups : MOST_GROUPS;
}

struct work_size reduction_work(const nst_context *context) {
    size_t group = context->loops_in_kernel ? 1 : context->work_group;
    return (struct work_size){1, {(size_t)reduction_partials(context) * group, 1, 1}, {group, 1, 1}};
}

double reduction_sum(const float *partials, int count) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += partials[i];
    }
    return sum;
}

size_t reduction_bytes(const nst_context *context, int slots) {
    return (size_t)slots * (size_t)reduction_partials(context) * sizeof(float);
}

nst_status reduction_read(nst_context *context, cl_mem partials, int slot, double *sum, nst_error *error) {
    float values[MOST_GROUPS];
    int count = reduction_partials(context);
    size_t bytes = reduction_bytes(context, 1);
    nst_status status = buffer_read(context, partials, (size_t)slot * bytes, values, bytes, error);
    *sum = status ? 0 : reduction_sum(values, count);
    return status;
}

nst_status reduction_read_two(nst_context *context, cl_mem partials, double sums[2], nst_error *error) {
    float values[2 * MOST_GROUPS];
    int count = reduction_partials(context);
    nst_status status = buffer_read(context, partials, 0, values, reduction_bytes(context, 2), error);
    sums[0] = status ? 0 : reduction_sum(values, count);
    sums[1] = status ? 0 : reduction_sum(values + count, count);
    return status;
}
