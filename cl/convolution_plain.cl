/* convolution_plain.cl: the readable engine. Any kernel size, any channels, any device.
 *
 *     output[o][y][x] = epilogue(bias[o] +
 *         sum over i, dy, dx of weights[o][i][dy][dx] * input[i][y + dy - padding][x + dx - padding])
 *
 * weights: weightB [out_blocks][in_blocks][kernel_size * kernel_size][channels of the block], lanes: output channels
 *
 * One element of the launch is one output vector: one pixel of one block of output channels. `count` of them from
 * `start` on.
 */
#include "convolution.h"
#include "weights.h"

__kernel IN_GROUPS void convolution_plain(__global const feature *input, __global featureB *output,
                                          __global const ushortB *mask, __global const weightB *weights,
                                          __global const floatB *bias, int in_channels, int out_blocks, int kernel_size,
                                          int in_height, int in_width, int padding, int padding_mode, int start,
                                          int count) {
    int height = in_height + 2 * padding - kernel_size + 1, width = in_width + 2 * padding - kernel_size + 1;
    int taps = kernel_size * kernel_size;
    size_t plane = (size_t)in_height * in_width;
    FOR_RANGE(n, count) {
        int i = start + n, x = i % width, y = i / width % height, block = i / (width * height);
        floatB sum = bias[block];
        for (int tap = 0; tap < taps; ++tap) {
            int row = source_index(y + tap / kernel_size - padding, in_height, padding_mode);
            int column = source_index(x + tap % kernel_size - padding, in_width, padding_mode);
            if (row < 0 || column < 0) {
                continue;
            }
            __global const feature *pixel = input + ((size_t)row * in_width + column) * BLOCK;
            __global const weightB *filter = weights + (size_t)block * in_channels * taps;
            for (int first = 0; first < in_channels; first += BLOCK) {
                int lanes = min(BLOCK, in_channels - first);
                for (int lane = 0; lane < lanes; ++lane) {
                    sum += LOAD_FEATURE(pixel + lane) * LOAD_WEIGHT(filter + tap * lanes + lane);
                }
                pixel += plane * BLOCK;
                filter += lanes * taps;
            }
        }
        intB bits = (intB)(0);
        if (reads_mask(EPILOGUE)) {
            bits = CONVERT_INT(mask[(block * ((height + 3) / 4) + y / 4) * ((width + 3) / 4) + x / 4]);
        }
        store_output(EPILOGUE, &output[i], sum, bits, 4 * (y % 4) + x % 4);
    }
}

/* The ReLU mask of a whole map; one element is one tile of one block. */
__kernel IN_GROUPS void relu_mask(__global const featureB *output, __global ushortB *mask, int blocks, int height,
                                  int width) {
    int rows = (height + 3) / 4, columns = (width + 3) / 4;
    FOR_RANGE(i, blocks * rows * columns) {
        int x = i % columns, y = i / columns % rows, block = i / (columns * rows);
        mask[i] = mask_of_tile(output + (size_t)block * height * width, 4 * y, 4 * x, height, width);
    }
}
