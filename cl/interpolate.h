/* interpolate.h: a plane, float [height][width], between its pixels; edges are repeated. Included after common.h.
 *
 * Along each axis, with t from 0 to 1 between the second and the third of four pixels:
 *     cubic (Keys 1981, a = -1/2)     linear: 0, 1 - t, t, 0
 */
static float4 cubic_weights(float t) {
    float u = 1.0f - t;
    return 0.5f * (float4)(-t * u * u, 2.0f + t * t * (3.0f * t - 5.0f), 2.0f + u * u * (3.0f * u - 5.0f), -u * t * t);
}

/* A position far outside is as good as one at the edge, and an int can hold it. */
static float near_plane(float at, int size) {
    return clamp(at, -2.0f, size + 1.0f);
}

static float cubic_at(__global const float *plane, int height, int width, float y, float x) {
    y = near_plane(y, height);
    x = near_plane(x, width);
    int top = (int)floor(y), left = (int)floor(x);
    float4 rows = cubic_weights(y - top), columns = cubic_weights(x - left);
    int4 at = clamp((int4)(left - 1, left, left + 1, left + 2), 0, width - 1);
    float sums[4];
    for (int i = 0; i < 4; ++i) {
        __global const float *line = plane + (size_t)clamp(top - 1 + i, 0, height - 1) * width;
        sums[i] = dot(columns, (float4)(line[at.x], line[at.y], line[at.z], line[at.w]));
    }
    return dot(rows, (float4)(sums[0], sums[1], sums[2], sums[3]));
}

static float linear_at(__global const float *plane, int height, int width, float y, float x) {
    y = clamp(y, 0.0f, height - 1.0f);
    x = clamp(x, 0.0f, width - 1.0f);
    int top = (int)y, left = (int)x, right = min(left + 1, width - 1);
    __global const float *above = plane + (size_t)top * width;
    __global const float *below = plane + (size_t)min(top + 1, height - 1) * width;
    float upper = mix(above[left], above[right], x - left), lower = mix(below[left], below[right], x - left);
    return mix(upper, lower, y - top);
}
