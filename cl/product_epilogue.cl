/* product_epilogue.cl: bias and epilogue of a 1x1 convolution whose sums CLBlast has left in a buffer of their own.
 * products: [channels][rows][width], rows first_row ... of the output, first_row a multiple of 4. One element is one
 * 4x4 tile of one channel.
 */
#define KERNEL_SIZE 1
#include "tile.h"

__kernel IN_GROUPS void product_epilogue(__global const float *products, __global feature *output,
                                         __global ushort *mask, __global const float *bias, int channels, int height,
                                         int width, int first_row, int rows) {
    struct image out = {height, width};
    int tile_columns = (width + 3) / 4, tile_rows = (rows + 3) / 4;
    int plane_tiles = (height + 3) / 4 * tile_columns;
    FOR_RANGE(i, channels * tile_rows * tile_columns) {
        int x = i % tile_columns * 4, tile_row = i / tile_columns % tile_rows;
        int channel = i / (tile_columns * tile_rows);
        float4 sums[4];
#pragma unroll
        for (int row = 0; row < 4; ++row) {
            int y = min(4 * tile_row + row, rows - 1);
            __global const float *line = products + ((size_t)channel * rows + y) * width;
            sums[row] = (float4)(line[x], line[min(x + 1, width - 1)], line[min(x + 2, width - 1)],
                                 line[min(x + 3, width - 1)]);
        }
        int y = first_row + 4 * tile_row;
        store_tile(sums, bias[channel], output + (size_t)channel * height * width,
                   mask + (size_t)channel * plane_tiles + y / 4 * tile_columns + x / 4, out, y, x);
    }
}
