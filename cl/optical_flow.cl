/* optical_flow.cl: how a picture moved, by the steps of TV-L1 (Zach, Pock and Bischof 2007; in the form of Sanchez,
 * Meinhardt-Llopis and Facciolo 2013, IPOL), from coarse to fine. flow/optical_flow.c runs them.
 *
 * The flow u minimizes  sum |grad u1| + |grad u2| + lambda |I1(x + u) - I0(x)|, with I1 linearized around a flow u0:
 *     residual(u) = I1(x + u0) - I0(x) + <slope, u - u0>
 *     v = u + slope clamp(-residual / |slope|^2, -lambda theta, lambda theta)
 *     u = v + theta div p                                    p = (p + a grad u) / (1 + a |grad u|),  a = tau / theta
 * A flow is two planes, float [2][height][width], along x and along y; p four planes: those of u1, then those of u2.
 * Differences forward for grad, 0 at the far edges; backward for div, its negative transpose.
 */
#include "common.h"

#include "interpolate.h"

/* Every second pixel of the picture smoothed by 1 4 6 4 1 along rows and columns (Burt and Adelson 1983); edges are
 * repeated. `sizes`: height and width of the picture, and of the result. */
__kernel IN_GROUPS void flow_reduce(__global const float *picture, __global float *reduced, int4 sizes) {
    const float taps[5] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};
    FOR_LINES(y, sizes.z, x, sizes.w) {
        float sum = 0.0f;
        for (int i = 0; i < 5; ++i) {
            __global const float *line = picture + (size_t)clamp(2 * y + i - 2, 0, sizes.x - 1) * sizes.y;
            float along = 0.0f;
            for (int j = 0; j < 5; ++j) {
                along += taps[j] * line[clamp(2 * x + j - 2, 0, sizes.y - 1)];
            }
            sum += taps[i] * along;
        }
        reduced[(size_t)y * sizes.w + x] = sum;
    }
}

/* The flow of a picture of twice the size. `sizes`: of the flow, and of the result. */
__kernel IN_GROUPS void flow_expand(__global const float *flow, __global float *expanded, int4 sizes) {
    FOR_LINES(line, 2 * sizes.z, x, sizes.w) {
        __global const float *plane = flow + (size_t)(line / sizes.z) * sizes.x * sizes.y;
        float y = 0.5f * (line % sizes.z);
        expanded[(size_t)line * sizes.w + x] = 2.0f * linear_at(plane, sizes.x, sizes.y, y, 0.5f * x);
    }
}

/* linear: three planes, the slope of I1 along x and along y at x + u0, and residual(0). Where that is outside of the
 * picture all are 0: nothing is known. */
__kernel IN_GROUPS void flow_linearize(__global const float *from, __global const float *to, __global const float *flow,
                                       __global float *linear, int height, int width) {
    FOR_LINES(row, height, column, width) {
        size_t plane = (size_t)height * width, i = (size_t)row * width + column;
        float along_x = flow[i], along_y = flow[plane + i], x = column + along_x, y = row + along_y;
        float slope_x = 0.0f, slope_y = 0.0f, residual = 0.0f;
        if (x >= 0.0f && x <= width - 1.0f && y >= 0.0f && y <= height - 1.0f) {
            slope_x = 0.5f * (cubic_at(to, height, width, y, x + 1.0f) - cubic_at(to, height, width, y, x - 1.0f));
            slope_y = 0.5f * (cubic_at(to, height, width, y + 1.0f, x) - cubic_at(to, height, width, y - 1.0f, x));
            residual = cubic_at(to, height, width, y, x) - from[i] - slope_x * along_x - slope_y * along_y;
        }
        linear[i] = slope_x;
        linear[plane + i] = slope_y;
        linear[2 * plane + i] = residual;
    }
}

/* v, and then u, in the place of u. limit: lambda theta. */
__kernel IN_GROUPS void flow_primal(__global float *flow, __global const float *dual, __global const float *linear,
                                    int height, int width, float limit, float theta) {
    FOR_LINES(y, height, x, width) {
        size_t plane = (size_t)height * width, i = (size_t)y * width + x;
        size_t left = i - (x > 0 ? 1 : 0), above = i - (y > 0 ? width : 0);
        float2 slope = (float2)(linear[i], linear[plane + i]), u = (float2)(flow[i], flow[plane + i]);
        float square = dot(slope, slope), residual = linear[2 * plane + i] + dot(slope, u);
        float step = square > 1e-6f ? clamp(-residual / square, -limit, limit) : 0.0f;
        float inner_x = x > 0 ? 1.0f : 0.0f, inner_y = y > 0 ? 1.0f : 0.0f;
        float2 divergence = (float2)(dual[i] - inner_x * dual[left] + dual[plane + i] - inner_y * dual[plane + above],
                                     dual[2 * plane + i] - inner_x * dual[2 * plane + left] + dual[3 * plane + i] -
                                         inner_y * dual[3 * plane + above]);
        u += step * slope + theta * divergence;
        flow[i] = u.x;
        flow[plane + i] = u.y;
    }
}

/* p, from u. a: tau / theta. */
__kernel IN_GROUPS void flow_dual(__global const float *flow, __global float *dual, int height, int width, float a) {
    FOR_LINES(line, 2 * height, x, width) {
        int y = line % height;
        size_t plane = (size_t)height * width, i = (size_t)line * width + x;
        size_t along_x = (size_t)(line / height) * 2 * plane + (size_t)y * width + x, along_y = along_x + plane;
        float slope_x = flow[x + 1 < width ? i + 1 : i] - flow[i];
        float slope_y = flow[y + 1 < height ? i + width : i] - flow[i];
        float divisor = 1.0f + a * sqrt(slope_x * slope_x + slope_y * slope_y);
        dual[along_x] = (dual[along_x] + a * slope_x) / divisor;
        dual[along_y] = (dual[along_y] + a * slope_y) / divisor;
    }
}
