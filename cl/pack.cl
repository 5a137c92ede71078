/* pack.cl: puts the weights of a 1x1 convolution in the order in which the engines read them. */
#include "common.h"

/* Packs a matrix [in_channels][out_channels] as weights of a 1x1 convolution: [panels][in_channels][panel_width], where
 * the panel's channels that do not exist are zero. One element is one packed row. */
__kernel IN_GROUPS void pack_matrix(__global const float *matrix, __global float *weights, int out_channels,
                                    int in_channels, int panel_width, int panels) {
    FOR_RANGE(i, panels * in_channels) {
        int first = i / in_channels * panel_width, in_channel = i % in_channels;
        for (int j = 0; j < panel_width; ++j) {
            int channel = first + j;
            weights[i * panel_width + j] = channel < out_channels ? matrix[in_channel * out_channels + channel] : 0.0f;
        }
    }
}
