/* convolution.h: the slow float64 truth for every convolution engine, and feature maps from and to plain arrays. */
#ifndef REFERENCE_CONVOLUTION_H
#define REFERENCE_CONVOLUTION_H

#include "network/convolution.h"

/* output[o][y][x] = bias[o] + sum over i, dy, dx of weights[o][i][dy][dx] * input[i][y + dy - p][x + dx - p], all
 * arrays dense; `output` has the size of convolution_output_size. Without an epilogue. */
void reference_convolution(const struct convolution_shape *shape, const float *weights, const float *bias,
                           const float *input, int height, int width, double *output);

/* The same for one output value. */
double reference_convolution_at(const struct convolution_shape *shape, const float *weights, const float *bias,
                                const float *input, int height, int width, int o, int y, int x);

/* Where position i of a padded row or column is read from, or -1 for a zero. */
int reference_source_index(int i, int size, enum padding_mode mode);

/* Dense [channels][pixels] to and from blocks [ceil(channels / block)][pixels][block]; channels that do not exist are
 * zero. */
void feature_map_from_dense(int block, int channels, size_t pixels, const float *dense, float *map);
void feature_map_to_dense(int block, int channels, size_t pixels, const float *map, float *dense);

#endif
