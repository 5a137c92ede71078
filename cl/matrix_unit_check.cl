/* matrix_unit_check.cl: C += A B of one fragment by a matrix unit, for a comparison with known answers.
 *
 * a: float [UNIT_ROWS][inner]; b: float [UNIT_COLUMNS][inner]; c: float [UNIT_ROWS][UNIT_COLUMNS]. One wave, whose lanes
 * take A as weights are packed, B from local memory, and leave C where they hold it.
 */
#include "common.h"

#include "matrix_unit.h"

__kernel UNIT_KERNEL(UNIT_LANES) void matrix_unit_check(__global const float *a, __global const float *b,
                                                        __global float *c, int inner) {
    __local uint4 memory[UNIT_COLUMNS * UNIT_DEPTH * sizeof(unit_element) / sizeof(uint4)];
    UNIT_MEMORY(UNIT_LANES);
    __local unit_element *columns = (__local unit_element *)memory;
    int lane = get_local_id(0);
    unit_c sums;
    for (int i = 0; i < UNIT_C_COUNT; ++i) {
        ((float *)&sums)[i] = c[UNIT_C_ROW(lane, i) * UNIT_COLUMNS + UNIT_C_COLUMN(lane, i)];
    }
    for (int first = 0; first < inner; first += UNIT_DEPTH) {
        union a_words rows;
        for (int i = 0; i < UNIT_A_WORDS; ++i) {
            rows.words[i] = 0;
        }
        for (int i = 0; i < UNIT_A_COUNT; ++i) {
            rows.words[i / PER_WORD] |= element_bits(a[UNIT_A_ROW(lane, i) * inner + first + UNIT_K(lane, i)])
                                        << i % PER_WORD * 16;
        }
        for (int i = lane; i < UNIT_COLUMNS * UNIT_DEPTH; i += UNIT_LANES) {
            columns[i] = ELEMENT_OF_BITS(element_bits(b[i / UNIT_DEPTH * inner + first + i % UNIT_DEPTH]));
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        UNIT_MULTIPLY(sums, rows.fragment, load_b(columns + UNIT_B_COLUMN(lane) * UNIT_DEPTH, lane));
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; i < UNIT_C_COUNT; ++i) {
        c[UNIT_C_ROW(lane, i) * UNIT_COLUMNS + UNIT_C_COLUMN(lane, i)] = unit_sum(sums, i);
    }
}
