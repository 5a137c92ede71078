/* bilinear.h: bilinear interpolation along a line, forward and transposed, in whole numbers, so that positions lose no
 * digits. Included after common.h.
 *
 * Output d of a line lies at (step * d + start) / unit between the inputs, moved into 0 .. size - 1:
 *     out[d] = sum over s of weight(d, s) in[s]        weight(d, s) = max(0, 1 - |position of d - s|)
 * which are two inputs at most. Transposed, an input gathers from the outputs that read it: those from first_reader
 * on, while `reads` says so. All products of sizes must fit an int: lines are at most 30000 long.
 */
struct line {
    int step, start, unit, size; /* size: inputs */
};

/* Half-pixel centers, clamped at the edges: (d + 1/2) size / count - 1/2. */
static struct line half_pixel_line(int size, int count) {
    struct line line = {2 * size, size - count, 2 * count, size};
    return line;
}

static int numerator(struct line line, int d) {
    return clamp(line.step * d + line.start, 0, (line.size - 1) * line.unit);
}

static float weight(struct line line, int d, int s) {
    return max(0.0f, 1.0f - (float)abs(numerator(line, d) - s * line.unit) / (float)line.unit);
}

/* The first output at a position above s - 1. */
static int first_reader(struct line line, int s) {
    int above = (s - 1) * line.unit - line.start;
    return s == 0 || above < 0 || line.step == 0 ? 0 : above / line.step + 1;
}

static bool reads(struct line line, int d, int s) {
    return numerator(line, d) < (s + 1) * line.unit;
}
