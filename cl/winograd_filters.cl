/* winograd_filters.cl: transforms packed filters to U[panels][36][PANEL / VECTORS][in_channels][VECTORS], once, for the
 * layers that read them so often that transforming them each time anew would cost more; see convolution_winograd.cl.
 */
#include "common.h"
#include "weights.h"
#include "winograd.h"
#include "winograd_filters.h"

/* One element is a row of six slices of one part of a panel. */
__kernel void winograd_filters(__global const floatB *filters, __global floatB *u, int in_channels, int parts) {
    FOR_RANGE(i, parts * 6) {
        int part = i / 6, row = i % 6, panel = part / (PANEL / VECTORS);
        size_t slice = (size_t)in_channels * VECTORS;
        transform_filters(filters + part * 9 * slice, row, in_channels,
                          u + ((panel * SLICES + 6 * row) * (PANEL / VECTORS) + part % (PANEL / VECTORS)) * slice,
                          in_channels * PANEL);
    }
}
