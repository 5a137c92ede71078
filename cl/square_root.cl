/* square_root.cl: what the iteration of Newton and Schulz does beside its products (loss/square_root.h). Matrices are
 * float [side][side], of which `count` rows and columns count. squares: sums of squares of matrices, one float each.
 */
#include "common.h"

/* Rows and columns behind those that count, up to whole vectors, are written too, as anything: products read them. */
#define FILLED(count) (((count) + BLOCK - 1) / BLOCK * BLOCK)

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
    FOR_LINES(row, FILLED(count), column, FILLED(count)) {
        size_t i = (size_t)row * side + column;
        y[i] = row < count && column < count ? factor * y[i] : 0.0f;
        z[i] = row == column ? 1.0f : 0.0f;
    }
}

/* t = (3 I - t) / 2 */
__kernel IN_GROUPS void root_turn(__global float *t, int count, int side) {
    FOR_LINES(row, FILLED(count), column, FILLED(count)) {
        size_t i = (size_t)row * side + column;
        t[i] = (row == column ? 1.5f : 0.0f) - 0.5f * t[i];
    }
}

/* The lines of N with N^T N = matrix, a line of N at a time (Cholesky), by a single work-group; the last line first. With
 * by_size each takes the column of which most is left, so that lines grow shorter from the last to the first; else line
 * and column have the same number. left: float [side], of each column what the lines so far leave of its diagonal, -1
 * where it was taken.
 *
 * A column of which rounding has left nothing but noise gets a line without other elements, of the square root of
 * what is left, at least of `least`.
 */
#define NOISE 1e-6f

/* The column of which most is left, and how much; of equal ones the first. */
static int find_largest(__global const float *left, int count, __local float *largest, __local int *columns) {
    int item = get_local_id(0), found = -1;
    for (int column = item; column < count; column += WORK_GROUP) {
        if (found < 0 || left[column] > left[found]) {
            found = column;
        }
    }
    largest[item] = found < 0 ? -1.0f : left[found];
    columns[item] = found;
    for (int half_size = WORK_GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        int other = item + half_size;
        if (item < half_size &&
            (largest[other] > largest[item] || (largest[other] == largest[item] && columns[other] < columns[item]))) {
            largest[item] = largest[other];
            columns[item] = columns[other];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    found = columns[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return found;
}

__kernel IN_GROUPS void factor_lines(__global const float *matrix, __global float *lines, __global float *left,
                                     int count, int side, int by_size, float least) {
    __local float largest[WORK_GROUP];
    __local int columns[WORK_GROUP];
    int item = get_local_id(0);
    float noise = 0.0f;
    for (int column = item; column < count; column += WORK_GROUP) {
        left[column] = matrix[(size_t)column * (side + 1)];
    }
    for (int line = count - 1; line >= 0; --line) {
        barrier(CLK_GLOBAL_MEM_FENCE);
        int taken = by_size ? find_largest(left, count, largest, columns) : line;
        float rest = left[taken];
        if (!by_size || line == count - 1) {
            noise = NOISE * matrix[(size_t)taken * (side + 1)];
        }
        bool is_noise = !(rest > noise);
        float own = sqrt(is_noise ? fmax(rest, least) : rest), factor = is_noise ? 0.0f : 1.0f / own;
        barrier(CLK_GLOBAL_MEM_FENCE); /* everybody has read what is left */
        for (int block = item; block < FILLED(count) / BLOCK; block += WORK_GROUP) {
            union {
                floatB all;
                float each[BLOCK];
            } sums;
            sums.all = *(__global const floatB *)(matrix + (size_t)taken * side + block * BLOCK);
            for (int other = line + 1; other < count; ++other) {
                __global const float *from = lines + (size_t)other * side;
                sums.all -= from[taken] * *(__global const floatB *)(from + block * BLOCK);
            }
            for (int i = 0; i < BLOCK; ++i) {
                int column = block * BLOCK + i;
                bool is_left = column < count && left[column] >= 0.0f;
                float value = column == taken ? own : is_left ? factor * sums.each[i] : 0.0f;
                lines[(size_t)line * side + column] = value;
                if (column < count) {
                    left[column] = is_left && column != taken ? fmax(left[column] - value * value, 0.0f) : -1.0f;
                }
            }
        }
    }
    for (int i = item; i < (FILLED(count) - count) * FILLED(count); i += WORK_GROUP) {
        lines[(size_t)(count + i / FILLED(count)) * side + i % FILLED(count)] = 0.0f;
    }
}

__kernel IN_GROUPS void transpose_matrix(__global const float *matrix, __global float *transposed, int count,
                                         int side) {
    FOR_LINES(row, FILLED(count), column, FILLED(count)) {
        transposed[(size_t)row * side + column] = matrix[(size_t)column * side + row];
    }
}
