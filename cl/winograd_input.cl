/* winograd_input.cl: Winograd F(4x4, 3x3) on GPUs, which is done in three steps:
 *
 *     Y = A^T [ sum over input channels of (G g G^T) * (B^T d B) ] A  (Lavin and Gray 2015, arXiv:1509.09308, sec. 4)
 *
 * winograd_filters:  U[36][in_channels][u_width] = G g G^T of the filters float [out_channels][in_channels][3][3],
 *                    once; columns that are no output channels are zero
 * winograd_input:    V[36][in_channels][batch_tiles] = B^T d B of the tiles from first_tile on. One element of a launch
 *                    is one tile of one channel; neighbors are neighboring tiles, so that V is written in whole lines.
 *                    batch_tiles is filled up to what the product likes: tiles that do not exist repeat the last one
 * then               winograd_product.cl, or CLBlast: M[s] = U[s]^T V[s] for the 36 slices s
 * and                winograd_output.cl: Y = A^T M A
 *
 * V lies at the beginning of the scratch buffer, M behind it, from m_start on.
 */
#include "tile.h"
#include "winograd.h"

__kernel MANY_REGISTERS IN_GROUPS void winograd_filters(__global const float *filters, __global float *u,
                                                        int in_channels, int out_channels, int u_width) {
    size_t stride = (size_t)in_channels * u_width;
    FOR_RANGE(i, in_channels * u_width) {
        int in = i / u_width, out = i % u_width;
        __global const float *g = filters + 9 * ((size_t)min(out, out_channels - 1) * in_channels + in);
        float half_way[6][3];
#pragma unroll
        for (int column = 0; column < 3; ++column) {
            float taps[3] = {g[column], g[3 + column], g[6 + column]}, t[6];
            transform_filter(taps, t);
#pragma unroll
            for (int row = 0; row < 6; ++row) {
                half_way[row][column] = t[row];
            }
        }
#pragma unroll
        for (int row = 0; row < 6; ++row) {
            float t[6];
            transform_filter(half_way[row], t);
#pragma unroll
            for (int column = 0; column < 6; ++column) {
                u[i + (row * 6 + column) * stride] = out < out_channels ? t[column] : 0.0f;
            }
        }
    }
}

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
