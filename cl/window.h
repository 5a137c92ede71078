/* window.h: the 2x2 windows of maximum pooling. Included after common.h. */

/* max(a, b), but not a number if one of them is not, so that it is noticed; fmax would drop it. */
static floatB larger(floatB a, floatB b) {
    return select(select(b, a, LANES(a > b)), a, LANES(a != a));
}

/* The largest of a window's four values a b / c d, whose first pixel is (y, x) in its 4x4 tile. Adds to `bits` the bit
 * of the first largest one; above a ReLU only if it is positive. The bits are those of the mask, one place to the
 * left: Oclgrind 21.10 mistakes the 1 of a comparison's lane for 255. SELECTION_MASK makes the mask of them. */
static floatB window_maximum(floatB a, floatB b, floatB c, floatB d, int y, int x, int above_relu, intB *bits) {
    floatB most = larger(larger(a, b), larger(c, d));
    intB is_a = LANES(a == most), is_b = LANES(b == most) & ~is_a, is_c = LANES(c == most) & ~(is_a | is_b);
    intB is_d = ~(is_a | is_b | is_c);
    int first = 4 * y + x + 1;
    intB chosen =
        (is_a & (1 << first)) | (is_b & (1 << (first + 1))) | (is_c & (1 << (first + 4))) | (is_d & (1 << (first + 5)));
    *bits |= above_relu ? chosen & LANES(most > 0.0f) : chosen;
    return most;
}

#define SELECTION_MASK(bits) CONVERT_USHORT((bits) >> 1)
