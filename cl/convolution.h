/* convolution.h: what the convolution engines share: the borders of the input, and the epilogue of the output.
 * Formula, layouts and meaning of the epilogues: src/network/convolution.h. EPILOGUE, one of the numbers below, is that
 * of programs that are built for one epilogue. */
#include "common.h"
#include "features.h"

/* As enum convolution_epilogue and enum padding_mode on the host. */
#define EPILOGUE_NONE      0
#define EPILOGUE_RELU      1
#define EPILOGUE_MASK      2
#define EPILOGUE_MASK_ADD  3
#define EPILOGUE_RELU_POOL 4
#define PADDING_ZERO       0
#define PADDING_REFLECT    1

#ifndef EPILOGUE
#define EPILOGUE EPILOGUE_NONE
#endif

/* For kernels in which one work-item does much: work-groups of one, and no vectorization over work-items. */
#define EXPLICIT_VECTORS __attribute__((reqd_work_group_size(1, 1, 1))) __attribute__((vec_type_hint(floatB)))

/* Where position i of a padded row or column is read from: 0 .. size - 1, or -1 for a zero. Reflection leaves out the
 * border pixel itself; what would still lie outside, in inputs smaller than the padding, is moved to the nearest pixel.
 */
static int source_index(int i, int size, int padding_mode) {
    if (i >= 0 && i < size) {
        return i;
    }
    if (padding_mode == PADDING_ZERO) {
        return -1;
    }
    if (padding_mode == PADDING_REFLECT) {
        i = i < 0 ? -i : 2 * (size - 1) - i;
    }
    return clamp(i, 0, size - 1);
}

/* max(sum, 0), but not a number stays not a number, so that it is noticed. */
static floatB relu(floatB sum) {
    return select(sum, (floatB)(0.0f), LANES(sum < 0.0f));
}

/* Stores one output vector. `bits` is the mask of its tile and `pixel` its number there, 4 * (y % 4) + x % 4; both are
 * used by the two epilogues that read the mask. */
INLINED void store_output(int epilogue, __global featureB *output, floatB sum, intB bits, int pixel) {
    if (epilogue == EPILOGUE_RELU) {
        sum = relu(sum);
    } else if (epilogue != EPILOGUE_NONE) {
        sum = select((floatB)(0.0f), sum, LANES((bits & (1 << pixel)) != 0));
    }
    store_features(output, epilogue == EPILOGUE_MASK_ADD ? LOAD_FEATURES(output) + sum : sum);
}

static bool reads_mask(int epilogue) {
    return (epilogue == EPILOGUE_MASK) | (epilogue == EPILOGUE_MASK_ADD);
}

/* The mask of the tile whose first pixel is (y, x), from the output of its channel block. */
static ushortB mask_of_tile(__global const featureB *output, int y, int x, int height, int width) {
    intB bits = (intB)(0);
    for (int row = 0; row < 4 && y + row < height; ++row) {
        for (int column = 0; column < 4 && x + column < width; ++column) {
            bits |= LANES(LOAD_FEATURES(output + (y + row) * width + x + column) > 0.0f) & (1 << (4 * row + column));
        }
    }
    return CONVERT_USHORT(bits);
}
