/* winograd_filters.h: the transform G g G^T of packed filters for Winograd's F(4x4, 3x3) on CPUs, a row of six slices
 * at a time. Included after winograd.h and weights.h.
 *
 * filters: weightB [in_blocks][9][channels of the block][VECTORS], lanes are output channels, as the host packs
 * weights.
 */
/* G. */
__constant float filter_rows[6][3] = {{1.0f, 0.0f, 0.0f},
                                      {-2.0f / 3.0f, -2.0f / 3.0f * HALF_ROOT, -1.0f / 3.0f},
                                      {-2.0f / 3.0f, 2.0f / 3.0f * HALF_ROOT, -1.0f / 3.0f},
                                      {1.0f / 6.0f, ROOT / 6.0f, 1.0f / 3.0f},
                                      {1.0f / 6.0f, -ROOT / 6.0f, 1.0f / 3.0f},
                                      {0.0f, 0.0f, 1.0f}};

/* Slices 6 row .. 6 row + 5 of U, `stride` vectors apart, each [in_channels][VECTORS]. */
static void transform_filters(__global const weightB *filters, int row, int in_channels, __global floatB *u,
                              int stride) {
    float g0 = filter_rows[row][0], g1 = filter_rows[row][1], g2 = filter_rows[row][2];
    for (int first = 0; first < in_channels; first += BLOCK) {
        int taps = min(BLOCK, in_channels - first) * VECTORS; /* from one tap to the next */
        for (int i = 0; i < taps; ++i) {
            floatB half_way[3], t[6];
#pragma unroll
            for (int j = 0; j < 3; ++j) {
                half_way[j] = g0 * LOAD_WEIGHT(filters + j * taps + i) +
                              g1 * LOAD_WEIGHT(filters + (3 + j) * taps + i) +
                              g2 * LOAD_WEIGHT(filters + (6 + j) * taps + i);
            }
            transform_filter(half_way, t);
#pragma unroll
            for (int j = 0; j < 6; ++j) {
                u[j * stride + i] = t[j];
            }
        }
        filters += 9 * taps;
        u += taps;
    }
}
