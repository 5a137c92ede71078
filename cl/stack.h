/* stack.h: what kernels on stacks of samples (cl/samples.cl) share. Included after common.h.
 *
 * RUN: positions that a work-item takes at a time through all blocks. CPUs take several, which lie side by side: the
 * blocks are pages apart.
 */
#define RUN (LOOPS ? 16 : 1)

/* Vectors whose squared length is not above this count as zero: they have no direction. */
#define LEAST_SQUARE 1e-12f

/* 1 / length, or 0 without direction. */
INLINED float inverse_length(float square) {
    return square > LEAST_SQUARE ? 1.0f / sqrt(square) : 0.0f;
}
