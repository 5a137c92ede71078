/* winograd_weights.c: transforms filters for Winograd's F(4x4, 3x3); see winograd_weights.h. */
#include "network/winograd_weights.h"

/* Row i of G is (1, p, p^2) / product of (p - q) over the other finite points q; the last row, for infinity, is (0, 0,
 * 1). */
void winograd_transform_filter(const float filter[9], double transformed[WINOGRAD_SLICES]) {
    const double half_root = 0.70710678118654752440, root = 1.41421356237309504880;
    const double g[6][3] = {{1, 0, 0},
                            {-2 / 3., -2 / 3. * half_root, -1 / 3.},
                            {-2 / 3., 2 / 3. * half_root, -1 / 3.},
                            {1 / 6., root / 6, 1 / 3.},
                            {1 / 6., -root / 6, 1 / 3.},
                            {0, 0, 1}};
    double half_way[6][3];
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 3; ++j) {
            half_way[i][j] = g[i][0] * filter[j] + g[i][1] * filter[3 + j] + g[i][2] * filter[6 + j];
        }
    }
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 6; ++j) {
            transformed[i * 6 + j] = half_way[i][0] * g[j][0] + half_way[i][1] * g[j][1] + half_way[i][2] * g[j][2];
        }
    }
}
