/* palette.cl: the relaxed earth mover's distance between colors of the image and of the styles:
 *
 *     loss = weight max(mean over p of min over q of d(p, q), mean over q of min over p of d(p, q))
 *     d(p, q) = 1 - cos(a(p), b(q)) + sqrt(clamp(|a(p) - b(q)|^2, 1e-5, 1e5) / 3)
 *
 * a and b are colors in other axes: that of the grays and two at right angles to it. Colors are stacks of three channels
 * (cl/hypercolumns.cl), float [blocks][positions][BLOCK]; in other axes they are float4 [positions]: three numbers and
 * what the vector's length is divided by.
 */
#include "common.h"

#include "stack.h"

#define LEAST_DISTANCE 1e-5f
#define MOST_DISTANCE  1e5f

/* The axes are rows. */
static float3 turn(float3 color) {
    return (float3)(0.577350f * (color.x + color.y + color.z),
                    -0.577350f * color.x + 0.788675f * color.y - 0.211325f * color.z,
                    -0.577350f * color.x - 0.211325f * color.y + 0.788675f * color.z);
}
static float3 turn_back(float3 color) {
    return (float3)(0.577350f * (color.x - color.y - color.z),
                    0.577350f * color.x + 0.788675f * color.y - 0.211325f * color.z,
                    0.577350f * color.x - 0.211325f * color.y + 0.788675f * color.z);
}

static size_t place(int channel, int p, int positions) {
    return ((size_t)(channel / BLOCK) * positions + p) * BLOCK + channel % BLOCK;
}

__kernel IN_GROUPS void palette_turn(__global const float *samples, __global float4 *colors, int positions) {
    FOR_RANGE(p, positions) {
        float3 color = turn((float3)(samples[place(0, p, positions)], samples[place(1, p, positions)],
                                     samples[place(2, p, positions)]));
        colors[p] = (float4)(color, inverse_length(dot(color, color)));
    }
}

static float distance_of(float4 a, float4 b) {
    float3 difference = a.xyz - b.xyz;
    float square = clamp(dot(difference, difference), LEAST_DISTANCE, MOST_DISTANCE);
    return 1.0f - a.w * b.w * dot(a.xyz, b.xyz) + sqrt(square / 3.0f);
}

/* The nearest of `others` to each color, and the sum of the distances. */
__kernel IN_GROUPS void palette_nearest(__global const float4 *colors, int positions, __global const float4 *others,
                                        int other_positions, __global int *nearest, __global float *partials) {
    float sum = 0.0f, lost = 0.0f;
    FOR_RANGE(p, positions) {
        float4 color = colors[p];
        float least = INFINITY;
        int best = 0;
        for (int q = 0; q < other_positions; ++q) {
            float here = distance_of(color, others[q]);
            best = here < least ? q : best;
            least = fmin(least, here);
        }
        nearest[p] = best;
        ADD_TERM(float, sum, lost, least);
    }
    REDUCE(sum, partials);
}

/* d distance / d a */
static float3 slope_of(float4 a, float4 b) {
    float3 difference = a.xyz - b.xyz;
    float square = dot(difference, difference), cosine = a.w * b.w * dot(a.xyz, b.xyz);
    float3 slope = a.w * (cosine * a.w * a.xyz - b.w * b.xyz);
    if (square > LEAST_DISTANCE && square < MOST_DISTANCE) {
        slope += difference / (3.0f * sqrt(square / 3.0f));
    }
    return slope;
}

/* The loss, and its slope with respect to the samples, a stack of which channels from the third on are left alone. sums,
 * style_sums: `groups` partial sums of the distances of each side. */
__kernel IN_GROUPS void palette_slope(__global const float4 *colors, __global const float4 *style,
                                      __global const int *nearest, __global const int *nearest_of_style,
                                      __global const float *sums, __global const float *style_sums, int groups,
                                      __global float *slope, __global float *partials, int slot, int positions,
                                      int style_positions, float weight) {
    float sum = 0.0f, style_sum = 0.0f;
    for (int i = 0; i < groups; ++i) {
        sum += sums[i];
        style_sum += style_sums[i];
    }
    sum /= (float)positions;
    style_sum /= (float)style_positions;
    FOR_RANGE(p, positions) {
        float3 turned = (float3)(0.0f);
        if (sum > style_sum) {
            turned = weight / (float)positions * slope_of(colors[p], style[nearest[p]]);
        } else {
            for (int q = 0; q < style_positions; ++q) {
                if (nearest_of_style[q] == p) {
                    turned += weight / (float)style_positions * slope_of(colors[p], style[q]);
                }
            }
        }
        float3 back = turn_back(turned);
        slope[place(0, p, positions)] = back.x;
        slope[place(1, p, positions)] = back.y;
        slope[place(2, p, positions)] = back.z;
    }
    REDUCE(get_global_id(0) == 0 ? weight * fmax(sum, style_sum) : 0.0f, partials + (size_t)slot * get_num_groups(0));
}
