/* warp.cl: a picture moved by a flow, and where that flow can be relied on. Pictures are float [planes][height][width],
 * 0..255; flows as in optical_flow.cl. `flow` leads from each pixel of a picture to where it was in another one.
 */
#include "common.h"

#include "interpolate.h"

/* warped(x) = picture(x + flow(x)), cubic, clamped to 0..255; what lies outside is as at the edge. */
__kernel IN_GROUPS void warp(__global const float *picture, __global const float *flow, __global float *warped,
                             int planes, int height, int width) {
    FOR_LINES(line, planes * height, x, width) {
        int row = line % height;
        size_t plane = (size_t)height * width, i = (size_t)row * width + x;
        __global const float *from = picture + (size_t)(line / height) * plane;
        float value = cubic_at(from, height, width, row + flow[plane + i], x + flow[i]);
        warped[(size_t)line * width + x] = clamp(value, 0.0f, 255.0f);
    }
}

/* Half the difference of the neighbors along x and along y, edges repeated, squared and added. */
static float steepness(__global const float *plane, int height, int width, int y, int x) {
    __global const float *line = plane + (size_t)y * width;
    float along_x = 0.5f * (line[min(x + 1, width - 1)] - line[max(x - 1, 0)]);
    float along_y =
        0.5f * (plane[(size_t)min(y + 1, height - 1) * width + x] - plane[(size_t)max(y - 1, 0) * width + x]);
    return along_x * along_x + along_y * along_y;
}

/* reliable: 1 or 0 for each pixel (Sundaram, Brox and Keutzer 2010; Ruder et al. 2016). It is 0, w being the flow,
 *     where x + w is outside of the picture;
 *     where the flow of the other picture does not lead back, w'(x + w) being linear between pixels:
 *         |w + w'|^2 > 0.01 (|w|^2 + |w'|^2) + 0.5        (if `has_back`)
 *     where motions meet: |grad w1|^2 + |grad w2|^2 > 0.01 |w|^2 + 0.002
 *     where both pictures differ: |picture - warped| > `difference`, the mean over the planes. */
__kernel IN_GROUPS void reliability(__global const float *flow, __global const float *back, int has_back,
                                    __global const float *picture, __global const float *warped,
                                    __global float *reliable, int planes, int height, int width, float difference) {
    FOR_LINES(row, height, column, width) {
        size_t plane = (size_t)height * width, i = (size_t)row * width + column;
        float2 w = (float2)(flow[i], flow[plane + i]);
        float x = column + w.x, y = row + w.y, other = 0.0f;
        bool is_reliable = x >= 0.0f && x <= width - 1.0f && y >= 0.0f && y <= height - 1.0f;
        if (has_back) {
            float2 returned =
                (float2)(linear_at(back, height, width, y, x), linear_at(back + plane, height, width, y, x));
            float2 sum = w + returned;
            is_reliable = is_reliable && dot(sum, sum) <= 0.01f * (dot(w, w) + dot(returned, returned)) + 0.5f;
        }
        float steep = steepness(flow, height, width, row, column) + steepness(flow + plane, height, width, row, column);
        for (int p = 0; p < planes; ++p) {
            other += fabs(picture[p * plane + i] - warped[p * plane + i]);
        }
        is_reliable = is_reliable && steep <= 0.01f * dot(w, w) + 0.002f && other <= planes * difference;
        reliable[i] = is_reliable ? 1.0f : 0.0f;
    }
}
