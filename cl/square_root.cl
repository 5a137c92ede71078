/* square_root.cl: what the iteration of Newton and Schulz does beside its products (loss/square_root.h). Matrices are
 * float [side][side], of which `count` rows and columns count. squares: sums of squares of matrices, one float each.
 */
#include "common.h"

/* squares[slot] = |matrix|^2, by a single work-group. */
__kernel IN_GROUPS void matrix_squares(__global const float *matrix, __global float *squares, int slot, int count,
                                       int side) {
    float sum = 0.0f, lost = 0.0f;
    for (int row = get_local_id(0); row < count; row += WORK_GROUP) {
        __global const float *line = matrix + (size_t)row * side;
        floatB sums = (floatB)(0.0f);
        int x = 0;
        for (; x + BLOCK <= count; x += BLOCK) { /* lines begin with whole vectors */
            floatB value = *(__global const floatB *)(line + x);
            sums += value * value;
        }
        float rest = 0.0f;
        for (; x < count; ++x) {
            rest += line[x] * line[x];
        }
        ADD_TERM(float, sum, lost, SUM(sums) + rest);
    }
    REDUCE(sum, squares + slot);
}

/* y = y / |y|, z = I */
__kernel IN_GROUPS void root_begin(__global float *y, __global float *z, __global const float *squares, int slot,
                                   int count, int side) {
    float factor = squares[slot] > 0.0f ? 1.0f / sqrt(squares[slot]) : 0.0f;
    FOR_LINES(row, count, column, count) {
        size_t i = (size_t)row * side + column;
        y[i] *= factor;
        z[i] = row == column ? 1.0f : 0.0f;
    }
}

/* t = (3 I - t) / 2 */
__kernel IN_GROUPS void root_turn(__global float *t, int count, int side) {
    FOR_LINES(row, count, column, count) {
        size_t i = (size_t)row * side + column;
        t[i] = (row == column ? 1.5f : 0.0f) - 0.5f * t[i];
    }
}
