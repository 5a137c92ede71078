/* winograd_output.cl: Winograd F(4x4, 3x3) on GPUs: the last step, after winograd_product.cl:
 *
 *     Y = A^T M A, bias, epilogue
 *
 * M: float [parts][36][out_channels][batch_tiles], of which the parts are added up, from m_start on in the scratch
 * buffer. One element of a launch is one tile of one channel; neighbors are neighboring tiles, so that M is read in
 * whole lines.
 */
#include "tile.h"
#include "winograd.h"

__kernel MANY_REGISTERS IN_GROUPS void winograd_output(__global const float *scratch, __global feature *output,
                                                       __global ushort *mask, __global const float *bias,
                                                       int out_channels, int out_height, int out_width, int first_tile,
                                                       int batch_tiles, int m_start, int parts) {
    __global const float *m = scratch + m_start;
    struct image out = {out_height, out_width};
    int tile_columns = (out_width + 3) / 4, tiles = (out_height + 3) / 4 * tile_columns;
    int count = min(batch_tiles, tiles - first_tile);
    size_t stride = (size_t)out_channels * batch_tiles;
    FOR_RANGE(i, out_channels * batch_tiles) {
        int tile = first_tile + i % batch_tiles, channel = i / batch_tiles;
        if (tile < first_tile + count) {
            float slices[6][6], half_way[4][6];
#pragma unroll
            for (int slice = 0; slice < SLICES; ++slice) {
                slices[slice % 6][slice / 6] = m[i + slice * stride];
            }
            for (int part = 1; part < parts; ++part) {
#pragma unroll
                for (int slice = 0; slice < SLICES; ++slice) {
                    slices[slice % 6][slice / 6] += m[i + (part * SLICES + slice) * stride];
                }
            }
#pragma unroll
            for (int column = 0; column < 6; ++column) {
                float t[4];
                transform_output(slices[column], t);
#pragma unroll
                for (int row = 0; row < 4; ++row) {
                    half_way[row][column] = t[row];
                }
            }
            float4 sums[4];
#pragma unroll
            for (int row = 0; row < 4; ++row) {
                float t[4];
                transform_output(half_way[row], t);
                sums[row] = (float4)(t[0], t[1], t[2], t[3]);
            }
            store_tile(sums, bias[channel], output + (size_t)channel * out_height * out_width,
                       mask + (size_t)channel * tiles + tile, out, tile / tile_columns * 4, tile % tile_columns * 4);
        }
    }
}
