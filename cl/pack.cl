/* pack.cl: puts the weights of a 1x1 convolution in the order in which the engines read them. */
#include "common.h"

/* Packs a matrix [in_channels][out_channels] as weights of a 1x1 convolution: [panels][in_channels][panel_width], where
 * the panel's channels that do not exist are zero. One element is one packed row on CPUs; on GPUs it is one number, so
 * that neighbors read and write side by side. */
__kernel IN_GROUPS void pack_matrix(__global const float *matrix, __global float *weights, int out_channels,
                                    int in_channels, int panel_width, int panels) {
    int width = LOOPS ? panel_width : 1, per_row = LOOPS ? 1 : panel_width;
    FOR_RANGE(i, panels * in_channels * per_row) {
        int row = i / per_row, first = row / in_channels * panel_width, in_channel = row % in_channels;
        for (int j = i % per_row; j < i % per_row + width; ++j) {
            int channel = first + j;
            weights[row * panel_width + j] =
                channel < out_channels ? matrix[in_channel * out_channels + channel] : 0.0f;
        }
    }
}
