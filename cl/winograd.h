/* winograd.h: the transforms of Winograd's F(4x4, 3x3) along one axis, for the points 0, +-1/sqrt 2, +-sqrt 2 and
 * infinity (Lavin and Gray 2015, arXiv:1509.09308, section 4). Rows of G are (1, p, p^2) / product of (p - q) over the
 * other finite points q, and (0, 0, 1) for infinity. Included after common.h.
 */
#define SLICES    36
#define HALF_ROOT 0.70710678118654752f
#define ROOT      1.41421356237309505f

/* G along one axis. */
static void transform_filter(const floatB g[3], floatB t[6]) {
    floatB even = -2.0f / 3.0f * g[0] - 1.0f / 3.0f * g[2], odd = -2.0f / 3.0f * HALF_ROOT * g[1];
    t[0] = g[0];
    t[1] = even + odd;
    t[2] = even - odd;
    even = 1.0f / 6.0f * g[0] + 1.0f / 3.0f * g[2];
    odd = ROOT / 6.0f * g[1];
    t[3] = even + odd;
    t[4] = even - odd;
    t[5] = g[2];
}

/* B^T along one axis. */
static void transform_input(const floatB d[6], floatB t[6]) {
    floatB even = d[4] - 2.0f * d[2], odd = HALF_ROOT * (d[3] - 2.0f * d[1]);
    t[1] = even + odd;
    t[2] = even - odd;
    even = d[4] - 0.5f * d[2];
    odd = ROOT * (d[3] - 0.5f * d[1]);
    t[3] = even + odd;
    t[4] = even - odd;
    t[0] = d[0] + d[4] - 2.5f * d[2];
    t[5] = d[1] + d[5] - 2.5f * d[3];
}

/* A^T along one axis. */
static void transform_output(const floatB m[6], floatB y[4]) {
    floatB sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    floatB sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + sum1 + sum2;
    y[1] = HALF_ROOT * difference1 + ROOT * difference2;
    y[2] = 0.5f * sum1 + 2.0f * sum2;
    y[3] = m[5] + 0.5f * HALF_ROOT * difference1 + 2.0f * ROOT * difference2;
}
