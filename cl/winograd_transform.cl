/* winograd_transform.cl: Winograd F(4x4, 3x3) on GPUs: what comes before and after the 36 products of matrices.
 *
 *     Y = A^T [ sum over input channels of (G g G^T) * (B^T d B) ] A  (Lavin and Gray 2015, arXiv:1509.09308, sec. 4)
 *
 * winograd_input:    V[36][in_channels][batch_tiles] = B^T d B of the tiles from first_tile on
 * CLBlast:           M[s] = U[s]^T V[s] for the 36 slices s, U[36][in_channels][out_channels]
 * winograd_output:   Y = A^T M A of M[36][out_channels][batch_tiles], bias, epilogue
 *
 * One element of a launch is one tile of one channel; neighbors are neighboring tiles, so that V and M are written
 * and read in whole lines. batch_tiles is filled up to what CLBlast likes: tiles that do not exist repeat the last
 * one.
 */
#include "tile.h"
#include "winograd.h"

__kernel MANY_REGISTERS IN_GROUPS void winograd_input(__global const feature *input, __global float *v, int in_channels,
                                                      int in_height, int in_width, int padding, int padding_mode,
                                                      int first_tile, int batch_tiles) {
    struct image in = {in_height, in_width};
    int tile_columns = (in_width + 2 * padding + 1) / 4;
    int tiles = (in_height + 2 * padding + 1) / 4 * tile_columns;
    size_t stride = (size_t)in_channels * batch_tiles;
    FOR_RANGE(i, in_channels * batch_tiles) {
        int tile = min(first_tile + i % batch_tiles, tiles - 1), channel = i / batch_tiles;
        float patch[6][6];
        load_patch(input + (size_t)channel * in_height * in_width, in, tile / tile_columns * 4 - padding,
                   tile % tile_columns * 4 - padding, padding_mode, patch);
#pragma unroll
        for (int column = 0; column < 6; ++column) {
            float d[6], t[6];
#pragma unroll
            for (int row = 0; row < 6; ++row) {
                d[row] = patch[row][column];
            }
            transform_input(d, t);
#pragma unroll
            for (int row = 0; row < 6; ++row) {
                patch[row][column] = t[row];
            }
        }
#pragma unroll
        for (int row = 0; row < 6; ++row) {
            float t[6];
            transform_input(patch[row], t);
#pragma unroll
            for (int column = 0; column < 6; ++column) {
                v[i + (row * 6 + column) * stride] = t[column];
            }
        }
    }
}

__kernel MANY_REGISTERS IN_GROUPS void winograd_output(__global const float *m, __global feature *output,
                                                       __global ushort *mask, __global const float *bias,
                                                       int out_channels, int out_height, int out_width, int first_tile,
                                                       int batch_tiles) {
    struct image out = {out_height, out_width};
    int tile_columns = (out_width + 3) / 4, tiles = (out_height + 3) / 4 * tile_columns;
    int count = min(batch_tiles, tiles - first_tile);
    size_t stride = (size_t)out_channels * batch_tiles;
    FOR_RANGE(i, out_channels * batch_tiles) {
        int tile = first_tile + i % batch_tiles, channel = i / batch_tiles;
        if (tile < first_tile + count) {
            float half_way[4][6];
#pragma unroll
            for (int column = 0; column < 6; ++column) {
                float slices[6], t[4];
#pragma unroll
                for (int row = 0; row < 6; ++row) {
                    slices[row] = m[i + (row * 6 + column) * stride];
                }
                transform_output(slices, t);
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
