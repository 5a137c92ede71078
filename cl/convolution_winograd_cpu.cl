/* convolution_winograd_cpu.cl: 3x3 convolution by Winograd's minimal filtering F(4x4, 3x3), fused, for CPUs.
 *
 *     Y = A^T [ sum over input channels of (G g G^T) * (B^T d B) ] A
 *
 * (Lavin and Gray 2015, arXiv:1509.09308, section 4) turns a 6x6 patch d of the input into a 4x4 tile Y of the
 * output with 36 products instead of 144. The points of evaluation are 0, +-1/sqrt 2, +-sqrt 2 and infinity, which
 * halve the rounding error of the usual 0, +-1, +-2.
 *
 * A work-item has a range of tiles and takes `round_tiles` of them at a time:
 *     1. V = B^T d B of all input channels
 *     2. for each panel of PANEL vectors of output channels: 36 products M[s] = V[s] U[s], sums in registers
 *     3. A^T M A, bias, epilogue
 *
 *     V[36][groups of TILES tiles][in_blocks][TILES]             lanes: input channels
 *     U[panels][36][PANEL / VECTORS][in_channels][VECTORS]       lanes: output channels
 *     M[36][PANEL][round_tiles]                                  lanes: output channels
 * V and M lie in its part of `scratch`, and should fit its cache. Each slice s of them is one vector longer than it
 * need be, so that the 36 do not compete for the same lines of the cache.
 *
 * With `transforms_filters`, weights are the packed filters (winograd_filters.h), and six slices of U at a time are
 * made of them, behind M, whenever they are needed. Only packed ones may be halves.
 *
 * `unpools` (backward, padding 1): the input is given pooled, with the mask that says which pixels each value came
 * from; all others are zero. EPILOGUE_RELU_POOL (forward): the output is pooled.
 *
 * One program does for all epilogues, pooled or not, since each takes a compiler a second.
 *
 * winograd_filters transforms packed filters to U once, for layers that read them so often that transforming them each
 * time anew would cost more.
 */
#include "convolution.h"
#include "weights.h"
#include "window.h"
#include "winograd.h"
#include "winograd_filters.h"

#define SPAN 128 /* input channels, a multiple of BLOCK */

struct image {
    int height, width;
};

/* B^T along the rows of a patch that has been transformed along its columns: 36 vectors of V, `stride` apart. */
static void store_input_tile(floatB half_way[6][6], __global floatB *v, int stride) {
#pragma unroll
    for (int i = 0; i < 6; ++i) {
        floatB t[6];
        transform_input(half_way[i], t);
#pragma unroll
        for (int j = 0; j < 6; ++j) {
            v[(i * 6 + j) * stride] = t[j];
        }
    }
}

/* V of one tile of one channel block, from the pooled input and the selection mask of the block. The patch begins
 * one pixel above and left of its tile (row, column): it shows 4x4 pooled values, and the masks of 3x3 tiles. */
OUTLINED void unpooled_tile(__global const featureB *pooled, __global const ushortB *selection, struct image in,
                            int row, int column, __global floatB *v, int stride, floatB zero) {
    int pooled_height = in.height / 2, pooled_width = in.width / 2;
    int tile_rows = (in.height + 3) / 4, tile_columns = (in.width + 3) / 4;
    intB bits[3][3];
    floatB values[4][4], half_way[6][6];
    /* Tiles outside the map have no bits; whatever value is read for them is not used. */
#pragma unroll
    for (int i = 0; i < 3; ++i) {
#pragma unroll
        for (int j = 0; j < 3; ++j) {
            int y = row + i - 1, x = column + j - 1;
            bool exists = y >= 0 && x >= 0 && y < tile_rows && x < tile_columns;
            bits[i][j] = exists ? CONVERT_INT(selection[y * tile_columns + x]) : (intB)(0);
        }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        int y = clamp(2 * row + i - 1, 0, pooled_height - 1);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            values[i][j] = LOAD_FEATURES(pooled + y * pooled_width + clamp(2 * column + j - 1, 0, pooled_width - 1));
        }
    }
#pragma unroll
    for (int j = 0; j < 6; ++j) {
        floatB d[6], t[6];
#pragma unroll
        for (int i = 0; i < 6; ++i) {
            int bit = 1 << (4 * ((i + 3) % 4) + (j + 3) % 4);
            d[i] = select(zero, values[(i + 1) / 2][(j + 1) / 2], LANES((bits[(i + 3) / 4][(j + 3) / 4] & bit) != 0));
        }
        transform_input(d, t);
#pragma unroll
        for (int i = 0; i < 6; ++i) {
            half_way[i][j] = t[i];
        }
    }
    store_input_tile(half_way, v, stride);
}

/* V of one tile of one channel block: reads the patch whose first pixel is (y, x). */
OUTLINED void input_tile(__global const featureB *input, struct image in, int y, int x, int padding_mode,
                         __global floatB *v, int stride, floatB zero) {
    floatB half_way[6][6];
    bool inside = y >= 0 && x >= 0 && y + 6 <= in.height && x + 6 <= in.width;
#pragma unroll
    for (int j = 0; j < 6; ++j) {
        floatB d[6], t[6];
        if (inside) {
#pragma unroll
            for (int i = 0; i < 6; ++i) {
                d[i] = LOAD_FEATURES(input + (y + i) * in.width + x + j);
            }
        } else {
            int column = source_index(x + j, in.width, padding_mode);
            for (int i = 0; i < 6; ++i) {
                int row = source_index(y + i, in.height, padding_mode);
                d[i] = row < 0 || column < 0 ? zero : LOAD_FEATURES(input + row * in.width + column);
            }
        }
        transform_input(d, t);
#pragma unroll
        for (int i = 0; i < 6; ++i) {
            half_way[i][j] = t[i];
        }
    }
    store_input_tile(half_way, v, stride);
}

/* Two rows of a tile, pooled; `row` is the first, 0 or 2. */
static void pool_rows(floatB above[4], floatB below[4], floatB bias, __global featureB *output, intB *bits,
                      struct image out, int y, int x, int row) {
#pragma unroll
    for (int j = 0; j < 4; j += 2) {
        if (y + row + 1 < out.height && x + j + 1 < out.width) {
            floatB most = window_maximum(above[j], above[j + 1], below[j], below[j + 1], row, j, 0, bits);
            *bits &= LANES(most + bias > 0.0f) | ~(0x33 << (4 * row + j + 1));
            store_features(output + (y + row) / 2 * (out.width / 2) + (x + j) / 2, relu(most + bias));
        }
    }
}

/* Output of one tile, pooled, from A^T M. */
static void pool_tile(floatB half_way[4][6], floatB bias, __global featureB *output, __global ushortB *mask,
                      struct image out, int y, int x) {
    intB bits = (intB)(0);
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        floatB above[4], below[4];
        transform_output(half_way[i], above);
        transform_output(half_way[i + 1], below);
        pool_rows(above, below, bias, output, &bits, out, y, x, i);
    }
    *mask = SELECTION_MASK(bits);
}

/* Output of one tile with one of the other epilogues. */
INLINED void store_tile(int epilogue, floatB half_way[4][6], floatB bias, __global featureB *output,
                        __global ushortB *mask, struct image out, int y, int x) {
    intB bits = reads_mask(epilogue) ? CONVERT_INT(*mask) : (intB)(0);
    bool inside = y + 4 <= out.height && x + 4 <= out.width;
    int existing = 0; /* bits of the tile's pixels that lie in the output */
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        floatB t[4];
        transform_output(half_way[i], t);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            int bit = 1 << (4 * i + j);
            floatB sum = t[j] + bias;
            if (epilogue == EPILOGUE_RELU) {
                bits |= LANES(sum > 0.0f) & (bit << 1);
            }
            if (inside || (y + i < out.height && x + j < out.width)) {
                store_output(epilogue, &output[(y + i) * out.width + x + j], sum, bits, 4 * i + j);
                existing |= bit;
            }
        }
    }
    if (epilogue == EPILOGUE_RELU) {
        /* One bit too far to the left until here: Oclgrind 21.10 mistakes the 1 of a comparison's lane for 255. */
        *mask = CONVERT_USHORT((bits >> 1) & existing);
    }
}

/* Output of one tile of one channel block, from 36 vectors `stride` apart. (y, x) is the tile's first pixel. */
OUTLINED void output_tile(int epilogue, __global const floatB *m, int stride, floatB bias, __global featureB *output,
                          __global ushortB *mask, struct image out, int y, int x) {
    floatB half_way[4][6];
#pragma unroll
    for (int j = 0; j < 6; ++j) {
        floatB column[6], t[4];
#pragma unroll
        for (int i = 0; i < 6; ++i) {
            column[i] = m[(i * 6 + j) * stride];
        }
        transform_output(column, t);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            half_way[i][j] = t[i];
        }
    }
    switch (epilogue) {
    case EPILOGUE_NONE:
        store_tile(EPILOGUE_NONE, half_way, bias, output, mask, out, y, x);
        break;
    case EPILOGUE_RELU:
        store_tile(EPILOGUE_RELU, half_way, bias, output, mask, out, y, x);
        break;
    case EPILOGUE_MASK:
        store_tile(EPILOGUE_MASK, half_way, bias, output, mask, out, y, x);
        break;
    case EPILOGUE_MASK_ADD:
        store_tile(EPILOGUE_MASK_ADD, half_way, bias, output, mask, out, y, x);
        break;
    default:
        pool_tile(half_way, bias, output, mask, out, y, x);
    }
}

/* The products of one input channel. */
#define ADD_PRODUCTS(N, lane)                                                                                          \
    _Pragma("unroll") for (int i = 0; i < N; ++i) {                                                                    \
        float factor = v[i * BLOCK + (lane)];                                                                          \
        _Pragma("unroll") for (int j = 0; j < VECTORS; ++j) {                                                          \
            sums[i][j] += factor * u[(lane)*VECTORS + j];                                                              \
        }                                                                                                              \
    }

/* NAME: the product of N tiles and VECTORS vectors of output channels, sums in registers. Each SPAN of input channels
 * is summed up by itself: one sum of 512 terms lost twice as much.
 * v: [in_blocks][TILES][BLOCK], u: [in_channels][VECTORS], m: [VECTORS] rows `row` apart, [N]. */
#define DEFINE_MULTIPLY(NAME, N)                                                                                       \
    static void NAME(__global const float *v, __global const floatB *u, __global floatB *m, int row, int in_channels,  \
                     floatB zero) {                                                                                    \
        for (int first = 0; first < in_channels; first += SPAN) {                                                      \
            floatB sums[N][VECTORS];                                                                                   \
            _Pragma("unroll") for (int i = 0; i < N; ++i) {                                                            \
                _Pragma("unroll") for (int j = 0; j < VECTORS; ++j) {                                                  \
                    sums[i][j] = zero;                                                                                 \
                }                                                                                                      \
            }                                                                                                          \
            int left = min(SPAN, in_channels - first);                                                                 \
            for (; left >= BLOCK; left -= BLOCK) {                                                                     \
                _Pragma("unroll") for (int lane = 0; lane < BLOCK; ++lane){ADD_PRODUCTS(N, lane)} v += TILES * BLOCK;  \
                u += BLOCK * VECTORS;                                                                                  \
            }                                                                                                          \
            for (int lane = 0; lane < left; ++lane) {                                                                  \
                ADD_PRODUCTS(N, lane)                                                                                  \
            }                                                                                                          \
            _Pragma("unroll") for (int i = 0; i < N; ++i) {                                                            \
                _Pragma("unroll") for (int j = 0; j < VECTORS; ++j) {                                                  \
                    m[j * row + i] = first ? m[j * row + i] + sums[i][j] : sums[i][j];                                 \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_MULTIPLY(multiply_full, TILES)
DEFINE_MULTIPLY(multiply_4, 4)
DEFINE_MULTIPLY(multiply_2, 2)

/* One slice of `count` tiles by VECTORS vectors of output channels. m: [VECTORS] rows `row` apart, [tiles]. */
OUTLINED void multiply_slice(__global const floatB *v, __global const floatB *u, __global floatB *m, int row, int count,
                             int in_channels, floatB zero) {
    int in_blocks = (in_channels + BLOCK - 1) / BLOCK, t = 0;
    for (; t + TILES <= count; t += TILES) {
        multiply_full((__global const float *)(v + t * in_blocks), u, m + t, row, in_channels, zero);
    }
    __global const float *rest = (__global const float *)(v + t * in_blocks);
    for (; t + 4 <= count; t += 4) {
        multiply_4(rest, u, m + t, row, in_channels, zero);
        rest += 4 * BLOCK;
    }
    for (; t < count; t += 2) {
        multiply_2(rest, u, m + t, row, in_channels, zero);
        rest += 2 * BLOCK;
    }
}

__kernel EXPLICIT_VECTORS void convolution_winograd(__global const featureB *input, __global featureB *output,
                                                    __global ushortB *mask, __global const ushortB *selection,
                                                    __global const weightB *weights, __global const floatB *bias,
                                                    __global floatB *scratch, int in_channels, int out_blocks,
                                                    int in_height, int in_width, int padding, int padding_mode,
                                                    int round_tiles, int groups, int transforms_filters, int epilogue,
                                                    int unpools) {
    const floatB zero = (floatB)(0.0f);
    struct image in = {in_height, in_width}, out = {in_height + 2 * padding - 2, in_width + 2 * padding - 2};
    int tile_columns = (out.width + 3) / 4, tiles = (out.height + 3) / 4 * tile_columns;
    int in_blocks = (in_channels + BLOCK - 1) / BLOCK, panels = (out_blocks + PANEL - 1) / PANEL;
    int v_stride = round_tiles * in_blocks + 1, m_stride = round_tiles * PANEL + 1;
    int out_pixels = epilogue == EPILOGUE_RELU_POOL ? (out.height / 2) * (out.width / 2) : out.height * out.width;
    int item = get_global_id(0), ranges = get_global_size(0) / groups;
    int u_stride = transforms_filters ? in_channels * VECTORS + 1 : in_channels * PANEL;
    scratch += (size_t)item * (SLICES * (v_stride + m_stride) + (transforms_filters ? 6 * u_stride : 0));
    __global floatB *v = scratch, *m = v + SLICES * v_stride, *transformed = m + SLICES * m_stride;

    /* The work-items of one range share out its panels, where there are too few tiles for all of them. */
    int range = item / groups, group = item % groups;
    int range_end = (long)tiles * (range + 1) / ranges;
    for (int first = (long)tiles * range / ranges; first < range_end; first += round_tiles) {
        int count = min(round_tiles, range_end - first);
        for (int block = 0; block < in_blocks; ++block) {
            for (int t = 0; t < (count + 1) / 2 * 2; ++t) {
                int tile = min(first + t, tiles - 1);
                __global floatB *tile_v = v + (t / TILES * in_blocks + block) * TILES + t % TILES;
                if (unpools) {
                    unpooled_tile(input + (size_t)block * (in.height / 2) * (in.width / 2),
                                  selection + (size_t)block * tiles, in, tile / tile_columns, tile % tile_columns,
                                  tile_v, v_stride, zero);
                } else {
                    input_tile(input + (size_t)block * in.height * in.width, in, tile / tile_columns * 4 - padding,
                               tile % tile_columns * 4 - padding, padding_mode, tile_v, v_stride, zero);
                }
            }
        }
        for (int panel = panels * group / groups; panel < panels * (group + 1) / groups; ++panel) {
            int vectors = min(PANEL, out_blocks - panel * PANEL);
            for (int row = 0; row < 6; ++row) {
                for (int part = 0; part * VECTORS < vectors; ++part) {
                    __global const floatB *u = transformed;
                    if (transforms_filters) {
                        transform_filters(weights +
                                              (size_t)(panel * (PANEL / VECTORS) + part) * in_channels * 9 * VECTORS,
                                          row, in_channels, transformed, u_stride);
                    } else {
                        u = (__global const floatB *)weights +
                            ((size_t)(panel * SLICES + 6 * row) * (PANEL / VECTORS) + part) * in_channels * VECTORS;
                    }
                    for (int column = 0; column < 6; ++column) {
                        int s = 6 * row + column;
                        multiply_slice(v + s * v_stride, u + column * u_stride,
                                       m + s * m_stride + part * VECTORS * round_tiles, round_tiles, count, in_channels,
                                       zero);
                    }
                }
            }
            for (int j = 0; j < vectors; ++j) {
                size_t block = panel * PANEL + j;
                for (int t = 0; t < count; ++t) {
                    int tile = first + t;
                    output_tile(epilogue, m + j * round_tiles + t, m_stride, bias[block], output + block * out_pixels,
                                mask + block * tiles + tile, out, tile / tile_columns * 4, tile % tile_columns * 4);
                }
            }
        }
    }
}

/* One element is a row of six slices of one part of a panel. */
__kernel IN_GROUPS void winograd_filters(__global const weightB *filters, __global floatB *u, int in_channels,
                                         int parts) {
    FOR_RANGE(i, parts * 6) {
        int part = i / 6, row = i % 6, panel = part / (PANEL / VECTORS);
        size_t slice = (size_t)in_channels * VECTORS;
        transform_filters(filters + part * 9 * slice, row, in_channels,
                          u + ((panel * SLICES + 6 * row) * (PANEL / VECTORS) + part % (PANEL / VECTORS)) * slice,
                          in_channels * PANEL);
    }
}
