/* winograd_weights.h: the filters' side of Winograd's F(4x4, 3x3). */
#ifndef NETWORK_WINOGRAD_WEIGHTS_H
#define NETWORK_WINOGRAD_WEIGHTS_H

enum { WINOGRAD_SLICES = 36 };

/* U = G g G^T of one 3x3 filter g, for the points 0, +-1/sqrt 2, +-sqrt 2 and infinity (Lavin and Gray 2015,
 * arXiv:1509.09308, section 4); the transforms that belong to it are in cl/winograd.h. */
void winograd_transform_filter(const float filter[9], double transformed[WINOGRAD_SLICES]);

#endif
