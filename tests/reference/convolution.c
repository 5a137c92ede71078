/* convolution.c: convolution in float64, one output after the other; see convolution.h. */
#include "reference/convolution.h"

int reference_source_index(int i, int size, enum padding_mode mode) {
    if (i >= 0 && i < size) {
        return i;
    }
    if (mode == PADDING_ZERO) {
        return -1;
    }
    if (mode == PADDING_REFLECT) {
        i = i < 0 ? -i : 2 * (size - 1) - i;
    }
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

double reference_convolution_at(const struct convolution_shape *shape, const float *weights, const float *bias,
                                const float *input, int height, int width, int o, int y, int x) {
    int size = shape->kernel_size, in_channels = shape->in_channels;
    size_t plane = (size_t)height * width;
    double sum = shape->has_bias ? bias[o] : 0;
    for (int dy = 0; dy < size; ++dy) {
        int row = reference_source_index(y + dy - shape->padding, height, shape->padding_mode);
        for (int dx = 0; dx < size && row >= 0; ++dx) {
            int column = reference_source_index(x + dx - shape->padding, width, shape->padding_mode);
            if (column < 0) {
                continue;
            }
            const float *pixel = input + (size_t)row * width + column;
            const float *filter = weights + ((size_t)o * in_channels * size + dy) * size + dx;
            for (int i = 0; i < in_channels; ++i) {
                sum += (double)pixel[i * plane] * filter[(size_t)i * size * size];
            }
        }
    }
    return sum;
}

void reference_convolution(const struct convolution_shape *shape, const float *weights, const float *bias,
                           const float *input, int height, int width, double *output) {
    int out_height, out_width;
    convolution_output_size(shape, height, width, &out_height, &out_width);
    for (int o = 0; o < shape->out_channels; ++o) {
        for (int y = 0; y < out_height; ++y) {
            for (int x = 0; x < out_width; ++x) {
                *output++ = reference_convolution_at(shape, weights, bias, input, height, width, o, y, x);
            }
        }
    }
}

void feature_map_from_dense(int block, int channels, size_t pixels, const float *dense, float *map) {
    int blocks = (channels + block - 1) / block;
    for (int c = 0; c < blocks * block; ++c) {
        for (size_t p = 0; p < pixels; ++p) {
            map[(c / block * pixels + p) * block + c % block] = c < channels ? dense[c * pixels + p] : 0.0f;
        }
    }
}

void feature_map_to_dense(int block, int channels, size_t pixels, const float *map, float *dense) {
    for (int c = 0; c < channels; ++c) {
        for (size_t p = 0; p < pixels; ++p) {
            dense[c * pixels + p] = map[(c / block * pixels + p) * block + c % block];
        }
    }
}
