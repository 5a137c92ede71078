/* random_network.h: small networks with random weights, described by one line of text, and random images. */
#ifndef TESTS_RANDOM_NETWORK_H
#define TESTS_RANDOM_NETWORK_H

#include "weights/network.h"

/* `description` lists the layers, separated by spaces:
 *     c5      convolution to 5 channels, 3x3, zero padding 1, with bias
 *     c5:k1   1x1;  c5:p0 padding 0;  c5:reflect, c5:replicate: how it pads;  c5:nobias     (in any combination)
 *     r       ReLU
 *     p       pooling
 * They are named as VGG's: conv1_1 relu1_1 pool1 conv2_1 ... The input is B, G, R with three different scales and
 * offsets. Weights keep the variance of what passes through. Free with random_network_free. */
nst_network *random_network(const char *description, uint64_t seed);
void random_network_free(nst_network *network);

#endif
