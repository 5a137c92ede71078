/* resample.cl: an image at another size, as torch.nn.functional.interpolate makes it: half-pixel centers, edges repeated,
 * not antialiased; bicubic (Keys 1981, with a = -3/4) or bilinear.
 *
 * Images are float [planes][height][width]; `sizes` are in_height, in_width, out_height, out_width, of which none is
 * above 16384 (products must fit an int).
 */
#include "common.h"

/* Output d lies between input `first` and the next one, or at `first`: (d + 1/2) in / out - 1/2; weights of the four
 * inputs from first - 1 on. */
static float4 weights_at(int d, int in, int out, int is_cubic, int *first) {
    int numerator = (2 * d + 1) * in - out, unit = 2 * out; /* at least -out */
    *first = numerator < 0 ? -1 : numerator / unit;
    float t = (float)(numerator - *first * unit) / (float)unit;
    if (!is_cubic) {
        return (float4)(0.0f, 1.0f - t, t, 0.0f);
    }
    const float a = -0.75f;
    float4 x = (float4)(t + 1.0f, t, 1.0f - t, 2.0f - t);
    float4 inner = ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
    float4 outer = ((a * x - 5.0f * a) * x + 8.0f * a) * x - 4.0f * a;
    return (float4)(outer.x, inner.y, inner.z, outer.w);
}

__kernel IN_GROUPS void resample(__global const float *input, __global float *output, int planes, int4 sizes,
                                 int is_cubic, float low, float high) {
    FOR_LINES(line, planes * sizes.z, x, sizes.w) {
        int top, left, plane = line / sizes.z;
        float4 rows = weights_at(line % sizes.z, sizes.x, sizes.z, is_cubic, &top);
        float4 columns = weights_at(x, sizes.y, sizes.w, is_cubic, &left);
        int4 at = clamp((int4)(left - 1, left, left + 1, left + 2), 0, sizes.y - 1);
        float sums[4];
        for (int i = 0; i < 4; ++i) {
            int y = clamp(top - 1 + i, 0, sizes.x - 1);
            __global const float *from = input + ((size_t)plane * sizes.x + y) * sizes.y;
            sums[i] = dot(columns, (float4)(from[at.x], from[at.y], from[at.z], from[at.w]));
        }
        float value = dot(rows, (float4)(sums[0], sums[1], sums[2], sums[3]));
        output[(size_t)line * sizes.w + x] = clamp(value, low, high);
    }
}
