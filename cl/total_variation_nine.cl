/* total_variation_nine.cl: how much neighboring pixels differ, those at the corners too, and its gradient; the formula
 * is in loss/total_variation.c. The image is float [3][height][width].
 *
 * loss = straight * sum of squared differences along rows and columns + diagonal * those along both diagonals of the
 * image with one more pixel around it, as on its edge. So a pixel at the edge counts as several: its copies. core: as in total_variation.cl.
 */
#include "common.h"

/* What pixel (y, x) has in common with its neighbors at the corners: half the gradient, and added to `sum` what the pairs
 * of which it is the upper one make. */
static float corners(__global const float *plane, int height, int width, int y, int x, float *sum) {
    float here = plane[(size_t)y * width + x], slope = 0.0f;
    for (int copy_y = y == 0 ? -1 : y; copy_y <= (y == height - 1 ? height : y); ++copy_y) {
        for (int copy_x = x == 0 ? -1 : x; copy_x <= (x == width - 1 ? width : x); ++copy_x) {
            for (int corner = 0; corner < 4; ++corner) {
                int there_y = copy_y + corner / 2 * 2 - 1, there_x = copy_x + corner % 2 * 2 - 1;
                if (there_y >= -1 && there_y <= height && there_x >= -1 && there_x <= width) {
                    size_t there = (size_t)clamp(there_y, 0, height - 1) * width + clamp(there_x, 0, width - 1);
                    float difference = here - plane[there];
                    slope += difference;
                    *sum += corner / 2 * difference * difference;
                }
            }
        }
    }
    return slope;
}

/* gradient += that of the loss, if `adds`. */
__kernel IN_GROUPS void total_variation_nine(__global const float *image, __global float *gradient, int adds,
                                             __global float *partials, int slot, int height, int width, int4 core,
                                             float straight, float diagonal) {
    float total = 0.0f, lost = 0.0f;
    FOR_LINES(row, 3 * core.z, column, core.w) {
        int y = core.x + row % core.z, x = core.y + column;
        size_t begin = (size_t)(row / core.z) * height * width;
        __global const float *plane = image + begin, *line = plane + (size_t)y * width;
        float here = line[x], left = here - line[max(x - 1, 0)], right = here - line[min(x + 1, width - 1)];
        float above = here - (y > 0 ? line[x - width] : here), below = here - (y + 1 < height ? line[x + width] : here);
        float sum = 0.0f, slope = corners(plane, height, width, y, x, &sum);
        if (adds) {
            gradient[begin + (size_t)y * width + x] +=
                2.0f * (straight * (left + right + above + below) + diagonal * slope);
        }
        ADD_TERM(float, total, lost, straight *(right * right + below * below) + diagonal * sum);
    }
    REDUCE(total, partials + (size_t)slot * get_num_groups(0));
}
